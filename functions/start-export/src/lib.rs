//! Starts the export of an Aurora snapshot to S3: choose the snapshot, name the task, start it, and settle with a task
//! that is already there. Repeating an event starts nothing twice: the id says what it is for, and RDS refuses it a
//! second time.

pub mod config;
pub mod error;
pub mod event;
pub mod invocation;
pub mod plan;
mod rds;
pub mod refusal;
pub mod snapshot;
pub mod source;
mod task;

use aws_sdk_rds::Client;
use chrono::{DateTime, Utc};
use handoff::{ExportDate, ExportTaskId};
use serde::Serialize;
use serde_json::Value;
use tracing::info;

use crate::config::Config;
use crate::error::StartExportError;
use crate::event::Event;
use crate::plan::Plan;
use crate::rds::Start;
use crate::snapshot::{Source, utc};

/// What the function answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Started {
    pub task_id: ExportTaskId,
    pub snapshot_arn: String,
    /// When the snapshot was made; not known of a live cluster.
    pub snapshot_time: Option<DateTime<Utc>>,
    pub export_date: ExportDate,
    /// `false`: the task was there already.
    pub started: bool,
}

/// `invoked_at` is the same for every try of one invocation, `now` is this try's.
pub async fn start_export(
    rds: &Client,
    config: &Config,
    event: Value,
    invoked_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Started, StartExportError> {
    let plan = Plan::of(Event::parse(event)?, config, invoked_at)?;
    let source = match &plan.source {
        Some(arn) => Source { arn: arn.to_string(), created_at: None },
        None => snapshot::choose(&rds::automated_snapshots(rds, config).await?, config, now)?,
    };
    let answer = start_or_settle(rds, config, &plan, &source).await?;
    let Started { task_id, snapshot_arn, export_date, started, .. } = &answer;
    let verb = if *started { "started" } else { "found, already started," };
    info!(%task_id, snapshot = %snapshot_arn, %export_date, started, "{verb} export task {task_id} of {snapshot_arn}");
    Ok(answer)
}

async fn start_or_settle(
    rds: &Client,
    config: &Config,
    plan: &Plan,
    source: &Source,
) -> Result<Started, StartExportError> {
    let answer = |task_id: &ExportTaskId, time: Option<DateTime<Utc>>, started| Started {
        task_id: task_id.clone(),
        snapshot_arn: source.arn.clone(),
        snapshot_time: time.or(source.created_at),
        export_date: task_id.date(),
        started,
    };
    // The id of a spot task is new with each second, so the id alone does not stop a second try.
    if plan.task.is_spot() {
        let tasks = rds::tasks_of_source(rds, config, &source.arn).await?;
        if let Some((task, id)) = task::running(&tasks, plan, &source.arn) {
            return Ok(answer(&id, task.snapshot_time().and_then(utc), false));
        }
    }
    // Killed just after this call: the task runs on, and Lambda's next try finds it below.
    match rds::start(rds, config, plan, &source.arn).await? {
        Start::Started { snapshot_time } => Ok(answer(&plan.task, snapshot_time, true)),
        Start::IdExists(refusal) => {
            let Some(task) = rds::task(rds, config, &plan.task).await? else { return Err(refusal.into()) };
            task::settle(&task, plan, &source.arn)?;
            Ok(answer(&plan.task, task.snapshot_time().and_then(utc), false))
        }
    }
}
