//! Snapshots, export tasks, the manifest, alarms, dead letters.

use aws_sdk_rds::types::{DbClusterSnapshot, ExportTask};
use aws_sdk_s3::operation::get_object::GetObjectError;
use chrono::{DateTime, Utc};
use handoff::{Environment, ExportKey, ExportTaskId, Manifest};
use serde_json::json;

use super::{Questions, known, why};
use crate::clouds::{Aws, CLOUDWATCH, SQS};
use crate::status::facts::{Alarm, Asked, Snapshot, Task};

impl Questions<'_> {
    /// The tasks of the day, the cluster, its newest snapshot.
    pub(super) async fn rds(&self) -> (Asked<Vec<Task>>, Asked<String>, Asked<Option<Snapshot>>) {
        let tasks = self.tasks().await;
        let cluster = match (&self.arguments.place.cluster, &tasks) {
            (Some(cluster), _) => Ok(cluster.clone()),
            (None, Ok(tasks)) => cluster_of(tasks, &self.arguments.place.env),
            (None, Err(why)) => Err(why.clone()),
        };
        let snapshot = match &cluster {
            Ok(cluster) => self.snapshot(cluster).await,
            Err(why) => Err(why.clone()),
        };
        (tasks.map(|tasks| self.of_day(&tasks)), cluster, snapshot)
    }

    pub(crate) async fn tasks(&self) -> Asked<Vec<ExportTask>> {
        let pages = self.aws()?.rds().describe_export_tasks().into_paginator().items().send();
        pages.try_collect().await.map_err(|error| format!("list export tasks: {}", startup::with_causes(&error)))
    }

    pub(crate) async fn tasks_of_day(&self) -> Asked<Vec<Task>> {
        self.tasks().await.map(|tasks| self.of_day(&tasks))
    }

    fn of_day(&self, tasks: &[ExportTask]) -> Vec<Task> {
        let ours = |task: &&ExportTask| {
            let id = task.export_task_identifier().and_then(|id| id.parse::<ExportTaskId>().ok());
            id.is_some_and(|id| *id.environment() == self.arguments.place.env && id.date() == self.day)
        };
        let mut found: Vec<Task> = tasks.iter().filter(ours).map(task).collect();
        found.sort_by(|one, other| (one.started_at, &one.id).cmp(&(other.started_at, &other.id)));
        found
    }

    async fn snapshot(&self, cluster: &str) -> Asked<Option<Snapshot>> {
        let pages = self.aws()?.rds().describe_db_cluster_snapshots().db_cluster_identifier(cluster);
        let found = pages.snapshot_type("automated").into_paginator().items().send().try_collect().await;
        let found = found.map_err(|error| format!("list snapshots of {cluster}: {}", startup::with_causes(&error)))?;
        Ok(found.iter().filter_map(complete).max_by_key(|snapshot| snapshot.created_at))
    }

    pub(crate) async fn manifest(&self) -> Asked<Option<Manifest>> {
        let bucket = known(&self.names.export_bucket)?;
        let key = ExportKey::Manifest(&self.arguments.place.env, self.day).to_string();
        let Some(bytes) = object(self.aws()?, bucket, &key).await? else { return Ok(None) };
        let manifest = Manifest::parse(&bytes, &self.arguments.place.env, self.day);
        manifest.map(Some).map_err(|error| format!("s3://{bucket}/{key}: {}", startup::with_causes(&error)))
    }

    pub(super) async fn alarms(&self) -> Asked<Vec<Alarm>> {
        let prefix = format!("isthmus-{}-", self.arguments.place.env);
        let (mut alarms, mut page) = (Vec::new(), None);
        loop {
            let mut body = json!({"AlarmNamePrefix": prefix, "StateValue": "ALARM", "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]});
            if let Some(page) = &page {
                body["NextToken"] = json!(page);
            }
            let answer = self.aws()?.call(CLOUDWATCH, "DescribeAlarms", &body).await.map_err(why("list alarms"))?;
            let found = ["MetricAlarms", "CompositeAlarms"].map(|kind| answer[kind].as_array().cloned());
            let open = found.into_iter().flatten().flatten().filter(|alarm| alarm["StateValue"] == "ALARM");
            alarms.extend(open.map(|alarm| alarm_of(&alarm)));
            page = answer["NextToken"].as_str().map(str::to_owned);
            if page.is_none() {
                return Ok(alarms);
            }
        }
    }

    pub(super) async fn dead_letters(&self) -> Asked<u64> {
        let name = format!("isthmus-{}-dead-letters", self.arguments.place.env);
        let aws = self.aws()?;
        let url =
            aws.call(SQS, "GetQueueUrl", &json!({"QueueName": name})).await.map_err(why(format!("queue {name}")))?;
        let waiting = "ApproximateNumberOfMessages";
        let body = json!({"QueueUrl": url["QueueUrl"], "AttributeNames": [waiting]});
        let answer = aws.call(SQS, "GetQueueAttributes", &body).await.map_err(why(format!("queue {name}")))?;
        let number = answer["Attributes"][waiting].as_str().and_then(|number| number.parse().ok());
        number.ok_or_else(|| format!("queue {name}: the answer has no number of messages"))
    }
}

/// `None` where there is none.
pub(super) async fn object(aws: &Aws, bucket: &str, key: &str) -> Asked<Option<Vec<u8>>> {
    let failed = |error: &dyn std::fmt::Display| format!("read s3://{bucket}/{key}: {error}");
    let answer = aws.s3().get_object().bucket(bucket).key(key).send().await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(None),
        Err(error) => return Err(failed(&startup::with_causes(&error))),
    };
    let body = answer.body.collect().await.map_err(|error| failed(&error))?;
    Ok(Some(body.to_vec()))
}

