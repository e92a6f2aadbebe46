//! The loading of tables: read, proven, uploaded, proven again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::hmac;
use futures_util::stream::{self, StreamExt};
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::Stop;
use crate::columns::Column;
use crate::destination::audit::Watermark;
use crate::destination::job::{JobId, Load};
use crate::destination::lease::{Lease, LeaseError};
use crate::destination::merge::Merge;
use crate::destination::schema::{Drift, drift};
use crate::destination::{BigQuery, Existing};
use crate::extracts::{Mode, OnDrift, Table};
use crate::order::{Extract, Order, ReadError};
use crate::outcome::{Outcome, Refusal, State, prove_load, prove_read};
use crate::progress::Progress;
use crate::source::Connector;

/// What the job works with; `main` builds it.
#[derive(Debug)]
pub struct Clouds {
    pub bigquery: BigQuery,
    /// By the databases' names.
    pub connectors: BTreeMap<String, Connector>,
    /// For columns that are masked by HMAC.
    pub hmac: Option<hmac::Key>,
    /// Where Parquet files are.
    pub dir: PathBuf,
    pub parallel: usize,
    /// This execution, for those that wait for it.
    pub holder: String,
    /// How long the lease of a table lasts that nobody renews.
    pub lease: Duration,
}

impl Clouds {
    pub fn connector(&self, table: &Table) -> Result<&Connector> {
        let database = table.source.database();
        self.connectors.get(database).with_context(|| format!("database {database} is not connected"))
    }
}

/// Loads the tables, some at once, and gives their outcomes in their order. Those that were not settled when the job had
/// to stop are not among them.
pub async fn run(tables: &[&Table], clouds: &Clouds, mut stop: Stop) -> Vec<Outcome> {
    let progress = Progress::start();
    let settled = |(n, table)| {
        let progress = &progress;
        async move { (n, settle(table, clouds, progress).await) }
    };
    let mut under_way = stream::iter(tables.iter().copied().enumerate()).map(settled).buffer_unordered(clouds.parallel);
    let mut outcomes: BTreeMap<usize, Outcome> = BTreeMap::new();
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            next = under_way.next() => match next {
                Some((n, outcome)) => outcomes.insert(n, outcome),
                None => break,
            },
        };
    }
    outcomes.into_values().collect()
}

/// One table that fails keeps no other from being loaded.
async fn settle(table: &Table, clouds: &Clouds, progress: &Progress) -> Outcome {
    let began = Instant::now();
    let failed = |error: &(dyn std::error::Error + 'static)| {
        Outcome::new(table, State::Failed).with_message(startup::with_causes(error))
    };
    let outcome = match clouds.bigquery.take_lease(table, &clouds.holder, clouds.lease).await {
        Ok(lease) => {
            let loaded = load(table, clouds, progress, &lease).await;
            lease.give_back().await;
            loaded.unwrap_or_else(|failure| failed(failure.as_ref()))
        }
        Err(busy @ LeaseError::Busy { .. }) => Outcome::new(table, State::Busy).with_message(busy.to_string()),
        Err(error) => failed(&error),
    };
    let outcome = Outcome { seconds: began.elapsed().as_secs_f64(), ..outcome };
    tell(&outcome);
    outcome
}

