"""A source for database-to-bigquery: a JSON API with pages, as Stripe's is, written as an Arrow IPC stream.

    json_pages.py https://api.example.com/v1 charges

Columns and their types stand here and not in the answers: a page without a coupon is no table without coupons.
"""
import json
import os
import sys
import urllib.request

import pyarrow as pa

COLUMNS = {
    "charges": pa.schema([
        ("id", pa.string()), ("amount", pa.int64()), ("currency", pa.string()),
        ("created", pa.timestamp("s", tz="UTC")), ("metadata", pa.string()),
    ]),
}

base, table = sys.argv[1:]
schema, after = COLUMNS[table], ""
with pa.ipc.new_stream(sys.stdout.buffer, schema) as stream:
    while True:
        request = urllib.request.Request(f"{base}/{table}?limit=100{after}")
        request.add_header("Authorization", "Bearer " + os.environ.get("API_KEY", ""))
        with urllib.request.urlopen(request, timeout=60) as answer:
            page = json.load(answer)
        rows = [{**row, "metadata": json.dumps(row["metadata"])} for row in page["data"]]
        stream.write_batch(pa.RecordBatch.from_pylist(rows, schema))
        if not page["has_more"]:
            break
        after = "&starting_after=" + page["data"][-1]["id"]
