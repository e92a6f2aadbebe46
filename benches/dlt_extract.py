#!/usr/bin/env python3
"""The peer of database-to-bigquery for the figures: dlt, one table of a database into BigQuery, replaced whole."""

import argparse

import dlt
from dlt.sources.sql_database import sql_table

arguments = argparse.ArgumentParser()
for name in ("--database", "--table", "--dataset", "--backend", "--folder"):
    arguments.add_argument(name, required=True)
arguments = arguments.parse_args()

table = sql_table(arguments.database, table=arguments.table, backend=arguments.backend, chunk_size=100_000)
pipeline = dlt.pipeline(
    "peer",
    pipelines_dir=arguments.folder,
    destination=dlt.destinations.bigquery(location="US"),
    dataset_name=arguments.dataset,
)
pipeline.run(table, loader_file_format="parquet", write_disposition="replace").raise_on_failed_jobs()
