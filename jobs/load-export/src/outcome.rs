//! What became of each table.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::plan::Step;
use crate::state::State;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    pub table: String,
    /// `dataset.table` in BigQuery.
    pub destination: String,
    pub state: State,
    pub rows_expected: Option<u64>,
    pub rows_loaded: Option<u64>,
    pub run_name: Option<String>,
    /// What was compared; none where nothing could be.
    pub proof: Option<String>,
    /// What the proof read in BigQuery beside the count, which is free.
    pub proof_bytes: Option<u64>,
    /// How old the table's data are.
    pub snapshot_time: DateTime<Utc>,
    pub message: Option<String>,
    pub seconds: f64,
}

impl Outcome {
    pub fn new(step: &Step, state: State) -> Self {
        Self {
            table: step.table.source.to_string(),
            destination: step.destination(),
            state,
            rows_expected: step.rows_expected,
            rows_loaded: None,
            run_name: None,
            proof: None,
            proof_bytes: None,
            snapshot_time: step.snapshot_time,
            message: None,
            seconds: 0.0,
        }
    }

    #[must_use]
    pub fn with_message(self, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..self }
    }

    #[must_use]
    pub fn after(self, elapsed: Duration) -> Self {
        Self { seconds: elapsed.as_secs_f64(), ..self }
    }
}

/// The proof by the number of rows.
pub fn prove(expected: u64, loaded: u64) -> (State, Option<String>) {
    match expected.checked_sub(loaded) {
        Some(0) => (State::Loaded, None),
        Some(lacking) => (State::Short, Some(format!("{lacking} rows of the export are not in BigQuery"))),
        None => {
            let surplus = loaded - expected;
            (State::Failed, Some(format!("BigQuery has {surplus} rows more than the export: were parts added to it?")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_number_of_rows_is_a_load() {
        assert_eq!(prove(10, 10), (State::Loaded, None));
        assert_eq!(prove(10, 9), (State::Short, Some("1 rows of the export are not in BigQuery".into())));
        let surplus = "BigQuery has 10 rows more than the export: were parts added to it?";
        assert_eq!(prove(10, 20), (State::Failed, Some(surplus.into())));
    }
}
