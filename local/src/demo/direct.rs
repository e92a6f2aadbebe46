//! The same database once more, directly: five tables in full, then one of them by what changed. Afterwards each row is
//! compared with the database's, by a hash that both sides make of it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::{Value, json};

use super::source::{DATABASE, TABLES, columns};
use super::steps::{Steps, grouped};
use crate::aurora::{Aurora, Engine};
use crate::cloud::Cloud;

/// Beside what the export has loaded.
const DATASET: &str = "direct_nycflights13";
/// What changes is told by this column.
const CURSOR: &str = "updated_at";
const CHANGED: &str = "planes";
/// The large table's first month: the program is not optimised here.
const FILTERED: &str = "flights";
const FILTER: &str = "month = 1";
/// As a deployment has it: a user who can only read.
const USER: &str = "direct";
const PASSWORD: &str = "reads and writes nothing";

/// A table at both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Ends {
    pub(super) source: Fingerprint,
    pub(super) bigquery: Fingerprint,
}

/// As many rows, and the sum of their hashes: equal where every row is, in whatever order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Fingerprint {
    pub(super) rows: u64,
    pub(super) hashes: u64,
}

impl Ends {
    pub(super) fn agree(self) -> bool {
        self.source == self.bigquery
    }
}

pub(super) async fn load(steps: &mut Steps, aurora: &Aurora, cloud: &Cloud) -> Result<BTreeMap<String, Ends>> {
    prepare(aurora, cloud).await?;
    let told = |tables: &Vec<Loaded>| format!("{} rows proven", grouped(tables.iter().map(|table| table.rows).sum()));
    let full = steps.run("direct_full", "database-to-bigquery (ECS task)", run(aurora, cloud, &[]), told).await?;
    ensure!(full.len() == TABLES.len() && full.iter().all(|table| table.mode == "full"), "{full:?}");
    let sql = change();
    let change = aurora.execute(DATABASE, &sql);
    steps
        .run("direct_change", "change and delete planes in the database", change, |()| "in MariaDB alone".into())
        .await?;
    let only = ["--table", &format!("{DATABASE}.{CHANGED}")];
    let told =
        |tables: &Vec<Loaded>| tables.iter().map(|table| format!("{} rows merged", grouped(table.rows))).collect();
    let again = run(aurora, cloud, &only);
    let again = steps.run("direct_changed", "database-to-bigquery again, what changed", again, told).await?;
    ensure!(again.len() == 1 && again[0].mode == "incremental", "{again:?}");
    let mut tables = BTreeMap::new();
    for (table, _) in TABLES {
        let (source, bigquery) = tokio::try_join!(in_source(aurora, table), in_bigquery(cloud, table))?;
        tables.insert(table.to_owned(), Ends { source, bigquery });
    }
    Ok(tables)
}

/// The application keeps a time of change, and the deployment a list, a dataset, a user.
async fn prepare(aurora: &Aurora, cloud: &Cloud) -> Result<()> {
    let time = columns(aurora.engine(), "DATETIME");
    // One plane is the newest: what has its time is read again.
    let cursor = format!(
        "ALTER TABLE {CHANGED} ADD COLUMN {CURSOR} {time} NOT NULL DEFAULT '2013-12-31 00:00:00'; \
         UPDATE {CHANGED} SET {CURSOR} = '2014-01-01 00:00:00' WHERE tailnum = 'N14228'"
    );
    let user = match aurora.engine() {
        Engine::Mysql => {
            format!("CREATE USER {USER} IDENTIFIED BY '{PASSWORD}'; GRANT SELECT ON {DATABASE}.* TO {USER}")
        }
        Engine::Postgres => format!("CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'; GRANT pg_read_all_data TO {USER}"),
    };
    aurora.execute(DATABASE, &cursor).await?;
    aurora.execute(DATABASE, &user).await?;
    let settings = |table: &str| match table {
        CHANGED => json!({"mode": "incremental", "cursor": CURSOR, "reconcile": "keys"}),
        FILTERED => json!({"where": FILTER}),
        _ => json!({}),
    };
    let tables: serde_json::Map<String, Value> =
        TABLES.iter().map(|(table, _)| ((*table).to_owned(), settings(table))).collect();
    let engine = match aurora.engine() {
        Engine::Mysql => "mysql",
        Engine::Postgres => "postgres",
    };
    let list = json!({"databases": {DATABASE: {"engine": engine, "dataset": DATASET, "tables": tables}}});
    std::fs::write(cloud.extracts_file(), list.to_string()).context("write the list of extracts")?; // JSON is YAML
    cloud.emulators.bigquery.create_dataset(DATASET).await?;
    cloud.emulators.bigquery.create_dataset(&cloud.scratch_dataset()).await
}

/// Some planes get a seat, two go.
fn change() -> String {
    format!(
        "UPDATE {CHANGED} SET seats = seats + 1, {CURSOR} = '2014-01-02 03:04:05' WHERE manufacturer = 'CESSNA'; \
         DELETE FROM {CHANGED} WHERE tailnum IN ('N10156', 'N102UW')"
    )
}

/// A table of the job's report.
#[derive(Debug)]
struct Loaded {
    mode: String,
    rows: u64,
}

