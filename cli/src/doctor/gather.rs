//! The questions. What `isthmus status` asks too is asked by it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use aws_sdk_rds::types::ExportTask;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use handoff::{ExportKey, ExportTaskId, Manifest, TableList, TransferTable};

use super::seen::{Dataset, KeySeen, RunSeen, Seen};
use super::write;
use crate::clouds::{Google, dated};
use crate::status::arguments::StatusArguments;
use crate::status::clock::Clock;
use crate::status::facts::{Asked, Run};
use crate::status::probe::{Questions, known};

const IN_FLIGHT: usize = 8;

pub async fn seen(arguments: &StatusArguments, clock: &Clock, scratch: Option<&str>) -> Seen {
    let questions = Questions::new(arguments, clock).await;
    let tables = TableList::read(&arguments.tables).and_then(|list| list.transfers(&arguments.place.env));
    let tables = tables.map_err(|error| startup::with_causes(&error));
    let (manifest, loads, runs, tasks, google_ahead) = tokio::join!(
        questions.manifest(),
        questions.loads(),
        questions.runs(),
        questions.tasks(),
        google_ahead(&questions),
    );
    let env = &arguments.place.env;
    let ours = |task: &ExportTask| {
        let id: ExportTaskId = task.export_task_identifier()?.parse().ok()?;
        let live = task.source_arn()?.contains(":cluster:") && id.environment() == env;
        live.then(|| (id.to_string(), task.snapshot_time().is_some()))
    };
    let exporting =
        tasks.as_ref().map_err(Clone::clone).map(|tasks| tasks.iter().filter(|task| is_under_way(task)).count());
    let export_key = tasks.as_ref().map_err(Clone::clone).map(|tasks| newest_key(tasks, &questions));
    let (batches, runs, grants) = tokio::join!(
        batches(&questions, manifest.as_ref().ok().and_then(Option::as_ref)),
        runs_seen(&questions, runs, &tables),
        grants(&questions, &tables),
    );
    let written = match scratch {
        Some(scratch) => Some(write::written(&questions, scratch).await),
        None => None,
    };
    Seen {
        google_ahead,
        exporting,
        export_key,
        live_exports: tasks.map(|tasks| tasks.iter().filter_map(ours).collect()),
        manifest,
        batches,
        loads,
        runs,
        grants,
        tables,
        written,
    }
}

/// It takes one of the account's places, whoever has started it. RDS writes states in either case.
fn is_under_way(task: &ExportTask) -> bool {
    let status = task.status().unwrap_or_default().to_ascii_uppercase();
    ["STARTING", "IN_PROGRESS", "CANCELING"].contains(&status.as_str())
}

fn newest_key(tasks: &[ExportTask], questions: &Questions<'_>) -> Option<KeySeen> {
    let ours = |task: &&ExportTask| {
        let id = task.export_task_identifier().and_then(|id| id.parse::<ExportTaskId>().ok());
        id.is_some_and(|id| *id.environment() == questions.arguments.place.env)
    };
    let newest = tasks.iter().filter(ours).max_by_key(|task| task.task_start_time().copied())?;
    Some(KeySeen {
        of: newest.export_task_identifier()?.to_owned(),
        key: newest.kms_key_id().map(str::to_owned),
        product: questions.names.kms_key.clone(),
    })
}

/// Each server stamps its answers, to the second.
async fn google_ahead(questions: &Questions<'_>) -> Asked<TimeDelta> {
    let (aws, google) = (questions.aws()?, questions.google.as_ref().map_err(Clone::clone)?);
    let ahead = async {
        let ours = Utc::now();
        let aws = dated(&aws.endpoint()?).await?;
        let google = dated(google.endpoint()).await?;
        let between = Utc::now() - ours;
        Ok::<_, anyhow::Error>(google - aws - between / 2)
    };
    ahead.await.map_err(|error| format!("the clocks: {error:#}"))
}

