# Starts local-bigquery, with a few things changed.
import hashlib
import json
import os
import re
import sys

# Its Google client imports pandas if it can and never uses it here: 2 of 6 seconds.
sys.modules["pandas"] = None

import duckdb
from local_bigquery.cli import main
from local_bigquery.grpc import read

# A message of the Storage Read API has some thousand rows. DuckDB's readers take 1,000,000 unless they are told.
MESSAGE_ROWS = 5_000
to_arrow_reader = duckdb.DuckDBPyRelation.to_arrow_reader
duckdb.DuckDBPyRelation.to_arrow_reader = lambda relation: to_arrow_reader(relation, MESSAGE_ROWS)

# It refuses an offset behind what it has sent, and counts a message as sent only when it is asked for the next one. A
# client that lost its connection in between has the rows already and would be refused.
progress = read._progress


def progress_counted(stream, before, after):
    stream.allocated = max(stream.allocated, after)
    return progress(stream, before, after)


read._progress = progress_counted

# Where a folder is named, each statement is left there, with the tables that it may mean, for GoogleSQL's own analyzer.
if folder := os.environ.get("ISTHMUS_STATEMENTS"):
    from local_bigquery.catalog import datasets, tables
    from local_bigquery.jobs import query

    execute = query.execute
    NUMBERS = re.compile(r"[0-9a-f]{8,}|[0-9]+")  # generations and hashes differ from run to run

    def named_in(project, sql):
        found = {}
        for dataset in datasets.list_(project):
            name = dataset.datasetReference.datasetId
            for table in tables.list_(project, name) if name in sql else []:
                table = table.tableReference.tableId
                if table in sql:
                    fields = tables.columns(project, name, table)
                    found[f"{project}.{name}.{table}"] = [json.loads(field.model_dump_json()) for field in fields]
        return found

    def execute_recorded(cursor, project, job, config, *args, **kwargs):
        sql = config.query or ""
        default = config.defaultDataset and config.defaultDataset.datasetId
        path = os.path.join(folder, hashlib.sha256(NUMBERS.sub("#", sql).encode()).hexdigest()[:16] + ".json")
        known = os.path.exists(path)
        said = None if known else {"sql": sql, "default": default, "tables": named_in(project, sql)}
        result = execute(cursor, project, job, config, *args, **kwargs)
        if said:  # the emulator took it: what it refuses is no statement of ours
            parameters = config.queryParameters or []
            said["parameters"] = [json.loads(parameter.model_dump_json()) for parameter in parameters]
            with open(path, "w") as file:
                json.dump(said, file)
        return result

    query.execute = execute_recorded

# A file of typed columns carries bytes, not base64 text.
from local_bigquery.jobs import load, runner

projection, decoded = load._projection, load._decoded


def projection_typed(config, fields, columns):
    text = (config.sourceFormat or "CSV") in load.TEXT_FORMATS
    load._decoded = decoded if text else (lambda expression, field, depth=0: expression)
    return projection(config, fields, columns)


load._projection = projection_typed

# A load that replaces a table keeps the table, with its description and labels; what the columns had goes with their schema.
# Measured on BigQuery: https://github.com/dlt-hub/dlt/pull/4130
from local_bigquery.catalog import metadata, tables
from local_bigquery.models import Table

KEPT = ("description", "labels", "friendlyName", "expirationTime")
run_load = load.run


def run_load_and_keep(cursor, config, upload):
    reference = tables.reference(config.destinationTable)
    before = metadata.load(Table, *reference)
    statistics = run_load(cursor, config, upload)
    if config.writeDisposition == "WRITE_TRUNCATE":
        after = metadata.load(Table, *reference) or tables.defaults(*reference)
        kept = before.only(*KEPT).given() if before else {}
        schema = {"schema": config.schema_.dump()} if config.schema_ else {}
        tables.record(*reference, after.replace(**kept, **schema))
    return statistics


runner.HANDLERS["load"] = run_load_and_keep

# A resumable upload by Google's protocol: a chunk has its place, one that was stored is not stored again, a gap is refused,
# and whoever asks is told how much there is. https://cloud.google.com/bigquery/docs/reference/api-uploads#resumable
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from local_bigquery.api import uploads
from local_bigquery.errors import BigQueryError
from starlette.concurrency import run_in_threadpool

CHUNK = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)$")
MULTIPLE = 256 * 1024
answered = {}  # what the last chunk was told, for who lost the answer


async def upload_chunk(project_id: str, upload_id: str, request: Request):
    body = await request.body()
    if upload_id in answered:
        return answered[upload_id]
    if upload_id not in uploads._resumable:
        raise BigQueryError("notFound", f"Not found: Upload {upload_id}")
    chunk = CHUNK.match(request.headers.get("content-range", ""))
    if not chunk:
        raise BigQueryError("invalid", "Failed to parse Content-Range header.")
    first, last, total = chunk.groups()
    with open(uploads._file(upload_id), "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if first is not None:
            first, last = int(first), int(last)
            whole = total != "*" and last + 1 == int(total)
            if len(body) != last - first + 1 or first > size or (len(body) % MULTIPLE and not whole):
                raise BigQueryError("invalid", f"A chunk of {len(body)} bytes for {first}-{last}, {size} are here.")
            file.seek(first)
            file.write(body)
            size = max(size, last + 1)
    if total == "*" or size < int(total):
        return Response(status_code=308, headers={"Range": f"bytes=0-{size - 1}"} if size else {})
    _, job = uploads._resumable.pop(upload_id)
    try:
        answered[upload_id] = await run_in_threadpool(uploads._start, project_id, job, uploads._file(upload_id))
    except BigQueryError as error:
        answered[upload_id] = JSONResponse(error.response(), error.code)
    return answered[upload_id]


routes = uploads.router.routes
routes[:] = [route for route in routes if "PUT" not in route.methods]
uploads.router.put("/projects/{project_id}/jobs")(upload_chunk)

main(sys.argv[1:])
