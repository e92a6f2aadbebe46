//! All tables: some at once, each under its lease, and what became of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aws_lc_rs::hmac;
use futures_util::stream::{self, StreamExt};
use tracing::{error, info, warn};

use crate::Stop;
use crate::destination::BigQuery;
use crate::destination::lease::NotTaken;
use crate::extracts::Table;
use crate::load::load;
use crate::outcome::{Outcome, State};
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
            // A failure may have left a job under way.
            lease.give_back(loaded.is_ok()).await;
            loaded.unwrap_or_else(|failure| failed(failure.as_ref()))
        }
        Err(busy @ NotTaken::Busy { .. }) => Outcome::new(table, State::Busy).with_message(busy.to_string()),
        Err(error) => failed(&error),
    };
    let outcome = Outcome { seconds: began.elapsed().as_secs_f64(), ..outcome };
    tell(&outcome);
    outcome
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
        warn!(
            table,
            nulled,
            rejected,
            "{table}: {rejected} rows rejected, values that are null now: {}",
            columns.join(", ")
        );
    }
    if !outcome.drift.is_empty() {
        warn!(event = "drift", table, "{table}: {}", outcome.drift.join(", "));
    }
    if let (Some(message), false) = (&outcome.message, outcome.state.is_good()) {
        error!(event = "table", table, state, "{table}: {state}: {message}");
        return;
    }
    info!(
        event = "table",
        table,
        state,
        rows,
        nulled,
        rejected,
        seconds,
        transaction_seconds,
        "{table}: {state}, {rows} rows are in {destination}"
    );
}
