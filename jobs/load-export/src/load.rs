//! One table: what the plan says is done to it, and the rows are proven.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use google_cloud_bigquery_datatransfer_v1::model::{TransferConfig, TransferRun};
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use crate::bigquery::BigQuery;
use crate::outcome::{Outcome, prove};
use crate::plan::{Action, Expected, Step};
use crate::proof::{Questions, ROWS};
use crate::state::State;
use crate::transfer::{Transfers, succeeded};
use crate::transfer_config::{Source, config_of};
use crate::turn::Turn;
use crate::{proof, run};

/// A count that is short is read again: the load is not repeated, only our look at it.
const LOOKS: u32 = 4;
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// What all tables of a day have in common.
#[derive(Debug)]
pub struct Load<'a> {
    /// What each drift breaks, where it is known.
    pub breakage: &'a BTreeMap<String, String>,
    pub transfers: &'a Transfers,
    pub bigquery: &'a BigQuery,
    pub configs: &'a [TransferConfig],
    pub source: &'a Source,
    /// Midnight of the export date: the transfer's path template turns it into the day's prefix.
    pub run_time: DateTime<Utc>,
    pub min_file_age: TimeDelta,
    pub by: Instant,
    pub turn: &'a Turn,
}

impl Load<'_> {
    pub async fn settle(&self, step: &Step) -> Outcome {
        let began = Instant::now();
        for drift in &step.drift {
            let breaks = self.breakage.get(drift).map_or("what it breaks is not known", String::as_str);
            warn!(table = %step.table.source, drift, breaks, "{drift} since the last export: {breaks}");
        }
        let outcome = match &step.action {
            Action::Leave(state, why) => Ok(Outcome::new(step, *state).with_message(why)),
            Action::Truncate => self.truncate(step).await,
            Action::Load(expected) => self.load(step, expected).await,
        };
        let failed =
            |error: anyhow::Error| Outcome::new(step, State::Failed).with_message(startup::with_causes(error.as_ref()));
        let outcome = outcome.unwrap_or_else(failed).after(began.elapsed());
        tell(&outcome);
        outcome
    }

    /// Takes over the run whose rows still stand, or makes one. Killed anywhere, the next attempt finds what was done.
    async fn load(&self, step: &Step, expected: &Expected) -> Result<Outcome> {
        let config = &config_of(self.configs, &step.table, self.source).map_err(anyhow::Error::msg)?.name;
        let runs = self.transfers.settled_runs(config, self.by).await?;
        let table = self.bigquery.destination(&step.table.dataset, &step.table.table).await?;
        let since = run::since(expected.complete_at, self.min_file_age);
        if let Some(run) = run::that_stands(&runs, self.run_time, since, table.modified) {
            info!(run = run.name, table = %step.table.source, "the rows of {} still stand, taking it over", run.name);
            let outcome = self.proven(step, expected, run).await?;
            if outcome.state.is_good() {
                return Ok(outcome);
            }
            let (state, why) = (outcome.state.word(), outcome.message.unwrap_or_default());
            warn!(table = %step.table.source, "{} is {state} ({why}): loading it once more", step.table.source);
        }
        wait_for_age(step, expected.complete_at + self.min_file_age).await;
        let run = self.transfers.load(config, self.run_time, &runs, self.turn, self.by).await?;
        self.judge(step, expected, &run).await
    }

    /// Whether a run of ours loaded anything, before what it loaded is looked at.
    async fn judge(&self, step: &Step, expected: &Expected, run: &TransferRun) -> Result<Outcome> {
        let failed = |message: String| Outcome {
            run_name: Some(run.name.clone()),
            ..Outcome::new(step, State::Failed).with_message(message)
        };
        if !succeeded(run) {
            let (state, said) = (run::word(&run.state), self.transfers.words(run).await);
            return Ok(failed(format!("the transfer run ended {state}: {said}")));
        }
        let table = self.bigquery.destination(&step.table.dataset, &step.table.table).await?;
        if !run::changed_table(run, table.modified) {
            let (destination, modified, said) = (step.destination(), table.modified, self.transfers.words(run).await);
            return Ok(failed(format!(
                "the transfer run ended well and loaded nothing: {destination} is as it was at {modified}; the service said: {said}"
            )));
        }
        self.proven(step, expected, run).await
    }

    async fn proven(&self, step: &Step, expected: &Expected, run: &TransferRun) -> Result<Outcome> {
        let loaded = self.count(step, expected.rows).await?;
        let (state, message) = prove(expected.rows, loaded);
        let outcome = Outcome {
            rows_loaded: Some(loaded),
            run_name: Some(run.name.clone()),
            proof: Some(ROWS.into()),
            message,
            ..Outcome::new(step, state)
        };
        if state != State::Loaded {
            return Ok(outcome);
        }
        self.compared(step, expected, outcome).await
    }

    /// As many rows as there should be: whether they are the ones.
    async fn compared(&self, step: &Step, expected: &Expected, outcome: Outcome) -> Result<Outcome> {
        let (dataset, table) = (&step.table.dataset, &step.table.table);
        let fields = self.bigquery.destination(dataset, table).await?.fields;
        let questions = Questions::of(step.table.proof, &expected.columns, &fields, step.snapshot_time);
        let proof = Some(questions.proof());
        let Some(sql) = questions.sql(&self.bigquery.quoted(dataset, table)) else {
            return Ok(Outcome { proof, ..outcome });
        };
        let bytes = self.bigquery.bytes_read(&sql).await?;
        let rows = self.bigquery.query(&sql, &[]).await?;
        let differences = questions.differences(&rows.first().map(proof::answers).unwrap_or_default());
        let outcome = Outcome { proof, proof_bytes: Some(bytes), ..outcome };
        if differences.is_empty() {
            return Ok(outcome);
        }
        Ok(Outcome { state: State::Different, message: Some(proof::told(&differences)), ..outcome })
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
        let config = config_of(self.configs, &step.table, self.source).map_err(anyhow::Error::msg)?;
        self.transfers.settled_runs(&config.name, self.by).await?;
        let left = self.emptied(&step.table.dataset, &step.table.table).await?;
        let state = if left == 0 { State::Truncated } else { State::Failed };
        let message = (left > 0).then(|| format!("{left} rows are in the table again after it was emptied"));
        Ok(Outcome { rows_loaded: Some(left), proof: Some(ROWS.into()), message, ..Outcome::new(step, state) })
    }

    /// The rows that are left. In a table without columns there is nothing to count or to empty, and BigQuery refuses to
    /// query it.
    async fn emptied(&self, dataset: &str, table: &str) -> Result<u64> {
        if self.bigquery.destination(dataset, table).await?.fields.is_empty() {
            return Ok(0);
        }
        if self.bigquery.row_count(dataset, table).await? > 0 {
            self.turn.is_ours().await?;
            // Dying just after the truncation is harmless: a second one finds no rows.
            self.bigquery.truncate(dataset, table).await?;
        }
        self.bigquery.row_count(dataset, table).await
    }
}

