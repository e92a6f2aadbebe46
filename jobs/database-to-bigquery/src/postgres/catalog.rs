//! `pg_catalog`: what it says of a table.

use anyhow::anyhow;
use handoff::TableName;
use tokio_postgres::{Client, Row};

use super::error::read_error;
use crate::catalog::{SourceColumn, SourceTable};
use crate::order::ReadError;

/// A domain is the type below it. A number's precision and scale are packed into its modifier; a scale below zero only
/// makes the number longer.
const COLUMNS: &str = "
    SELECT a.attname::text,
      CASE WHEN t.typcategory = 'A' THEN '_list' WHEN t.typtype = 'c' THEN 'record' ELSE t.typname::text END,
      pg_catalog.format_type(a.atttypid, a.atttypmod),
      CASE WHEN t.typname = 'numeric' AND b.mod > 0 THEN
        ((b.mod - 4) >> 16 & 65535) - least(((b.mod - 4) & 2047 # 1024) - 1024, 0) END,
      CASE WHEN t.typname = 'numeric' AND b.mod > 0 THEN greatest(((b.mod - 4) & 2047 # 1024) - 1024, 0) END,
      NOT a.attnotnull
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN LATERAL (
      WITH RECURSIVE below(id, mod) AS (
        SELECT a.atttypid, a.atttypmod
        UNION ALL
        SELECT d.typbasetype, d.typtypmod FROM below JOIN pg_catalog.pg_type d ON d.oid = below.id WHERE d.typtype = 'd'
      )
      SELECT below.id, below.mod FROM below JOIN pg_catalog.pg_type d ON d.oid = below.id WHERE d.typtype <> 'd'
    ) b ON true
    JOIN pg_catalog.pg_type t ON t.oid = b.id
    WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum";
/// Each index's columns in its order, the primary key first.
const INDEXES: &str = "
    SELECT i.indisprimary, k.place, a.attname::text
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    WHERE n.nspname = $1 AND c.relname = $2 AND i.indisvalid AND k.place <= i.indnkeyatts
    ORDER BY i.indisprimary DESC, i.indexrelid, k.place";
const SIZES: &str = "
    SELECT greatest(c.reltuples, 0)::int8, coalesce(pg_catalog.pg_table_size(c.oid), 0)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2";
/// Tables, partitioned tables and views can be locked; materialized views and foreign tables cannot.
const LOCKABLE: &str = "
    SELECT c.relkind IN ('r', 'p', 'v')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2";
/// Partitions are read by their table.
const TABLES: &str = "
    SELECT CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END,
      greatest(c.reltuples, 0)::int8
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
    ORDER BY 1";

pub async fn table(client: &Client, name: &TableName) -> Result<SourceTable, ReadError> {
    let columns = of(client, COLUMNS, name).await?;
    let columns: Vec<SourceColumn> = columns.iter().map(column).collect::<Result<_, _>>().map_err(read_error)?;
    if columns.is_empty() {
        return Err(anyhow!("there is no table {name}, or the user may not see it").into());
    }
    let (mut primary_key, mut indexed) = (Vec::new(), Vec::new());
    for row in of(client, INDEXES, name).await? {
        let (primary, place, column) = index(&row).map_err(read_error)?;
        if primary {
            primary_key.push(column.clone());
        }
        if place == 1 {
            indexed.push(column);
        }
    }
    let sizes = of(client, SIZES, name).await?;
    let size = |n| sizes.first().and_then(|row| row.try_get::<_, i64>(n).ok()?.try_into().ok()).unwrap_or_default();
    let (rows, bytes) = (size(0), size(1));
    Ok(SourceTable { name: name.clone(), columns, primary_key, indexed, rows, bytes })
}

pub async fn is_lockable(client: &Client, name: &TableName) -> Result<bool, ReadError> {
    let found = of(client, LOCKABLE, name).await?;
    Ok(found.first().is_some_and(|row| row.try_get(0).unwrap_or_default()))
}

pub async fn tables(client: &Client) -> Result<Vec<(String, u64)>, ReadError> {
    let rows = client.query(TABLES, &[]).await.map_err(read_error)?;
    let table = |row: &Row| Ok((row.try_get(0)?, row.try_get::<_, i64>(1)?.try_into().unwrap_or_default()));
    rows.iter().map(table).collect::<Result<_, _>>().map_err(read_error)
}

async fn of(client: &Client, sql: &str, name: &TableName) -> Result<Vec<Row>, ReadError> {
    client.query(sql, &[&name.schema(), &name.table()]).await.map_err(read_error)
}

fn index(row: &Row) -> Result<(bool, i64, String), tokio_postgres::Error> {
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}

fn column(row: &Row) -> Result<SourceColumn, tokio_postgres::Error> {
    let number = |n| row.try_get::<_, Option<i32>>(n).map(|number| number.and_then(|number| number.try_into().ok()));
    Ok(SourceColumn {
        name: row.try_get(0)?,
        data_type: row.try_get(1)?,
        full_type: row.try_get(2)?,
        precision: number(3)?,
        scale: number(4)?,
        nullable: row.try_get(5)?,
    })
}
