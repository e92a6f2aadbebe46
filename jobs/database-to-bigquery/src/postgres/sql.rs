//! The statements that PostgreSQL is sent. Pure.

use std::time::Duration;

use handoff::TableName;

use crate::columns::{Column, CursorColumn};
use crate::extracts::{Lookback, Mode, Table};
use crate::types::{Cursor, Read};

pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn place(table: &TableName) -> String {
    format!("{}.{}", quote(table.schema()), quote(table.table()))
}

/// What values look like as text, and how long a statement may take; whatever the role's own settings are.
pub fn settings(limit: Duration, lock_wait: Duration) -> String {
    let (limit, lock_wait) = (limit.as_millis(), lock_wait.as_millis());
    format!(
        "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; \
         SET extra_float_digits = 1; SET standard_conforming_strings = on; SET statement_timeout = {limit}; \
         SET idle_in_transaction_session_timeout = {limit}; SET lock_timeout = {lock_wait}"
    )
}

pub fn lock(table: &TableName) -> String {
    format!("LOCK TABLE {} IN ACCESS SHARE MODE", place(table))
}

/// Reads nothing.
pub fn touch(table: &TableName) -> String {
    format!("SELECT 1 FROM {} LIMIT 0", place(table))
}

pub fn copy(table: &TableName, columns: &[Column], condition: &str) -> String {
    let columns: Vec<String> = columns.iter().map(expression).collect();
    format!("COPY (SELECT {} FROM {}{condition}) TO STDOUT (FORMAT BINARY)", columns.join(", "), place(table))
}

fn expression(column: &Column) -> String {
    let name = quote(&column.source);
    match column.read {
        Read::Plain => name,
        Read::Text => format!("{name}::text"),
        Read::NotZero => format!("{name} <> 0"),
        Read::Money => format!("{name}::numeric"),
        Read::Json => format!("to_json({name})::text"),
        Read::Nothing => "NULL::text".to_owned(),
    }
}

/// The number of rows, and the watermark as text: the largest cursor that is not far in the future. A row that is dated
/// 9999 or infinity would otherwise hide every row after it.
pub fn count(table: &TableName, cursor: Option<&CursorColumn>, condition: &str) -> String {
    let watermark = cursor.map_or_else(
        || "NULL::text".to_owned(),
        |cursor| {
            let name = quote(&cursor.source);
            match cursor.kind {
                Cursor::Number => format!("max({name})::text"),
                Cursor::Time => format!("(max({name}) FILTER (WHERE {name} <= now() + interval '1 day'))::text"),
            }
        },
    );
    format!("SELECT count(*), {watermark} FROM {}{condition}", place(table))
}

/// The table's own filter, and the rows from the watermark on. Rows whose cursor is null are read each time: nothing
/// says whether they changed.
pub fn condition(table: &Table, cursor: Option<&CursorColumn>, since: Option<&str>) -> String {
    let filter = table.filter.as_ref().map(|filter| format!("({filter})"));
    let lookback = match table.mode {
        Mode::Incremental { lookback, .. } => lookback,
        Mode::Full => Lookback::Nothing,
    };
    let news = cursor.zip(since).map(|(cursor, since)| {
        let name = quote(&cursor.source);
        let or_null = if cursor.nullable { format!(" OR {name} IS NULL") } else { String::new() };
        // The literal has the column's type, so that an index on it is used.
        let bound = format!("{}::{}", literal(since), cursor.full_type);
        let bound = match lookback {
            Lookback::Nothing => bound,
            Lookback::Time(time) => format!("{bound} - interval '{} seconds'", time.as_secs()),
            Lookback::Number(number) => format!("{bound} - {number}"),
        };
        format!("({name} >= {bound}{or_null})")
    });
    let parts: Vec<String> = filter.into_iter().chain(news).collect();
    if parts.is_empty() { String::new() } else { format!(" WHERE {}", parts.join(" AND ")) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::extracts::Extracts;

    #[test]
    fn rows_are_read_from_the_watermark_on_less_the_lookback() {
        let text = "databases:\n  app:\n    engine: postgres\n    tables:\n      orders: {mode: incremental, cursor: at, \
                    lookback: 2h, where: a OR b}\n";
        let extracts = Extracts::parse(text, Path::new("extracts.yaml")).unwrap();
        let table = extracts.tables().next().unwrap();
        let full_type = "timestamp with time zone".to_owned();
        let cursor = CursorColumn { source: "at".into(), kind: Cursor::Time, nullable: true, full_type };
        assert_eq!(
            condition(table, Some(&cursor), Some("2026-11-22 00:00:00+00")),
            " WHERE (a OR b) AND (\"at\" >= '2026-11-22 00:00:00+00'::timestamp with time zone - interval '7200 seconds' \
             OR \"at\" IS NULL)"
        );
        assert_eq!(
            count(&table.source, Some(&cursor), ""),
            "SELECT count(*), (max(\"at\") FILTER (WHERE \"at\" <= now() + interval '1 day'))::text \
             FROM \"public\".\"orders\""
        );
    }

    #[test]
    fn a_name_and_a_text_cannot_leave_their_quotes() {
        assert_eq!((quote("a\"b"), literal("a'b")), ("\"a\"\"b\"".into(), "'a''b'".into()));
    }
}
