"""config/federated.yaml: tables that BigQuery reads from another database by itself, over a connection. Pure but for the
reading of the file."""
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

WORD = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
ID = re.compile(r"^[A-Za-z0-9_-]+$")
QUOTES = {"postgres": '"', "mysql": "`"}
# What BigQuery takes from neither, as their catalogs name it:
# https://cloud.google.com/bigquery/docs/reference/standard-sql/federated_query_functions#data_type_mappings
UNKNOWN = {
    "postgres": set(
        "money,time with time zone,interval,inet,cidr,macaddr,macaddr8,uuid,jsonb,tsquery,tsvector,txid_snapshot,pg_lsn,"
        "box,circle,line,lseg,path,point,polygon,ARRAY".split(",")
    ),
    "mysql": {"bit", "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geomcollection"},
}  # fmt: skip
# A key that only grows, as their catalogs name its type. MySQL's unsigned ones are among them.
WHOLE = {"postgres": {"smallint", "integer", "bigint"}, "mysql": {"tinyint", "smallint", "mediumint", "int", "bigint"}}
# The rows of the source, counted in the same statement and so in the same moment as they are read.
COUNT = "isthmus_rows"


class InvalidFederated(Exception):
    """Everything that is wrong, a line each."""


@dataclass(frozen=True)
class Table:
    connection: str
    engine: str
    dataset: str
    """As the database names it: `public.prescriptions`."""
    source: str
    """What is selected: all columns, or those that BigQuery knows and casts of the others."""
    columns: str
    """New rows have a larger one; None where the table is read whole each time."""
    key: str | None

    @property
    def audited(self) -> str:
        """In the audit, and in dbt's sources."""
        return f"{self.connection}.{self.source}"

    @property
    def name(self) -> str:
        return self.source.rpartition(".")[2]

    def rows(self, after: int | None) -> str:
        """In the database's own SQL."""
        where = "" if after is None else f" WHERE {self._quoted(self.key or '')} > {after}"
        return f"SELECT {self.columns}, COUNT(*) OVER () AS {COUNT} FROM {self._quoted(self.source)}{where}"

    def count(self, up_to: int | None) -> str:
        where = "" if up_to is None else f" WHERE {self._quoted(self.key or '')} <= {up_to}"
        return f"SELECT COUNT(*) AS n FROM {self._quoted(self.source)}{where}"

    def types(self) -> str:
        """Asks the database for its columns and their types."""
        schema, _, name = self.source.rpartition(".")
        default = "current_schema()" if self.engine == "postgres" else "DATABASE()"
        text = "text" if self.engine == "postgres" else "char"
        return (
            f"SELECT CAST(column_name AS {text}) AS name, CAST(data_type AS {text}) AS type FROM information_schema.columns "
            f"WHERE table_name = '{name}' AND table_schema = {f"'{schema}'" if schema else default} ORDER BY ordinal_position"
        )

    def casts(self, types: Iterable[tuple[str, str]]) -> list[str]:
        """What `columns` needs for the types that BigQuery does not know."""
        return [f"{self._cast(name, type_)} AS {name}" for name, type_ in types if type_ in UNKNOWN[self.engine]]

    def wrong_key(self, types: Iterable[tuple[str, str]]) -> str | None:
        """What is wrong with the key: new rows are found by comparing whole numbers."""
        found = [type_ for name, type_ in types if name.casefold() == (self.key or "").casefold()]
        if not found:
            return f"the database shows no column {self.key} of {self.source}"
        return None if found[0] in WHOLE[self.engine] else f"key {self.key} is {found[0]}, no whole number: read it whole (mode: full)"

    def _cast(self, name: str, type_: str) -> str:
        if self.engine == "postgres":
            return f"CAST({name} AS text)"
        return f"{name} + 0" if type_ == "bit" else f"ST_AsText({name})"

    def _quoted(self, path: str) -> str:
        quote = QUOTES[self.engine]
        return ".".join(f"{quote}{word}{quote}" for word in path.split("."))


