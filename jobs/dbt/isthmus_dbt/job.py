"""The job from its beginning to its end."""
import tempfile
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from pathlib import Path
from typing import Any

from isthmus_dbt import artifacts, bigquery, federated, log, results
from isthmus_dbt.federate import Federation, states
from isthmus_dbt.federated import InvalidFederated
from isthmus_dbt.gates import gates
from isthmus_dbt.runner import Dbt, ProjectWrong
from isthmus_dbt.settings import Settings


# With it dbt parses what has changed since, which takes a third of the time; it parses all where the file is of another
# version, another project or broken.
PARSED = "partial_parse.msgpack"


class Exit(IntEnum):
    GOOD = 0
    FAILED = 1
    WRONG = 2
    HELD = 4
    STOPPED = 143


@dataclass(frozen=True)
class Options:
    export_date: date | None = None
    select: tuple[str, ...] = ()
    full_refresh: bool = False
    without_catalog: bool = False


def run(settings: Settings, options: Options) -> Exit:
    client = bigquery.client(settings)
    try:
        with tempfile.TemporaryDirectory(prefix="dbt-") as target, bigquery.held(client, settings):
            return _build(settings, options, client, Dbt(settings.warehouse, Path(target)))
    except bigquery.Held as held:
        log.error(str(held))
        return Exit.HELD
    except (InvalidFederated, ProjectWrong) as wrong:
        log.error(str(wrong))
        return Exit.WRONG


def _build(settings: Settings, options: Options, client: Any, dbt: Dbt) -> Exit:
    day = options.export_date or settings.today()
    tables = federated.read(settings.federated) if settings.federated else []
    # From here on marts change, and no test has seen them until the end: until then no sync is fresh, even should we be killed.
    head = {"export_date": day.isoformat(), "execution": settings.execution}
    artifacts.write_json(settings.artifacts, "gates.json", head)
    artifacts.fetch(settings.artifacts, dbt.target, PARSED)
    manifest = dbt.parse()
    federated.apart(tables, manifest["sources"].values())
    artifacts.copy(dbt.target, settings.artifacts, PARSED)
    loaded = Federation(client, settings).load(tables)
    found = bigquery.states(client, settings, day) | states(loaded)
    late = bigquery.late(_tables(manifest), found, day)
    for table, state in sorted(late.items()):
        log.warning(f"table {table} is late: {state}", event="late_table", table=table, state=state)
    dbt.freshness()
    built = results.merged(_tries(settings, options, dbt))
    _leave(settings, dbt, built, head | {"syncs": gates(manifest, built, late)})
    if not options.without_catalog:
        _leave_catalog(settings, dbt)
    failed = results.failed(built) + [one.table.audited for one in loaded if one.state != "loaded"]
    counts = {"nodes": len(built), "failed": len(failed), "bytes": results.billed(built)}
    if failed:
        log.error(f"{len(failed)} of {len(built) + len(loaded)} failed: {', '.join(failed)}", event="built", **counts)
        return Exit.FAILED
    log.info(f"{len(built)} nodes were built and tested", event="built", **counts)
    return Exit.GOOD


def _tries(settings: Settings, options: Options, dbt: Dbt) -> list[list[dict[str, Any]]]:
    runs = [dbt.build(list(options.select), options.full_refresh)]
    for _ in range(settings.retries):
        if not results.worth_a_retry(results.merged(runs)):
            break
        log.warning("what failed is tried again", event="retry")
        runs.append(dbt.retry())
    return runs


def _leave(settings: Settings, dbt: Dbt, built: Any, decided: dict[str, Any]) -> None:
    """The gates come last: should we die in between, they are closed."""
    folder = settings.artifacts
    last = dbt.read("run_results.json") | {"results": list(built.values())}
    artifacts.copy(dbt.target, folder, "manifest.json")
    artifacts.write_json(folder, "run_results.json", last)
    artifacts.write_json(folder, "gates.json", decided)
    for sync, gate in decided["syncs"].items():
        for reason in gate["because"]:
            log.warning(f"{sync} is not fresh: {reason}", event="gate", sync=sync)


def _leave_catalog(settings: Settings, dbt: Dbt) -> None:
    try:
        dbt.catalog()
        artifacts.copy(dbt.target, settings.artifacts, "catalog.json")
    except (ProjectWrong, OSError) as wrong:  # nothing waits for it
        log.warning(f"no catalog: {wrong}", event="catalog")


def _tables(manifest: dict[str, Any]) -> set[str]:
    names = ((source.get("meta") or {}).get("isthmus_table") for source in manifest["sources"].values())
    return {name for name in names if name}
