//! The statements that MySQL is sent. Pure.

use handoff::TableName;

use crate::columns::{Column, CursorColumn};
use crate::extracts::{Lookback, Mode, Table};
use crate::types::{Cursor, Read};

pub fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// In the database that the connection is in.
fn place(table: &TableName) -> String {
    quote(table.table())
}

/// Reads nothing, and takes the metadata lock.
pub fn touch(table: &TableName) -> String {
    format!("SELECT 1 FROM {} LIMIT 0", place(table))
}

pub fn rows(table: &TableName, columns: &[Column], condition: &str) -> String {
    let columns: Vec<String> = columns.iter().map(expression).collect();
    format!("SELECT {} FROM {}{condition}", columns.join(", "), place(table))
}

fn expression(column: &Column) -> String {
    let name = quote(&column.source);
    match column.read {
        Read::Plain => name,
        Read::NotZero => format!("({name} <> 0)"),
        Read::Nothing => "NULL".to_owned(),
        Read::Text | Read::Money | Read::Json => format!("CAST({name} AS CHAR)"),
    }
}

/// The number of rows, and the watermark as text: the largest cursor that is not far in the future. A row that is dated
/// 9999 would otherwise hide every row after it.
pub fn count(table: &TableName, cursor: Option<&CursorColumn>, condition: &str) -> String {
    let watermark = cursor.map_or_else(
        || "NULL".to_owned(),
        |cursor| {
            let name = quote(&cursor.source);
            match cursor.kind {
                Cursor::Number => format!("CAST(MAX({name}) AS CHAR)"),
                Cursor::Time => {
                    let past = format!("{name} <= UTC_TIMESTAMP() + INTERVAL 1 DAY");
                    format!("CAST(MAX(CASE WHEN {past} THEN {name} END) AS CHAR)")
                }
            }
        },
    );
    format!("SELECT COUNT(*), {watermark} FROM {}{condition}", place(table))
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
        format!("({name} >= {}{or_null})", lower_bound(cursor.kind, since, lookback))
    });
    let parts: Vec<String> = filter.into_iter().chain(news).collect();
    if parts.is_empty() { String::new() } else { format!(" WHERE {}", parts.join(" AND ")) }
}

fn lower_bound(kind: Cursor, since: &str, lookback: Lookback) -> String {
    match (kind, lookback) {
        (Cursor::Number, Lookback::Number(number)) => format!("{} - {number}", literal_number(since)),
        (Cursor::Number, _) => literal_number(since),
        (Cursor::Time, Lookback::Time(time)) => {
            format!("CAST({} AS DATETIME(6)) - INTERVAL {} SECOND", literal(since), time.as_secs())
        }
        (Cursor::Time, _) => format!("CAST({} AS DATETIME(6))", literal(since)),
    }
}

/// What is no number stays in quotes, for the server to refuse.
fn literal_number(text: &str) -> String {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if number { format!("CAST({text} AS DECIMAL(20))") } else { literal(text) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::extracts::Extracts;

    fn table(settings: &str) -> Table {
        let text = format!("databases:\n  shop:\n    engine: mysql\n    tables:\n      orders: {settings}\n");
        Extracts::parse(&text, Path::new("extracts.yaml")).unwrap().tables().next().unwrap().clone()
    }

    fn cursor(kind: Cursor, nullable: bool) -> CursorColumn {
        CursorColumn { source: "at".into(), kind, nullable, full_type: "datetime".into() }
    }

    #[test]
    fn rows_are_read_from_the_watermark_on_less_the_lookback() {
        let table = table("{mode: incremental, cursor: at, lookback: 2h, where: a = 1 OR b}");
        let read = |cursor: &CursorColumn, since| condition(&table, Some(cursor), since);
        assert_eq!(read(&cursor(Cursor::Time, false), None), " WHERE (a = 1 OR b)");
        assert_eq!(
            read(&cursor(Cursor::Time, true), Some("2026-11-22 00:00:00")),
            " WHERE (a = 1 OR b) AND (`at` >= CAST('2026-11-22 00:00:00' AS DATETIME(6)) - INTERVAL 7200 SECOND \
             OR `at` IS NULL)"
        );
        assert_eq!(
            read(&cursor(Cursor::Number, false), Some("12")),
            " WHERE (a = 1 OR b) AND (`at` >= CAST(12 AS DECIMAL(20)))"
        );
    }

    #[test]
    fn a_name_and_a_text_cannot_leave_their_quotes() {
        assert_eq!(quote("a`b"), "`a``b`");
        assert_eq!((literal("a'b\\"), literal_number("1; DROP")), ("'a''b\\\\'".into(), "'1; DROP'".into()));
    }

    #[test]
    fn a_row_from_the_future_does_not_move_the_watermark() {
        let sql = count(&"shop.orders".parse().unwrap(), Some(&cursor(Cursor::Time, false)), "");
        assert_eq!(
            sql,
            "SELECT COUNT(*), CAST(MAX(CASE WHEN `at` <= UTC_TIMESTAMP() + INTERVAL 1 DAY THEN `at` END) AS CHAR) \
             FROM `orders`"
        );
    }
}
