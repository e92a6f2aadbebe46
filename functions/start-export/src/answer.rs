//! What the function answers.

use chrono::{DateTime, Utc};
use handoff::{ExportDate, ExportTaskId};
use serde::Serialize;
use tracing::{info, warn};

use crate::error::StartExportError;
use crate::plan::Plan;

/// Aurora's backup window is an hour or two before the export: an older snapshot lacks a part of the day that someone
/// may look for. It is told, and no error.
const OLD_SNAPSHOT_HOURS: i64 = 6;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Answer {
    Started(Export),
    /// The task was there already.
    Found(Export),
    /// Nothing is started and nothing is lost: the day is tried again.
    Waiting(Waiting),
    /// The event is not about an export of ours.
    Ignored {
        message: String,
        started: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Export {
    pub task_id: ExportTaskId,
    /// Of the snapshot, or of the live cluster.
    pub snapshot_arn: String,
    /// When the snapshot was made; not known of a live cluster.
    pub snapshot_time: Option<DateTime<Utc>>,
    /// How old the snapshot was when its export began.
    pub snapshot_age_hours: Option<i64>,
    pub export_date: ExportDate,
    pub started: bool,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    pub task_id: ExportTaskId,
    pub export_date: ExportDate,
    /// The word of the error that this is at the last try.
    pub reason: &'static str,
    pub message: String,
    pub next_try: DateTime<Utc>,
    pub started: bool,
}

impl Export {
    /// `began` is when the task was started, or now.
    pub(crate) fn of(
        task_id: ExportTaskId,
        source_arn: &str,
        snapshot_time: Option<DateTime<Utc>>,
        began: DateTime<Utc>,
    ) -> Self {
        let age = snapshot_time.map(|made| began - made);
        let old = |made: &DateTime<Utc>| began - made > chrono::Duration::hours(OLD_SNAPSHOT_HOURS);
        let warning = snapshot_time.filter(old).map(|made| {
            let hours = (began - made).num_hours();
            format!(
                "the snapshot was made at {made}, {hours} hours before its export began: what was written since \
                     then is not in it"
            )
        });
        Self {
            export_date: task_id.date(),
            task_id,
            snapshot_arn: source_arn.to_owned(),
            snapshot_time,
            snapshot_age_hours: age.map(|age| age.num_hours().max(0)),
            started: false,
            warnings: warning.into_iter().collect(),
        }
    }
}

impl Answer {
    pub(crate) fn started(export: Export) -> Self {
        Self::Started(Export { started: true, ..export })
    }

    pub(crate) fn ignored(message: String) -> Self {
        Self::Ignored { message, started: false }
    }

    pub(crate) fn waiting(plan: &Plan, error: &StartExportError, next_try: DateTime<Utc>) -> Self {
        Self::Waiting(Waiting {
            task_id: plan.task.clone(),
            export_date: plan.task.date(),
            reason: error.word(),
            message: startup::with_causes(error),
            next_try,
            started: false,
        })
    }

    /// `today` marks an export of all of today's tables: an alarm of template.yaml counts these lines.
    pub(crate) fn tell(&self, today: bool) {
        match self {
            Self::Started(export) => export.tell("export_started", "started", today),
            Self::Found(export) => export.tell("export_found", "found, already started,", today),
            Self::Waiting(waiting) => {
                let Waiting { task_id, reason, message, next_try, .. } = waiting;
                warn!(
                    event = "export_waits", %task_id, reason, %next_try,
                    "export task {task_id} is not started yet and is tried again at {next_try}: {reason}: {message}"
                );
            }
            Self::Ignored { message, .. } => info!(event = "event_ignored", "ignored: {message}"),
        }
    }
}

impl Export {
    fn tell(&self, event: &str, verb: &str, today: bool) {
        let Self { task_id, snapshot_arn, export_date, started, warnings, .. } = self;
        info!(
            event, %task_id, snapshot = %snapshot_arn, %export_date, started, today,
            "{verb} export task {task_id} of {snapshot_arn}"
        );
        for warning in warnings {
            warn!(event = "export_warning", %task_id, "export task {task_id}: {warning}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(made: Option<&str>) -> Export {
        let made = made.map(|at| at.parse().unwrap());
        Export::of("prod-20261122".parse().unwrap(), "arn:a", made, "2026-11-21T19:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_snapshot_of_more_than_six_hours_is_told_and_one_of_six_is_not() {
        let old = export(Some("2026-11-21T12:59:59Z"));
        assert_eq!(old.snapshot_age_hours, Some(6));
        assert_eq!(
            old.warnings,
            ["the snapshot was made at 2026-11-21 12:59:59 UTC, 6 hours before its export began: what was written \
              since then is not in it"]
        );
        let fresh = export(Some("2026-11-21T13:00:00Z"));
        assert_eq!((fresh.snapshot_age_hours, fresh.warnings.len()), (Some(6), 0));
    }

    #[test]
    fn a_live_cluster_has_no_age_and_a_clock_that_is_behind_makes_none_negative() {
        assert_eq!(export(None).snapshot_age_hours, None);
        assert_eq!(export(Some("2026-11-21T19:05:00Z")).snapshot_age_hours, Some(0));
    }
}
