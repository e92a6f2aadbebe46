//! From what an event asks for to what RDS has. Nothing of another cluster is exported: its tables would be loaded under
//! the names of ours.

use aws_sdk_rds::Client;
use chrono::{DateTime, Utc};

use crate::config::Config;
use crate::error::StartExportError;
use crate::plan::Plan;
use crate::rds;
use crate::snapshot;
use crate::source::{Source, SourceArn, Wanted};

pub(crate) async fn source(
    rds: &Client,
    config: &Config,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<Source, StartExportError> {
    match &plan.source {
        Wanted::NewestSnapshot => {
            let snapshots = rds::automated_snapshots(rds, config).await?;
            snapshot::choose(&snapshots, config, plan.task.date(), now)
        }
        Wanted::LiveCluster => live(rds, config).await,
        Wanted::Named(arn) => named(rds, config, arn).await,
    }
}

async fn live(rds: &Client, config: &Config) -> Result<Source, StartExportError> {
    let cluster = rds::cluster(rds, config).await?;
    cluster.as_ref().and_then(Source::of_cluster).ok_or_else(|| {
        let found = "RDS lists no such cluster in this account and region".into();
        StartExportError::OtherCluster { asked: config.cluster.clone(), cluster: config.cluster.clone(), found }
    })
}

async fn named(rds: &Client, config: &Config, arn: &SourceArn) -> Result<Source, StartExportError> {
    let cluster = config.cluster.clone();
    let other = |found: String| StartExportError::OtherCluster { asked: arn.to_string(), cluster, found };
    if arn.is_cluster() {
        let ours = live(rds, config).await?;
        return if ours.arn == arn.as_str() { Ok(ours) } else { Err(other(format!("that is {}", ours.arn))) };
    }
    let snapshot = rds::snapshot(rds, config, arn).await?;
    let Some((snapshot, source)) = snapshot.as_ref().and_then(|found| Some((found, Source::of_snapshot(found)?)))
    else {
        return Err(other("RDS lists no such snapshot in this account and region".into()));
    };
    match snapshot.db_cluster_identifier() {
        Some(of) if of == config.cluster => Ok(source),
        Some(of) => Err(other(format!("it is a snapshot of cluster {of}"))),
        None => Err(other("RDS does not tell whose snapshot it is".into())),
    }
}

/// Whether a task that somebody has started exports our cluster. The name of an automated snapshot tells by itself.
pub(crate) async fn is_ours(rds: &Client, config: &Config, arn: &str) -> Result<bool, StartExportError> {
    let Ok(arn) = arn.parse::<SourceArn>() else { return Ok(false) };
    if arn.is_automated_snapshot_of(&config.cluster) {
        return Ok(true);
    }
    match named(rds, config, &arn).await {
        Ok(_) => Ok(true),
        Err(StartExportError::OtherCluster { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
