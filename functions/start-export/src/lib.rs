//! Starts the export of an Aurora cluster to S3: choose the snapshot or the live cluster, name the task, start it, and
//! settle with a task that is already there. Repeating an event starts nothing twice: the id says what it is for, and
//! RDS refuses it a second time.

pub mod answer;
pub mod config;
pub mod error;
pub mod event;
pub mod hours;
pub mod invocation;
pub mod plan;
mod rds;
pub mod refusal;
mod resolve;
pub mod snapshot;
pub mod snapshot_made;
pub mod source;
pub mod tables;
mod task;

use aws_sdk_rds::Client;
use aws_sdk_rds::types::ExportTask;
use chrono::{DateTime, Utc};
use handoff::ExportDate;
use serde_json::Value;

use crate::answer::{Answer, Export};
use crate::config::Config;
use crate::error::StartExportError;
use crate::event::Event;
use crate::plan::{Asked, Decision, Plan};
use crate::rds::Start;
use crate::source::Source;
use crate::tables::export_only;

/// `invoked_at` is the same for every try of one invocation, `now` is this try's.
pub async fn start_export(
    rds: &Client,
    config: &Config,
    event: Value,
    invoked_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Answer, StartExportError> {
    let plan = match Decision::on(Event::parse(event)?, config, invoked_at)? {
        Decision::Export(plan) => plan,
        Decision::Ignore(reason) => {
            let answer = Answer::ignored(reason);
            answer.tell(false);
            return Ok(answer);
        }
    };
    let call = Call { rds, config, plan: &plan, now };
    let answer = match plan.asked {
        Asked::ByHand => call.by_hand().await?,
        Asked::ByTheDay { next_try } => match (call.by_the_day().await, next_try) {
            (Err(error), Some(next_try)) if error.passes() => Answer::waiting(&plan, &error, next_try),
            (answer, _) => answer?,
        },
    };
    answer.tell(plan.tables.is_empty() && plan.task.date() == ExportDate::of(now, config.zone));
    Ok(answer)
}

struct Call<'a> {
    rds: &'a Client,
    config: &'a Config,
    plan: &'a Plan,
    now: DateTime<Utc>,
}

impl Call<'_> {
    /// An earlier try has made the task: looked for first, because by now the newest snapshot may be another one, or
    /// none that may be exported.
    async fn by_the_day(&self) -> Result<Answer, StartExportError> {
        let Self { rds, config, plan, now } = *self;
        if let Some(task) = rds::task(rds, config, &plan.task).await? {
            return self.found_by_the_day(&task).await;
        }
        let source = resolve::source(rds, config, plan, now).await?;
        // Killed just after this call: the task runs on, and the next try finds it.
        match rds::start(rds, config, &plan.task, &source, Vec::new()).await? {
            Start::Started { snapshot_time } => Ok(self.started(&source, snapshot_time)),
            Start::IdExists(refusal) => match rds::task(rds, config, &plan.task).await? {
                Some(task) => self.found_by_the_day(&task).await,
                None => Err(refusal.into()),
            },
        }
    }

    async fn found_by_the_day(&self, task: &ExportTask) -> Result<Answer, StartExportError> {
        let arn = task.source_arn().unwrap_or_default();
        let is_ours = resolve::is_ours(self.rds, self.config, arn).await?;
        task::settle_the_day(task, self.plan, is_ours)?;
        let mut export = self.found(task, arn, None);
        export.warnings.extend(task::warning(task, self.plan));
        Ok(Answer::Found(export))
    }

    async fn by_hand(&self) -> Result<Answer, StartExportError> {
        let Self { rds, config, plan, now } = *self;
        let source = resolve::source(rds, config, plan, now).await?;
        let tables = export_only(&plan.tables, &source)?;
        // The id of a spot task is new with each second, so the id alone does not stop a second try.
        if plan.task.is_spot() {
            let tasks = rds::tasks_of_source(rds, config, &source.arn).await?;
            if let Some((task, task_id)) = task::running(&tasks, plan, &source.arn) {
                let mut export = Export { task_id, ..self.found(task, &source.arn, source.created_at) };
                export.warnings.extend(source.is_live().then(|| task::older_than_asked(task)));
                return Ok(Answer::Found(export));
            }
        }
        match rds::start(rds, config, &plan.task, &source, tables).await? {
            Start::Started { snapshot_time } => Ok(self.started(&source, snapshot_time)),
            Start::IdExists(refusal) => {
                let Some(task) = rds::task(rds, config, &plan.task).await? else { return Err(refusal.into()) };
                task::settle(&task, plan, &source.arn)?;
                Ok(Answer::Found(self.found(&task, &source.arn, source.created_at)))
            }
        }
    }

    fn started(&self, source: &Source, snapshot_time: Option<DateTime<Utc>>) -> Answer {
        let snapshot_time = snapshot_time.or(source.created_at);
        Answer::started(Export::of(self.plan.task.clone(), &source.arn, snapshot_time, self.now))
    }

    fn found(&self, task: &ExportTask, arn: &str, created_at: Option<DateTime<Utc>>) -> Export {
        let snapshot_time = task.snapshot_time().and_then(source::utc).or(created_at);
        let began = task::started_at(task).unwrap_or(self.now);
        Export::of(self.plan.task.clone(), arn, snapshot_time, began)
    }
}
