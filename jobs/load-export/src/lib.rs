//! load-export, a Cloud Run job: waits for the manifest of an export, has every listed table loaded into BigQuery, and
//! proves that each has as many rows there as the export. See `docs/spec/load-export.md`.
//!
//! Killed anywhere and started again, it comes to the same end: runs are taken over, counts are only read, empty
//! tables stay empty, and the audit table has one row for each table and export date.

pub mod audit;
pub mod bigquery;
pub mod config;
pub mod google;
pub mod load;
pub mod manifest;
pub mod outcome;
pub mod plan;
pub mod report;
pub mod run;
pub mod transfer;

use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{FuturesUnordered, StreamExt};
use handoff::{ExportDate, Manifest};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use crate::bigquery::BigQuery;
use crate::config::Config;
use crate::load::Load;
use crate::manifest::{ManifestError, ManifestSource};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::Report;
use crate::transfer::Transfers;

/// How often a day that is republished under our hands is loaded again before that is somebody's mistake.
const ROUNDS: u32 = 3;
/// Google's clock and ours may differ by this much when a run says that it began just after we asked for it.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(60);
/// Cloud Run kills a task ten seconds after SIGTERM. Source: Cloud Run container contract, "Container shutdown".
const LAST_WORDS: Duration = Duration::from_secs(6);

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("the job was told to stop while it waited for the manifest")]
    Stopped,
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl LoadError {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Manifest(ManifestError::Late { .. }) => 3,
            Self::Manifest(ManifestError::Invalid { .. }) | Self::Other(_) => 1,
            Self::Manifest(_) => 2,
            Self::Stopped => STOPPED,
        }
    }
}

/// As a shell reports a program that SIGTERM ended.
pub const STOPPED: u8 = 143;

/// What the job works with; `main` builds it.
#[derive(Debug)]
pub struct Clouds<'a> {
    pub manifest: ManifestSource<'a>,
    pub transfers: Transfers,
    pub bigquery: BigQuery,
}

/// Turns true when the platform wants the job to end.
pub type Stop = watch::Receiver<bool>;

pub async fn load_export(config: &Config, clouds: &Clouds<'_>, stop: Stop) -> Result<Report, LoadError> {
    let mut manifest = stoppable(stop.clone(), clouds.manifest.wait(config.wait)).await.ok_or(LoadError::Stopped)??;
    for round in 1.. {
        let mut report = load_manifest(config, clouds, &manifest, stop.clone()).await?;
        let now = stoppable(stop.clone(), clouds.manifest.wait(config.wait)).await;
        let republished = now.transpose()?.filter(|now| now.published_at != manifest.published_at);
        match republished {
            // A spot export replaced the parts while they were loaded: what was counted is neither day's truth.
            Some(now) if round < ROUNDS => {
                warn!(task = %now.task_id, "{} was published again while it was loaded, loading it again", now.task_id);
                manifest = now;
            }
            _ => {
                audit(config, clouds, &manifest, &mut report, &stop).await;
                return Ok(report);
            }
        }
    }
    Err(LoadError::Stopped)
}

async fn load_manifest(config: &Config, clouds: &Clouds<'_>, manifest: &Manifest, stop: Stop) -> Result<Report> {
    let plan = plan::plan(&config.tables, manifest, config.on_drift);
    let (task, tables) = (&manifest.task_id, plan.steps.len());
    info!(task = %task, tables, snapshot_time = %manifest.snapshot_time, "loading {task}: {tables} tables");
    for table in &plan.unlisted {
        info!(table = %table, "{table} is in the export but not in the table list");
    }
    let (outcomes, unfinished) = settle(config, clouds, manifest, &plan, stop).await?;
    Ok(Report::new(manifest, plan.unlisted, outcomes, unfinished))
}

/// All tables at once; how many calls are in flight, the clients bound. Gives the outcomes in the order of the list,
/// and the tables that are not settled when the job has to stop.
async fn settle(
    config: &Config,
    clouds: &Clouds<'_>,
    manifest: &Manifest,
    plan: &Plan,
    mut stop: Stop,
) -> Result<(Vec<Outcome>, Vec<String>)> {
    let ready = manifest.published_at + config.min_file_age;
    let configs = stoppable(stop.clone(), async {
        wait_until(ready).await;
        clouds.transfers.configs().await
    });
    let configs = configs.await.transpose()?.unwrap_or_default();
    let load = Load {
        transfers: &clouds.transfers,
        bigquery: &clouds.bigquery,
        configs: &configs,
        run_time: manifest.export_date.midnight(config.time_zone),
        since: manifest.published_at.max(ready - CLOCK_SKEW),
        by: Instant::now() + config.transfer_limit,
    };
    let load = &load;
    let settled = |(n, step)| async move { (n, load.settle(step).await) };
    let mut under_way: FuturesUnordered<_> = plan.steps.iter().enumerate().map(settled).collect();
    let mut outcomes: Vec<Option<Outcome>> = vec![None; plan.steps.len()];
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            next = under_way.next() => match next {
                Some((n, outcome)) => outcomes[n] = Some(outcome),
                None => break,
            },
        }
    }
    let unfinished = plan.steps.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_none());
    let unfinished = unfinished.map(|(step, _)| step.table.source.to_string()).collect();
    Ok((outcomes.into_iter().flatten().collect(), unfinished))
}

/// The service does not see files that are too young.
async fn wait_until(ready: DateTime<Utc>) {
    let left = (ready - Utc::now()).to_std().unwrap_or_default();
    if !left.is_zero() {
        let seconds = left.as_secs();
        info!(seconds, "the files are young, and the transfer service would not see them: waiting {seconds} s");
        sleep(left).await;
    }
}

/// The proof stands whether or not it could be written down, but a proof that nobody can look up is a failure.
async fn audit(config: &Config, clouds: &Clouds<'_>, manifest: &Manifest, report: &mut Report, stop: &Stop) {
    let write = audit::write(&clouds.bigquery, &config.audit_dataset, manifest, &report.tables);
    let limit = if *stop.borrow() { LAST_WORDS } else { Duration::from_mins(10) };
    let written = timeout(limit, write).await.map_err(anyhow::Error::from).and_then(|written| written);
    if let Err(error) = written {
        report.ok = false;
        report.audit_error = Some(startup::with_causes(error.as_ref()));
    }
}

/// `None` when the job is told to stop first.
async fn stoppable<T>(mut stop: Stop, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => None,
        done = work => Some(done),
    }
}

/// The export date of a job that was given none: today, where the business is.
pub fn today(now: DateTime<Utc>, config: &Config) -> ExportDate {
    ExportDate::of(now, config.time_zone)
}
