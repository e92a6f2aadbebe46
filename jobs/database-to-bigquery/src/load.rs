//! One table: read, proven, uploaded, proven again.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use tokio::time::sleep;
use tracing::warn;

use crate::columns::Column;
use crate::destination::audit::Watermark;
use crate::destination::job::{JobId, Load};
use crate::destination::lease::Lease;
use crate::destination::merge::Merge;
use crate::destination::schema::{Drift, drift};
use crate::destination::{BigQuery, Existing};
use crate::extracts::{Mode, OnDrift, Table};
use crate::order::{Extract, Order, ReadError};
use crate::outcome::{Outcome, State, prove_load, prove_read};
use crate::progress::Progress;
use crate::run::Clouds;
use crate::sheet::ParquetFile;

pub async fn load(table: &Table, clouds: &Clouds, progress: &Progress, lease: &Lease) -> Result<Outcome> {
    let bigquery = &clouds.bigquery;
    let existing = bigquery.look(&table.dataset, &table.destination).await?;
    let since = match (&table.mode, &existing) {
        (Mode::Incremental { cursor, .. }, Some(_)) => bigquery.watermark(table, cursor).await?,
        _ => None,
    };
    let extract = read(table, since.as_deref(), clouds, progress).await?;
    let changes = existing.as_ref().map(|existing| drift(&extract.selection.columns, existing)).unwrap_or_default();
    let outcome = Outcome {
        drift: changes.iter().map(ToString::to_string).collect(),
        ..Outcome::new(table, State::Loaded).of(&extract)
    };
    if table.on_drift == OnDrift::Fail && !changes.is_empty() {
        let message = outcome.drift.join(", ");
        return Ok(Outcome { state: State::Drifted, ..outcome.with_message(message) });
    }
    if let Err(refusal) = prove_read(&extract, table.guards) {
        return Ok(outcome.refused(&refusal));
    }
    lease.check().await?;
    match (since, existing) {
        (Some(_), Some(existing)) if !changes.iter().any(|change| matches!(change, Drift::ColumnRetyped { .. })) => {
            merge(table, &existing, &extract, outcome, (bigquery, lease)).await
        }
        // A column of another type cannot be merged: the table is read once more, whole.
        (Some(_), Some(existing)) => {
            warn!(table = %table.source, "{}: {}: loading it in full", table.source, outcome.drift.join(", "));
            let whole = read(table, None, clouds, progress).await?;
            let outcome = outcome.of(&whole);
            if let Err(refusal) = prove_read(&whole, table.guards) {
                return Ok(outcome.refused(&refusal));
            }
            lease.check().await?;
            replace(table, Some(&existing), &whole, outcome, (bigquery, lease)).await
        }
        (_, existing) => replace(table, existing.as_ref(), &extract, outcome, (bigquery, lease)).await,
    }
}

/// From a new snapshot each time, where another time may do.
async fn read(table: &Table, since: Option<&str>, clouds: &Clouds, progress: &Progress) -> Result<Extract> {
    let connector = clouds.connector(table)?;
    let keys = since.is_some() && matches!(table.mode, Mode::Incremental { reconcile: true, .. });
    for tries in 1.. {
        let shown = progress.table(&table.source);
        let (dir, hmac) = (clouds.dir.as_path(), clouds.hmac.as_ref());
        let order = Order { table, since, keys, dir, hmac, meter: Arc::clone(&shown.meter) };
        let failure = match connector.extract(&order).await {
            Ok(extract) => return Ok(extract),
            Err(failure) => failure,
        };
        let Some(pause) = failure.again_after(tries) else { return Err(told(failure, table)) };
        let why = startup::with_causes(&failure);
        warn!(table = %table.source, tries, "{}: {why}: reading it again from a new snapshot", table.source);
        sleep(pause).await;
    }
    Err(anyhow!("{} was not read", table.source))
}

fn told(failure: ReadError, table: &Table) -> anyhow::Error {
    anyhow::Error::from(failure).context(format!("read {}", table.source))
}

