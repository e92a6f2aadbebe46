
# Loads and uploads as BigQuery does them.
# A file of typed columns carries bytes, not base64 text.
from local_bigquery.jobs import load as loads
from local_bigquery.jobs import runner

projection, decoded = loads._projection, loads._decoded


def projection_typed(config, fields, columns):
    text = (config.sourceFormat or "CSV") in loads.TEXT_FORMATS
    loads._decoded = decoded if text else (lambda expression, field, depth=0: expression)
    return projection(config, fields, columns)


loads._projection = projection_typed

# A load that replaces a table keeps the table, with its description and labels; what the columns had goes with their schema.
# Measured on BigQuery: https://github.com/dlt-hub/dlt/pull/4130
from local_bigquery.catalog import metadata, tables
from local_bigquery.models import Table

KEPT = ("description", "labels", "friendlyName", "expirationTime")
run_load = loads.run


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
