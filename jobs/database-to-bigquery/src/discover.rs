//! The tables of a database that the list does not have, as YAML to paste: whoever adds one decides that its rows may
//! leave.

use std::fmt::Write;

use handoff::TableName;
use serde::Serialize;

use crate::extracts::{Database, Engine, matches};
use crate::order::ReadError;
use crate::source::Connector;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proposal {
    pub database: String,
    pub add: Vec<Found>,
    /// Listed, and not in the database.
    pub missing: Vec<String>,
    pub excluded: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    pub table: String,
    /// By the database's guess.
    pub rows: u64,
}

pub async fn discover(database: &Database, connector: &Connector) -> Result<Proposal, ReadError> {
    let found = connector.tables().await?;
    Ok(compare(database, connector.engine(), found))
}

fn compare(database: &Database, engine: Option<Engine>, found: Vec<(String, u64)>) -> Proposal {
    let name = |table: &str| match (engine, table.split_once('.')) {
        (Some(Engine::Postgres), Some((schema, table))) => TableName::of_postgres(&database.name, schema, table).ok(),
        (Some(Engine::Postgres), None) => TableName::of_postgres(&database.name, "public", table).ok(),
        _ => TableName::of_mysql(&database.name, table).ok(),
    };
    let there: Vec<Option<TableName>> = found.iter().map(|(table, _)| name(table)).collect();
    let tables = if engine.is_some() { &database.tables[..] } else { &[] };
    let missing = tables.iter().map(|table| &table.source);
    let missing = missing.filter(|name| !there.contains(&Some((*name).clone()))).map(ToString::to_string).collect();
    let listed = |table: &str| {
        let name = name(table);
        database.tables.iter().any(|listed| Some(&listed.source) == name.as_ref())
    };
    let is_excluded = |table: &str| database.exclude.iter().any(|pattern| matches(pattern, table));
    let (excluded, rest): (Vec<_>, Vec<_>) =
        found.into_iter().filter(|(table, _)| !listed(table)).partition(|(table, _)| is_excluded(table));
    let add = rest.into_iter().map(|(table, rows)| Found { table, rows }).collect();
    Proposal { database: database.name.clone(), add, missing, excluded: excluded.len() }
}

impl Proposal {
    pub fn to_text(&self) -> String {
        let Self { database, add, missing, excluded } = self;
        let mut text = format!(
            "# {database}: {} to add, {} listed and not there, {excluded} excluded\n",
            add.len(),
            missing.len()
        );
        for table in missing {
            let _ = writeln!(text, "#   {table} is not in the database");
        }
        if !add.is_empty() {
            let _ = write!(text, "databases:\n  {database}:\n    tables:\n");
        }
        for Found { table, rows } in add {
            let _ = writeln!(text, "      {table}: {{}}  # about {rows} rows");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::extracts::Extracts;

    #[test]
    fn what_is_neither_listed_nor_excluded_is_proposed() {
        let text =
            "databases:\n  app:\n    engine: postgres\n    exclude: [tmp_*]\n    tables: {users: {}, gone: {}}\n";
        let extracts = Extracts::parse(text, Path::new("extracts.yaml")).unwrap();
        let found = [("users", 3), ("tmp_1", 0), ("sales.orders", 12)].map(|(table, rows)| (table.to_owned(), rows));
        let proposal = compare(&extracts.databases[0], Some(Engine::Postgres), found.to_vec());
        assert_eq!(
            proposal.to_text(),
            "# app: 1 to add, 1 listed and not there, 1 excluded\n#   app.public.gone is not in the database\n\
             databases:\n  app:\n    tables:\n      sales.orders: {}  # about 12 rows\n"
        );
    }
}
