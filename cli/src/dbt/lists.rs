//! The lists beside config/tables.yaml, as far as dbt's sources go: database-to-bigquery's and that of federated tables. Their
//! strict readers are the jobs. A deployment without such tables has no such file.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::sources::Loaded;

#[derive(Debug, Default, Deserialize)]
struct Extracts {
    databases: BTreeMap<String, Database>,
}

#[derive(Debug, Default, Deserialize)]
struct Federated {
    connections: BTreeMap<String, Database>,
}

#[derive(Debug, Deserialize)]
struct Database {
    dataset: Option<String>,
    tables: BTreeMap<String, Option<Table>>,
}

#[derive(Debug, Deserialize)]
struct Table {
    destination: Option<String>,
}

/// By the name that database-to-bigquery's audit has: the table in BigQuery, since load-export may load the same source table.
pub fn extracts(path: &Path) -> Result<Vec<(String, Loaded)>> {
    let found = |database: &str, settings: &Database, name: &str, table: Option<&Table>| {
        let dataset = settings.dataset.clone().unwrap_or_else(|| format!("raw_{database}"));
        let table = table.and_then(|table| table.destination.clone()).unwrap_or_else(|| name.replace('.', "_"));
        Loaded { source: format!("{dataset}.{table}"), dataset, table }
    };
    Ok(tables(&read::<Extracts>(path)?.databases, found))
}

pub fn federated(path: &Path) -> Result<Vec<(String, Loaded)>> {
    let found = |connection: &str, settings: &Database, name: &str, _: Option<&Table>| Loaded {
        source: format!("{connection}.{name}"),
        dataset: settings.dataset.clone().unwrap_or_default(),
        table: name.rsplit('.').next().unwrap_or(name).to_owned(),
    };
    Ok(tables(&read::<Federated>(path)?.connections, found))
}

/// Each with its database.
fn tables(
    databases: &BTreeMap<String, Database>,
    found: impl Fn(&str, &Database, &str, Option<&Table>) -> Loaded,
) -> Vec<(String, Loaded)> {
    let mut tables = Vec::new();
    for (database, settings) in databases {
        let of = |(name, table): (&String, &Option<Table>)| {
            (database.clone(), found(database, settings, name, table.as_ref()))
        };
        tables.extend(settings.tables.iter().map(of));
    }
    tables
}

fn read<List: DeserializeOwned + Default>(path: &Path) -> Result<List> {
    match std::fs::read_to_string(path) {
        Ok(text) => serde_saphyr::from_str(&text).with_context(|| format!("read {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(List::default()),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}
