//! The list of tables beside the manifest of an export.

use handoff::{InvalidTableList, Manifest, Table, TableList, TableName, TableState};
use serde::Serialize;

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The export's task id: `prod-20261122`.
    pub export: String,
    /// In the export, and neither listed nor excluded.
    pub add: Vec<Found>,
    /// Listed, and not to be had from the export.
    pub remove: Vec<Gone>,
    /// In the export, and excluded on purpose.
    pub excluded: Vec<TableName>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    pub table: TableName,
    pub rows: u64,
    pub columns: usize,
    /// RDS could not export it: to list it would fail every load.
    pub skipped: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Gone {
    pub table: TableName,
    pub why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    NotInExport,
    Skipped,
}

impl Comparison {
    pub fn of(list: &TableList, manifest: &Manifest) -> Result<Self, InvalidTableList> {
        let (mut add, mut excluded) = (Vec::new(), Vec::new());
        for table in &manifest.tables {
            if list.lists(&table.name) {
                continue;
            }
            if list.excluded_by(&table.name)?.is_some() {
                excluded.push(table.name.clone());
            } else {
                add.push(found(table));
            }
        }
        Ok(Self { export: manifest.task_id.to_string(), add, remove: remove(list, manifest)?, excluded })
    }

    /// One sentence for each difference, with what to do.
    pub fn problems(&self) -> Vec<String> {
        let export = &self.export;
        let unlisted = self.add.iter().map(|found| {
            let table = &found.table;
            format!("{table} is in {export} and not in the list: add it, or exclude it")
        });
        let gone = self.remove.iter().map(|gone| match gone.why {
            Why::NotInExport => format!("{} is in the list and not in {export}: remove it", gone.table),
            Why::Skipped => {
                format!(
                    "{} is in the list, but RDS skipped it in {export}: the manifest's warnings say why",
                    gone.table
                )
            }
        });
        unlisted.chain(gone).collect()
    }
}

fn found(table: &Table) -> Found {
    let skipped = table.state == TableState::Skipped;
    Found { table: table.name.clone(), rows: table.rows, columns: table.columns.len(), skipped }
}

fn remove(list: &TableList, manifest: &Manifest) -> Result<Vec<Gone>, InvalidTableList> {
    let why = |table: &TableName| match manifest.table(table) {
        None => Some(Why::NotInExport),
        Some(exported) if exported.state == TableState::Skipped => Some(Why::Skipped),
        Some(_) => None,
    };
    let gone = list.sources()?.into_iter().filter_map(|table| Some(Gone { why: why(&table)?, table }));
    Ok(gone.collect())
}
