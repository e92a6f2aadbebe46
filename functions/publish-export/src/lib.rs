//! publish-export: when RDS has completed an export, verifies it, puts its parts where BigQuery looks for them, and
//! writes the day's manifest last. Running it again changes nothing; dying anywhere is repaired by the next run.

mod bucket;
mod clock;
mod compose;
mod config;
mod count;
mod day;
mod error;
mod event;
mod export_info;
mod footer;
mod inventory;
mod load_start;
mod manifests;
mod order;
mod parquet_type;
mod report;
#[cfg(test)]
mod samples;
mod staging;
mod statistics;
mod task;
mod task_warning;
mod value_text;
mod verify;
mod warnings;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use handoff::{ExportDate, ExportTaskId, Manifest};
use keyless::google::Google;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use startup::with_causes;
use tracing::info;

pub use config::Settings;
pub use error::Error;
pub use load_start::{InvalidWorkflowName, Target, WorkflowName};

use bucket::Bucket;
use clock::Clock;
use day::Outcome;
use event::Event;
use load_start::LoadStart;
use report::Reporter;
use task::{Status, Task, Wanted, describe};

/// The poll looks at today and the two days before: whoever is away for a weekend finds Saturday published.
const DAYS_POLLED: u32 = 3;

pub struct Clients {
    pub rds: aws_sdk_rds::Client,
    pub s3: aws_sdk_s3::Client,
    pub sns: aws_sdk_sns::Client,
    /// Where `Settings::load` is set.
    pub google: Option<Google>,
}

/// Export task ids, each in the order of their dates.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Shown by their date's manifest since now.
    pub published: Vec<ExportTaskId>,
    /// Complete, and published before, or older than what is published.
    pub unchanged: Vec<ExportTaskId>,
    /// Told to a human.
    pub reported: Vec<ExportTaskId>,
    /// Google's workflow was started for it.
    pub started: Vec<ExportTaskId>,
}