def external(place: str, connection: str, sql: str) -> str:
    """The rows of a query in the database's own SQL. A text of BigQuery has the escapes of JSON's."""
    return f"EXTERNAL_QUERY('{place}.{connection}', {json.dumps(sql, ensure_ascii=False)})"


def read(path: Path) -> list[Table]:
    try:
        said = yaml.safe_load(path.read_text())
    except yaml.YAMLError as wrong:
        raise InvalidFederated(f"{path.name}: {wrong}") from wrong
    problems: list[str] = []
    tables = list(_tables(said, problems))
    names = [f"{table.dataset}.{table.name}" for table in tables]
    problems += [f"{name} is the destination of two tables" for name in sorted({n for n in names if names.count(n) > 1})]
    if problems:
        raise InvalidFederated("\n".join(f"{path.name}: {problem}" for problem in problems))
    return tables


def apart(tables: Iterable[Table], sources: Iterable[Mapping[str, Any]]) -> None:
    """What the other lists load, as dbt's sources name it, is no table of this one: the audit and BigQuery have one place for
    each name."""
    problems = []
    for table in tables:
        place = f"{table.dataset}.{table.name}"
        for source in sources:
            theirs, other = f"{source['schema']}.{source['identifier']}", (source.get("meta") or {}).get("isthmus_table")
            if (place == theirs) != (table.audited == other):
                what = f"{place} is the destination" if place == theirs else f"{other} is the name in the audit"
                problems.append(f"federated.yaml: {table.audited}: {what} of the source {source['source_name']}.{source['name']} too")
    if problems:
        raise InvalidFederated("\n".join(problems))


def _tables(said: Any, problems: list[str]) -> Iterator[Table]:
    connections = _mapping(said, "the file", {"connections"}, problems).get("connections")
    for connection, settings in _mapping(connections, "connections", None, problems).items():
        if not ID.match(str(connection)):
            problems.append(f"{connection}: expected the id of a connection: letters, digits, - and _")
        settings = _mapping(settings, connection, {"engine", "dataset", "tables"}, problems)
        engine, dataset = settings.get("engine"), settings.get("dataset")
        if engine not in QUOTES:
            problems.append(f"{connection}.engine: expected postgres or mysql, found {engine}")
        if not WORD.match(str(dataset)):
            problems.append(f"{connection}.dataset: expected letters, digits and underscores, found {dataset}")
        for source, table in _mapping(settings.get("tables"), f"{connection}.tables", None, problems).items():
            found = _table(f"{connection}.{source}", str(source), table, problems)
            if engine in QUOTES and found:
                columns, key = found
                yield Table(str(connection), engine, str(dataset), str(source), columns, key)


def _table(place: str, source: str, said: Any, problems: list[str]) -> tuple[str, str | None] | None:
    before = len(problems)
    said = _mapping(said, place, {"mode", "key", "columns"}, problems)
    mode, key, columns = said.get("mode", "full"), said.get("key"), said.get("columns", "*")
    if not all(WORD.match(word) for word in source.split(".")):
        problems.append(f"{place}: expected a table, with its schema or without")
    if mode not in ("full", "incremental"):
        problems.append(f"{place}.mode: expected full or incremental, found {mode}")
    if (mode == "incremental") != (key is not None):
        problems.append(f"{place}: a key belongs to mode incremental, and that mode to a key")
    if key is not None and not WORD.match(str(key)):
        problems.append(f"{place}.key: expected a column, found {key}")
    if not isinstance(columns, str) or not columns.strip() or ";" in columns:
        problems.append(f"{place}.columns: expected what stands between SELECT and FROM")
    return (columns, key) if len(problems) == before else None


def _mapping(said: Any, place: Any, known: set[str] | None, problems: list[str]) -> dict[Any, Any]:
    if not isinstance(said, dict) and not (said is None and known is not None):
        problems.append(f"{place}: expected names with what belongs to them, found {said}")
        return {}
    said = said or {}
    for name in sorted(str(name) for name in said if known is not None and name not in known):
        problems.append(f"{place}.{name}: no such setting, expected {', '.join(sorted(known or ()))}")
    return said
