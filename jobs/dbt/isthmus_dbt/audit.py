"""The audit, as every program that loads BigQuery writes it. Its statements are those of crates/audit, which makes audit.json."""
import json
from datetime import date
from pathlib import Path
from time import sleep
from typing import Any

from google.api_core import exceptions
from google.cloud import bigquery

from isthmus_dbt import log
from isthmus_dbt.settings import Settings

SAID = json.loads((Path(__file__).parent / "audit.json").read_text())
# The states after which a table has the rows that it should have.
PROVEN = frozenset(SAID["proven"])
# Others write to it, and of two statements that change a table at once BigQuery refuses one.
PAUSES = (1, 4)


class Audit:
    def __init__(self, client: bigquery.Client, settings: Settings) -> None:
        self.client, self.load_id = client, settings.execution
        self.table, self.view = (f"{settings.project}.{settings.audit_dataset}.{name}" for name in ("loads", "latest_loads"))

    def write(self, day: date, outcomes: list[dict[str, Any]]) -> None:
        """A row for each table. Whoever loads first makes the table and its view."""
        for pause in PAUSES:
            try:
                return self._write(day, outcomes)
            except exceptions.GoogleAPICallError as refused:
                log.warning(f"the audit was not written, trying again in {pause} s: {refused}", event="audit")
                sleep(pause)
        return self._write(day, outcomes)

    def _write(self, day: date, outcomes: list[dict[str, Any]]) -> None:
        self._prepare()
        said = {"export_date": day.isoformat(), "load_id": self.load_id, "outcomes": json.dumps(outcomes)}
        self._run("write", [bigquery.ScalarQueryParameter(name, "STRING", value) for name, value in said.items()])

    def _prepare(self) -> None:
        there = self._columns(self.table)
        if there is None:
            self._run("create_table")
        elif not there.issuperset(SAID["later_columns"]):
            self._run("add_columns")
        if self._columns(self.view) is None:
            self._run("create_view")

    def _columns(self, table: str) -> set[str] | None:
        try:
            return {field.name for field in self.client.get_table(table).schema}
        except exceptions.NotFound:
            return None

    def _run(self, statement: str, parameters: list[bigquery.ScalarQueryParameter] | None = None) -> None:
        sql = SAID[statement].replace("{table}", f"`{self.table}`").replace("{view}", f"`{self.view}`")
        self.client.query_and_wait(sql, job_config=bigquery.QueryJobConfig(query_parameters=parameters or []))
