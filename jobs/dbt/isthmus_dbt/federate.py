"""Federated tables: read into a copy, proven, and only then put in the place of what was there; written down as every other
load is."""
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.api_core import exceptions
from google.cloud import bigquery

from isthmus_dbt import log
from isthmus_dbt.audit import Audit
from isthmus_dbt.bigquery import OWN_DATASET, told
from isthmus_dbt.federated import COUNT, Table, external
from isthmus_dbt.settings import Settings


@dataclass
class Outcome:
    table: Table
    read_at: datetime
    state: str = "failed"
    rows_expected: int | None = None
    rows_loaded: int | None = None
    message: str | None = None

    def row(self) -> dict[str, Any]:
        """As the audit has it."""
        return {
            "table_name": self.table.audited,
            "rows_expected": self.rows_expected,
            "rows_loaded": self.rows_loaded,
            "snapshot_time": self.read_at.isoformat(),
            "state": self.state,
            "message": self.message,
            "proof": "rows" if self.state == "loaded" else None,
        }


def states(outcomes: list[Outcome]) -> dict[str, str]:
    """What became of each table. It is what the build reads, whichever day the build is of."""
    return {one.table.audited: told(one.state, one.message) for one in outcomes}


class Federation:
    def __init__(self, client: bigquery.Client, settings: Settings) -> None:
        self.client, self.settings = client, settings

    def load(self, tables: list[Table]) -> list[Outcome]:
        """One that is down keeps no other from being loaded, and none of them the warehouse from being built."""
        # The rows are those of now, also where a day of the past is built.
        day = self.settings.today()
        outcomes = [self._settled(table) for table in tables]
        if outcomes:
            try:
                Audit(self.client, self.settings).write(day, [one.row() for one in outcomes])
            except Exception as refused:  # a proof that nobody can look up is none
                log.error(f"what became of the federated tables was not written down: {refused}", event="audit")
                for one in outcomes:
                    one.state, one.message = "failed", f"not in the audit: {refused}"[:1000]
        return outcomes

    def _settled(self, table: Table) -> Outcome:
        outcome = Outcome(table, datetime.now(UTC))
        try:
            (self._whole if table.key is None else self._new_rows)(table, outcome)
        except Exception as refused:  # whatever it is, it is this table's failure
            outcome.state, outcome.message = "failed", f"{refused}"[:1000] + self._advice(table, refused)
        fields = {"event": "federated", "table": table.audited, "state": outcome.state, "rows": outcome.rows_loaded}
        said = f": {outcome.message}" if outcome.message else f", {outcome.rows_loaded} rows"
        (log.info if outcome.state == "loaded" else log.error)(f"{table.audited} is {outcome.state}{said}", **fields)
        return outcome

    def _advice(self, table: Table, refused: Exception) -> str:
        """BigQuery names a type that it does not know by its number in the database, and no column."""
        if "support" not in f"{refused}":
            return ""
        try:
            casts = table.casts(self._types(table))
        except Exception as why:  # advice stops nothing
            return f"; the database was asked for the types of its columns in vain: {why}"[:300]
        return f"; write in its columns: {', '.join(casts)}" if casts else ""

    def _types(self, table: Table) -> list[tuple[str, str]]:
        return [(row.name, row.type) for row in self._query(f"SELECT name, type FROM {self._external(table, table.types())}")]

    def _whole(self, table: Table, outcome: Outcome) -> None:
        copy = self._copy(table, None, outcome)
        if outcome.state == "loaded":
            self._query(f"CREATE OR REPLACE TABLE {self._raw(table)} AS SELECT * EXCEPT ({COUNT}) FROM {copy}")

    def _new_rows(self, table: Table, outcome: Outcome) -> None:
        """Rows beyond the largest key; then the whole is counted on both sides, up to the same key."""
        outcome.message = table.wrong_key(self._types(table))
        if outcome.message:
            return
        raw, largest = self._raw(table), self._largest(table)
        copy = self._copy(table, largest, outcome)
        if outcome.state != "loaded":
            return
        if largest is None:
            self._query(f"CREATE OR REPLACE TABLE {raw} AS SELECT * EXCEPT ({COUNT}) FROM {copy}")
        else:
            new = f"SELECT * EXCEPT ({COUNT}) FROM {copy}"
            self._query(f"MERGE {raw} AS old USING ({new}) AS fresh ON old.`{table.key}` = fresh.`{table.key}` WHEN NOT MATCHED THEN INSERT ROW")
        largest = self._largest(table)
        expected = self._one(f"SELECT n FROM {self._external(table, table.count(largest))}") if largest is not None else 0
        self._judge(outcome, expected, self._one(f"SELECT COUNT(*) AS n FROM {raw}"))
        if outcome.state != "loaded":
            outcome.message = f"{outcome.message}: rows were changed or deleted behind the key; read it whole (mode: full)"

    def _copy(self, table: Table, after: int | None, outcome: Outcome) -> str:
        """What the database gave, beside how many rows it says these are."""
        copy = f"`{self.settings.project}.{OWN_DATASET}.federated__{table.dataset}__{table.name}`"
        self._query(f"CREATE OR REPLACE TABLE {copy} AS SELECT * FROM {self._external(table, table.rows(after))}")
        loaded = self._one(f"SELECT COUNT(*) AS n FROM {copy}")
        # No row tells the number where there is none.
        counted = f"SELECT MAX({COUNT}) AS n FROM {copy}"
        expected = self._one(counted if loaded or after is not None else f"SELECT n FROM {self._external(table, table.count(None))}")
        self._judge(outcome, expected or 0, loaded)
        return copy

    def _judge(self, outcome: Outcome, expected: int, loaded: int) -> None:
        outcome.rows_expected, outcome.rows_loaded = expected, loaded
        outcome.state = "loaded" if loaded == expected else "short" if loaded < expected else "failed"
        outcome.message = None if loaded == expected else f"{loaded} of {expected} rows"

    def _largest(self, table: Table) -> int | None:
        try:
            largest = self._one(f"SELECT MAX(`{table.key}`) AS n FROM {self._raw(table)}")
        except exceptions.NotFound:
            return None
        return None if largest is None else int(largest)

    def _external(self, table: Table, sql: str) -> str:
        return external(f"{self.settings.project}.{self.settings.location}", table.connection, sql)

    def _raw(self, table: Table) -> str:
        return f"`{self.settings.project}.{table.dataset}.{table.name}`"

    def _one(self, sql: str) -> Any:
        return next(iter(self._query(sql))).n

    def _query(self, sql: str) -> Any:
        return self.client.query_and_wait(sql)
