//! `{audit dataset}.loads`: one row for each table and load, whatever became of it; `latest_loads`: of each table and
//! export date the newest.

use anyhow::{Context, Result};
use handoff::Manifest;

use crate::bigquery::BigQuery;
use crate::outcome::Outcome;
use ::bigquery::DatasetId;

/// Makes what is not there yet.
pub async fn prepare(bigquery: &BigQuery, dataset: &DatasetId) -> Result<()> {
    let dataset = dataset.to_string();
    let (table, view) = (bigquery.quoted(&dataset, ::audit::TABLE), bigquery.quoted(&dataset, ::audit::VIEW));
    let attempted = || format!("make the audit table {table}");
    let statement = match bigquery.table(&dataset, ::audit::TABLE).await.with_context(attempted)? {
        None => Some(::audit::create_table(&table)),
        Some(found) => ::audit::add_columns(&table, found.fields.iter().map(|field| field.name.as_str())),
    };
    if let Some(statement) = statement {
        bigquery.query(&statement, &[]).await.with_context(attempted)?;
    }
    if bigquery.table(&dataset, ::audit::VIEW).await.with_context(attempted)?.is_none() {
        let create = ::audit::create_view(&view, &table);
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
    let table = bigquery.quoted(&dataset.to_string(), ::audit::TABLE);
    let rows: Vec<::audit::Row> = outcomes.iter().map(|outcome| row(outcome, manifest)).collect();
    let parameters = ::audit::parameters(&manifest.export_date.to_string(), load_id, &rows);
    let written = bigquery.query(&::audit::write(&table), &parameters).await;
    written.with_context(|| format!("write the audit table {table}"))?;
    Ok(())
}

fn row(outcome: &Outcome, manifest: &Manifest) -> ::audit::Row {
    ::audit::Row {
        table_name: outcome.table.clone(),
        rows_expected: outcome.rows_expected,
        rows_loaded: outcome.rows_loaded,
        snapshot_time: Some(outcome.snapshot_time.to_rfc3339()),
        run_name: outcome.run_name.clone(),
        state: outcome.state.word().to_owned(),
        message: outcome.message.clone(),
        task_id: Some(manifest.task_id.to_string()),
        proof: outcome.proof.clone(),
        proof_bytes: outcome.proof_bytes,
    }
}
