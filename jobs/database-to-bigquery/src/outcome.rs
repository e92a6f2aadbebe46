//! What became of each table, and whether that is good: the proof. Pure.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::extracts::{Guards, Mode, Table};
use crate::order::Extract;
use crate::sheet::Losses;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// BigQuery has exactly the rows of the snapshot.
    Loaded,
    /// Nothing was written since the last time.
    Unchanged,
    /// A guard held the rows back; the table is as it was.
    Held,
    /// Its columns changed, and the policy is to leave it.
    Drifted,
    /// Another execution is loading it.
    Busy,
    Failed,
}

impl State {
    pub fn is_good(self) -> bool {
        matches!(self, Self::Loaded | Self::Unchanged)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Unchanged => "unchanged",
            Self::Held => "held",
            Self::Drifted => "drifted",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    pub table: String,
    /// `dataset.table` in BigQuery.
    pub destination: String,
    pub state: State,
    /// `full` or `incremental`, as it was loaded this time.
    pub mode: &'static str,
    /// `COUNT(*)` of the snapshot.
    pub rows_expected: Option<u64>,
    pub rows_loaded: Option<u64>,
    pub rejected: u64,
    /// Values that BigQuery cannot hold, by column.
    pub nulled: Vec<(String, u64)>,
    pub drift: Vec<String>,
    /// Columns that were left out because their names look like secrets.
    pub left_out: Vec<String>,
    pub snapshot_time: Option<DateTime<Utc>>,
    pub watermark: Option<String>,
    pub job: Option<String>,
    pub bytes: u64,
    pub message: Option<String>,
    /// How long the transaction in the database was open.
    pub transaction_seconds: f64,
    pub seconds: f64,
}

impl Outcome {
    pub fn new(table: &Table, state: State) -> Self {
        Self {
            table: table.source.to_string(),
            destination: table.target(),
            state,
            mode: if table.mode == Mode::Full { "full" } else { "incremental" },
            rows_expected: None,
            rows_loaded: None,
            rejected: 0,
            nulled: Vec::new(),
            drift: Vec::new(),
            left_out: Vec::new(),
            snapshot_time: None,
            watermark: None,
            job: None,
            bytes: 0,
            message: None,
            transaction_seconds: 0.0,
            seconds: 0.0,
        }
    }

    #[must_use]
    pub fn with_message(self, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..self }
    }

    #[must_use]
    pub fn refused(self, refusal: &Refusal) -> Self {
        let state = if matches!(refusal, Refusal::Guard(_)) { State::Held } else { State::Failed };
        Self { state, ..self.with_message(refusal.to_string()) }
    }

    /// With what the snapshot gave.
    #[must_use]
    pub fn of(self, extract: &Extract) -> Self {
        Self {
            rows_expected: extract.counted,
            rejected: extract.losses.rejected,
            nulled: extract.losses.nulled.clone(),
            left_out: extract.selection.secrets.clone(),
            snapshot_time: Some(extract.snapshot_time),
            bytes: extract.rows.bytes,
            transaction_seconds: extract.transaction.as_secs_f64(),
            ..self
        }
    }
}

/// Why the rows of a snapshot may not go to BigQuery.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("COUNT(*) of the snapshot is {counted}, and {read} rows were read of it: nothing was replaced")]
    Lost { counted: u64, read: u64 },
    #[error("{0}")]
    Guard(String),
}

/// Before BigQuery sees a row: every row of the snapshot is in the file, but for those that the guards allow.
pub fn prove_read(extract: &Extract, guards: Guards) -> Result<(), Refusal> {
    let (rows, losses) = (extract.rows.rows, &extract.losses);
    prove(rows, extract.counted, losses, guards)
}

fn prove(rows: u64, counted: Option<u64>, losses: &Losses, guards: Guards) -> Result<(), Refusal> {
    let read = rows + losses.rejected;
    if let Some(counted) = counted.filter(|counted| *counted != read) {
        return Err(Refusal::Lost { counted, read });
    }
    if losses.rejected > guards.max_rejects {
        let (rejected, allowed, reasons) = (losses.rejected, guards.max_rejects, losses.reasons.join(", "));
        return Err(Refusal::Guard(format!("{rejected} rows cannot be carried, max_rejects is {allowed}: {reasons}")));
    }
    let nulled = losses.all_nulled();
    if let Some(allowed) = guards.max_nulled.filter(|allowed| nulled > *allowed) {
        let columns: Vec<String> = losses.nulled.iter().map(|(column, count)| format!("{column} ({count})")).collect();
        let columns = columns.join(", ");
        return Err(Refusal::Guard(format!(
            "{nulled} values have no place in BigQuery, max_nulled is {allowed}: {columns}"
        )));
    }
    Ok(())
}

/// After the load: BigQuery wrote as many rows as the file has.
pub fn prove_load(written: u64, loaded: u64) -> Result<(), String> {
    if written == loaded {
        return Ok(());
    }
    Err(format!("the file has {written} rows, and the load job wrote {loaded}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARDS: Guards = Guards { max_rejects: 1, max_nulled: Some(2) };

    fn losses(rejected: u64, nulled: u64) -> Losses {
        Losses { rejected, reasons: vec!["column a: why".into()], nulled: vec![("at".into(), nulled)] }
    }

    #[test]
    fn every_row_of_the_snapshot_is_there_or_none_is_loaded() {
        assert_eq!(prove(10, Some(10), &losses(0, 0), GUARDS), Ok(()));
        assert_eq!(prove(9, Some(10), &losses(1, 2), GUARDS), Ok(()));
        assert_eq!(prove(9, Some(10), &losses(0, 0), GUARDS), Err(Refusal::Lost { counted: 10, read: 9 }));
        assert_eq!(prove(11, Some(10), &losses(0, 0), GUARDS), Err(Refusal::Lost { counted: 10, read: 11 }));
        assert_eq!(prove(10, None, &losses(0, 0), GUARDS), Ok(()));
        assert!(prove_load(10, 9).is_err() && prove_load(10, 10).is_ok());
    }

    /// dbt and its freshness read these words.
    #[test]
    fn what_is_good_is_proven_to_whoever_reads_the_audit() {
        use State::{Busy, Drifted, Failed, Held, Loaded, Unchanged};
        for state in [Loaded, Unchanged, Held, Drifted, Busy, Failed] {
            assert_eq!(audit::PROVEN.contains(&state.word()), state.is_good(), "{state:?}");
        }
    }

    #[test]
    fn a_guard_says_what_it_held_and_where() {
        let told = |losses| prove(8, Some(10), &losses, GUARDS).unwrap_err().to_string();
        assert_eq!(told(losses(2, 0)), "2 rows cannot be carried, max_rejects is 1: column a: why");
        let told = prove(10, Some(10), &losses(0, 3), GUARDS).unwrap_err().to_string();
        assert_eq!(told, "3 values have no place in BigQuery, max_nulled is 2: at (3)");
        assert_eq!(prove(10, Some(10), &losses(0, 3), Guards { max_nulled: None, ..GUARDS }), Ok(()));
    }
}
