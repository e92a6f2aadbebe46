//! Aurora MySQL, MySQL and MariaDB: one short read-only transaction for each table.

mod catalog;
mod connect;
mod error;
mod sql;
mod value;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use chrono::{DateTime, NaiveDateTime, Utc};
use handoff::TableName;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::time::timeout;
use tracing::warn;

use crate::address::Server;
use crate::catalog::SourceTable;
use crate::columns::{Selection, select};
use crate::extracts::Engine;
use crate::order::{Extract, Order, ReadError};
use crate::sheet::{Batches, Losses, Sheet};

use connect::connect;
use error::read_error;

/// How long the table may be held by somebody else, such as an `ALTER TABLE`.
const LOCK_WAIT_SECONDS: u64 = 10;
/// What the client may take to fetch rows before the server gives it up.
const NET_WRITE_SECONDS: u64 = 600;
/// For a call that reads no rows.
const CALL: Duration = Duration::from_secs(30);

/// Reads a table in one snapshot. The transaction has ended when this returns, whatever came of it.
pub async fn extract(server: &Server, order: &Order<'_>) -> Result<Extract, ReadError> {
    let limit = order.table.max_time;
    let mut conn = connect(server).await?;
    let (id, began) = (conn.id(), Instant::now());
    let done = timeout(limit, transaction(&mut conn, order)).await;
    let read = match done {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => {
            // Whether or not the server still hears it: without the connection there is no transaction.
            let _ = timeout(CALL, conn.query_drop("ROLLBACK")).await;
            let _ = timeout(CALL, conn.disconnect()).await;
            return Err(error);
        }
        Err(_) => {
            kill(server, id).await;
            return Err(ReadError::TooLong);
        }
    };
    conn.query_drop("ROLLBACK").await.map_err(read_error)?;
    let transaction = began.elapsed();
    let _ = timeout(CALL, conn.disconnect()).await;
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

async fn transaction(conn: &mut Conn, order: &Order<'_>) -> Result<Taken, ReadError> {
    let table = order.table;
    let snapshot_time = begin(conn, table.max_time).await?;
    // Takes the metadata lock: from here on the table keeps its definition, so the catalog says what the rows are.
    conn.query_drop(sql::touch(&table.source)).await.map_err(read_error)?;
    let source = catalog::table(conn, &table.source).await?;
    order.announce(&source)?;
    let selection = select(&source, table, Engine::Mysql)?;
    let condition = sql::condition(table, selection.cursor.as_ref(), order.since);
    let select = sql::rows(&table.source, &selection.columns, &condition);
    let sheet = Sheet::new(&selection.columns, order.hmac, order.dir, Arc::clone(&order.meter))?;
    let (rows, losses) = read(conn, &select, sheet).await?;
    let count = sql::count(&table.source, selection.cursor.as_ref(), &condition);
    let counted: Option<(u64, Option<String>)> = conn.query_first(count).await.map_err(read_error)?;
    let (counted, watermark) = counted.context("COUNT(*) gave no row")?;
    let keys = if order.keys { Some(keys(conn, order, &selection).await?) } else { None };
    Ok(Taken { rows, counted, losses, keys, selection, snapshot_time, watermark })
}

/// All primary keys of the snapshot.
async fn keys(conn: &mut Conn, order: &Order<'_>, selection: &Selection) -> Result<Batches, ReadError> {
    let columns = selection.key_columns();
    let select = sql::rows(&order.table.source, &columns, &sql::condition(order.table, None, None));
    let sheet = Sheet::new(&columns, order.hmac, order.dir, Arc::clone(&order.meter))?;
    let (keys, losses) = read(conn, &select, sheet).await?;
    if losses.rejected > 0 || losses.all_nulled() > 0 {
        return Err(anyhow!("a primary key cannot be carried: {}", losses.reasons.join(", ")).into());
    }
    Ok(keys)
}

/// Opens the snapshot. The time is the server's, from just before it.
async fn begin(conn: &mut Conn, limit: Duration) -> Result<DateTime<Utc>, ReadError> {
    let version: Option<String> = conn.query_first("SELECT VERSION()").await.map_err(read_error)?;
    let maria = version.is_some_and(|version| version.contains("MariaDB"));
    // The server ends a statement that outlives us.
    let statement_limit = if maria {
        format!("max_statement_time = {}", limit.as_secs())
    } else {
        format!("max_execution_time = {}", limit.as_millis())
    };
    conn.query_drop(format!(
        "SET time_zone = '+00:00', sql_mode = '', lock_wait_timeout = {LOCK_WAIT_SECONDS}, \
         net_write_timeout = {NET_WRITE_SECONDS}, {statement_limit}"
    ))
    .await
    .map_err(read_error)?;
    conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await.map_err(read_error)?;
    let now: Option<String> = conn.query_first("SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)").await.map_err(read_error)?;
    conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await.map_err(read_error)?;
    let now = now.unwrap_or_default();
    let now = NaiveDateTime::parse_from_str(&now, "%Y-%m-%d %H:%M:%S%.f");
    Ok(now.context("the server's clock")?.and_utc())
}

/// Streams by the binary protocol: as text, a FLOAT of 16777216 arrives as 16777200.
async fn read(conn: &mut Conn, select: &str, mut sheet: Sheet) -> Result<(Batches, Losses), ReadError> {
    let mut result = conn.exec_iter(select, ()).await.map_err(read_error)?;
    while let Some(row) = result.next().await.map_err(read_error)? {
        let mut values = row.unwrap().into_iter();
        sheet.row(|_, cells| value::append(cells, values.next())).await?;
    }
    Ok(sheet.end().await?)
}

/// The driver reads a result to its end before it closes a connection; the server is quicker.
async fn kill(server: &Server, id: u32) {
    let killed = timeout(CALL, async {
        let mut conn = connect(server).await?;
        conn.query_drop(format!("KILL {id}")).await.map_err(read_error)?;
        conn.disconnect().await.map_err(read_error)
    });
    let why = match killed.await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => startup::with_causes(&error),
        Err(_) => format!("no answer within {} s", CALL.as_secs()),
    };
    warn!("connection {id} of {} was not ended, its statement limit will do it: {why}", server.address);
}

