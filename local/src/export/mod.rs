//! RDS's export engine: the tables of a snapshot as Parquet in a bucket, in the layout, with the names, the information
//! files and the types of the real one.

mod info;
mod layout;
mod only;
mod part;
mod source;
mod types;
mod value;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::task::JoinSet;

use crate::s3::Store;
use info::Outcome;
use part::Part;

pub use only::check_only;
pub use source::{Cell, Row, Source, Table, TableSchema};
pub use types::{ColumnType, Exported};

/// How many tables are exported at a time.
const TABLES_AT_ONCE: usize = 2;

/// How many parts of one table are encoded while more rows are read.
const PARTS_AT_ONCE: usize = 2;

/// One export task, as `StartExportTask` asked for it.
#[derive(Debug, Clone)]
pub struct Export {
    pub task: String,
    pub source_arn: String,
    /// A live cluster has none.
    pub snapshot_time: Option<DateTime<Utc>>,
    pub bucket: String,
    pub prefix: String,
    pub role_arn: String,
    pub kms_key_id: String,
    pub only: Vec<String>,
    pub sizes: Sizes,
}

/// When a table is split.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// A table with more rows has several batches: `1/`, `2/`, …
    pub batch_rows: usize,
    pub part_rows: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { batch_rows: 100_000, part_rows: 40_000 }
    }
}

/// What a finished export says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exporting {
    pub bytes: u64,
    /// JSON about skipped tables.
    pub warning: Option<String>,
}

impl Export {
    pub fn is_of_a_live_cluster(&self) -> bool {
        self.source_arn.split(':').nth(5) == Some("cluster")
    }

    /// Writes everything; the information files come last. `progress` is told the percentage done.
    pub async fn run(&self, source: &Source, store: &Store, progress: impl Fn(u8)) -> Result<Exporting> {
        let (began, root) = (Utc::now(), layout::root(&self.prefix, &self.task));
        let tables = source.tables().await?;
        let tables: Vec<TableSchema> = tables.into_iter().filter(|table| only::chosen(&self.only, table)).collect();
        let total = tables.len();
        let exports = stream::iter(tables).map(|table| self.table(source, store, &root, table));
        let mut exports = exports.buffered(TABLES_AT_ONCE);
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(total);
        while let Some(outcome) = exports.try_next().await? {
            outcomes.push(outcome);
            progress(u8::try_from(outcomes.len() * 100 / total.max(1)).unwrap_or(100).min(99));
        }
        let bytes = outcomes.iter().map(|outcome| outcome.bytes).sum();
        let unlisted = if self.only.is_empty() { source.unlisted() } else { Vec::new() };
        for (key, body) in info::tables_info(self, &root, &outcomes, &unlisted) {
            store.put(&self.bucket, &key, body.to_string());
        }
        let key = format!("{root}export_info_{}.json", self.task);
        store.put(&self.bucket, &key, info::export_info(self, &root, began, bytes).to_string());
        Ok(Exporting { bytes, warning: info::warning(&outcomes, &unlisted) })
    }

    async fn table(&self, source: &Source, store: &Store, root: &str, table: TableSchema) -> Result<Outcome> {
        let began = Utc::now();
        let skipped = table.skipped_because();
        let (parts, bytes) = match skipped {
            Some(_) => (0, 0),
            None => self.parts(source, store, root, &table).await?,
        };
        Ok(Outcome { table, bytes, parts, began, ended: Utc::now(), skipped })
    }

    /// Writes the parts of a table and the mark of each finished batch; returns the parts and their bytes.
    async fn parts(&self, source: &Source, store: &Store, root: &str, table: &TableSchema) -> Result<(usize, u64)> {
        let (mut rows, reading) = source.rows(table);
        let mut writing = Writing { export: self, store, table, root, tasks: JoinSet::new(), parts: 0, bytes: 0 };
        let (mut batch, mut index, mut in_batch, mut part) = (1, 0, 0, Part::new(table));
        while let Some(chunk) = rows.recv().await {
            for row in &chunk {
                if in_batch == self.sizes.batch_rows {
                    writing.part(&mut part, batch, index).await?;
                    (batch, index, in_batch) = (batch + 1, 0, 0);
                } else if part.rows == self.sizes.part_rows {
                    writing.part(&mut part, batch, index).await?;
                    index += 1;
                }
                part.push(row).with_context(|| format!("export {}", table.target()))?;
                in_batch += 1;
            }
        }
        reading.await??;
        writing.part(&mut part, batch, index).await?;
        writing.finish(batch).await
    }
}

/// The parts of a table that are on their way.
struct Writing<'a> {
    export: &'a Export,
    store: &'a Store,
    table: &'a TableSchema,
    root: &'a str,
    tasks: JoinSet<Result<u64>>,
    parts: usize,
    bytes: u64,
}

impl Writing<'_> {
    /// Takes a part's rows and encodes them elsewhere. A table without rows writes no part.
    async fn part(&mut self, part: &mut Part, batch: usize, index: usize) -> Result<()> {
        let full = std::mem::replace(part, Part::new(self.table));
        if full.rows == 0 {
            return Ok(());
        }
        if self.tasks.len() == PARTS_AT_ONCE {
            self.wait().await?;
        }
        let key = layout::part(&layout::batch(self.root, self.table, batch), index);
        let (store, bucket) = (self.store.clone(), self.export.bucket.clone());
        self.tasks.spawn_blocking(move || {
            let file = full.encode().with_context(|| format!("write {key}"))?;
            let bytes = file.len() as u64;
            store.put(&bucket, &key, file);
            Ok(bytes)
        });
        self.parts += 1;
        Ok(())
    }

    async fn wait(&mut self) -> Result<()> {
        if let Some(bytes) = self.tasks.join_next().await {
            self.bytes += bytes??;
        }
        Ok(())
    }

    async fn finish(mut self, batches: usize) -> Result<(usize, u64)> {
        while !self.tasks.is_empty() {
            self.wait().await?;
        }
        for batch in 1..=batches {
            let folder = layout::batch(self.root, self.table, batch);
            self.store.put(&self.export.bucket, &format!("{folder}_SUCCESS"), "");
        }
        Ok((self.parts, self.bytes))
    }
}
