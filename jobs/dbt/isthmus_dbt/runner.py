"""dbt inside this process: it is imported once, its project is parsed once, and its events come as objects."""
import json
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner, dbtRunnerResult
from google.protobuf.json_format import MessageToDict

from isthmus_dbt import log
from isthmus_dbt.events import line_of


class ProjectWrong(Exception):
    """dbt could not even begin."""


class Dbt:
    def __init__(self, project: Path, target: Path) -> None:
        self.target = target
        paths = [f"--project-dir={project}", f"--profiles-dir={project}", f"--target-path={target}", f"--log-path={target}"]
        self.common = ["--no-use-colors", "--log-level=none", "--log-level-file=none", *paths]
        self.manifest = None

    def parse(self) -> dict[str, Any]:
        self.manifest = self._invoke(["parse"]).result
        return self.read("manifest.json")

    def build(self, select: list[str], full_refresh: bool) -> list[dict[str, Any]]:
        arguments = ["build"] + (["--full-refresh"] if full_refresh else [])
        self._invoke(arguments + (["--select", *select] if select else []))
        return self.read("run_results.json")["results"]

    def retry(self) -> list[dict[str, Any]]:
        self._invoke(["retry"])
        return self.read("run_results.json")["results"]

    def freshness(self) -> None:
        self._invoke(["source", "freshness"])

    def catalog(self) -> None:
        self._invoke(["docs", "generate", "--no-compile"])

    def read(self, name: str) -> dict[str, Any]:
        return json.loads((self.target / name).read_text())

    def _invoke(self, arguments: list[str]) -> dbtRunnerResult:
        result = dbtRunner(manifest=self.manifest, callbacks=[_tell]).invoke([*arguments, *self.common])
        if isinstance(result.exception, KeyboardInterrupt):
            raise result.exception
        # Models that fail are no exception; a project that cannot be read is.
        if result.exception is not None:
            raise ProjectWrong(f"dbt {arguments[0]}: {result.exception}") from result.exception
        return result


def _tell(event: Any) -> None:
    said = line_of(MessageToDict(event, preserving_proto_field_name=True))
    if said:
        log.write(said.severity, said.message, **said.fields)
