//! config/federated.yaml, as far as dbt's sources go: the job dbt is its strict reader.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::sources::Loaded;

#[derive(Debug, Default, Deserialize)]
struct File {
    connections: BTreeMap<String, Connection>,
}

#[derive(Debug, Deserialize)]
struct Connection {
    dataset: String,
    tables: BTreeMap<String, serde::de::IgnoredAny>,
}

/// By connection. A deployment without such tables has no such file.
pub fn federated(path: &Path) -> Result<BTreeMap<String, Vec<Loaded>>> {
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(BTreeMap::new()) };
    let file: File = serde_saphyr::from_str(&text).with_context(|| format!("read {}", path.display()))?;
    let loaded = |connection: &str, dataset: &str, source: &str| Loaded {
        source: format!("{connection}.{source}"),
        dataset: dataset.to_owned(),
        table: source.rsplit('.').next().unwrap_or(source).to_owned(),
    };
    let of = |(name, connection): (String, Connection)| {
        let tables = connection.tables.keys().map(|source| loaded(&name, &connection.dataset, source)).collect();
        (name, tables)
    };
    Ok(file.connections.into_iter().map(of).collect())
}
