//! Why no export was started: one word that an alarm can match, and a text for the human whom the alarm wakes.

use chrono::{DateTime, Utc};
use handoff::{ExportDate, ExportTaskId};
use lambda_runtime::Diagnostic;

use crate::event::InvalidEvent;
use crate::refusal::{Reason, Refusal};

#[derive(Debug, thiserror::Error)]
pub enum StartExportError {
    #[error(transparent)]
    InvalidEvent(#[from] InvalidEvent),
    #[error(
        "cluster {cluster} has no available automated snapshot ({found} listed): check that DB_CLUSTER_IDENTIFIER \
         names it, that its backup retention is at least a day, and that a backup is not still being made"
    )]
    NoSnapshot { cluster: String, found: usize },
    #[error(
        "the newest automated snapshot of cluster {cluster}, {snapshot}, was made at {created_at}, {age_hours} hours \
         ago, and may be {limit_hours} (MAX_SNAPSHOT_AGE_HOURS): check whether last night's backup ran, or export this \
         one on purpose with {{\"kind\": \"manual\", \"export_date\": \"{date}\", \"snapshot_arn\": \"{snapshot}\"}}"
    )]
    StaleSnapshot {
        cluster: String,
        snapshot: String,
        date: ExportDate,
        created_at: DateTime<Utc>,
        age_hours: i64,
        limit_hours: u32,
    },
    #[error(
        "{asked} is not of cluster {cluster} (DB_CLUSTER_IDENTIFIER): {found}; its tables would be loaded in the place \
         of those of {cluster}"
    )]
    OtherCluster { asked: String, cluster: String, found: String },
    #[error("`tables` names {tables}, and {source_arn} is MySQL, where a table is database.table")]
    InvalidTables { source_arn: String, tables: String },
    #[error(
        "export task {task} exports {held} already, and not {wanted}: RDS never frees an id; if {wanted} is wanted for \
         this date too, export it with {}",
        spot_of(task, source_arn.as_deref())
    )]
    IdTaken { task: ExportTaskId, held: String, wanted: String, source_arn: Option<String> },
    #[error(
        "export task {task} of the same source is {status} ({cause}), and RDS never frees an id: mend the cause, then \
         export with {}",
        spot_of(task, Some(source_arn))
    )]
    TaskFailed { task: ExportTaskId, status: String, cause: String, source_arn: String },
    #[error(transparent)]
    Refused(#[from] Box<Refusal>),
}

/// The same source where there is one, so that it helps on a later day too.
pub(crate) fn spot_of(task: &ExportTaskId, source_arn: Option<&str>) -> String {
    let (date, (name, value)) =
        (task.date(), source_arn.map_or(("source", "newest_snapshot"), |arn| ("snapshot_arn", arn)));
    format!(r#"{{"kind": "manual", "export_date": "{date}", "spot": true, "{name}": "{value}"}}"#)
}

impl StartExportError {
    pub fn word(&self) -> &'static str {
        match self {
            Self::InvalidEvent(_) => "InvalidEvent",
            Self::NoSnapshot { .. } => "NoSnapshot",
            Self::StaleSnapshot { .. } => "StaleSnapshot",
            Self::OtherCluster { .. } => "OtherCluster",
            Self::InvalidTables { .. } => "InvalidTables",
            Self::IdTaken { .. } => "IdTaken",
            Self::TaskFailed { .. } => "TaskFailed",
            Self::Refused(refusal) => refusal.reason.word(),
        }
    }

    /// What a later try of the day may find gone: a backup ends, and so do the exports of others.
    pub fn passes(&self) -> bool {
        match self {
            Self::NoSnapshot { .. } | Self::StaleSnapshot { .. } => true,
            Self::Refused(refusal) => matches!(refusal.reason, Reason::SnapshotNotReady | Reason::TooManyExports),
            _ => false,
        }
    }
}

impl From<StartExportError> for Diagnostic {
    fn from(error: StartExportError) -> Self {
        Self { error_type: error.word().to_owned(), error_message: startup::with_causes(&error) }
    }
}
