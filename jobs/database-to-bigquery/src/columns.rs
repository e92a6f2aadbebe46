//! Which columns of a table are carried, and as what. Pure.

use std::collections::BTreeSet;

use crate::catalog::{SourceColumn, SourceTable};
use crate::extracts::{ColumnRules, Engine, Lookback, Mask, Mode, Retype, Table, looks_secret};
use crate::types::{Cursor, Natural, Read, Type, mysql, postgres};

/// A column as it is carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// In the database.
    pub source: String,
    /// Its type there, without attributes.
    pub source_type: String,
    /// In BigQuery.
    pub name: String,
    pub r#type: Type,
    pub read: Read,
    /// Whether the value is replaced by its HMAC before it reaches the disk.
    pub hmac: bool,
    pub nullable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    pub columns: Vec<Column>,
    /// Left out because their names look like secrets.
    pub secrets: Vec<String>,
    /// The primary key, as BigQuery's columns are named. Empty where the table has none.
    pub key: Vec<String>,
    pub cursor: Option<CursorColumn>,
}

impl Selection {
    /// The columns of the primary key.
    pub fn key_columns(&self) -> Vec<Column> {
        let of = |name: &String| self.columns.iter().find(|column| column.name == *name).cloned();
        self.key.iter().filter_map(of).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorColumn {
    pub source: String,
    pub kind: Cursor,
    pub nullable: bool,
    /// Of the column, for a literal to compare with.
    pub full_type: String,
}

/// Everything that keeps the table from being read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct Unreadable(pub Vec<String>);

pub fn select(source: &SourceTable, table: &Table, engine: Engine) -> Result<Selection, Unreadable> {
    let mut problems = unknown(source, &table.columns);
    let (mut columns, mut secrets) = (Vec::new(), Vec::new());
    for column in source.columns.iter().filter(|column| !table.columns.exclude.contains(&column.name)) {
        if is_hidden(column, &table.columns) {
            secrets.push(column.name.clone());
            continue;
        }
        match carried(column, &table.columns, engine) {
            Ok(column) => columns.push(column),
            Err(problem) => problems.push(format!("column {}: {problem}", column.name)),
        }
    }
    if columns.is_empty() && problems.is_empty() {
        problems.push("no column is left to carry".to_owned());
    }
    problems.extend(ambiguous(&columns));
    let key = key(source, &columns);
    let cursor = match cursor(source, table, &columns) {
        Ok(cursor) => cursor,
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    if matches!(table.mode, Mode::Incremental { .. }) && key.is_empty() {
        problems.push(no_key(source));
    }
    if problems.is_empty() { Ok(Selection { columns, secrets, key, cursor }) } else { Err(Unreadable(problems)) }
}

/// A rule for a column that is not there is a slip of the pen that lets another one out.
fn unknown(source: &SourceTable, rules: &ColumnRules) -> Vec<String> {
    let there = |name: &&String| source.columns.iter().any(|column| column.name == **name);
    let (masked, typed) = (rules.mask.keys(), rules.types.keys());
    let named: BTreeSet<&String> = rules.exclude.iter().chain(&rules.include).chain(masked).chain(typed).collect();
    named.into_iter().filter(|name| !there(name)).map(|name| format!("there is no column {name}")).collect()
}

fn is_hidden(column: &SourceColumn, rules: &ColumnRules) -> bool {
    let name = &column.name;
    let listed = rules.include.contains(name) || rules.mask.contains_key(name) || rules.types.contains_key(name);
    looks_secret(name) && !listed
}

fn carried(column: &SourceColumn, rules: &ColumnRules, engine: Engine) -> Result<Column, String> {
    let natural = match engine {
        Engine::Mysql => mysql::natural(column),
        Engine::Postgres => Ok(postgres::natural(column)),
    };
    let natural = match (natural, rules.types.get(&column.name)) {
        (Ok(natural), None) => natural,
        (Ok(natural), Some(to)) => natural.retyped(*to)?,
        (Err(_), Some(Retype::String)) => Natural::text(Read::Text),
        (Err(problem), _) => return Err(problem),
    };
    let (r#type, read, hmac) = match rules.mask.get(&column.name) {
        None => (natural.r#type, natural.read, false),
        Some(Mask::Null) => (natural.r#type, Read::Nothing, false),
        // Of the bytes themselves, or of the value as text: equal in every table.
        Some(Mask::Hmac) if matches!(natural.r#type, Type::Bytes) => (Type::String, Read::Plain, true),
        Some(Mask::Hmac) => (Type::String, Read::Text, true),
    };
    let nullable = column.nullable || read == Read::Nothing;
    let (source, source_type) = (column.name.clone(), column.data_type.clone());
    Ok(Column { source, source_type, name: bigquery_name(&column.name), r#type, read, hmac, nullable })
}

/// Letters, digits and underscores, no digit first; what is none of them becomes an underscore.
/// Source: BigQuery, "Specifying a schema", column names.
pub fn bigquery_name(name: &str) -> String {
    let letter = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '_' };
    let name: String = name.chars().map(letter).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// BigQuery does not tell capitals from small letters.
fn ambiguous(columns: &[Column]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let again = columns.iter().filter(|column| !seen.insert(column.name.to_lowercase()));
    again
        .map(|column| format!("column {}: BigQuery has another column {} already", column.source, column.name))
        .collect()
}

/// Empty where a part of it is not carried as it is.
fn key(source: &SourceTable, columns: &[Column]) -> Vec<String> {
    let carried = |name: &String| {
        let column = columns.iter().find(|column| column.source == *name && column.read != Read::Nothing);
        column.map(|column| column.name.clone())
    };
    source.primary_key.iter().map(carried).collect::<Option<_>>().unwrap_or_default()
}

fn no_key(source: &SourceTable) -> String {
    if source.primary_key.is_empty() {
        return "mode incremental merges by primary key, and the table has none: mode full loads it".to_owned();
    }
    format!("mode incremental merges by primary key, so {} must be carried", source.primary_key.join(", "))
}

fn cursor(source: &SourceTable, table: &Table, columns: &[Column]) -> Result<Option<CursorColumn>, String> {
    let Mode::Incremental { cursor, lookback, .. } = &table.mode else { return Ok(None) };
    let column = source.columns.iter().find(|column| column.name == *cursor);
    let column = column.ok_or_else(|| format!("there is no column {cursor}, which is the cursor"))?;
    let Some(carried) = columns.iter().find(|carried| carried.source == *cursor) else { return Ok(None) };
    let kind = carried.r#type.as_cursor().filter(|_| carried.read == Read::Plain);
    let kind =
        kind.ok_or_else(|| format!("column {cursor} cannot be the cursor: {} does not grow", column.full_type))?;
    match (kind, lookback) {
        (Cursor::Number, Lookback::Time(_)) => {
            return Err(format!("lookback is a time, and the cursor {cursor} is a number"));
        }
        (Cursor::Time, Lookback::Number(_)) => {
            return Err(format!("lookback is a number, and the cursor {cursor} is a time"));
        }
        _ => {}
    }
    let (nullable, full_type) = (column.nullable, column.full_type.clone());
    Ok(Some(CursorColumn { source: cursor.clone(), kind, nullable, full_type }))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::path::Path;

    use crate::extracts::Extracts;

    fn table(settings: &str) -> Table {
        let text = format!("databases:\n  shop:\n    engine: mysql\n    tables:\n      users: {settings}\n");
        Extracts::parse(&text, Path::new("extracts.yaml")).unwrap().tables().next().unwrap().clone()
    }

    fn source() -> SourceTable {
        let column = |name: &str, data_type: &str, nullable| SourceColumn {
            name: name.into(),
            data_type: data_type.into(),
            full_type: data_type.into(),
            precision: None,
            scale: None,
            nullable,
        };
        SourceTable {
            name: "shop.users".parse().unwrap(),
            columns: vec![
                column("id", "bigint", false),
                column("email", "varchar", false),
                column("avatar-hash", "varbinary", true),
                column("password_digest", "varchar", false),
                column("updated_at", "datetime", true),
            ],
            primary_key: vec!["id".into()],
            indexed: vec!["id".into()],
            rows: 1,
            bytes: 1,
        }
    }

    fn chosen(settings: &str) -> Result<Selection, Unreadable> {
        select(&source(), &table(settings), Engine::Mysql)
    }

    fn names(selection: &Selection) -> Vec<&str> {
        selection.columns.iter().map(|column| column.name.as_str()).collect()
    }

    #[test]
    fn what_looks_like_a_secret_stays_unless_it_is_listed() {
        let selection = chosen("{}").unwrap();
        assert_eq!(names(&selection), ["id", "email", "avatar_hash", "updated_at"]);
        assert_eq!(selection.secrets, ["password_digest"]);
        let listed = chosen("{include: [password_digest]}").unwrap();
        assert_eq!((listed.columns.len(), listed.secrets.len()), (5, 0));
    }

    #[test]
    fn a_masked_column_is_text_or_nothing() {
        let selection = chosen("{mask: {email: hmac, avatar-hash: hmac, updated_at: null}}").unwrap();
        let of = |name: &str| {
            let column = selection.columns.iter().find(|column| column.source == name).unwrap();
            (column.r#type.name(), column.read, column.hmac)
        };
        assert_eq!(of("email"), ("STRING", Read::Text, true));
        assert_eq!(of("avatar-hash"), ("STRING", Read::Plain, true));
        assert_eq!(of("updated_at"), ("DATETIME", Read::Nothing, false));
    }

    #[test]
    fn all_that_keeps_a_table_from_being_read_is_told_at_once() {
        let settings =
            "{exclude: [id], mask: {emial: hmac}, types: {updated_at: BOOL}, mode: incremental, cursor: email}";
        assert_eq!(
            chosen(settings).unwrap_err().0,
            [
                "there is no column emial",
                "column updated_at: DATETIME cannot be read as BOOL",
                "column email cannot be the cursor: varchar does not grow",
                "mode incremental merges by primary key, so id must be carried",
            ]
        );
        let mut other = source();
        other.primary_key.clear();
        other.columns[0].name = "EMAIL".into();
        let told = select(&other, &table("{mode: incremental, cursor: updated_at, lookback: 5}"), Engine::Mysql);
        assert_eq!(
            told.unwrap_err().0,
            [
                "column email: BigQuery has another column email already",
                "lookback is a number, and the cursor updated_at is a time",
                "mode incremental merges by primary key, and the table has none: mode full loads it",
            ]
        );
    }

    #[test]
    fn the_cursor_and_the_key_are_found() {
        let selection = chosen("{mode: incremental, cursor: updated_at, lookback: 2h}").unwrap();
        assert_eq!(selection.key, ["id"]);
        let cursor = selection.cursor.unwrap();
        assert_eq!((cursor.kind, cursor.nullable), (Cursor::Time, true));
    }
}
