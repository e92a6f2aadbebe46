"""python -m isthmus_dbt [--export-date DATE] [--select NODES] [--full-refresh] [--without-catalog]"""
import argparse
import os
import signal
import sys
from datetime import date

from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError

from isthmus_dbt import log
from isthmus_dbt.job import Exit, Options, run
from isthmus_dbt.settings import InvalidSettings, Settings

EPILOG = """exit codes:
  0 everything was built and tested   1 a model or a test failed; the rest was built   2 settings or the project are wrong
  4 another execution is building     143 stopped by a signal"""


def arguments(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="dbt-job", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--export-date", type=date.fromisoformat, help="the day whose loads were to be proven; today where left out"
    )
    parser.add_argument("--select", nargs="+", default=[], metavar="NODES", help="only these, in dbt's own syntax")
    parser.add_argument("--full-refresh", action="store_true", help="build incremental models anew")
    parser.add_argument(
        "--without-catalog", action="store_true", help="leave catalog.json as it is: asking for every column takes a while"
    )
    return Options(**vars(parser.parse_args(argv)))


def main(argv: list[str]) -> int:
    options = arguments(argv)
    # dbt cancels its queries when it is interrupted; Cloud Run sends SIGTERM and waits ten seconds.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(Settings.read(os.environ), options)
    except InvalidSettings as wrong:
        log.error(str(wrong))
        return Exit.WRONG
    except (GoogleAPIError, GoogleAuthError) as refused:
        log.error(f"BigQuery: {refused}")
        return Exit.FAILED
    except KeyboardInterrupt:
        log.warning("stopped by a signal: the next execution builds what is missing")
        return Exit.STOPPED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
