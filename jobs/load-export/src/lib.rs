//! load-export, a Cloud Run job: waits for the manifest of an export, has every listed table loaded into BigQuery, and
//! proves that each has the rows of the export. See `docs/spec/load-export.md`.
//!
//! Killed anywhere and started again, it comes to the same end: a run whose rows still stand is taken over, counts are
//! only read, empty tables stay empty, and an attempt writes its rows of the audit table once.

pub mod audit;
pub mod bigquery;
mod breakage;
pub mod bucket;
pub mod config;
pub mod execution;
pub mod google;
pub mod load;
pub mod manifest;
pub mod outcome;
pub mod plan;
pub mod proof;
pub mod report;
mod round;
pub mod run;
pub mod state;
pub mod transfer;
pub mod transfer_config;
pub mod turn;
pub mod wait;

use std::time::Duration;

use anyhow::Result;
use handoff::Manifest;
use lease::LeaseObject;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::warn;

use crate::bigquery::BigQuery;
use crate::config::Config;
use crate::execution::DateError;
use crate::manifest::{ManifestError, ManifestSource};
use crate::report::Report;
use crate::transfer::Transfers;
use crate::turn::{Turn, TurnError};
use crate::wait::Wait;

/// How often a day that is republished under our hands is loaded again before that is somebody's mistake.
const ROUNDS: u32 = 3;
/// Cloud Run kills a task ten seconds after SIGTERM. Source: Cloud Run container contract, "Container shutdown".
const LAST_WORDS: Duration = Duration::from_secs(6);
const LAST_ACT: Duration = Duration::from_secs(3);

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Date(#[from] DateError),
    #[error(transparent)]
    Turn(#[from] TurnError),
    #[error("the job was told to stop before it loaded anything")]
    Stopped,
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl LoadError {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Manifest(ManifestError::Late { .. }) | Self::Date(DateError::Late { .. }) => 3,
            Self::Manifest(ManifestError::Invalid { .. }) | Self::Turn(TurnError::Lease(_)) | Self::Other(_) => 1,
            Self::Manifest(_) | Self::Date(_) => 2,
            Self::Turn(TurnError::Taken { .. } | TurnError::Lost(_)) => 4,
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
    pub lease: LeaseObject,
    pub transfers: Transfers,
    pub bigquery: BigQuery,
}

/// Turns true when the platform wants the job to end.
pub type Stop = watch::Receiver<bool>;

/// Waits for the manifest, then for its turn, so that an export that is late keeps nobody from loading another day.
pub async fn load_export(config: &Config, clouds: &Clouds<'_>, wait: Wait, stop: Stop) -> Result<Report, LoadError> {
    let date = clouds.manifest.date;
    let (lease, turn) = stoppable(stop.clone(), async {
        clouds.manifest.wait(wait.clone()).await?;
        Ok::<_, LoadError>(turn::take(&clouds.lease, &config.execution.name, config.lease, date, wait).await?)
    })
    .await
    .ok_or(LoadError::Stopped)??;
    let loaded = tokio::select! {
        lost = turn.until_lost() => Err(TurnError::Lost(lost).into()),
        loaded = load_rounds(config, clouds, &turn, stop) => loaded,
    };
    turn::give_back(lease, date, LAST_ACT).await;
    loaded
}

/// Loads what is published now, and again what was published meanwhile.
async fn load_rounds(config: &Config, clouds: &Clouds<'_>, turn: &Turn, stop: Stop) -> Result<Report, LoadError> {
    let published = || stoppable(stop.clone(), clouds.manifest.wait(Wait::new(config.wait, config.poll)));
    let mut manifest = published().await.ok_or(LoadError::Stopped)??;
    let prepared = audit::prepare(&clouds.bigquery, &config.audit_dataset);
    let prepared = stoppable(stop.clone(), prepared).await.ok_or(LoadError::Stopped)?;
    for round in 1.. {
        let mut report = round::load(config, clouds, &manifest, turn, stop.clone()).await?;
        let republished = published().await.transpose()?.filter(|now| now.published_at != manifest.published_at);
        match republished {
            // A spot export replaced parts while they were loaded: what was counted is neither day's truth.
            Some(now) if round < ROUNDS => {
                warn!(task = %now.task_id, "{} was published again while it was loaded, loading it again", now.task_id);
                manifest = now;
            }
            _ => {
                report.runs_started = clouds.transfers.started();
                let written = match prepared {
                    Ok(()) => write_audit(config, clouds, &manifest, &report, turn, &stop).await,
                    Err(error) => Err(error),
                };
                note(&mut report, written);
                return Ok(report);
            }
        }
    }
    Err(LoadError::Stopped)
}

async fn write_audit(
    config: &Config,
    clouds: &Clouds<'_>,
    manifest: &Manifest,
    report: &Report,
    turn: &Turn,
    stop: &Stop,
) -> Result<()> {
    let load_id = config.execution.load_id();
    let write = async {
        turn.is_ours().await?;
        audit::write(&clouds.bigquery, &config.audit_dataset, &load_id, manifest, &report.tables).await
    };
    let limit = if *stop.borrow() { LAST_WORDS } else { Duration::from_mins(10) };
    timeout(limit, write).await?
}

/// The proof stands whether or not it could be written down, but a proof that nobody can look up is a failure.
fn note(report: &mut Report, written: Result<()>) {
    if let Err(error) = written {
        report.ok = false;
        report.audit_error = Some(startup::with_causes(error.as_ref()));
    }
}

/// `None` when the job is told to stop first.
pub(crate) async fn stoppable<T>(mut stop: Stop, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => None,
        done = work => Some(done),
    }
}
