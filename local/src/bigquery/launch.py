# Starts local-bigquery. Its Google client imports pandas if it can and never uses it here: 2 of 6 seconds.
import sys

sys.modules["pandas"] = None
from local_bigquery.cli import main

main(sys.argv[1:])
