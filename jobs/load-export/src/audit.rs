//! `{audit dataset}.loads`: one row for each table and export date, whatever became of it.

use anyhow::{Context, Result};
use handoff::Manifest;
use serde_json::json;

use crate::bigquery::BigQuery;
use crate::outcome::Outcome;
use ::bigquery::DatasetId;

const COLUMNS: &str = "export_date DATE NOT NULL, table_name STRING NOT NULL, rows_expected INT64, rows_loaded INT64, \
    snapshot_time TIMESTAMP, run_name STRING, state STRING NOT NULL, message STRING, loaded_at TIMESTAMP NOT NULL";

/// One statement for all tables: written twice, it leaves the same rows, and parallel ones would queue anyway.
pub async fn write(bigquery: &BigQuery, dataset: &DatasetId, manifest: &Manifest, outcomes: &[Outcome]) -> Result<()> {
    let table = format!("`{}.{dataset}.loads`", bigquery.project());
    let create = format!("CREATE TABLE IF NOT EXISTS {table} ({COLUMNS}) PARTITION BY export_date");
    bigquery.query(&create, &[]).await.with_context(|| format!("create the audit table {table}"))?;
    let parameters = [
        ("export_date", manifest.export_date.to_string()),
        ("snapshot_time", manifest.snapshot_time.to_rfc3339()),
        ("outcomes", rows(outcomes)),
    ];
    bigquery.query(&merge(&table), &parameters).await.with_context(|| format!("write the audit table {table}"))?;
    Ok(())
}

fn rows(outcomes: &[Outcome]) -> String {
    let row = |outcome: &Outcome| {
        json!({
            "table_name": outcome.table,
            "rows_expected": outcome.rows_expected,
            "rows_loaded": outcome.rows_loaded,
            "run_name": outcome.run_name,
            "state": outcome.state,
            "message": outcome.message,
        })
    };
    json!(outcomes.iter().map(row).collect::<Vec<_>>()).to_string()
}

fn merge(table: &str) -> String {
    format!(
        "MERGE {table} AS old
        USING (
          SELECT
            DATE(@export_date) AS export_date,
            JSON_VALUE(outcome, '$.table_name') AS table_name,
            CAST(JSON_VALUE(outcome, '$.rows_expected') AS INT64) AS rows_expected,
            CAST(JSON_VALUE(outcome, '$.rows_loaded') AS INT64) AS rows_loaded,
            TIMESTAMP(@snapshot_time) AS snapshot_time,
            JSON_VALUE(outcome, '$.run_name') AS run_name,
            JSON_VALUE(outcome, '$.state') AS state,
            JSON_VALUE(outcome, '$.message') AS message,
            CURRENT_TIMESTAMP() AS loaded_at
          FROM UNNEST(JSON_QUERY_ARRAY(@outcomes)) AS outcome
        ) AS new
        ON old.export_date = new.export_date AND old.table_name = new.table_name
        WHEN MATCHED THEN UPDATE SET
          rows_expected = new.rows_expected, rows_loaded = new.rows_loaded, snapshot_time = new.snapshot_time,
          run_name = new.run_name, state = new.state, message = new.message, loaded_at = new.loaded_at
        WHEN NOT MATCHED THEN
          INSERT (export_date, table_name, rows_expected, rows_loaded, snapshot_time, run_name, state, message, loaded_at)
          VALUES (new.export_date, new.table_name, new.rows_expected, new.rows_loaded, new.snapshot_time, new.run_name,
            new.state, new.message, new.loaded_at)"
    )
}