async fn load(table: &Table, clouds: &Clouds, progress: &Progress, lease: &Lease) -> Result<Outcome> {
    let bigquery = &clouds.bigquery;
    let existing = bigquery.look(&table.dataset, &table.destination).await?;
    let since = match (&table.mode, &existing) {
        (Mode::Incremental { cursor, .. }, Some(_)) => bigquery.watermark(table, cursor).await?,
        _ => None,
    };
    let extract = read(table, since.as_deref(), clouds, progress).await?;
    let changes = existing.as_ref().map(|existing| drift(&extract.selection.columns, existing)).unwrap_or_default();
    let outcome = Outcome { drift: changes.iter().map(ToString::to_string).collect(), ..Outcome::new(table, State::Loaded).of(&extract) };
    if table.on_drift == OnDrift::Fail && !changes.is_empty() {
        let message = outcome.drift.join(", ");
        return Ok(Outcome { state: State::Drifted, ..outcome.with_message(message) });
    }
    if let Err(refusal) = prove_read(&extract, table.guards) {
        let state = if matches!(refusal, Refusal::Guard(_)) { State::Held } else { State::Failed };
        return Ok(Outcome { state, ..outcome.with_message(refusal.to_string()) });
    }
    lease.check()?;
    match (since, existing) {
        (Some(_), Some(existing)) if !changes.iter().any(|change| matches!(change, Drift::ColumnRetyped { .. })) => {
            merge(table, &existing, &extract, outcome, (bigquery, lease)).await
        }
        // A column of another type cannot be merged: the table is read once more, whole.
        (Some(_), Some(existing)) => {
            warn!(table = %table.source, "{}: {}: loading it in full", table.source, outcome.drift.join(", "));
            let whole = read(table, None, clouds, progress).await?;
            if let Err(refusal) = prove_read(&whole, table.guards) {
                return Ok(Outcome { state: State::Held, ..outcome.of(&whole).with_message(refusal.to_string()) });
            }
            let outcome = outcome.of(&whole);
            lease.check()?;
            replace(table, Some(&existing), &whole, outcome, bigquery).await
        }
        (_, existing) => replace(table, existing.as_ref(), &extract, outcome, bigquery).await,
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
    bigquery: &BigQuery,
) -> Result<Outcome> {
    let id = JobId::new(&table.dataset, &table.destination, extract.snapshot_time);
    let columns = &extract.selection.columns;
    let load = Load { dataset: &table.dataset, table: &table.destination, columns, existing, file: &extract.rows };
    let (job, loaded) = bigquery.load(&id, &load).await?;
    let outcome = Outcome { rows_loaded: Some(loaded), job: Some(job), mode: "full", ..outcome };
    if let Err(message) = prove_load(extract.rows.rows, loaded) {
        return Ok(Outcome { state: State::Failed, ..outcome.with_message(message) });
    }
    remember(table, extract, outcome, &id, bigquery).await
}

/// The rows into a table of their own, and from there by one MERGE.
async fn merge(
    table: &Table,
    existing: &Existing,
    extract: &Extract,
    outcome: Outcome,
    (bigquery, lease): (&BigQuery, &Lease),
) -> Result<Outcome> {
    let id = JobId::new(&table.dataset, &table.destination, extract.snapshot_time);
    if extract.rows.rows == 0 && extract.keys.is_none() {
        return Ok(Outcome { state: State::Unchanged, rows_loaded: Some(0), ..outcome });
    }
    let (columns, scratch) = (&extract.selection.columns, bigquery.scratch());
    let rows = Load { dataset: scratch, table: &id.scratch_table("rows"), columns, existing: None, file: &extract.rows };
    let (job, loaded) = bigquery.load(&id.step("rows"), &rows).await?;
    let outcome = Outcome { rows_loaded: Some(loaded), job: Some(job), ..outcome };
    if let Err(message) = prove_load(extract.rows.rows, loaded) {
        return Ok(Outcome { state: State::Failed, ..outcome.with_message(message) });
    }
    let keys_table = id.scratch_table("keys");
    if let Some(file) = &extract.keys {
        let columns = &extract.selection.key_columns();
        let keys = Load { dataset: scratch, table: &keys_table, columns, existing: None, file };
        let (_, loaded) = bigquery.load(&id.step("keys"), &keys).await?;
        if let Err(message) = prove_load(file.rows, loaded) {
            return Ok(Outcome { state: State::Failed, ..outcome.with_message(message) });
        }
    }
    let added: Vec<&Column> = columns.iter().filter(|column| !existing.has(&column.name)).collect();
    if !added.is_empty() {
        bigquery.add_columns(table, &added, &id).await?;
    }
    let merge = Merge {
        target: bigquery.quoted(&table.dataset, &table.destination),
        rows: bigquery.quoted(scratch, rows.table),
        keys: extract.keys.as_ref().map(|_| bigquery.quoted(scratch, &keys_table)),
        key: &extract.selection.key,
        columns,
        partition: existing.partition_column(),
    };
    let range = bigquery.partition_range(&merge, &id).await?;
    lease.check()?;
    let merged = bigquery.run(&id.step("merge"), &merge.sql(range.as_ref())).await;
    merged.with_context(|| format!("merge into {}", table.target()))?;
    if let Some(sql) = merge.delete_sql() {
        let deleted = bigquery.run(&id.step("delete"), &sql).await;
        deleted.with_context(|| format!("delete from {} what is gone", table.target()))?;
    }
    for table in [rows.table, keys_table.as_str()] {
        // They expire within a day anyway.
        if let Err(error) = bigquery.delete(scratch, table).await {
            warn!("{}", startup::with_causes(error.as_ref()));
        }
    }
    remember(table, extract, outcome, &id, bigquery).await
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

/// One line for people and for alerts.
fn tell(outcome: &Outcome) {
    let Outcome { table, destination, rows_loaded, seconds, rejected, .. } = outcome;
    let (state, rows) = (outcome.state.word(), rows_loaded.unwrap_or_default());
    let nulled: u64 = outcome.nulled.iter().map(|(_, count)| count).sum();
    let transaction_seconds = outcome.transaction_seconds;
    if !outcome.left_out.is_empty() {
        let columns = outcome.left_out.join(", ");
        info!(table, "{table}: left out, because their names look like secrets: {columns}");
    }
    if nulled > 0 || *rejected > 0 {
        let columns: Vec<String> = outcome.nulled.iter().map(|(column, count)| format!("{column} ({count})")).collect();
        warn!(table, nulled, rejected, "{table}: {rejected} rows rejected, values that are null now: {}", columns.join(", "));
    }
    if !outcome.drift.is_empty() {
        warn!(event = "drift", table, "{table}: {}", outcome.drift.join(", "));
    }
    match (&outcome.message, outcome.state.is_good()) {
        (Some(message), false) => error!(event = "table", table, state, "{table}: {state}: {message}"),
        _ => info!(
            event = "table",
            table,
            state,
            rows,
            nulled,
            rejected,
            seconds,
            transaction_seconds,
            "{table}: {state}, {rows} rows are in {destination}"
        ),
    }
}
