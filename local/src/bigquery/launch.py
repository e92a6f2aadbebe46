# Starts local-bigquery, with three things changed.
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

main(sys.argv[1:])
