//! A table of BigQuery belongs to one list: `tables.yaml` and `extracts.yaml` that both load it would replace each other's
//! rows, each time as if nothing were wrong.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use yaml::{InvalidFile, Location, Problem};

/// What a list loads, and where it says so.
struct Loaded {
    /// As in the list: `shop.orders`.
    table: String,
    at: Location,
}

/// Every destination that both lists have, with the lines of both.
pub fn shared(tables: &Path, extracts: &Path) -> Result<Option<InvalidFile>> {
    let exported = destinations(tables)?;
    let mut problems = Vec::new();
    for (destination, extracted) in destinations(extracts)? {
        let Some(other) = exported.get(&destination) else { continue };
        let (place, at, name) = (tables.display(), other.at, &other.table);
        problems.push(Problem::at(
            extracted.at,
            format!(
                "{}: {destination} is the destination of {name} too ({place}:{}:{}): each load would replace the other's rows",
                extracted.table,
                at.line(),
                at.column()
            ),
        ));
    }
    Ok((!problems.is_empty()).then(|| InvalidFile::new(extracts, problems)))
}

/// By `dataset.table`. Both lists have the same defaults, and each program has its own say about what is wrong in its own.
fn destinations(file: &Path) -> Result<BTreeMap<String, Loaded>> {
    let text = yaml::read(file)?;
    let root = yaml::parse(&text).map_err(|problem| InvalidFile::new(file, vec![problem]))?;
    let (mut found, mut ignored) = (BTreeMap::new(), Vec::new());
    let Some(databases) = root.value.get("databases") else { return Ok(found) };
    for database in yaml::entries("databases", databases, &mut ignored).unwrap_or_default() {
        let dataset = database.value.value.get("dataset").and_then(|dataset| dataset.value.text());
        let dataset = dataset.map_or_else(|| format!("raw_{}", database.name), str::to_owned);
        let Some(tables) = database.value.value.get("tables") else { continue };
        for table in yaml::entries("tables", tables, &mut ignored).unwrap_or_default() {
            let named = table.value.value.get("destination").and_then(|destination| destination.value.text());
            let destination = named.map_or_else(|| table.name.replace('.', "_"), str::to_owned);
            let loaded = Loaded { table: format!("{}.{}", database.name, table.name), at: table.at };
            found.insert(format!("{dataset}.{destination}"), loaded);
        }
    }
    Ok(found)
}
