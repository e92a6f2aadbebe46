//! Export tasks, as RDS describes them.

use aws_sdk_rds::Client;
use aws_sdk_rds::primitives::DateTime as AwsDateTime;
use aws_sdk_rds::types::{ExportTask, Filter};
use chrono::{DateTime, Utc};
use handoff::{ExportDate, ExportTaskId, TableName};
use serde::Serialize;

use crate::{Error, Settings};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) id: ExportTaskId,
    pub(crate) source_arn: String,
    pub(crate) snapshot_time: DateTime<Utc>,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) status: Status,
    /// The tables that it was asked for, as RDS spells them; empty for all.
    pub(crate) export_only: Vec<String>,
    pub(crate) failure_cause: Option<String>,
    pub(crate) warning: Option<String>,
    pub(crate) kms_key_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Running,
    Complete,
    Failed,
    Canceled,
}

impl Status {
    /// RDS answers in capitals and filters in lower case; what is not an end is taken as running.
    fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "complete" => Self::Complete,
            "failed" => Self::Failed,
            "canceled" => Self::Canceled,
            _ => Self::Running,
        }
    }
}

impl Task {
    /// Of two exports of a date the one with the newer data stands; of two with the same data, the later one.
    pub(crate) fn rank(&self) -> (DateTime<Utc>, DateTime<Utc>, &ExportTaskId) {
        (self.snapshot_time, self.started_at, &self.id)
    }

    /// A spot export of some tables: laid over what the day has, instead of replacing it.
    pub(crate) fn is_layer(&self) -> bool {
        self.id.is_spot() && !self.export_only.is_empty()
    }

    /// The event with which start-export exports the same once more.
    pub(crate) fn again(&self) -> String {
        export_again(self.id.date(), &self.source_arn, &self.export_only)
    }

    /// `None` for a task that is not ours: another environment's, another bucket's, or one that somebody started by
    /// hand under another name or prefix.
    fn ours(task: &ExportTask, settings: &Settings) -> Option<Self> {
        let id: ExportTaskId = task.export_task_identifier()?.parse().ok()?;
        let here = *id.environment() == settings.environment && task.s3_bucket() == Some(&settings.bucket);
        if !here || task.s3_prefix().is_some_and(|prefix| !prefix.is_empty()) {
            return None;
        }
        let started_at = task.task_start_time().and_then(instant);
        let snapshot_time = task.snapshot_time().and_then(instant).or(started_at).unwrap_or(DateTime::UNIX_EPOCH);
        let text = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        Some(Self {
            id,
            source_arn: task.source_arn().unwrap_or_default().to_owned(),
            snapshot_time,
            started_at: started_at.unwrap_or(snapshot_time),
            status: Status::parse(task.status().unwrap_or_default()),
            export_only: task.export_only().to_vec(),
            failure_cause: text(task.failure_cause()),
            warning: text(task.warning_message()),
            kms_key_id: text(task.kms_key_id()),
        })
    }
}

/// A task id is used up, so the same goes on as a spot export. With the snapshot by name, it has the data of that day on
/// any later day too; a live cluster can only be exported as it is then.
pub(crate) fn export_again(export_date: ExportDate, source_arn: &str, export_only: &[String]) -> String {
    #[derive(Serialize)]
    struct Manual<'a> {
        kind: &'a str,
        export_date: ExportDate,
        spot: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        snapshot_arn: Option<&'a str>,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        tables: &'a [String],
    }
    let snapshot_arn = Some(source_arn).filter(|arn| arn.contains("snapshot:"));
    // start-export takes tables only; whoever asked RDS for whole databases gets everything.
    let are_tables = export_only.iter().all(|name| name.parse::<TableName>().is_ok());
    let tables = if are_tables { export_only } else { &[] };
    let event = Manual { kind: "manual", export_date, spot: true, snapshot_arn, tables };
    serde_json::to_string(&event).unwrap_or_default()
}

