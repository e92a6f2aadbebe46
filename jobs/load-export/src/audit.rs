//! `{audit dataset}.loads`: one row for each table and load, whatever became of it; `latest_loads`: of each table and
//! export date the newest.

use anyhow::{Context, Result};
use handoff::Manifest;
use serde_json::json;

use crate::bigquery::BigQuery;
use crate::outcome::Outcome;
use ::bigquery::DatasetId;

const TABLE: &str = "loads";
const VIEW: &str = "latest_loads";
/// As the table was made first.
const FIRST_COLUMNS: &str = "export_date DATE NOT NULL, table_name STRING NOT NULL, rows_expected INT64, rows_loaded INT64, \
     snapshot_time TIMESTAMP, run_name STRING, state STRING NOT NULL, message STRING, loaded_at TIMESTAMP NOT NULL";
/// Came later; a table without them gets them.
const LATER_COLUMNS: [(&str, &str); 4] =
    [("load_id", "STRING"), ("task_id", "STRING"), ("proof", "STRING"), ("proof_bytes", "INT64")];

/// Makes what is not there yet. Rows of an older release stay, without what they do not have.
pub async fn prepare(bigquery: &BigQuery, dataset: &DatasetId) -> Result<()> {
    let (table, view) = (bigquery.quoted(&dataset.to_string(), TABLE), bigquery.quoted(&dataset.to_string(), VIEW));
    let attempted = || format!("make the audit table {table}");
    match bigquery.table(&dataset.to_string(), TABLE).await.with_context(attempted)? {
        None => {
            let create = format!("CREATE TABLE IF NOT EXISTS {table} ({}) PARTITION BY export_date", columns());
            bigquery.query(&create, &[]).await.with_context(attempted)?;
        }
        Some(found) => {
            let has = |name: &str| found.fields.iter().any(|field| field.name == name);
            let missing = LATER_COLUMNS.iter().filter(|(name, _)| !has(name));
            let added = missing.map(|(name, kind)| format!("ADD COLUMN IF NOT EXISTS {name} {kind}"));
            let added: Vec<String> = added.collect();
            if !added.is_empty() {
                let alter = format!("ALTER TABLE {table} {}", added.join(", "));
                bigquery.query(&alter, &[]).await.with_context(attempted)?;
            }
        }
    }
    if bigquery.table(&dataset.to_string(), VIEW).await.with_context(attempted)?.is_none() {
        let newest =
            "ROW_NUMBER() OVER (PARTITION BY export_date, table_name ORDER BY loaded_at DESC, load_id DESC) = 1";
        let create = format!("CREATE VIEW IF NOT EXISTS {view} AS SELECT * FROM {table} WHERE TRUE QUALIFY {newest}");
        bigquery.query(&create, &[]).await.with_context(|| format!("make the view {view}"))?;
    }
    Ok(())
}

/// One statement for all tables. Written twice by one attempt of an execution, it leaves the same rows.
pub async fn write(
    bigquery: &BigQuery,
    dataset: &DatasetId,
    load_id: &str,
    manifest: &Manifest,
    outcomes: &[Outcome],
) -> Result<()> {
    let table = bigquery.quoted(&dataset.to_string(), TABLE);
    let parameters = [
        ("export_date", manifest.export_date.to_string()),
        ("task_id", manifest.task_id.to_string()),
        ("load_id", load_id.to_owned()),
        ("outcomes", rows(outcomes)),
    ];
    bigquery.query(&merge(&table), &parameters).await.with_context(|| format!("write the audit table {table}"))?;
    Ok(())
}

fn columns() -> String {
    let later = LATER_COLUMNS.map(|(name, kind)| format!(", {name} {kind}"));
    [FIRST_COLUMNS, &later.concat()].concat()
}

fn rows(outcomes: &[Outcome]) -> String {
    let row = |outcome: &Outcome| {
        json!({
            "table_name": outcome.table,
            "rows_expected": outcome.rows_expected,
            "rows_loaded": outcome.rows_loaded,
            "snapshot_time": outcome.snapshot_time.to_rfc3339(),
            "run_name": outcome.run_name,
            "state": outcome.state,
            "message": outcome.message,
            "proof": outcome.proof,
            "proof_bytes": outcome.proof_bytes,
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
            TIMESTAMP(JSON_VALUE(outcome, '$.snapshot_time')) AS snapshot_time,
            JSON_VALUE(outcome, '$.run_name') AS run_name,
            JSON_VALUE(outcome, '$.state') AS state,
            JSON_VALUE(outcome, '$.message') AS message,
            CURRENT_TIMESTAMP() AS loaded_at,
            @load_id AS load_id,
            @task_id AS task_id,
            JSON_VALUE(outcome, '$.proof') AS proof,
            CAST(JSON_VALUE(outcome, '$.proof_bytes') AS INT64) AS proof_bytes
          FROM UNNEST(JSON_QUERY_ARRAY(@outcomes)) AS outcome
        ) AS new
        ON old.export_date = new.export_date AND old.table_name = new.table_name AND old.load_id = new.load_id
        WHEN MATCHED THEN UPDATE SET
          rows_expected = new.rows_expected, rows_loaded = new.rows_loaded, snapshot_time = new.snapshot_time,
          run_name = new.run_name, state = new.state, message = new.message, loaded_at = new.loaded_at,
          task_id = new.task_id, proof = new.proof, proof_bytes = new.proof_bytes
        WHEN NOT MATCHED THEN
          INSERT (export_date, table_name, rows_expected, rows_loaded, snapshot_time, run_name, state, message, loaded_at,
            load_id, task_id, proof, proof_bytes)
          VALUES (new.export_date, new.table_name, new.rows_expected, new.rows_loaded, new.snapshot_time, new.run_name,
            new.state, new.message, new.loaded_at, new.load_id, new.task_id, new.proof, new.proof_bytes)"
    )
}
