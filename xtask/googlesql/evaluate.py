"""Evaluates the expressions of a file by GoogleSQL's own evaluator, for a test that sends the values to our reader.
Prints, for each type, its values as messages of the Storage Read API, and the JSON text that each one is to have.

evaluate.py FILE CACHE
"""
import base64
import json
import re
import sys
from itertools import count
from pathlib import Path

import arrow
import googlesql
import yaml
from zetasql.core import ZetaSqlLocalService
from zetasql.types import AnalyzerOptions, EvaluateQueryRequest, PrepareQueryRequest
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as answers

file, cache = map(Path, sys.argv[1:3])
said = yaml.safe_load(file.read_text())
forms = {kind: each["json"] for kind, each in said["forms"].items()}
names = count(1)


def text_of(kind: str) -> str:
    """SQL that writes `v`, a value of this type, as docs/spec/json.md has it. TO_JSON_STRING does, but where a type in
    it has a form of its own: then each level is written in the same way, and the form stands in its place."""
    if not any(re.search(rf"\b{own}\b", kind) for own in forms):
        return "TO_JSON_STRING(v)"
    if kind in forms:
        return f"IFNULL({forms[kind]}, 'null')"
    inner, body = kind.split("<", 1)[0], kind.split("<", 1)[1].removesuffix(">")
    if inner == "ARRAY":
        place = f"o{next(names)}"
        items = f"SELECT STRING_AGG({text_of(body)}, ',' ORDER BY {place}) FROM UNNEST(v) AS v WITH OFFSET AS {place}"
        return f"IF(v IS NULL, 'null', CONCAT('[', IFNULL(({items}), ''), ']'))"
    if inner == "RANGE":
        members = [("start", "RANGE_START(v)", body), ("end", "RANGE_END(v)", body)]
    else:
        members = [(field, f"v.{field}", of) for field, of in map(lambda each: each.split(" ", 1), fields_in(body))]
    parts = [f"""'"{field}":', {one(text_of(of), value)}""" for field, value, of in members]
    return f"""IF(v IS NULL, 'null', CONCAT('{{', {", ',', ".join(parts)}, '}}'))"""


def fields_in(body: str) -> list[str]:
    """`a INT64, b STRUCT<c DATE, d TIME>` has two."""
    fields, depth = [""], 0
    for letter in body:
        depth += (letter == "<") - (letter == ">")
        if letter == "," and depth == 0:
            fields.append("")
        else:
            fields[-1] += letter
    return [each.strip() for each in fields]


def one(sql: str, value: str) -> str:
    return f"(SELECT {sql} FROM (SELECT {value} AS v))"


def evaluate(sql: str) -> list:
    """Types and values of the columns of the one row. The package's own objects would lose timestamps."""
    service = ZetaSqlLocalService.get_instance()
    ask = PrepareQueryRequest(sql=sql, options=options, simple_catalog=catalog).to_proto()
    prepared = service.wasm_client.call_grpc_func(
        "ZetaSqlLocalService_PrepareQuery", ask, answers.PrepareQueryResponse
    ).prepared
    ask = EvaluateQueryRequest(prepared_query_id=prepared.prepared_query_id).to_proto()
    answer = service.wasm_client.call_grpc_func(
        "ZetaSqlLocalService_EvaluateQuery", ask, answers.EvaluateQueryResponse
    )
    service.unprepare_query(prepared_query_id=prepared.prepared_query_id)
    return list(zip((column.type for column in prepared.columns), answer.content.table_data.row[0].cell))


def values_of(kind: str, lines: str) -> dict:
    """One statement for all values of a type, an expression a line: an error tells the line."""
    expressions = [line for line in lines.splitlines() if line and not line.startswith("--")]
    form = text_of(kind)
    columns = [f"({each}) AS v{n}, {one(form, f'({each})')} AS t{n}" for n, each in enumerate(expressions)]
    try:
        row = evaluate("SELECT\n" + ",\n".join(columns))
    except Exception as refused:
        sys.exit(f"{file}, {kind}: {refused}")
    values, texts = row[::2], [text.string_value for _, text in row[1::2]]
    for expression, (found, _) in zip(expressions, values):
        if googlesql.name_of(found) != kind:
            sys.exit(f"{file}: {expression} is {googlesql.name_of(found)}, not {kind}")
    schema, batch = arrow.messages(values[0][0], [value for _, value in values])
    sent = {"schema": base64.b64encode(schema).decode(), "batch": base64.b64encode(batch).decode()}
    return {"type": kind, **sent, "expressions": expressions, "expected": texts}


googlesql.keep_compiled(cache)
language = googlesql.language()
options = AnalyzerOptions(language_options=language)
catalog = googlesql.catalog({}, None, language)
for kind, expression in said["not_evaluated"].items():
    try:
        evaluate(f"SELECT {expression}")
        sys.exit(f"{file}: {kind} can be evaluated now: give it values")
    except Exception as refused:
        if "Unsupported built-in function" not in str(refused):
            sys.exit(f"{file}, {kind}: {refused}")
json.dump([values_of(kind, lines) for kind, lines in said["values"].items()], sys.stdout)