pub async fn handle(
    event: &Value,
    clients: &Clients,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<Answer, Error> {
    let clock = Clock::starting_at(now);
    let event = Event::parse(event)?;
    let dates = dates(&event, clients, settings, now).await?;
    let mut run = Run { clients, settings, clock, answer: Answer::default(), shown: Vec::new(), errors: Vec::new() };
    if !dates.is_empty() {
        let tasks = describe(&clients.rds, settings, Wanted::Bucket).await?;
        for date in dates {
            let tasks: Vec<Task> = tasks.iter().filter(|task| task.id.date() == date).cloned().collect();
            Box::pin(run.settle(date, &tasks, &event)).await; // boxed, or the compiler's layout queries are too deep
        }
    }
    run.start_load().await;
    let (answer, errors) = (run.answer, run.errors);
    info!(
        published = answer.published.len(),
        reported = answer.reported.len(),
        started = answer.started.len(),
        errors = errors.len(),
        "done: {answer:?}"
    );
    Error::all(errors).map(|()| answer)
}

/// The dates that the event is about.
async fn dates(
    event: &Event,
    clients: &Clients,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<BTreeSet<ExportDate>, Error> {
    let wanted = match event {
        Event::Poll => {
            let today = ExportDate::of(now, settings.zone);
            return Ok((0..DAYS_POLLED).map(|days| today.days_before(days)).collect());
        }
        Event::Irrelevant { event_id } => {
            info!(event_id, "{event_id} is not the end of an export");
            return Ok(BTreeSet::new());
        }
        Event::Publish(id) => Wanted::Id(id),
        Event::ExportEnded { source_arn } => Wanted::Source(source_arn),
    };
    let tasks = describe(&clients.rds, settings, wanted).await?;
    if let (Wanted::Id(id), true) = (wanted, tasks.is_empty()) {
        return Err(Error::UnknownTask { task: id.clone(), bucket: settings.bucket.clone() });
    }
    Ok(tasks.iter().map(|task| task.id.date()).collect())
}

struct Run<'a> {
    clients: &'a Clients,
    settings: &'a Settings,
    clock: Clock,
    answer: Answer,
    /// The manifests that stand, in the order of their dates.
    shown: Vec<Manifest>,
    /// A date that cannot go on does not hold up the others.
    errors: Vec<Error>,
}

impl<'a> Run<'a> {
    async fn settle(&mut self, date: ExportDate, tasks: &[Task], event: &Event) {
        let bucket = Bucket::new(&self.clients.s3, &self.settings.bucket);
        let reporter = self.reporter(bucket);
        let outcome = day::settle(bucket, self.settings, date, tasks, self.clock).await;
        let complete = tasks.iter().filter(|task| task.status == Status::Complete).map(|task| &task.id);
        self.answer.unchanged.extend(complete.filter(|id| !outcome.published.contains(id)).cloned());
        if let Err(error) = self.report(reporter, tasks, &outcome).await {
            self.errors.push(error);
        }
        let asked = tasks.iter().find(|task| matches!(event, Event::Publish(id) if *id == task.id));
        if let (Some(Err(error)), true) = (asked.map(|task| day::by_hand(task, &outcome)), self.errors.is_empty()) {
            self.errors.push(error);
        }
        self.answer.published.extend(outcome.published);
        self.shown.extend(outcome.manifest);
        if let Some(error) = outcome.error {
            self.report_problem(reporter, date, error, asked.is_some()).await;
        }
    }

    fn reporter(&self, bucket: Bucket<'a>) -> Reporter<'a> {
        Reporter { bucket, sns: &self.clients.sns, settings: self.settings, now: self.clock.began() }
    }

    async fn report(&mut self, reporter: Reporter<'_>, tasks: &[Task], outcome: &Outcome) -> Result<(), Error> {
        for task in tasks {
            self.report_failure(reporter, task).await?;
        }
        match &outcome.manifest {
            Some(manifest) => self.report_publication(reporter, manifest, !outcome.published.is_empty()).await,
            None => Ok(()),
        }
    }

    /// After all dates, so that of several days that are published at once only the newest is loaded.
    async fn start_load(&mut self) {
        let (Some(target), Some(google)) = (&self.settings.load, &self.clients.google) else { return };
        let bucket = Bucket::new(&self.clients.s3, &self.settings.bucket);
        let start = LoadStart { reporter: self.reporter(bucket), google, target };
        match start.of_newest(&self.shown).await {
            Ok(started) => self.answer.started.extend(started),
            Err(error) => self.errors.push(error),
        }
    }

    /// What no poll can mend is told once, and not at each poll. Who asks by hand is answered each time.
    async fn report_problem(&mut self, reporter: Reporter<'_>, date: ExportDate, error: Error, by_hand: bool) {
        let problem = with_causes(&error);
        if by_hand || !error.is_lasting() {
            return self.errors.push(error);
        }
        match reporter.is_known(date, &problem).await {
            Ok(true) => return info!(export_date = %date, "still, and told before: {problem}"),
            Ok(false) => {}
            Err(unknown) => return self.errors.extend([error, unknown]),
        }
        let told = reporter.tell_problem(date, &problem).await;
        if told.is_err() || self.settings.topic_arn.is_none() {
            self.errors.push(error);
        }
        self.errors.extend(told.err());
    }

    /// Without a topic, the failure of the function is the report.
    async fn report_failure(&mut self, reporter: Reporter<'_>, task: &Task) -> Result<(), Error> {
        let ended_badly = matches!(task.status, Status::Failed | Status::Canceled);
        if !ended_badly || reporter.is_told(&task.id).await? {
            return Ok(());
        }
        reporter.tell(&task.id, report::of_failure(task).as_ref()).await?;
        self.answer.reported.push(task.id.clone());
        if self.settings.topic_arn.is_none() {
            self.errors.push(day::ended_badly(task));
        }
        Ok(())
    }

    /// The marker is the last object of all: while it is missing, something of the publication may be left to do.
    async fn report_publication(
        &mut self,
        reporter: Reporter<'_>,
        manifest: &Manifest,
        is_new: bool,
    ) -> Result<(), Error> {
        let is_told = reporter.is_told(&manifest.task_id).await?;
        if is_new || !is_told {
            manifests::forget_before(reporter.bucket, &manifest.env, manifest.export_date).await?;
        }
        if is_told {
            return Ok(());
        }
        let previous = manifests::previous(reporter.bucket, &manifest.env, manifest.export_date).await?;
        let report = report::of_publication(manifest, previous.ok().flatten().as_ref());
        reporter.tell(&manifest.task_id, report.as_ref()).await?;
        self.answer.reported.extend(report.map(|_| manifest.task_id.clone()));
        Ok(())
    }
}
