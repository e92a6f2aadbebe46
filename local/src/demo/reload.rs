//! An older day loaded after a newer one, and back: as many rows on both days, and other ones.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Asia::Tokyo;
use handoff::ExportDate;
use serde::Serialize;
use serde_json::{Value, json};

use super::source::DATABASE;
use super::steps::Steps;
use crate::aurora::Aurora;
use crate::cloud::Cloud;

const TABLE: &str = "airlines";
/// What the names of yesterday end with.
const MARK: &str = " (yesterday)";

/// Transfer runs that each load started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Reload {
    pub(super) yesterday: u64,
    pub(super) today: u64,
    pub(super) once_more: u64,
}

/// Yesterday's export, with other names of the airlines, up to its manifest.
pub(super) async fn publish_yesterday(
    steps: &mut Steps,
    aurora: &Aurora,
    cloud: &Cloud,
    now: DateTime<Utc>,
) -> Result<()> {
    let rename = format!("UPDATE {TABLE} SET name = CONCAT(name, '{MARK}')");
    let back = format!("UPDATE {TABLE} SET name = REPLACE(name, '{MARK}', '')");
    let publish = async {
        aurora.execute(DATABASE, &rename).await?;
        cloud.rds.snapshot(&cloud.cluster, now - TimeDelta::hours(26)).await?;
        aurora.execute(DATABASE, &back).await?;
        let time = (now - TimeDelta::days(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
        let start = cloud.start_export()?.with("MAX_SNAPSHOT_AGE_HOURS", "50");
        let started = start.invoke(&json!({"kind": "scheduled", "scheduled_time": time})).await?;
        let task = started.answer.with_context(|| started.log)?["task_id"].as_str().map(str::to_owned);
        let task = task.context("start-export answered without a task id")?;
        cloud.rds.ended(&task).await?;
        let published = cloud.publish_export(None)?.invoke(&json!({"kind": "publish", "task_id": task})).await?;
        published.answer.with_context(|| published.log)?;
        Ok(task)
    };
    steps.run("publish_yesterday", "yesterday: snapshot, export, manifest", publish, Clone::clone).await?;
    Ok(())
}

pub(super) async fn of_yesterday_and_back(steps: &mut Steps, cloud: &Cloud, now: DateTime<Utc>) -> Result<Reload> {
    let told = |runs: &u64| format!("transfer runs started: {runs}");
    let date = ExportDate::of(now, Tokyo).days_before(1).to_string();
    let older = ["--export-date", &date, "--json"];
    let yesterday = steps.run("load_yesterday", "load-export of yesterday", loaded(cloud, &older), told).await?;
    ensure!(marked(cloud).await? == 16, "yesterday's airlines are not in BigQuery");
    let today = steps.run("load_back", "load-export, back to today", loaded(cloud, &["--json"]), told).await?;
    ensure!(marked(cloud).await? == 0, "yesterday's airlines stayed in BigQuery");
    let once_more = steps.run("load_again", "load-export again", loaded(cloud, &["--json"]), told).await?;
    Ok(Reload { yesterday, today, once_more })
}

impl Reload {
    /// Every table has rows on both days, so every one is loaded anew, and none while its rows still stand.
    pub(super) fn problem(self, tables: usize) -> Option<String> {
        let tables = tables as u64;
        let right = Self { yesterday: tables, today: tables, once_more: 0 };
        (self != right).then(|| format!("transfer runs of an older day and back: {self:?}, not {right:?}"))
    }
}

/// The transfer runs that the load started.
async fn loaded(cloud: &Cloud, arguments: &[&str]) -> Result<u64> {
    let finished = cloud.load_export()?.run(arguments).await?;
    ensure!(finished.exit_code == Some(0), "load-export ended with {:?}\n{}", finished.exit_code, finished.log);
    let mut lines = finished.log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let runs = lines.find_map(|line| line["runs_started"].as_u64());
    runs.with_context(|| format!("load-export did not report its runs\n{}", finished.log))
}

/// Airlines with yesterday's names.
async fn marked(cloud: &Cloud) -> Result<u64> {
    let sql = format!("SELECT COUNT(*) AS n FROM raw_{DATABASE}.{TABLE} WHERE ENDS_WITH(name, '{MARK}')");
    let rows = cloud.emulators.bigquery.query(&sql).await?;
    rows.first().and_then(|row| row["n"].as_u64()).context("count the airlines of yesterday")
}
