//! One table in the middle of the day: a row that no snapshot has reaches BigQuery, and the other tables are left alone.

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::{Value, json};

use super::source::DATABASE;
use super::steps::Steps;
use super::{load_export, publish_export, start_export};
use crate::aurora::Aurora;
use crate::cloud::Cloud;

/// A small table: what it costs to load it again is what is looked at.
const TABLE: &str = "airlines";

#[derive(Debug, Serialize)]
pub(super) struct Spot {
    pub(super) table: &'static str,
    /// Transfer runs that the load started.
    pub(super) runs: usize,
}

pub(super) async fn of_one_table(steps: &mut Steps, aurora: &Aurora, cloud: &Cloud) -> Result<Spot> {
    let insert = format!("INSERT INTO {TABLE} VALUES ('IS', 'Isthmus Air')");
    let change = aurora.execute(DATABASE, &insert);
    steps.run("spot_change", "add an airline to the database", change, |()| "after the snapshot".into()).await?;
    let table = aurora.engine().table(DATABASE, TABLE)?;
    let event = json!({"kind": "manual", "spot": true, "tables": [table]});
    let task = start_export(cloud, &event);
    let task = steps.run("spot_start", "start-export, a spot export of airlines", task, Clone::clone).await?;
    let ended = async { cloud.rds.ended(&task).await };
    steps.run("spot_export", "RDS exports the live cluster to S3", ended, |task| task.status.as_str().into()).await?;
    let published = |answer: &Value| format!("published {}", answer["published"]);
    let poll = json!({"kind": "poll"});
    steps.run("spot_publish", "publish-export, by its poll", publish_export(cloud, &poll), published).await?;
    let before = runs_started(cloud);
    let load = async {
        load_export(cloud).await?;
        Ok(runs_started(cloud) - before)
    };
    let runs = steps.run("spot_load", "load-export", load, |runs| format!("transfer runs started: {runs}")).await?;
    let sql = format!("SELECT name FROM raw_{DATABASE}.{TABLE} WHERE carrier = 'IS'");
    let found = cloud.emulators.bigquery.query(&sql).await?;
    let name = found.first().context("the airline that was added is not in BigQuery")?;
    ensure!(name["name"] == "Isthmus Air", "{name}");
    Ok(Spot { table: TABLE, runs })
}

fn runs_started(cloud: &Cloud) -> usize {
    let starts = |path: &str| path.ends_with(":startManualRuns");
    cloud.wires.transfer.requests().iter().filter(|request| starts(&request.path)).count()
}
