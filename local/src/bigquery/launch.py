# Starts local-bigquery, with a few things changed: here, and in the files beside this one.
import hashlib
import json
import os
import re
import sys

# Its Google client imports pandas if it can and never uses it here: 2 of 6 seconds.
sys.modules["pandas"] = None

import duckdb
from local_bigquery.catalog import tables
from local_bigquery.cli import main
from local_bigquery.engine import database
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

# It stamps a table when it is made and when its description changes, and not when its rows do. The store below it has a
# snapshot for each change.
CHANGED = """
SELECT epoch_ms(max(s.snapshot_time)) FROM {store}.ducklake_table t
JOIN {store}.ducklake_schema d ON d.schema_id = t.schema_id AND d.end_snapshot IS NULL
JOIN {store}.ducklake_snapshot_changes c
  ON c.snapshot_id = t.begin_snapshot OR contains(c.changes_made || ',', ':' || t.table_id || ',')
JOIN {store}.ducklake_snapshot s ON s.snapshot_id = c.snapshot_id
WHERE d.schema_name = ? AND t.table_name = ? AND t.end_snapshot IS NULL
"""
load = tables.load


def load_with_the_time_of_its_rows(project, dataset, table):
    resource = load(project, dataset, table)
    query = CHANGED.format(store=f'"__ducklake_metadata_{project}"')
    (changed,) = database.fetch(query, [dataset, table])[0]
    last = max(int(resource.lastModifiedTime), changed or 0)
    return resource.replace(lastModifiedTime=str(last))


tables.load = load_with_the_time_of_its_rows
