//! Tries everything that a run needs, and reads no row: connections, TLS, rights, types, keys, cursors, datasets. What is
//! wrong is told at once.

use serde::Serialize;

use crate::columns::{Selection, select};
use crate::destination::job::JobId;
use crate::extracts::{Database, Mode, Table};
use crate::run::Clouds;
use crate::source::Connector;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub check: String,
    pub ok: bool,
    pub message: String,
}

impl Finding {
    fn of(check: impl Into<String>, found: Result<String, String>) -> Self {
        let ok = found.is_ok();
        Self { check: check.into(), ok, message: found.unwrap_or_else(|problem| problem) }
    }
}

pub async fn check(databases: &[Database], chosen: &[&Table], clouds: &Clouds) -> Vec<Finding> {
    let mut findings = vec![Finding::of("BigQuery", queries(clouds).await)];
    for dataset in [clouds.bigquery.scratch(), clouds.bigquery.audit()] {
        findings.push(Finding::of(format!("dataset {dataset}"), clouds.bigquery.has_dataset(dataset).await));
    }
    for database in databases {
        let tables: Vec<&Table> =
            chosen.iter().copied().filter(|table| table.source.database() == database.name).collect();
        let Some(connector) = clouds.connectors.get(&database.name).filter(|_| !tables.is_empty()) else { continue };
        let connected = connection(connector).await;
        let reachable = connected.is_ok();
        findings.push(Finding::of(format!("database {}", database.name), connected));
        for table in tables.into_iter().filter(|_| reachable) {
            findings.push(Finding::of(table.source.to_string(), readable(table, connector).await));
            let dataset = clouds.bigquery.has_dataset(&table.dataset).await;
            if dataset.is_err() {
                findings.push(Finding::of(format!("{}: dataset {}", table.source, table.dataset), dataset));
            }
        }
    }
    findings
}

async fn queries(clouds: &Clouds) -> Result<String, String> {
    let ran = clouds.bigquery.run(&JobId::unique("check"), "SELECT 1").await;
    ran.map(|_| "a query runs".to_owned()).map_err(|error| startup::with_causes(error.as_ref()))
}

async fn connection(connector: &Connector) -> Result<String, String> {
    match (connector, connector.cipher().await) {
        (Connector::Program(words), _) => Ok(format!("is the program {}", words.join(" "))),
        (Connector::Server(_, server), Ok(Some(cipher))) => Ok(format!("{} answers by TLS, {cipher}", server.address)),
        (Connector::Server(_, server), Ok(None)) => Ok(format!("{} answers on this machine", server.address)),
        (_, Err(error)) => Err(startup::with_causes(&error)),
    }
}

async fn readable(table: &Table, connector: &Connector) -> Result<String, String> {
    let Some(engine) = connector.engine() else { return Ok("is the program's".to_owned()) };
    let source = connector.describe(&table.source).await.map_err(|error| startup::with_causes(&error))?;
    connector.may_read(&table.source).await.map_err(|error| startup::with_causes(&error))?;
    let selection = select(&source, table, engine).map_err(|unreadable| unreadable.to_string())?;
    if let (Mode::Incremental { .. }, Some(cursor)) = (&table.mode, &selection.cursor)
        && !source.indexed.contains(&cursor.source)
    {
        return Err(format!("no index begins with the cursor {}: each run would read the whole table", cursor.source));
    }
    Ok(told(&selection))
}

fn told(selection: &Selection) -> String {
    let masked = selection.columns.iter().filter(|column| column.hmac || column.read == crate::types::Read::Nothing);
    let columns = format!("{} columns, {} of them masked", selection.columns.len(), masked.count());
    if selection.secrets.is_empty() {
        return columns;
    }
    format!("{columns}, left out: {}", selection.secrets.join(", "))
}
