//! A snapshot: a copy of every table, in a schema of its own beside the application's.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result};
use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::cell::cell;
use super::{PostgreSql, quote};
use crate::export::{ColumnType, Row, TableSchema};

/// How many rows travel together from the server to whoever reads a table.
const ROWS_TOGETHER: usize = 1_000;

/// The tables of an application, with their columns as `information_schema` words them. A partition is a part of its
/// table; temporary tables are in no snapshot.
const TABLES: &str = r"
SELECT n.nspname, c.relname, c.relpersistence, i.column_name, i.data_type, i.domain_name,
       i.character_maximum_length, i.numeric_precision, i.datetime_precision
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN information_schema.columns i ON i.table_schema = n.nspname AND i.table_name = c.relname
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT LIKE 'isthmus\_snapshot\_%'
ORDER BY n.nspname, c.relname, i.ordinal_position";

#[derive(Clone)]
pub struct Snapshot(Arc<Contents>);

struct Contents {
    server: Arc<PostgreSql>,
    number: u32,
    databases: Vec<String>,
    /// The copy of each is named by its place here, because a name made of names could be too long for PostgreSQL.
    tables: Vec<TableSchema>,
}

impl Snapshot {
    /// Of one moment in each database; databases are copied one after another.
    pub(in crate::aurora) async fn take(server: Arc<PostgreSql>) -> Result<Self> {
        let number = server.snapshots.fetch_add(1, Ordering::Relaxed) + 1;
        let databases = server.all_databases().await?;
        let mut tables = Vec::new();
        for database in &databases {
            let what = || format!("copy the database {database} into a snapshot");
            let client = server.connect(database).await?;
            client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await.with_context(what)?;
            let found = tables_of(&client, database).await.with_context(what)?;
            client.batch_execute(&copies(number, tables.len(), &found)).await.with_context(what)?;
            client.batch_execute("COMMIT").await.with_context(what)?;
            tables.extend(found);
        }
        Ok(Self(Arc::new(Contents { server, number, databases, tables })))
    }

    pub(in crate::aurora) fn tables(&self) -> Vec<TableSchema> {
        self.0.tables.clone()
    }

    pub(in crate::aurora) fn without_tables(&self) -> Vec<String> {
        let has_table = |database: &&String| self.0.tables.iter().any(|table| table.database == **database);
        self.0.databases.iter().filter(|database| !has_table(database)).cloned().collect()
    }

    pub(in crate::aurora) fn rows(
        self,
        table: TableSchema,
        to: mpsc::Sender<Vec<Row>>,
    ) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            let what = || format!("read {} from the snapshot", table.target());
            let place = self.0.tables.iter().position(|candidate| *candidate == table).with_context(what)?;
            let client = self.0.server.connect(&table.database).await?;
            // The simple protocol: the texts that RDS writes for most types, row by row.
            let sql = format!("SELECT * FROM {}", copy(self.0.number, place));
            let mut messages = pin!(client.simple_query_raw(&sql).await.with_context(what)?);
            let mut chunk = Vec::with_capacity(ROWS_TOGETHER);
            while let Some(message) = messages.try_next().await.with_context(what)? {
                let SimpleQueryMessage::Row(row) = message else { continue };
                let cells = table.columns.iter().enumerate();
                let cells = cells.map(|(index, (_, kind))| cell(row.try_get(index)?, kind.exported));
                chunk.push(cells.collect::<Result<Row>>().with_context(what)?);
                if chunk.len() == ROWS_TOGETHER && to.send(std::mem::take(&mut chunk)).await.is_err() {
                    return Ok(());
                }
            }
            let _ = to.send(chunk).await;
            Ok(())
        })
    }
}

async fn tables_of(client: &Client, database: &str) -> Result<Vec<TableSchema>> {
    let mut tables: Vec<TableSchema> = Vec::new();
    for row in super::rows(client, TABLES).await? {
        let text = |index: usize| row[index].as_deref().unwrap_or_default();
        let number = |index: usize| text(index).parse().unwrap_or(0);
        let kind = ColumnType {
            char_max_length: number(6),
            num_precision: number(7),
            datetime_precision: number(8),
            ..ColumnType::of_postgres(text(4), row[5].is_some())
        };
        let column = (text(3).to_owned(), kind);
        let table = TableSchema {
            database: database.to_owned(),
            schema: Some(text(0).to_owned()),
            table: text(1).to_owned(),
            unlogged: text(2) == "u",
            columns: Vec::new(),
        };
        match tables.last_mut().filter(|last| (&last.schema, &last.table) == (&table.schema, &table.table)) {
            Some(last) => last.columns.push(column),
            None => tables.push(TableSchema { columns: vec![column], ..table }),
        }
    }
    Ok(tables)
}

/// Nobody reads the rows of an unlogged table: RDS leaves it out.
fn copies(number: u32, first: usize, tables: &[TableSchema]) -> String {
    let copies = tables.iter().enumerate().map(|(index, table)| {
        let from = format!("{}.{}", quote(table.schema_name()), quote(&table.table));
        let rows = if table.unlogged { "WITH NO DATA" } else { "WITH DATA" };
        format!("CREATE TABLE {} AS TABLE {from} {rows};", copy(number, first + index))
    });
    format!("CREATE SCHEMA {};", schema(number)) + &copies.collect::<String>()
}

fn copy(number: u32, place: usize) -> String {
    format!("{}.\"{place}\"", schema(number))
}

fn schema(number: u32) -> String {
    format!("isthmus_snapshot_{number}")
}
