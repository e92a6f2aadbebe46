//! The life of an export task, and the events that RDS sends about it.

use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use super::snapshots::Snapshot;
use super::task::{ExportTask, Status};
use super::{ACCOUNT, REGION, State};
use crate::export::Exporting;

/// From CANCELING to CANCELED.
const CANCELING: std::time::Duration = std::time::Duration::from_millis(20);

pub(super) async fn run(state: Arc<State>, task: ExportTask, snapshot: Snapshot, failure: Option<String>) {
    let export = export(&state, &task, &snapshot, failure);
    let ended = tokio::select! {
        ended = export => ended,
        // What was written by now stays in the bucket. Source: RDS API reference, `CancelExportTask`.
        () = task.cancel.notified() => {
            sleep(CANCELING).await;
            None
        }
    };
    let status = state.end(&task.export.task, ended);
    if task.export.is_of_a_live_cluster() {
        return; // No event of such an end is documented: who waits for one waits here too. [unverified]
    }
    let (event, word) = match status {
        Status::Complete => ("RDS-EVENT-0164", "completed"),
        Status::Failed => ("RDS-EVENT-0162", "failed"),
        _ => ("RDS-EVENT-0163", "canceled"),
    };
    // The event names the snapshot, and nothing in it the task.
    let message = format!("DB cluster snapshot export task {word}");
    state.tell(event, "notification", &message, &snapshot.id, &task.export.source_arn);
}

async fn export(
    state: &Arc<State>,
    task: &ExportTask,
    snapshot: &Snapshot,
    failure: Option<String>,
) -> Option<Result<Exporting, String>> {
    sleep(state.options.starting).await;
    let until = Instant::now() + state.options.exporting;
    let id = &task.export.task;
    state.progress(id, 0);
    let ended = match (&snapshot.source, failure) {
        (_, Some(cause)) => Err(cause),
        (None, None) => Ok(Exporting { bytes: 0, warning: None }),
        (Some(source), None) => {
            let exported = task.export.run(source, &state.store, |percent| state.progress(id, percent)).await;
            exported.map_err(|error| format!("An unknown internal error occurred. {error:#}"))
        }
    };
    sleep_until(until).await;
    Some(ended)
}

impl State {
    fn progress(&self, id: &str, percent: u8) {
        if let Some(task) = self.lock().tasks.get_mut(id).filter(|task| task.status != Status::Canceling) {
            task.status = Status::InProgress;
            task.percent = task.percent.max(percent);
            task.started.get_or_insert_with(Utc::now);
        }
    }

    /// `None`: it was cancelled.
    fn end(&self, id: &str, ended: Option<Result<Exporting, String>>) -> Status {
        let mut book = self.lock();
        let Some(task) = book.tasks.get_mut(id) else { return Status::Failed };
        task.ended = Some(Utc::now());
        match ended {
            _ if task.status == Status::Canceling => task.status = Status::Canceled,
            None => task.status = Status::Canceled,
            Some(Ok(exporting)) => {
                (task.status, task.percent) = (Status::Complete, 100);
                (task.bytes, task.warning) = (exporting.bytes, exporting.warning);
            }
            Some(Err(cause)) => (task.status, task.failure) = (Status::Failed, Some(cause)),
        }
        task.status
    }

    /// Sends an event as EventBridge delivers it.
    /// Source: Aurora user guide, "DB cluster snapshot events", and its sample of such an event; there is no published
    /// sample of 0164, so the category is [unverified].
    pub(super) fn tell(&self, event: &str, category: &str, message: &str, snapshot: &str, arn: &str) {
        let now = Utc::now();
        let event = json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": "RDS DB Cluster Snapshot Event",
            "source": "aws.rds",
            "account": ACCOUNT,
            "time": now.to_rfc3339_opts(SecondsFormat::Secs, true),
            "region": REGION,
            "resources": [arn],
            "detail": {
                "EventCategories": [category],
                "SourceType": "CLUSTER_SNAPSHOT",
                "SourceArn": arn,
                "Date": now.to_rfc3339_opts(SecondsFormat::Millis, true),
                "Message": message,
                "SourceIdentifier": snapshot,
                "EventID": event,
            },
        });
        let _ = self.events.send(event); // nobody listens: RDS does not mind either
    }
}