async fn run(aurora: &Aurora, cloud: &Cloud, arguments: &[&str]) -> Result<Vec<Loaded>> {
    let job = cloud.database_to_bigquery(DATABASE, &aurora.url_of(USER, DATABASE), PASSWORD)?;
    let finished = job.run(&[&["--json"], arguments].concat()).await?;
    ensure!(
        finished.exit_code == Some(0),
        "database-to-bigquery ended with {:?}\n{}",
        finished.exit_code,
        finished.log
    );
    let mut lines = finished.log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let report = lines.find(|line| line["tables"].is_array());
    let report = report.with_context(|| format!("database-to-bigquery did not report\n{}", finished.log))?;
    let loaded = |table: &Value| {
        let (mode, rows) = (table["mode"].as_str()?.to_owned(), table["rows_loaded"].as_u64()?);
        Some(Loaded { mode, rows })
    };
    let tables = report["tables"].as_array().into_iter().flatten().map(loaded).collect::<Option<_>>();
    tables.with_context(|| format!("a table without a count: {report}"))
}

async fn in_source(aurora: &Aurora, table: &str) -> Result<Fingerprint> {
    let side = match aurora.engine() {
        Engine::Mysql => &MYSQL,
        Engine::Postgres => &POSTGRES,
    };
    let rows = aurora.query(DATABASE, &side.fingerprint(table, table)).await?;
    let number = |n: usize| rows.first()?.get(n)?.as_ref()?.parse().ok();
    let found = number(0).zip(number(1)).map(|(rows, hashes)| Fingerprint { rows, hashes });
    found.with_context(|| format!("the hashes of {table} in the database: {rows:?}"))
}

async fn in_bigquery(cloud: &Cloud, table: &str) -> Result<Fingerprint> {
    let rows = cloud.emulators.bigquery.query(&BIGQUERY.fingerprint(table, &format!("{DATASET}.{table}"))).await?;
    let number = |name: &str| rows.first()?[name].as_u64();
    let found = number("n").zip(number("hashes")).map(|(rows, hashes)| Fingerprint { rows, hashes });
    found.with_context(|| format!("the hashes of {table} in BigQuery: {rows:?}"))
}

/// How a database writes the values of a row as the same text as the others: `{}` is the column.
struct Side {
    text: &'static str,
    /// Of a floating point number or a decimal: its whole millionths, whose text is the same everywhere. Not rounded: of a
    /// half, one side makes the even number.
    millionths: &'static str,
    time: &'static str,
    /// Eight hexadecimal digits of MD5 as a number: `{}` is the text.
    hash: &'static str,
}

const MYSQL: Side = Side {
    text: "CAST({} AS CHAR)",
    millionths: "CAST(CAST(FLOOR({} * 1000000) AS SIGNED) AS CHAR)",
    time: "DATE_FORMAT({}, '%Y-%m-%d %H:%i:%s')",
    hash: "CAST(CONV(LEFT(MD5({}), 8), 16, 10) AS UNSIGNED)",
};
const POSTGRES: Side = Side {
    text: "CAST({} AS TEXT)",
    millionths: "CAST(CAST(FLOOR({} * 1000000) AS BIGINT) AS TEXT)",
    time: "TO_CHAR({}, 'YYYY-MM-DD HH24:MI:SS')",
    hash: "('x' || LEFT(MD5({}), 8))::bit(32)::bigint",
};
const BIGQUERY: Side = Side {
    text: "CAST({} AS STRING)",
    millionths: "CAST(CAST(FLOOR({} * 1000000) AS INT64) AS STRING)",
    time: "FORMAT_DATETIME('%Y-%m-%d %H:%M:%S', {})",
    hash: "CAST(CONCAT('0x', SUBSTR(TO_HEX(MD5({})), 1, 8)) AS INT64)",
};

impl Side {
    fn fingerprint(&self, table: &str, place: &str) -> String {
        let definitions = TABLES.iter().find(|(name, _)| *name == table).map_or("", |(_, columns)| *columns);
        let values: Vec<String> = definitions
            .split(", ")
            .filter_map(|definition| definition.split_once(' '))
            .map(|(name, definition)| {
                let value = match definition.split([' ', '(']).next() {
                    Some("DOUBLE" | "DECIMAL") => self.millionths,
                    Some("DATETIME") => self.time,
                    _ => self.text,
                };
                format!("COALESCE({}, '~')", value.replace("{}", name))
            })
            .collect();
        let hash = self.hash.replace("{}", &format!("CONCAT({})", values.join(", ',', ")));
        let filter = if table == FILTERED { FILTER } else { "1 = 1" };
        format!("SELECT COUNT(*) AS n, SUM({hash}) AS hashes FROM {place} WHERE {filter}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_row_is_in_its_hash() {
        let sql = BIGQUERY.fingerprint("airports", "d.airports");
        for value in ["CAST(name AS STRING)", "FLOOR(lat * 1000000)", "FLOOR(tz * 1000000)", "CAST(tzone AS STRING)"] {
            assert!(sql.contains(value), "{sql}");
        }
        assert_eq!(sql.matches("COALESCE").count(), 8);
        assert!(MYSQL.fingerprint("weather", "weather").contains("DATE_FORMAT(time_hour, "));
    }
}