/// The service does not see files that are too young.
async fn wait_for_age(step: &Step, ready: DateTime<Utc>) {
    let left = (ready - Utc::now()).to_std().unwrap_or_default();
    if !left.is_zero() {
        let (seconds, table) = (left.as_secs(), &step.table.source);
        info!(
            seconds,
            "the files of {table} are young, and the transfer service would not see them: waiting {seconds} s"
        );
        sleep(left).await;
    }
}

fn tell(outcome: &Outcome) {
    let (table, state) = (&outcome.table, outcome.state.word());
    let message = outcome.message.as_deref().unwrap_or_default();
    let (expected, loaded) = (outcome.rows_expected, outcome.rows_loaded);
    let run = outcome.run_name.as_deref().unwrap_or_default();
    let (proof, proof_bytes) = (outcome.proof.as_deref().unwrap_or_default(), outcome.proof_bytes);
    match outcome.state {
        State::Awaited => warn!(table, state, "{table} is {state}: {message}"),
        state if state.is_good() => {
            let (rows, seconds, state) = (loaded.unwrap_or_default(), outcome.seconds, state.word());
            info!(
                table,
                state, rows, seconds, run, proof, proof_bytes, "{state} {table}: {rows} rows, proven by {proof}"
            );
        }
        _ => {
            error!(
                table,
                state,
                rows_expected = expected,
                rows_loaded = loaded,
                run,
                proof,
                "{table} is {state}: {message}"
            );
        }
    }
}
