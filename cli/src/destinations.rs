//! A table of BigQuery belongs to one list, and so does a name in the audit. Two lists that load one table would replace
//! each other's rows, each time as if nothing were wrong; of two tables with one name in the audit, each would hide what
//! became of the other.

use std::path::Path;

use anyhow::Result;
use yaml::{InvalidFile, Location, Problem};

/// The lists as they are named: each program has its own say about what is wrong in its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    Tables,
    Extracts,
    Federated,
}

/// What a list loads, and where it says so.
struct Loaded<'a> {
    file: &'a Path,
    at: Location,
    /// As in the list: `shop.orders`.
    table: String,
    destination: String,
    audited: String,
}

/// Everything that a list loads and one before it does too, with the lines of both.
pub fn shared(lists: &[(List, &Path)]) -> Result<Vec<InvalidFile>> {
    let (mut before, mut wrong) = (Vec::<Loaded<'_>>::new(), Vec::new());
    for (list, file) in lists {
        let own = list.loaded(file)?;
        let problems: Vec<Problem> = own.iter().filter_map(|loaded| clash(loaded, &before)).collect();
        if !problems.is_empty() {
            wrong.push(InvalidFile::new(file, problems));
        }
        before.extend(own);
    }
    Ok(wrong)
}

fn clash(loaded: &Loaded<'_>, before: &[Loaded<'_>]) -> Option<Problem> {
    let Loaded { table, destination, audited, at, .. } = loaded;
    let told = |other: &Loaded<'_>, what: String, why: &str| {
        let (file, line, column) = (other.file.display(), other.at.line(), other.at.column());
        Problem::at(*at, format!("{table}: {what} of {} too ({file}:{line}:{column}): {why}", other.table))
    };
    let same = before.iter().find(|other| other.destination == *destination);
    let rows = same.map(|other| {
        told(other, format!("{destination} is the destination"), "each load would replace the other's rows")
    });
    let name = || {
        let same = before.iter().find(|other| other.audited == *audited)?;
        let why = "each would hide what became of the other";
        Some(told(same, format!("{audited} is the name in the audit"), why))
    };
    rows.or_else(name)
}

impl List {
    /// The defaults are those of the programs.
    fn loaded(self, file: &Path) -> Result<Vec<Loaded<'_>>> {
        let text = yaml::read(file)?;
        let root = yaml::parse(&text).map_err(|problem| InvalidFile::new(file, vec![problem]))?;
        let (mut found, mut ignored) = (Vec::new(), Vec::new());
        let of = if self == Self::Federated { "connections" } else { "databases" };
        let Some(databases) = root.value.get(of) else { return Ok(found) };
        for database in yaml::entries(of, databases, &mut ignored).unwrap_or_default() {
            let setting = |name| database.value.value.get(name).and_then(|node| node.value.text());
            let dataset = setting("dataset").map_or_else(|| format!("raw_{}", database.name), str::to_owned);
            let Some(tables) = database.value.value.get("tables") else { continue };
            for entry in yaml::entries("tables", tables, &mut ignored).unwrap_or_default() {
                let named = entry.value.value.get("destination").and_then(|destination| destination.value.text());
                let short = match self {
                    Self::Federated => entry.name.rsplit('.').next().unwrap_or_default().to_owned(),
                    _ => entry.name.replace('.', "_"),
                };
                let destination = format!("{dataset}.{}", named.map_or(short, str::to_owned));
                let table = format!("{}.{}", database.name, entry.name);
                let audited = match (self, setting("engine")) {
                    (Self::Extracts, _) => destination.clone(),
                    // MySQL's dot is a part of the name.
                    (Self::Tables, Some("mysql")) if entry.name.contains('.') => {
                        format!("{}.`{}`", database.name, entry.name)
                    }
                    _ => table.clone(),
                };
                found.push(Loaded { file, at: entry.at, table, destination, audited });
            }
        }
        Ok(found)
    }
}
