//! What an export reads: a snapshot of the real database, or tables kept in memory for tests that need no database.

use std::sync::Arc;

use anyhow::Result;
/// A cell of a row: `7.into()`, `"x".into()`, `Cell::NULL`.
pub use mysql_async::Value as Cell;
use mysql_async::Value;
use tokio::sync::mpsc;

use super::ColumnType;
use crate::aurora::AuroraSnapshot;

pub type Row = Vec<Value>;

/// Chunks of rows that wait between the reader and the writer of a table.
const CHUNKS_WAITING: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    pub database: String,
    pub table: String,
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
        let columns = columns.iter().map(|(name, kind)| ((*name).to_owned(), ColumnType::parse(kind))).collect();
        Self { schema: TableSchema { database: database.into(), table: table.into(), columns }, rows }
    }

    /// A table of `rows` rows: `id bigint`, `name varchar(64)`.
    pub fn numbered(database: &str, table: &str, rows: i64) -> Self {
        let row = |id: i64| vec![Value::Int(id), Value::from(format!("name {id}"))];
        let columns = [("id", "bigint"), ("name", "varchar(64)")];
        Self::new(database, table, &columns, (1..=rows).map(row).collect())
    }
}

impl TableSchema {
    /// `shop.shop.orders`: for MySQL the schema is the database again.
    pub(super) fn target(&self) -> String {
        format!("{0}.{0}.{1}", self.database, self.table)
    }

    /// Why RDS would not export the table. Source: Aurora user guide, "Considerations for DB cluster snapshot exports".
    pub(super) fn skipped_because(&self) -> Option<String> {
        if self.table.contains('/') {
            return Some("The table name contains a slash".into());
        }
        let unsupported = |name: &str| name.contains([',', ';', '{', '}', '(', ')', '\n', '\t', '=', ' ']);
        let (column, _) = self.columns.iter().find(|(name, _)| unsupported(name))?;
        Some(format!("The column name {column:?} contains unsupported characters"))
    }
}

impl Source {
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
