//! What became of each table.

use std::time::Duration;

use serde::Serialize;

use crate::plan::Step;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Has exactly the rows that the manifest counted.
    Loaded,
    /// Was exported without rows, and has none now.
    Truncated,
    /// Has fewer rows than the manifest counted.
    Short,
    /// Was not loaded, or has more rows than the manifest counted.
    Failed,
    /// RDS did not export it.
    Skipped,
    /// Is listed but not in the manifest.
    Missing,
    /// Its columns changed, and the policy is to leave it.
    Drifted,
}

impl State {
    pub fn is_good(self) -> bool {
        matches!(self, Self::Loaded | Self::Truncated)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Truncated => "truncated",
            Self::Short => "short",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Missing => "missing",
            Self::Drifted => "drifted",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    pub table: String,
    /// `dataset.table` in BigQuery.
    pub destination: String,
    pub state: State,
    pub rows_expected: Option<u64>,
    pub rows_loaded: Option<u64>,
    pub run_name: Option<String>,
    pub message: Option<String>,
    pub seconds: f64,
}

impl Outcome {
    pub fn new(step: &Step, state: State) -> Self {
        Self {
            table: step.table.source.to_string(),
            destination: format!("{}.{}", step.table.dataset, step.table.table),
            state,
            rows_expected: step.rows_expected,
            rows_loaded: None,
            run_name: None,
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

/// The row-count proof.
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
