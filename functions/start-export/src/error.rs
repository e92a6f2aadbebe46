//! Why no export was started: one word that an alarm can match, and a text for the human whom the alarm wakes.

use chrono::{DateTime, Utc};
use handoff::ExportTaskId;
use lambda_runtime::Diagnostic;

use crate::event::InvalidEvent;
use crate::refusal::Refusal;

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
         one on purpose with {{\"kind\": \"manual\", \"snapshot_arn\": \"{snapshot}\"}}"
    )]
    StaleSnapshot { cluster: String, snapshot: String, created_at: DateTime<Utc>, age_hours: i64, limit_hours: u32 },
    #[error(
        "export task {task} exports {held} already, and not {wanted}: RDS never frees an id; if {wanted} is wanted for \
         this date too, export it with {}",
        spot_of(task)
    )]
    IdTaken { task: ExportTaskId, held: String, wanted: String },
    #[error(
        "export task {task} of the same source is {status} ({cause}), and RDS never frees an id: mend the cause, then \
         export with {}",
        spot_of(task)
    )]
    TaskFailed { task: ExportTaskId, status: String, cause: String },
    #[error(transparent)]
    Refused(#[from] Box<Refusal>),
}

fn spot_of(task: &ExportTaskId) -> String {
    format!(r#"{{"kind": "manual", "export_date": "{}", "spot": true}}"#, task.date())
}

impl StartExportError {
    pub fn word(&self) -> &'static str {
        match self {
            Self::InvalidEvent(_) => "InvalidEvent",
            Self::NoSnapshot { .. } => "NoSnapshot",
            Self::StaleSnapshot { .. } => "StaleSnapshot",
            Self::IdTaken { .. } => "IdTaken",
            Self::TaskFailed { .. } => "TaskFailed",
            Self::Refused(refusal) => refusal.reason.word(),
        }
    }
}

impl From<StartExportError> for Diagnostic {
    fn from(error: StartExportError) -> Self {
        Self { error_type: error.word().to_owned(), error_message: startup::with_causes(&error) }
    }
}
