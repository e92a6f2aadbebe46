//! What dbt is told about the source and the syncs: made out of the lists, so that there is one of each.

mod cast;
mod exposures;
mod lists;
mod project;
mod reads;
mod scaffold;
mod sources;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use handoff::{Manifest, TableList};

pub use exposures::exposures;
pub use project::Project;
pub use reads::{Reads, reads};
pub use scaffold::scaffold;
pub use sources::{Loaded, SourceFile, sources};

/// A file of the dbt project, as it should be.
#[derive(Debug, PartialEq, Eq)]
pub struct Generated {
    pub path: PathBuf,
    pub text: String,
}

impl Generated {
    pub fn write(&self) -> Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        }
        std::fs::write(&self.path, &self.text).with_context(|| format!("write {}", self.path.display()))
    }

    /// How the file differs from what it should be: the first line that does.
    pub fn difference(&self) -> Option<String> {
        let path = self.path.display();
        let Ok(found) = std::fs::read_to_string(&self.path) else { return Some(format!("{path} is not there")) };
        if found == self.text {
            return None;
        }
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let (found, wanted) = (lines(&found), lines(&self.text));
        let line = found.iter().zip(&wanted).take_while(|(found, wanted)| found == wanted).count();
        let at = |lines: &[String]| lines.get(line).map_or("nothing", String::as_str).to_owned();
        Some(format!("{path}:{}: found {:?}, expected {:?}", line + 1, at(&found), at(&wanted)))
    }
}

/// Where the lists are of what is loaded.
#[derive(Debug, Clone, Copy)]
pub struct Lists<'a> {
    pub tables: &'a TableList,
    pub extracts: &'a Path,
    pub federated: &'a Path,
}

/// Everything that is loaded, by dbt's name for the source: the database or the connection; its dataset, where a list before
/// loads the same database into another one.
pub fn loaded(lists: Lists<'_>) -> Result<BTreeMap<String, Vec<Loaded>>> {
    let transfers = lists.tables.transfers(&"any".parse()?)?;
    let mut all: Vec<(String, Loaded)> =
        transfers.iter().map(|table| (table.source.database().to_owned(), table.into())).collect();
    all.extend(lists::extracts(lists.extracts)?);
    all.extend(lists::federated(lists.federated)?);
    let mut loaded = BTreeMap::<String, Vec<Loaded>>::new();
    for (database, table) in all {
        let before = loaded.get(&database).and_then(|tables| tables.first());
        let elsewhere = before.is_some_and(|before| before.dataset != table.dataset);
        let source = if elsewhere { table.dataset.clone() } else { database };
        loaded.entry(source).or_default().push(table);
    }
    Ok(loaded)
}

/// One for each source. Columns come from the manifest, or stay as they are in the files.
pub fn source_files(
    loaded: &BTreeMap<String, Vec<Loaded>>,
    manifest: Option<&Manifest>,
    warehouse: &Path,
) -> Result<Vec<Generated>> {
    let mut files = Vec::new();
    for (database, tables) in loaded {
        let path = folder(warehouse, database).join(format!("_{database}__sources.yml"));
        let written = SourceFile::read(&path)?;
        files.push(Generated { text: sources(database, tables, manifest, &written), path });
    }
    Ok(files)
}

/// The staging model of a table, which must not be there yet: from now on it is the team's.
pub fn scaffold_file(list: &TableList, manifest: &Manifest, table: &str, warehouse: &Path) -> Result<Generated> {
    let transfers = list.transfers(&"any".parse()?)?;
    let listed = transfers.iter().find(|transfer| transfer.source.to_string() == table);
    let listed = listed.with_context(|| format!("{table} is not in the list of tables"))?;
    let exported = manifest.tables.iter().find(|exported| exported.name == listed.source);
    let exported = exported.with_context(|| format!("{table} is not in {}", manifest.task_id))?;
    ensure!(!exported.columns.is_empty(), "{} does not tell the columns of {table}", manifest.task_id);
    let database = listed.source.database();
    let path = folder(warehouse, database).join(format!("stg_{database}__{}.sql", listed.table));
    ensure!(!path.exists(), "{} is there already, and is not written over", path.display());
    Ok(Generated { text: scaffold(database, &listed.table, &exported.columns), path })
}

fn folder(warehouse: &Path, database: &str) -> PathBuf {
    warehouse.join("models/staging").join(database)
}