/// `prod-20261122/shop/shop.orders/3/part-….parquet`: what stands behind the table's folder.
async fn batches(questions: &Questions<'_>, manifest: Option<&Manifest>) -> Asked<BTreeMap<String, usize>> {
    let Some(manifest) = manifest else { return Ok(BTreeMap::new()) };
    let (aws, bucket) = (questions.aws()?, known(&questions.names.export_bucket)?);
    let prefix = ExportKey::DayPrefix(&manifest.env, manifest.export_date).to_string();
    let pages = aws.s3().list_objects_v2().bucket(bucket).prefix(&prefix).into_paginator().send();
    let pages: Vec<_> = pages
        .try_collect()
        .await
        .map_err(|error| format!("list s3://{bucket}/{prefix}: {}", startup::with_causes(&error)))?;
    let keys: Vec<&str> =
        pages.iter().flat_map(ListObjectsV2Output::contents).filter_map(|object| object.key()).collect();
    let folders = |table: &handoff::Table| {
        let below = keys.iter().filter_map(|key| key.strip_prefix(table.prefix.as_str())?.split_once('/'));
        let folders: BTreeSet<&str> = below.map(|(folder, _)| folder).collect();
        (table.name.to_string(), folders.len())
    };
    Ok(manifest.tables.iter().map(folders).collect())
}

async fn runs_seen(
    questions: &Questions<'_>,
    runs: Asked<Vec<Run>>,
    tables: &Asked<Vec<TransferTable>>,
) -> Asked<Vec<RunSeen>> {
    let midnight = questions.day.midnight(questions.arguments.place.timezone.zone());
    let tables = tables.as_ref().map_err(Clone::clone)?;
    let (google, project, _) = questions.project()?;
    let ended = runs?.into_iter().filter(|run| run.run_time == Some(midnight) && run.ended_at.is_some());
    let asked = stream::iter(ended).map(|run| async move {
        let table = tables.iter().find(|table| table.source.to_string() == run.table);
        let Some(table) = table else { return Ok(None) };
        let what = format!("{}.{}", table.dataset, table.table);
        let modified = modified(google, project, &table.dataset, &table.table).await;
        let modified = modified.map_err(|error| format!("look at {what}: {error:#}"))?;
        let unchanged = run.started_at.is_some_and(|began| modified < began);
        let said = if unchanged { google.last_message(&run.name).await.ok().flatten() } else { None };
        Ok::<_, String>(Some(RunSeen { run, modified, said: said.or(unchanged.then(String::new)) }))
    });
    Ok(asked.buffered(IN_FLIGHT).try_collect::<Vec<_>>().await?.into_iter().flatten().collect())
}

pub(super) async fn modified(google: &Google, project: &str, dataset: &str, table: &str) -> Result<DateTime<Utc>> {
    let found = google.bigquery(&format!("projects/{project}/datasets/{dataset}/tables/{table}")).await?;
    let found = found.context("404: there is no such table")?;
    let millis = found["lastModifiedTime"].as_str().and_then(|millis| millis.parse().ok());
    millis.and_then(DateTime::from_timestamp_millis).context("the table does not say when it was changed")
}

async fn grants(questions: &Questions<'_>, tables: &Asked<Vec<TransferTable>>) -> Asked<Vec<Dataset>> {
    let (google, project, _) = questions.project()?;
    let names: BTreeSet<&str> =
        tables.as_ref().map_err(Clone::clone)?.iter().map(|table| table.dataset.as_str()).collect();
    let account = format!("isthmus-transfer@{project}.iam.gserviceaccount.com");
    let mut datasets = Vec::new();
    for name in names {
        let found = google.bigquery(&format!("projects/{project}/datasets/{name}")).await;
        let Some(found) = found.map_err(|error| format!("look at dataset {name}: {error:#}"))? else { continue };
        let entries = found["access"].as_array().into_iter().flatten();
        let of_account = entries.filter(|entry| entry["userByEmail"] == account.as_str());
        let roles = of_account.filter_map(|entry| entry["role"].as_str().map(str::to_owned)).collect();
        datasets.push(Dataset { name: name.to_owned(), of_transfer_account: roles });
    }
    Ok(datasets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_in_the_account_is_counted_and_what_has_ended_is_not() {
        let states =
            ["STARTING", "IN_PROGRESS", "in_progress", "CANCELING", "COMPLETE", "complete", "FAILED", "CANCELED"];
        let tasks = states.map(|status| ExportTask::builder().status(status).build());
        assert_eq!(tasks.iter().filter(|task| is_under_way(task)).count(), 4);
    }
}
