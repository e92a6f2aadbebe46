"""The two questions that this job puts to BigQuery itself: which loads are proven, and whether another execution builds."""
from contextlib import contextmanager
from datetime import date

from google.api_core import exceptions
from google.cloud import bigquery

from isthmus_dbt.audit import PROVEN
from isthmus_dbt.settings import Settings

# Terraform makes it; the rows that tests found are there too.
OWN_DATASET = "isthmus_dbt"


class Held(Exception):
    """Another execution builds the warehouse."""


def client(settings: Settings) -> bigquery.Client:
    options = {"api_endpoint": settings.endpoint} if settings.endpoint else None
    return bigquery.Client(project=settings.project, location=settings.location, client_options=options)


def states(client: bigquery.Client, settings: Settings, day: date) -> dict[str, str]:
    """What became of each table on that day, by its name in the source database. None has a state before the first load
    of all, when there is no audit yet."""
    sql = f"SELECT table_name, state, message FROM `{settings.project}.{settings.audit_dataset}.latest_loads` WHERE export_date = @day"
    config = bigquery.QueryJobConfig(query_parameters=[bigquery.ScalarQueryParameter("day", "DATE", day)])
    try:
        rows = client.query_and_wait(sql, job_config=config)
    except exceptions.NotFound:
        return {}
    return {row.table_name: told(row.state, row.message) for row in rows}


def told(state: str, message: str | None) -> str:
    return f"{state} ({message})" if message and state not in PROVEN else state


def late(tables: set[str], states: dict[str, str], day: date) -> dict[str, str]:
    """Of these tables those that are not proven for the day, each with what is known."""
    unproven = {table: states.get(table, f"no load of {day} was proven") for table in tables}
    return {table: state for table, state in unproven.items() if state not in PROVEN}


@contextmanager
def held(client: bigquery.Client, settings: Settings):
    """Two builds at once would replace each other's temporary tables. A table can be created once only, so it is the
    lock; it expires by itself, should this process be killed, and a retry of the same execution goes on with it."""
    table = f"{settings.project}.{OWN_DATASET}.running"
    try:
        client.query_and_wait(
            f"CREATE TABLE `{table}` OPTIONS (expiration_timestamp = "
            f"TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL {settings.lock_minutes} MINUTE)) "
            "AS SELECT @execution AS execution, CURRENT_TIMESTAMP() AS since",
            job_config=bigquery.QueryJobConfig(
                query_parameters=[bigquery.ScalarQueryParameter("execution", "STRING", settings.execution)]
            ),
        )
    except exceptions.Conflict:
        _take_over(client, table, settings.execution)
    try:
        yield
    finally:
        client.delete_table(table, not_found_ok=True)


def _take_over(client: bigquery.Client, table: str, execution: str) -> None:
    holders = list(client.query_and_wait(f"SELECT execution, since FROM `{table}`"))
    for holder in holders:
        if holder.execution != execution:
            raise Held(
                f"{holder.execution} builds the warehouse since {holder.since:%Y-%m-%d %H:%M} UTC: wait for its end; if it "
                f"was killed, drop the table {table}"
            )
