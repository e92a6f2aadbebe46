//! Transfer runs, and the audit table.

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::{Questions, why};
use crate::clouds::Google;
use crate::status::facts::{Asked, Load, Run};
use crate::status::history::DAYS;

const IN_FLIGHT: usize = 16;
/// States of which the audit says that the rows are those of the export.
const GOOD: &str = "'loaded', 'truncated', 'unchanged'";

impl Questions<'_> {
    /// The newest run of each transfer config of the environment.
    pub(crate) async fn runs(&self) -> Asked<Vec<Run>> {
        let (google, project, location) = self.project()?;
        let parent = format!("projects/{project}/locations/{location}/transferConfigs");
        let configs =
            google.transfers(&parent, "transferConfigs", usize::MAX).await.map_err(why("list transfer configs"))?;
        let ours = format!("isthmus {} ", self.arguments.place.env);
        let named = configs.iter().filter_map(|config| {
            Some((config["displayName"].as_str()?.strip_prefix(&ours)?.to_owned(), config["name"].as_str()?.to_owned()))
        });
        let asked = stream::iter(named.collect::<Vec<_>>()).map(|(table, config)| newest_run(google, table, config));
        let runs: Vec<Option<Run>> = asked.buffered(IN_FLIGHT).try_collect().await?;
        Ok(runs.into_iter().flatten().collect())
    }

    pub(crate) async fn loads(&self) -> Asked<Vec<Load>> {
        let (google, project, location) = self.project()?;
        let dataset = &self.arguments.place.audit_dataset;
        let (first, day) = (self.day.days_before(DAYS - 1), self.day);
        let between = format!("export_date BETWEEN DATE '{first}' AND DATE '{day}'");
        let sql = format!(
            "SELECT CAST(export_date AS STRING), table_name, newest.state, newest.rows_loaded, \
             UNIX_MILLIS(newest.loaded_at), UNIX_MILLIS(first_good.at), UNIX_MILLIS(newest.snapshot_time), \
             IF(export_date = DATE '{day}', newest.message, NULL) \
             FROM `{project}.{dataset}.latest_loads` AS newest LEFT JOIN (\
             SELECT export_date, table_name, MIN(loaded_at) AS at FROM `{project}.{dataset}.loads` \
             WHERE {between} AND state IN ({GOOD}) GROUP BY export_date, table_name) AS first_good \
             USING (export_date, table_name) WHERE {between} ORDER BY export_date, table_name"
        );
        let rows = google.query(project, location, &sql).await.map_err(why(format!("read {dataset}.latest_loads")))?;
        let loads: Option<Vec<Load>> = rows.into_iter().map(load).collect();
        loads.ok_or_else(|| format!("{dataset}.latest_loads has other columns: deploy the same release of isthmus"))
    }
}

async fn newest_run(google: &Google, table: String, config: String) -> Asked<Option<Run>> {
    let runs = google.transfers(&format!("{config}/runs"), "transferRuns", 10).await;
    let runs = runs.map_err(why(format!("list the transfer runs of {table}")))?;
    let newest = runs.iter().max_by_key(|run| time(&run["startTime"]).or_else(|| time(&run["scheduleTime"])));
    Ok(newest.map(|run| Run {
        table,
        name: run["name"].as_str().unwrap_or_default().to_owned(),
        state: run["state"].as_str().unwrap_or_default().to_owned(),
        run_time: time(&run["runTime"]),
        started_at: time(&run["startTime"]),
        ended_at: time(&run["endTime"]),
        error: run["errorStatus"]["message"].as_str().map(str::to_owned),
    }))
}

fn time(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse().ok()
}

fn load(row: Vec<Option<String>>) -> Option<Load> {
    let [day, table, state, rows, loaded_at, first_good_at, snapshot_at, message] = <[_; 8]>::try_from(row).ok()?;
    let at = |millis: Option<String>| DateTime::from_timestamp_millis(millis?.parse().ok()?);
    Some(Load {
        day: day?.parse().ok()?,
        table: table?,
        state: state?,
        rows: rows.and_then(|rows| rows.parse().ok()),
        loaded_at: at(loaded_at)?,
        first_good_at: at(first_good_at),
        snapshot_at: at(snapshot_at),
        message,
    })
}