fn instant(at: &AwsDateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.secs(), at.subsec_nanos())
}

const ACTION: &str = "rds:DescribeExportTasks";

/// What to ask RDS for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    Bucket,
    Source(&'a str),
    Id(&'a ExportTaskId),
}

/// All pages of what RDS knows, ours only.
pub(crate) async fn describe(rds: &Client, settings: &Settings, wanted: Wanted<'_>) -> Result<Vec<Task>, Error> {
    let (name, value) = match wanted {
        Wanted::Bucket => ("s3-bucket", settings.bucket.clone()),
        Wanted::Source(arn) => ("source-arn", arn.to_owned()),
        Wanted::Id(id) => ("export-task-identifier", id.to_string()),
    };
    let filter = Filter::builder().name(name).values(&value).build();
    let mut pages = rds.describe_export_tasks().filters(filter).into_paginator().send();
    let mut tasks = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Error::aws(ACTION, &value, error))?;
        tasks.extend(page.export_tasks().iter().filter_map(|task| Task::ours(task, settings)));
    }
    tasks.retain(|task| match wanted {
        Wanted::Bucket => true,
        Wanted::Source(arn) => task.source_arn == arn,
        Wanted::Id(id) => task.id == *id,
    });
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use startup::Vars;

    fn ours(change: impl FnOnce(aws_sdk_rds::types::builders::ExportTaskBuilder) -> ExportTask) -> Option<Task> {
        let settings = Settings::read(Vars::from_pairs([("ENV", "prod"), ("S3_BUCKET_NAME", "exports")])).unwrap();
        let task = ExportTask::builder()
            .export_task_identifier("prod-20261122")
            .s3_bucket("exports")
            .status("COMPLETE")
            .snapshot_time(AwsDateTime::from_secs(1_795_280_700));
        Task::ours(&change(task), &settings)
    }

    #[test]
    fn a_status_is_read_in_either_case_and_an_unknown_one_is_no_end() {
        let table = [
            ("COMPLETE", Status::Complete),
            ("complete", Status::Complete),
            ("Failed", Status::Failed),
            ("CANCELED", Status::Canceled),
            ("CANCELING", Status::Running),
            ("STARTING", Status::Running),
            ("IN_PROGRESS", Status::Running),
            ("", Status::Running),
        ];
        for (text, expected) in table {
            assert_eq!(Status::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn the_event_that_exports_again_has_the_same_data_on_any_later_day() {
        let snapshot = "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:rds:shop-2026-11-21-17-05";
        let cluster = "arn:aws:rds:ap-northeast-1:123456789012:cluster:shop";
        let again = |source: &str, only: &[&str]| {
            let only: Vec<String> = only.iter().map(ToString::to_string).collect();
            export_again("2026-11-22".parse().unwrap(), source, &only)
        };
        let head = r#"{"kind":"manual","export_date":"2026-11-22","spot":true"#;
        assert_eq!(again(snapshot, &[]), format!(r#"{head},"snapshot_arn":"{snapshot}"}}"#));
        assert_eq!(again(cluster, &[]), format!("{head}}}"));
        assert_eq!(again(cluster, &["shop.orders"]), format!(r#"{head},"tables":["shop.orders"]}}"#));
        assert_eq!(again(cluster, &["shop", "shop.orders"]), format!("{head}}}"));
    }

    #[test]
    fn tasks_of_others_are_left_alone() {
        assert!(ours(aws_sdk_rds::types::builders::ExportTaskBuilder::build).is_some());
        assert!(ours(|task| task.s3_prefix("").build()).is_some());
        assert_eq!(ours(|task| task.s3_prefix("archive").build()), None);
        assert_eq!(ours(|task| task.s3_bucket("exports-2").build()), None);
        for id in ["stg-20261122", "prod-2026", "my-export", "prod-eu-20261122"] {
            assert_eq!(ours(|task| task.export_task_identifier(id).build()), None, "{id}");
        }
    }
}
