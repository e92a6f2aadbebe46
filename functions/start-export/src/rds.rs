//! The calls.

use aws_sdk_rds::Client;
use aws_sdk_rds::operation::describe_export_tasks::DescribeExportTasksError;
use aws_sdk_rds::operation::start_export_task::StartExportTaskError;
use aws_sdk_rds::types::{DbCluster, DbClusterSnapshot, ExportTask, Filter};
use chrono::{DateTime, Utc};
use handoff::ExportTaskId;

use crate::config::Config;
use crate::refusal::Refusal;
use crate::source::{Source, SourceArn, utc};

/// All pages: RDS promises no order, so the newest can be on any.
pub(crate) async fn automated_snapshots(rds: &Client, config: &Config) -> Result<Vec<DbClusterSnapshot>, Box<Refusal>> {
    let cluster = &config.cluster;
    let pages = rds.describe_db_cluster_snapshots().db_cluster_identifier(cluster).snapshot_type("automated");
    let snapshots = pages.into_paginator().items().send().try_collect().await;
    snapshots.map_err(|error| Refusal::new(format!("list the automated snapshots of cluster {cluster}"), error, config))
}

/// By name: RDS wants the kind of a snapshot too, where it was not made by hand.
/// Source: RDS API reference, `DescribeDBClusterSnapshots`, `DBClusterSnapshotIdentifier`.
pub(crate) async fn snapshot(
    rds: &Client,
    config: &Config,
    arn: &SourceArn,
) -> Result<Option<DbClusterSnapshot>, Box<Refusal>> {
    let (kind, _) = arn.name().split_once(':').unwrap_or(("", ""));
    let kind = match kind {
        "" => None,
        "rds" => Some("automated"),
        other => Some(other), // awsbackup
    };
    let answer = rds.describe_db_cluster_snapshots().db_cluster_snapshot_identifier(arn.name());
    let answer = answer.set_snapshot_type(kind.map(str::to_owned)).send().await;
    let answer = answer.map_err(|error| Refusal::new(format!("describe {arn}"), error, config))?;
    let named = |snapshot: &DbClusterSnapshot| snapshot.db_cluster_snapshot_arn() == Some(arn.as_str());
    Ok(answer.db_cluster_snapshots.unwrap_or_default().into_iter().find(named))
}

pub(crate) async fn cluster(rds: &Client, config: &Config) -> Result<Option<DbCluster>, Box<Refusal>> {
    let answer = rds.describe_db_clusters().db_cluster_identifier(&config.cluster).send().await;
    let attempt = || format!("describe cluster {}", config.cluster);
    let answer = answer.map_err(|error| Refusal::new(attempt(), error, config))?;
    Ok(answer.db_clusters.unwrap_or_default().into_iter().next())
}

pub(crate) async fn tasks_of_source(
    rds: &Client,
    config: &Config,
    source: &str,
) -> Result<Vec<ExportTask>, Box<Refusal>> {
    let filter = Filter::builder().name("source-arn").values(source).build();
    let tasks = rds.describe_export_tasks().filters(filter).into_paginator().items().send().try_collect().await;
    tasks.map_err(|error| Refusal::new(format!("list the export tasks of {source}"), error, config))
}

pub(crate) async fn task(rds: &Client, config: &Config, id: &ExportTaskId) -> Result<Option<ExportTask>, Box<Refusal>> {
    let id = id.to_string();
    let answer = rds.describe_export_tasks().export_task_identifier(&id).send().await;
    let answer = match answer {
        Err(error)
            if error.as_service_error().is_some_and(DescribeExportTasksError::is_export_task_not_found_fault) =>
        {
            return Ok(None);
        }
        answer => answer.map_err(|error| Refusal::new(format!("describe export task {id}"), error, config))?,
    };
    Ok(answer.export_tasks.unwrap_or_default().into_iter().find(|task| task.export_task_identifier() == Some(&id)))
}

pub(crate) enum Start {
    Started { snapshot_time: Option<DateTime<Utc>> },
    IdExists(Box<Refusal>),
}

/// No prefix: RDS writes under the task's id, which is what the rest of isthmus reads. No table: all of them.
pub(crate) async fn start(
    rds: &Client,
    config: &Config,
    task: &ExportTaskId,
    source: &Source,
    export_only: Vec<String>,
) -> Result<Start, Box<Refusal>> {
    let answer = rds
        .start_export_task()
        .export_task_identifier(task.to_string())
        .source_arn(&source.arn)
        .s3_bucket_name(&config.bucket)
        .iam_role_arn(&config.export_role_arn)
        .kms_key_id(&config.kms_key_id)
        .set_export_only((!export_only.is_empty()).then_some(export_only))
        .send()
        .await;
    match answer {
        Ok(task) => Ok(Start::Started { snapshot_time: task.snapshot_time().and_then(utc) }),
        Err(error) => {
            let exists =
                error.as_service_error().is_some_and(StartExportTaskError::is_export_task_already_exists_fault);
            let attempt = format!("start export task {task} of {} into {}", source.arn, config.bucket);
            let refusal = Refusal::new(attempt, error, config);
            if exists { Ok(Start::IdExists(refusal)) } else { Err(refusal) }
        }
    }
}