/// What the catalog says of a table; none where there is no such table.
pub async fn describe(server: &Server, table: &TableName) -> Result<SourceTable, ReadError> {
    let mut conn = connect(server).await?;
    let described = catalog::table(&mut conn, table).await;
    let _ = timeout(CALL, conn.disconnect()).await;
    described
}

/// Whether the user may read the table, without reading any of it.
pub async fn may_read(server: &Server, table: &TableName) -> Result<(), ReadError> {
    let mut conn = connect(server).await?;
    let touched = conn.query_drop(sql::touch(table)).await.map_err(read_error);
    let _ = timeout(CALL, conn.disconnect()).await;
    touched
}

/// The tables and views of the database, in the order of their names, with the database's guess of their rows.
pub async fn tables(server: &Server) -> Result<Vec<(String, u64)>, ReadError> {
    let mut conn = connect(server).await?;
    let tables = catalog::tables(&mut conn).await;
    let _ = timeout(CALL, conn.disconnect()).await;
    tables
}

/// The cipher of the connection; none without TLS.
pub async fn cipher(server: &Server) -> Result<Option<String>, ReadError> {
    let mut conn = connect(server).await?;
    let status: Option<(String, String)> =
        conn.query_first("SHOW SESSION STATUS LIKE 'Ssl_cipher'").await.map_err(read_error)?;
    let _ = timeout(CALL, conn.disconnect()).await;
    Ok(status.map(|(_, cipher)| cipher).filter(|cipher| !cipher.is_empty()))
}