/// A snapshot `…:cluster-snapshot:rds:shop-2026-11-21-17-05`, or a cluster `…:cluster:shop`.
fn cluster_of(tasks: &[ExportTask], env: &Environment) -> Asked<String> {
    let ours = tasks.iter().filter(|task| {
        let id = task.export_task_identifier().and_then(|id| id.parse::<ExportTaskId>().ok());
        id.is_some_and(|id| id.environment() == env)
    });
    let newest = ours.max_by_key(|task| task.task_start_time().and_then(utc));
    let cluster = newest.and_then(|task| cluster_in(task.source_arn()?)).map(str::to_owned);
    cluster.ok_or_else(|| format!("no export task of {env} says which cluster it is: give --cluster"))
}

fn cluster_in(arn: &str) -> Option<&str> {
    if let Some((_, cluster)) = arn.split_once(":cluster:") {
        return Some(cluster);
    }
    let (_, dated) = arn.split_once(":cluster-snapshot:rds:")?;
    // `-2026-11-21-17-05`
    dated.is_char_boundary(dated.len().checked_sub(17)?).then(|| &dated[..dated.len() - 17])
}

fn task(task: &ExportTask) -> Task {
    Task {
        id: task.export_task_identifier().unwrap_or_default().to_owned(),
        status: task.status().unwrap_or_default().to_owned(),
        percent: task.percent_progress().unwrap_or_default(),
        started_at: task.task_start_time().and_then(utc),
        ended_at: task.task_end_time().and_then(utc),
        failure: task.failure_cause().map(str::to_owned),
    }
}

fn complete(snapshot: &DbClusterSnapshot) -> Option<Snapshot> {
    let id = snapshot.db_cluster_snapshot_identifier()?.to_owned();
    let created_at = utc(snapshot.snapshot_create_time()?)?;
    let complete =
        snapshot.status() == Some("available") && snapshot.snapshot_type().is_none_or(|kind| kind == "automated");
    complete.then_some(Snapshot { id, created_at })
}

fn utc(at: &aws_sdk_rds::primitives::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.secs(), at.subsec_nanos())
}

fn alarm_of(alarm: &serde_json::Value) -> Alarm {
    let text = |field: &str| alarm[field].as_str().unwrap_or_default().to_owned();
    #[allow(clippy::cast_possible_truncation)] // seconds since 1970
    let since =
        alarm["StateUpdatedTimestamp"].as_f64().and_then(|at| DateTime::from_timestamp_millis((at * 1e3) as i64));
    Alarm { name: text("AlarmName"), reason: text("StateReason"), since }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_is_in_the_name_of_what_was_exported() {
        for (arn, cluster) in [
            ("arn:aws:rds:ap-northeast-1:1:cluster-snapshot:rds:shop-2026-11-21-17-05", Some("shop")),
            ("arn:aws:rds:ap-northeast-1:1:cluster-snapshot:rds:stg-aurora-2-2026-11-21-17-05", Some("stg-aurora-2")),
            ("arn:aws:rds:ap-northeast-1:1:cluster:shop", Some("shop")),
            ("arn:aws:rds:ap-northeast-1:1:cluster-snapshot:by-hand", None),
            ("arn:aws:rds:ap-northeast-1:1:cluster-snapshot:rds:x", None),
        ] {
            assert_eq!(cluster_in(arn), cluster, "{arn}");
        }
    }
}
