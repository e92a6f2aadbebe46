//! `information_schema`: what it says of a table.

use anyhow::anyhow;
use handoff::TableName;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::error::read_error;
use crate::catalog::{SourceColumn, SourceTable};
use crate::order::ReadError;

/// Every column by name: `SELECT *` leaves out invisible ones.
const COLUMNS: &str = "SELECT COLUMN_NAME, LOWER(DATA_TYPE), LOWER(COLUMN_TYPE), \
    CAST(NUMERIC_PRECISION AS UNSIGNED), CAST(NUMERIC_SCALE AS UNSIGNED), IS_NULLABLE = 'YES' \
    FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION";
const INDEXES: &str = "SELECT INDEX_NAME, COLUMN_NAME, CAST(SEQ_IN_INDEX AS UNSIGNED) \
    FROM information_schema.STATISTICS \
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME IS NOT NULL ORDER BY INDEX_NAME, SEQ_IN_INDEX";
const SIZES: &str = "SELECT CAST(COALESCE(TABLE_ROWS, 0) AS UNSIGNED), CAST(COALESCE(DATA_LENGTH, 0) AS UNSIGNED) \
    FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?";
const TABLES: &str = "SELECT TABLE_NAME, CAST(COALESCE(TABLE_ROWS, 0) AS UNSIGNED) FROM information_schema.TABLES \
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED') ORDER BY TABLE_NAME";
const PRIMARY: &str = "PRIMARY";

pub async fn table(conn: &mut Conn, name: &TableName) -> Result<SourceTable, ReadError> {
    let place = || (name.table(),);
    let columns: Vec<Row> = conn.exec(COLUMNS, place()).await.map_err(read_error)?;
    let columns: Vec<SourceColumn> = columns.into_iter().map(column).collect::<Result<_, _>>()?;
    if columns.is_empty() {
        return Err(anyhow!("there is no table {name}, or the user may not see it").into());
    }
    let indexes: Vec<(String, String, u32)> = conn.exec(INDEXES, place()).await.map_err(read_error)?;
    let sizes: Option<(u64, u64)> = conn.exec_first(SIZES, place()).await.map_err(read_error)?;
    let (rows, bytes) = sizes.unwrap_or_default();
    let primary_key = indexes.iter().filter(|(index, ..)| index == PRIMARY).map(|(_, column, _)| column.clone());
    let indexed = indexes.iter().filter(|(.., place)| *place == 1).map(|(_, column, _)| column.clone());
    let (primary_key, indexed) = (primary_key.collect(), indexed.collect());
    Ok(SourceTable { name: name.clone(), columns, primary_key, indexed, rows, bytes })
}

pub async fn tables(conn: &mut Conn) -> Result<Vec<(String, u64)>, ReadError> {
    conn.query(TABLES).await.map_err(read_error)
}

fn column(row: Row) -> Result<SourceColumn, ReadError> {
    let row = mysql_async::from_row_opt::<(String, String, String, Option<u32>, Option<u32>, bool)>(row);
    let (name, data_type, full_type, precision, scale, nullable) =
        row.map_err(|error| anyhow!("the catalog's answer: {error}"))?;
    Ok(SourceColumn { name, data_type, full_type, precision, scale, nullable })
}
