//! All tables of one publication of the day.

use anyhow::{Context, Result};
use chrono::TimeDelta;
use futures_util::stream::{FuturesUnordered, StreamExt};
use handoff::Manifest;
use tokio::time::Instant;
use tracing::info;

use crate::breakage::breakage;
use crate::config::Config;
use crate::load::Load;
use crate::outcome::Outcome;
use crate::plan::{Plan, plan};
use crate::report::Report;
use crate::transfer_config::Source;
use crate::turn::Turn;
use crate::{Clouds, Stop, stoppable};

pub(crate) async fn load(
    config: &Config,
    clouds: &Clouds<'_>,
    manifest: &Manifest,
    turn: &Turn,
    stop: Stop,
) -> Result<Report> {
    let plan = plan(&config.tables, manifest, config.on_drift);
    let (task, tables) = (&manifest.task_id, plan.steps.len());
    info!(task = %task, tables, snapshot_time = %manifest.snapshot_time, "loading {task}: {tables} tables");
    for table in &plan.unlisted {
        info!(table = %table, "{table} is in the export but not in the table list");
    }
    let configs = stoppable(stop.clone(), clouds.transfers.configs()).await.transpose()?.unwrap_or_default();
    let source = Source { bucket: config.bucket.clone(), env: config.env.clone(), zone: config.time_zone };
    let breakage = breakage(&manifest.drift, config.dbt_manifest.as_deref(), config.syncs.as_deref());
    let load = Load {
        breakage: &breakage,
        transfers: &clouds.transfers,
        bigquery: &clouds.bigquery,
        configs: &configs,
        source: &source,
        run_time: manifest.export_date.midnight(config.time_zone.zone()),
        min_file_age: TimeDelta::from_std(config.min_file_age).context("MIN_FILE_AGE_SECONDS")?,
        by: Instant::now() + config.transfer_limit,
        turn,
    };
    let (outcomes, unfinished) = settle(&load, &plan, stop).await;
    Ok(Report::new(manifest, plan.unlisted, outcomes, unfinished))
}

/// All tables at once; how many calls are in flight, the clients bound. Gives the outcomes in the order of the list, and
/// the tables that are not settled when the job has to stop.
async fn settle(load: &Load<'_>, plan: &Plan, mut stop: Stop) -> (Vec<Outcome>, Vec<String>) {
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
    (outcomes.into_iter().flatten().collect(), unfinished)
}
