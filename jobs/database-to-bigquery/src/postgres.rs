//! Aurora PostgreSQL and PostgreSQL: one short read-only transaction for each table, its rows by binary COPY.

mod catalog;
mod connect;
mod copy;
mod error;
mod sql;
mod value;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use handoff::TableName;
use tokio::time::timeout;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::address::Server;
use crate::catalog::SourceTable;
use crate::columns::{Column, Selection, select};
use crate::extracts::Engine;
use crate::order::{Extract, Order, ReadError};
use crate::sheet::{Batches, Losses, Sheet};

use connect::connect;
use copy::Tuples;
use error::read_error;
use value::Wire;

/// How long the table may be held by somebody else, such as an `ALTER TABLE`.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Reads a table in one snapshot. The transaction has ended when this returns, whatever came of it: the connection is
/// closed with it.
pub async fn extract(server: &Server, order: &Order<'_>) -> Result<Extract, ReadError> {
    let (read, transaction) = {
        let connection = connect(server).await?;
        let began = Instant::now();
        let read = timeout(order.table.max_time, transaction(&connection.client, order)).await;
        let read = read.map_err(|_| ReadError::TooLong)??;
        connection.client.batch_execute("ROLLBACK").await.map_err(read_error)?;
        (read, began.elapsed())
    };
    let rows = read.rows.close().await?;
    let keys = match read.keys {
        Some(keys) => Some(keys.close().await?),
        None => None,
    };
    let (selection, losses, counted) = (read.selection, read.losses, Some(read.counted));
    let (snapshot_time, watermark) = (read.snapshot_time, read.watermark);
    Ok(Extract { rows, counted, losses, keys, selection, snapshot_time, watermark, transaction })
}

/// What one snapshot gave; the files may still be in the making.
struct Taken {
    rows: Batches,
    counted: u64,
    losses: Losses,
    keys: Option<Batches>,
    selection: Selection,
    snapshot_time: DateTime<Utc>,
    watermark: Option<String>,
}

async fn transaction(client: &Client, order: &Order<'_>) -> Result<Taken, ReadError> {
    let table = order.table;
    let lockable = catalog::is_lockable(client, &table.source).await?;
    client.batch_execute(&sql::settings(table.max_time, LOCK_WAIT)).await.map_err(read_error)?;
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(read_error)?;
    if lockable {
        // Before the snapshot: one that is older than a rewrite of the table would see no row of it, and count none.
        client.batch_execute(&sql::lock(&table.source)).await.map_err(read_error)?;
    }
    let snapshot_time = clock(client).await?;
    let source = catalog::table(client, &table.source).await?;
    order.announce(&source)?;
    let selection = select(&source, table, Engine::Postgres)?;
    let condition = sql::condition(table, selection.cursor.as_ref(), order.since);
    let sheet = Sheet::new(&selection.columns, order.hmac, order.dir, Arc::clone(&order.meter))?;
    let (rows, losses) = read(client, &selection.columns, &table.source, &condition, sheet).await?;
    let count = sql::count(&table.source, selection.cursor.as_ref(), &condition);
    let (counted, watermark) = count_of(client, &count).await?;
    let keys = if order.keys { Some(keys(client, order, &selection).await?) } else { None };
    Ok(Taken { rows, counted, losses, keys, selection, snapshot_time, watermark })
}

/// All primary keys of the snapshot.
async fn keys(client: &Client, order: &Order<'_>, selection: &Selection) -> Result<Batches, ReadError> {
    let (table, columns) = (order.table, selection.key_columns());
    let sheet = Sheet::new(&columns, order.hmac, order.dir, Arc::clone(&order.meter))?;
    let (keys, losses) = read(client, &columns, &table.source, &sql::condition(table, None, None), sheet).await?;
    if losses.rejected > 0 || losses.all_nulled() > 0 {
        return Err(anyhow!("a primary key cannot be carried: {}", losses.reasons.join(", ")).into());
    }
    Ok(keys)
}

async fn read(
    client: &Client,
    columns: &[Column],
    table: &TableName,
    condition: &str,
    mut sheet: Sheet,
) -> Result<(Batches, Losses), ReadError> {
    let wires: Vec<Wire> = columns.iter().map(Wire::of).collect();
    let stream = client.copy_out(&sql::copy(table, columns, condition)).await.map_err(read_error)?;
    let (mut stream, mut tuples) = (pin!(stream), Tuples::new(columns.len()));
    while let Some(bytes) = stream.try_next().await.map_err(read_error)? {
        tuples.push(&bytes);
        while tuples.advance()? {
            sheet.row(|index, cells| wires[index].append(cells, tuples.field(index))).await?;
        }
    }
    tuples.ended()?;
    Ok(sheet.end().await?)
}

/// The beginning of the transaction, by the server's clock: just before the snapshot.
async fn clock(client: &Client) -> Result<DateTime<Utc>, ReadError> {
    let row = client.query_one("SELECT (EXTRACT(EPOCH FROM now()) * 1000000)::int8", &[]).await.map_err(read_error)?;
    let micros: i64 = row.try_get(0).map_err(read_error)?;
    Ok(DateTime::from_timestamp_micros(micros).context("the server's clock")?)
}

async fn count_of(client: &Client, sql: &str) -> Result<(u64, Option<String>), ReadError> {
    let row = client.query_one(sql, &[]).await.map_err(read_error)?;
    let count: i64 = row.try_get(0).map_err(read_error)?;
    let watermark = row.try_get(1).map_err(read_error)?;
    Ok((u64::try_from(count).context("COUNT(*)")?, watermark))
}

/// What the catalog says of a table.
pub async fn describe(server: &Server, table: &TableName) -> Result<SourceTable, ReadError> {
    let connection = connect(server).await?;
    catalog::table(&connection.client, table).await
}

/// Whether the user may read the table, without reading any of it.
pub async fn may_read(server: &Server, table: &TableName) -> Result<(), ReadError> {
    let connection = connect(server).await?;
    connection.client.batch_execute(&sql::touch(table)).await.map_err(read_error)
}

/// The tables and views, as the list names them, with the database's guess of their rows.
pub async fn tables(server: &Server) -> Result<Vec<(String, u64)>, ReadError> {
    let connection = connect(server).await?;
    catalog::tables(&connection.client).await
}

/// The cipher of the connection; none without TLS.
pub async fn cipher(server: &Server) -> Result<Option<String>, ReadError> {
    let connection = connect(server).await?;
    let sql = "SELECT cipher FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()";
    let messages = connection.client.simple_query(sql).await.map_err(read_error)?;
    let cipher = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(cipher)
}
