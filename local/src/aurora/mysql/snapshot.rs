//! A snapshot: a copy of every database in databases of its own, `snap1__shop` for `shop`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result};
use futures_util::future::BoxFuture;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::mpsc;

use super::{MariaDb, quote, quoted};
use crate::export::{ColumnType, Row, TableSchema};

/// How many rows travel together from the server to whoever reads a table.
const ROWS_TOGETHER: usize = 1_000;

#[derive(Clone)]
pub struct Snapshot {
    server: Arc<MariaDb>,
    number: u32,
}

impl Snapshot {
    pub(in crate::aurora) async fn take(server: Arc<MariaDb>) -> Result<Self> {
        let number = server.snapshots.fetch_add(1, Ordering::Relaxed) + 1;
        let snapshot = Self { server, number };
        let databases = snapshot.server.databases().await?;
        let mut connection = snapshot.server.connection().await?;
        let mut copies = Vec::new();
        for database in databases {
            copies.extend(snapshot.shadow(&mut connection, &database).await?);
        }
        snapshot.copy(&mut connection, &copies).await.context("copy the tables into the snapshot")?;
        Ok(snapshot)
    }

    /// Makes the empty copies of a database's tables: (from, to, columns).
    async fn shadow(&self, connection: &mut Conn, database: &str) -> Result<Vec<(String, String, String)>> {
        let shadow = self.shadow_name(database);
        connection.query_drop(format!("CREATE DATABASE {}", quote(&shadow))).await.context("make a snapshot")?;
        let tables: Vec<String> = connection
            .exec(
                "SELECT table_name FROM information_schema.tables \
                 WHERE table_schema = ? AND table_type = 'BASE TABLE' ORDER BY table_name",
                (database,),
            )
            .await?;
        let mut copies = Vec::new();
        for table in tables {
            let (from, to) = (quoted(database, &table), quoted(&shadow, &table));
            let columns = written_columns(connection, database, &table).await?;
            connection.query_drop(format!("CREATE TABLE {to} LIKE {from}")).await.context("make a snapshot")?;
            copies.push((from, to, columns));
        }
        Ok(copies)
    }

    /// All tables are locked at once, so that the copy is of one moment.
    async fn copy(&self, connection: &mut Conn, copies: &[(String, String, String)]) -> Result<()> {
        if copies.is_empty() {
            return Ok(());
        }
        let locks: Vec<String> = copies.iter().map(|(from, to, _)| format!("{from} READ, {to} WRITE")).collect();
        connection.query_drop(format!("LOCK TABLES {}", locks.join(", "))).await?;
        connection.query_drop("SET unique_checks = 0, foreign_key_checks = 0").await?;
        for (from, to, columns) in copies {
            let copy = format!("INSERT INTO {to} ({columns}) SELECT {columns} FROM {from}");
            connection.query_drop(copy).await.with_context(|| format!("copy {from}"))?;
        }
        connection.query_drop("UNLOCK TABLES; SET unique_checks = 1, foreign_key_checks = 1").await?;
        Ok(())
    }

    /// Every table of every database, in the order of their names.
    pub(in crate::aurora) async fn tables(&self) -> Result<Vec<TableSchema>> {
        let mut connection = self.server.connection().await?;
        let columns: Vec<(String, String, Option<String>, Option<String>)> = connection
            .exec(
                "SELECT t.table_schema, t.table_name, c.column_name, c.column_type FROM information_schema.tables t \
                 LEFT JOIN information_schema.columns c USING (table_schema, table_name) \
                 WHERE t.table_schema LIKE ? AND t.table_type = 'BASE TABLE' \
                 ORDER BY t.table_schema, t.table_name, c.ordinal_position",
                (format!("{}%", self.shadow_name("").replace('_', "\\_")),),
            )
            .await
            .context("read the tables of a snapshot")?;
        let mut tables: Vec<TableSchema> = Vec::new();
        for (shadow, table, column, kind) in columns {
            let database = shadow[self.shadow_name("").len()..].to_owned();
            let (Some(column), Some(kind)) = (column, kind) else { continue };
            let column = (column, ColumnType::of_mysql(&kind));
            match tables.last_mut().filter(|last| last.database == database && last.table == table) {
                Some(last) => last.columns.push(column),
                None => tables.push(TableSchema::of_mysql(&database, &table, vec![column])),
            }
        }
        Ok(tables)
    }

    /// Sends the rows of a table in chunks; ends early when nobody listens any more.
    pub(in crate::aurora) fn rows(
        self,
        table: TableSchema,
        to: mpsc::Sender<Vec<Row>>,
    ) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            let mut connection = self.server.connection().await?;
            let sql = format!("SELECT * FROM {}", quoted(&self.shadow_name(&table.database), &table.table));
            let what = || format!("read {}.{} from the snapshot", table.database, table.table);
            // The binary protocol: values arrive typed, and row by row.
            let mut rows = connection.exec_iter(sql, ()).await.with_context(what)?;
            let mut chunk = Vec::with_capacity(ROWS_TOGETHER);
            while let Some(row) = rows.next().await.with_context(what)? {
                chunk.push(row.unwrap());
                if chunk.len() == ROWS_TOGETHER && to.send(std::mem::take(&mut chunk)).await.is_err() {
                    return Ok(());
                }
            }
            let _ = to.send(chunk).await;
            Ok(())
        })
    }

    fn shadow_name(&self, database: &str) -> String {
        format!("snap{}__{database}", self.number)
    }
}

/// Generated columns are computed again in the copy and cannot be written.
async fn written_columns(connection: &mut Conn, database: &str, table: &str) -> Result<String> {
    let columns: Vec<String> = connection
        .exec(
            "SELECT column_name FROM information_schema.columns \
             WHERE table_schema = ? AND table_name = ? AND is_generated = 'NEVER' ORDER BY ordinal_position",
            (database, table),
        )
        .await?;
    Ok(columns.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", "))
}

pub(super) fn is_system(database: &str) -> bool {
    let snapshot = database.strip_prefix("snap").and_then(|rest| rest.split_once("__"));
    snapshot.is_some_and(|(number, _)| number.parse::<u32>().is_ok())
        || ["information_schema", "mysql", "performance_schema", "sys"].contains(&database)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_and_the_servers_own_databases_are_not_the_users() {
        for system in ["mysql", "sys", "information_schema", "snap1__shop", "snap12__a__b"] {
            assert!(is_system(system), "{system}");
        }
        for own in ["shop", "snapshots", "snap__x", "snapx__y"] {
            assert!(!is_system(own), "{own}");
        }
    }
}
