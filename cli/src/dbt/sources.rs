//! The sources of dbt: the tables of the list, where they are loaded, and how old they may be.

use std::path::Path;

use anyhow::{Context, Result};
use handoff::{Manifest, TransferTable};
use serde::Deserialize;

use super::cast::raw_type;
use crate::proposal::word;

/// A day and a bit: the load of a night that is late is told, one that is missing is an error.
const FRESHNESS: &str = "      freshness:
        warn_after: {count: 30, period: hour}
        error_after: {count: 50, period: hour}
";

/// As it was written before, as far as it is read again.
#[derive(Debug, Default, Deserialize)]
pub struct SourceFile {
    #[serde(default)]
    sources: Vec<Source>,
}

#[derive(Debug, Deserialize)]
struct Source {
    tables: Vec<Table>,
}

#[derive(Debug, Deserialize)]
struct Table {
    name: String,
    #[serde(default)]
    columns: Vec<Column>,
}

#[derive(Debug, Clone, Deserialize)]
struct Column {
    name: String,
    data_type: Option<String>,
}

impl SourceFile {
    /// Nothing where there is no file yet.
    pub fn read(path: &Path) -> Result<Self> {
        let Ok(text) = std::fs::read_to_string(path) else { return Ok(Self::default()) };
        serde_saphyr::from_str(&text).with_context(|| format!("read {}", path.display()))
    }

    fn columns(&self, table: &str) -> Vec<Column> {
        let found = self.sources.iter().flat_map(|source| &source.tables).find(|found| found.name == table);
        found.map(|table| table.columns.clone()).unwrap_or_default()
    }
}

/// A table that something loads, and what the audit calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub source: String,
    pub dataset: String,
    pub table: String,
}

impl From<&TransferTable> for Loaded {
    fn from(table: &TransferTable) -> Self {
        let TransferTable { source, dataset, table, .. } = table;
        Self { source: source.to_string(), dataset: dataset.clone(), table: table.clone() }
    }
}

pub fn sources(database: &str, tables: &[Loaded], manifest: Option<&Manifest>, written: &SourceFile) -> String {
    let dataset = tables.first().map_or("", |table| table.dataset.as_str());
    let mut text = format!(
        "# Made by `isthmus dbt sources` out of the lists in config/ and a manifest. Do not edit it: a check compares.\n\
         sources:\n  - name: {}\n    schema: {dataset}\n    config:\n{FRESHNESS}    tables:\n",
        word(database)
    );
    for table in tables {
        let source = &table.source;
        text.push_str(&format!(
            "      - name: {}\n        config:\n          meta: {{isthmus_table: {}}}\n          \
             loaded_at_query: \"{{{{ proven_at('{source}') }}}}\"\n",
            word(&table.table),
            word(source),
        ));
        let columns = columns(table, manifest).unwrap_or_else(|| written.columns(&table.table));
        if !columns.is_empty() {
            text.push_str("        columns:\n");
        }
        for Column { name, data_type } in columns {
            let data_type = data_type.map_or_else(String::new, |data_type| format!(", data_type: {data_type}"));
            text.push_str(&format!("          - {{name: {}{data_type}}}\n", word(&name)));
        }
    }
    text
}

/// Of the export, where it tells them.
fn columns(table: &Loaded, manifest: Option<&Manifest>) -> Option<Vec<Column>> {
    let exported = manifest?.tables.iter().find(|exported| exported.name.to_string() == table.source)?;
    let column =
        |column: &handoff::Column| Column { name: column.name.clone(), data_type: raw_type(&column.parquet_type) };
    let columns: Vec<Column> = exported.columns.iter().map(column).collect();
    (!columns.is_empty()).then_some(columns)
}
