//! What a table can come to.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Has what the manifest says, as far as the proof goes.
    Loaded,
    /// Was exported without rows, and has none now.
    Truncated,
    /// Is listed and not in the export yet, which the list calls no error.
    Awaited,
    /// Has fewer rows than the manifest counted.
    Short,
    /// Has as many rows as the manifest counted, and they are others.
    Different,
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
        matches!(self, Self::Loaded | Self::Truncated | Self::Awaited)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Truncated => "truncated",
            Self::Awaited => "awaited",
            Self::Short => "short",
            Self::Different => "different",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Missing => "missing",
            Self::Drifted => "drifted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::State::{self, Awaited, Different, Drifted, Failed, Loaded, Missing, Short, Skipped, Truncated};

    /// dbt and its freshness read these words. What is awaited is no error, and has no rows.
    #[test]
    fn what_is_good_is_proven_to_whoever_reads_the_audit() {
        for state in [Loaded, Truncated, Awaited, Short, Different, Failed, Skipped, Missing, Drifted] {
            let proven = state.is_good() && state != State::Awaited;
            assert_eq!(audit::PROVEN.contains(&state.word()), proven, "{state:?}");
        }
    }
}
