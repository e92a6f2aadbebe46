//! One table: what the plan says is done to it, and the rows are counted.

use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use google_cloud_bigquery_datatransfer_v1::model::{TransferConfig, TransferState};
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use crate::bigquery::BigQuery;
use crate::outcome::{Outcome, State, prove};
use crate::plan::{Action, Step};
use crate::run;
use crate::transfer::Transfers;

/// A count that is short is read again: the load is not repeated, only our look at it.
const LOOKS: u32 = 4;
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// What all tables of a day have in common.
#[derive(Debug)]
pub struct Load<'a> {
    pub transfers: &'a Transfers,
    pub bigquery: &'a BigQuery,
    pub configs: &'a [TransferConfig],
    /// Midnight of the export date: the transfer's path template turns it into the day's prefix.
    pub run_time: DateTime<Utc>,
    /// Runs that began earlier saw other files.
    pub since: DateTime<Utc>,
    pub by: Instant,
}

impl Load<'_> {
    pub async fn settle(&self, step: &Step) -> Outcome {
        let began = Instant::now();
        for drift in &step.drift {
            warn!(table = %step.table.source, drift, "{drift} since the last export");
        }
        let outcome = match &step.action {
            Action::Leave(state, why) => Ok(Outcome::new(step, *state).with_message(why)),
            Action::Truncate => self.truncate(step).await,
            Action::Load => self.load(step).await,
        };
        let failed =
            |error: anyhow::Error| Outcome::new(step, State::Failed).with_message(startup::with_causes(error.as_ref()));
        let outcome = outcome.unwrap_or_else(failed).after(began.elapsed());
        tell(&outcome);
        outcome
    }

    async fn load(&self, step: &Step) -> Result<Outcome> {
        let config = run::config_of(self.configs, &step.table).map_err(anyhow::Error::msg)?;
        let ended = self.transfers.load(&config.name, self.run_time, self.since, self.by).await?;
        let outcome = |state, rows_loaded, message| Outcome {
            rows_loaded,
            run_name: Some(ended.name.clone()),
            message,
            ..Outcome::new(step, state)
        };
        if ended.state != TransferState::Succeeded {
            let said = ended.words.as_deref().unwrap_or("the service says nothing about it");
            let message = format!("the transfer run ended {}: {said}", run::word(&ended.state));
            return Ok(outcome(State::Failed, None, Some(message)));
        }
        let expected = step.rows_expected.unwrap_or_default();
        let loaded = self.count(step, expected).await?;
        let (state, message) = prove(expected, loaded);
        let said = ended.words.as_deref().map_or(String::new(), |words| format!("; the transfer said: {words}"));
        Ok(outcome(state, Some(loaded), message.map(|message| message + &said)))
    }

    async fn count(&self, step: &Step, expected: u64) -> Result<u64> {
        let (dataset, table) = (&step.table.dataset, &step.table.table);
        for _ in 1..LOOKS {
            let loaded = self.bigquery.row_count(dataset, table).await?;
            if loaded == expected {
                return Ok(loaded);
            }
            sleep(BETWEEN_LOOKS).await;
        }
        self.bigquery.row_count(dataset, table).await
    }

    async fn truncate(&self, step: &Step) -> Result<Outcome> {
        let config = run::config_of(self.configs, &step.table).map_err(anyhow::Error::msg)?;
        self.transfers.quiet(&config.name, self.by).await?;
        // Dying just after the truncation is harmless: a second one finds no rows.
        let left = self.bigquery.truncate(&step.table.dataset, &step.table.table).await?;
        let state = if left == 0 { State::Truncated } else { State::Failed };
        let message = (left > 0).then(|| format!("{left} rows are in the table again after it was emptied"));
        Ok(Outcome { rows_loaded: Some(left), message, ..Outcome::new(step, state) })
    }
}

fn tell(outcome: &Outcome) {
    let (table, state) = (&outcome.table, outcome.state.word());
    let message = outcome.message.as_deref().unwrap_or_default();
    let (expected, loaded) = (outcome.rows_expected, outcome.rows_loaded);
    let run = outcome.run_name.as_deref().unwrap_or_default();
    if outcome.state.is_good() {
        let (rows, seconds) = (loaded.unwrap_or_default(), outcome.seconds);
        info!(table, state, rows, seconds, run, "{state} {table}: {rows} rows");
    } else {
        error!(table, state, rows_expected = expected, rows_loaded = loaded, run, "{table} is {state}: {message}");
    }
}
