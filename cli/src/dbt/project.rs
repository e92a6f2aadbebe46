//! Which table of BigQuery each file of the dbt project makes. The first folder is the dataset, the file the table
//! (`warehouse/macros/generate_schema_name.sql`).

use std::collections::BTreeMap;
use std::path::Path;

/// By `dataset.table`, as dbt refers to it: `ref('orders')`, `source('shop', 'orders')`.
#[derive(Debug, Default)]
pub struct Project(BTreeMap<String, String>);

impl Project {
    pub fn read(warehouse: &Path) -> Self {
        let mut relations = BTreeMap::new();
        for layer in folders(&warehouse.join("models")) {
            let mut add = |file: &str| {
                if let Some(model) = file.strip_suffix(".sql") {
                    relations.insert(format!("{layer}.{model}"), format!("ref('{model}')"));
                }
            };
            files(&warehouse.join("models").join(&layer), &mut add);
        }
        for (folder, ending) in [("seeds", ".csv"), ("snapshots", ".yml")] {
            files(&warehouse.join(folder), &mut |file| {
                if let Some(name) = file.strip_suffix(ending) {
                    relations.insert(format!("warehouse.{name}"), format!("ref('{name}')"));
                }
            });
        }
        Self(relations)
    }

    pub fn with_source(mut self, dataset: &str, table: &str, database: &str) -> Self {
        self.0.insert(format!("{dataset}.{table}"), format!("source('{database}', '{table}')"));
        self
    }

    pub fn reference(&self, relation: &str) -> Option<&str> {
        self.0.get(relation).map(String::as_str)
    }
}

fn folders(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn files(folder: &Path, add: &mut impl FnMut(&str)) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            files(&entry.path(), add);
        } else {
            add(&entry.file_name().to_string_lossy());
        }
    }
}
