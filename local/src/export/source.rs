//! What an export reads: a snapshot of the real database, or tables kept in memory for tests that need no database.

use std::sync::Arc;

use anyhow::Result;
/// A cell of a row: `7.into()`, `"x".into()`, `Cell::NULL`.
pub use mysql_async::Value as Cell;
use mysql_async::Value;
use tokio::sync::mpsc;

use super::ColumnType;
use crate::aurora::{AuroraSnapshot, Engine};

pub type Row = Vec<Value>;

/// Chunks of rows that wait between the reader and the writer of a table.
const CHUNKS_WAITING: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    pub database: String,
    /// MySQL has none.
    pub schema: Option<String>,
    pub table: String,
    /// PostgreSQL does not log it, so a snapshot may be without its rows.
    pub unlogged: bool,
    pub columns: Vec<(String, ColumnType)>,
}

/// A table that lives in memory.
#[derive(Debug, Clone)]
pub struct Table {
    pub schema: TableSchema,
    pub rows: Vec<Row>,
}

#[derive(Clone)]
pub enum Source {
    Aurora(AuroraSnapshot),
    Tables(Arc<Vec<Table>>),
}

impl Table {
    /// `columns` are names and types as MySQL writes them: `("id", "bigint unsigned")`.
    pub fn new(database: &str, table: &str, columns: &[(&str, &str)], rows: Vec<Row>) -> Self {
        let columns = columns.iter().map(|(name, kind)| ((*name).to_owned(), ColumnType::of_mysql(kind))).collect();
        Self { schema: TableSchema::of_mysql(database, table, columns), rows }
    }

    /// A table of `rows` rows: `id bigint`, `name varchar(64)`.
    pub fn numbered(database: &str, table: &str, rows: i64) -> Self {
        let row = |id: i64| vec![Value::Int(id), Value::from(format!("name {id}"))];
        let columns = [("id", "bigint"), ("name", "varchar(64)")];
        Self::new(database, table, &columns, (1..=rows).map(row).collect())
    }
}

impl TableSchema {
    pub fn of_mysql(database: &str, table: &str, columns: Vec<(String, ColumnType)>) -> Self {
        Self { database: database.into(), schema: None, table: table.into(), unlogged: false, columns }
    }

    pub fn of_postgres(database: &str, schema: &str, table: &str, columns: Vec<(String, ColumnType)>) -> Self {
        Self { schema: Some(schema.into()), ..Self::of_mysql(database, table, columns) }
    }

    /// For MySQL RDS names the database again.
    pub(crate) fn schema_name(&self) -> &str {
        self.schema.as_deref().unwrap_or(&self.database)
    }

    /// `shop.shop.orders`, `app.public.users`
    pub(crate) fn target(&self) -> String {
        format!("{}.{}.{}", self.database, self.schema_name(), self.table)
    }

    /// Why RDS would not export the table. Source: Aurora user guide, "Considerations for DB cluster snapshot exports".
    pub(super) fn skipped_because(&self) -> Option<String> {
        if self.table.contains('/') {
            return Some("The table name contains a slash".into());
        }
        if self.unlogged {
            return Some("The table is unlogged".into());
        }
        let unsupported = |name: &str| name.contains([',', ';', '{', '}', '(', ')', '\n', '\t', '=', ' ']);
        let (column, _) = self.columns.iter().find(|(name, _)| unsupported(name))?;
        Some(format!("The column name {column:?} contains unsupported characters"))
    }
}

impl Source {
    /// Tables in memory are MySQL's where nothing says otherwise.
    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Aurora(snapshot) => snapshot.engine(),
            Self::Tables(tables) if tables.iter().any(|table| table.schema.schema.is_some()) => Engine::Postgres,
            Self::Tables(_) => Engine::Mysql,
        }
    }

    /// Databases that the list of tables names without any table.
    pub(super) fn unlisted(&self) -> Vec<String> {
        match self {
            Self::Aurora(snapshot) => snapshot.unlisted(),
            Self::Tables(_) => Vec::new(),
        }
    }

    pub(crate) async fn tables(&self) -> Result<Vec<TableSchema>> {
        match self {
            Self::Aurora(snapshot) => snapshot.tables().await,
            Self::Tables(tables) => Ok(tables.iter().map(|table| table.schema.clone()).collect()),
        }
    }

    /// The rows of a table in chunks, read while the last ones are written; the handle says how the reading ended.
    pub(super) fn rows(&self, table: &TableSchema) -> (mpsc::Receiver<Vec<Row>>, tokio::task::JoinHandle<Result<()>>) {
        let (to, rows) = mpsc::channel(CHUNKS_WAITING);
        let (source, table) = (self.clone(), table.clone());
        let reading = tokio::spawn(async move {
            match source {
                Self::Aurora(snapshot) => snapshot.rows(table, to).await,
                Self::Tables(tables) => {
                    let found = tables.iter().find(|candidate| candidate.schema == table);
                    for chunk in found.map_or(&[][..], |table| &table.rows).chunks(1_000) {
                        if to.send(chunk.to_vec()).await.is_err() {
                            break;
                        }
                    }
                    Ok(())
                }
            }
        });
        (rows, reading)
    }
}
