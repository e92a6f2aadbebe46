//! syncs.yaml, as far as lineage goes: the job itself is its strict reader.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    pub name: String,
    pub query: String,
    pub key: String,
    pub layout: String,
    /// The application bucket of the environment where it is left out.
    pub bucket: Option<String>,
    pub prefix: String,
}

#[derive(Debug, thiserror::Error)]
pub enum InvalidSyncs {
    #[error("{file}: {problem}")]
    File { file: String, problem: String },
    #[error("{0}: neither query nor query_file")]
    NoQuery(String),
}

#[derive(Deserialize)]
struct File {
    syncs: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    query: Option<String>,
    query_file: Option<String>,
    key: String,
    layout: String,
    destination: Destination,
}

#[derive(Deserialize)]
struct Destination {
    bucket: Option<String>,
    prefix: String,
}

/// Every sync of the list, in the order of their names; queries in files are read from beside it.
pub fn syncs(path: &Path) -> Result<Vec<Sync>, InvalidSyncs> {
    let read = |path: &Path| {
        let wrong = |error: std::io::Error| wrong(path, error);
        std::fs::read_to_string(path).map_err(wrong)
    };
    let file: File = serde_saphyr::from_str(&read(path)?).map_err(|error| wrong(path, error))?;
    let sync = |(name, entry): (String, Entry)| {
        let query = match (entry.query, entry.query_file) {
            (Some(query), _) => query,
            (None, Some(file)) => read(&path.with_file_name(file))?,
            (None, None) => return Err(InvalidSyncs::NoQuery(name)),
        };
        let Destination { bucket, prefix } = entry.destination;
        Ok(Sync { name, query, key: entry.key, layout: entry.layout, bucket, prefix })
    };
    file.syncs.into_iter().map(sync).collect()
}

fn wrong(path: &Path, error: impl std::fmt::Display) -> InvalidSyncs {
    InvalidSyncs::File { file: path.display().to_string(), problem: error.to_string() }
}