/// The whole table in one load job.
async fn replace(
    table: &Table,
    existing: Option<&Existing>,
    extract: &Extract,
    outcome: Outcome,
    (bigquery, lease): (&BigQuery, &Lease),
) -> Result<Outcome> {
    let id = &lease.jobs;
    let columns = &extract.selection.columns;
    let load = Load { dataset: &table.dataset, table: &table.destination, columns, existing, file: &extract.rows };
    let (job, loaded) = bigquery.load(&id.step("load"), &load).await?;
    let outcome = Outcome { rows_loaded: Some(loaded), job: Some(job), mode: "full", ..outcome };
    if let Err(message) = prove_load(extract.rows.rows, loaded) {
        return Ok(Outcome { state: State::Failed, ..outcome.with_message(message) });
    }
    remember(table, extract, outcome, id, bigquery).await
}

/// The rows into a table of their own, and from there by one MERGE.
async fn merge(
    table: &Table,
    existing: &Existing,
    extract: &Extract,
    outcome: Outcome,
    (bigquery, lease): (&BigQuery, &Lease),
) -> Result<Outcome> {
    let id = &lease.jobs;
    if extract.rows.rows == 0 && extract.keys.is_none() {
        return Ok(Outcome { state: State::Unchanged, rows_loaded: Some(0), ..outcome });
    }
    let (rows, keys) = (Scratch::new(id, "rows"), Scratch::new(id, "keys"));
    let columns = &extract.selection.columns;
    let (job, loaded) = rows.load(columns, &extract.rows, bigquery).await?;
    let outcome = Outcome { rows_loaded: Some(loaded), job: Some(job), ..outcome };
    if let Some(file) = &extract.keys {
        keys.load(&extract.selection.key_columns(), file, bigquery).await?;
    }
    let added: Vec<&Column> = columns.iter().filter(|column| !existing.has(&column.name)).collect();
    if !added.is_empty() {
        bigquery.add_columns(table, &added, id).await?;
    }
    let merge = Merge {
        target: bigquery.quoted(&table.dataset, &table.destination),
        rows: bigquery.quoted(bigquery.scratch(), &rows.table),
        keys: extract.keys.as_ref().map(|_| bigquery.quoted(bigquery.scratch(), &keys.table)),
        key: &extract.selection.key,
        columns,
        partition: existing.partition_column(),
    };
    let range = bigquery.partition_range(&merge, id).await?;
    lease.check().await?;
    let merged = bigquery.run(&id.step("merge"), &merge.sql(range.as_ref())).await;
    merged.with_context(|| format!("merge into {}", table.target()))?;
    if let Some(sql) = merge.delete_sql() {
        lease.check().await?;
        let deleted = bigquery.run(&id.step("delete"), &sql).await;
        deleted.with_context(|| format!("delete from {} what is gone", table.target()))?;
    }
    rows.delete(bigquery).await;
    keys.delete(bigquery).await;
    remember(table, extract, outcome, id, bigquery).await
}

/// A table on the way; it expires within a day anyway.
struct Scratch {
    id: JobId,
    table: String,
}

impl Scratch {
    fn new(id: &JobId, what: &str) -> Self {
        Self { id: id.step(what), table: id.scratch_table(what) }
    }

    async fn load(&self, columns: &[Column], file: &ParquetFile, bigquery: &BigQuery) -> Result<(String, u64)> {
        let load = Load { dataset: bigquery.scratch(), table: &self.table, columns, existing: None, file };
        let (job, loaded) = bigquery.load(&self.id, &load).await?;
        prove_load(file.rows, loaded).map_err(|message| anyhow!(message))?;
        Ok((job, loaded))
    }

    async fn delete(&self, bigquery: &BigQuery) {
        if let Err(error) = bigquery.delete(bigquery.scratch(), &self.table).await {
            warn!("{}", startup::with_causes(error.as_ref()));
        }
    }
}

/// How far the table has come, once its rows stand.
async fn remember(
    table: &Table,
    extract: &Extract,
    outcome: Outcome,
    id: &JobId,
    bigquery: &BigQuery,
) -> Result<Outcome> {
    let (Mode::Incremental { cursor, .. }, Some(value)) = (&table.mode, &extract.watermark) else { return Ok(outcome) };
    let mark = Watermark { cursor: cursor.clone(), value: value.clone(), snapshot_time: extract.snapshot_time };
    bigquery.set_watermark(table, &mark, id).await?;
    Ok(Outcome { watermark: Some(value.clone()), ..outcome })
}
