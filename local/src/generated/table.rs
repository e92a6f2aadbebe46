//! The generated rows, and the names under which a program has made a table of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::Options;
use super::messages::{Batches, MESSAGE_ROWS};
use super::order::Order;
use super::rows;

pub(super) struct Table {
    pub(super) schema: SchemaRef,
    pub(super) order: Order,
    pub(super) batches: Batches,
    pub(super) bytes: u64,
    /// `dataset.table`: each has the same rows.
    made: Mutex<BTreeSet<String>>,
}

impl Table {
    pub(super) fn generate(options: &Options) -> Result<Self> {
        ensure!(options.shards.is_power_of_two(), "{} shards: the number must be a power of two", options.shards);
        let schema = rows::schema(options.empty_columns);
        let order = Order::new(options.rows, options.shards, options.null_keys);
        let batches = generate(&schema, &order.ids, options).context("generate the rows")?;
        let bytes = batches.iter().map(rows::bytes).sum();
        Ok(Self { schema, order, batches: Arc::new(batches), bytes, made: Mutex::default() })
    }

    pub(super) fn make(&self, dataset: &str, table: &str) {
        lock(&self.made).insert(format!("{dataset}.{table}"));
    }

    /// By the name that the Storage Read API has for it: `projects/{project}/datasets/{dataset}/tables/{table}`.
    pub(super) fn has(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        let ["projects", _, "datasets", dataset, "tables", table] = parts[..] else { return false };
        self.is_made(dataset, table)
    }

    pub(super) fn is_made(&self, dataset: &str, table: &str) -> bool {
        lock(&self.made).contains(&format!("{dataset}.{table}"))
    }

    pub(super) fn rows(&self) -> usize {
        self.order.ids.len()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On every core: a core makes about a million rows in a second.
fn generate(schema: &SchemaRef, ids: &[u32], options: &Options) -> Result<Vec<RecordBatch>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let chunks: Vec<&[u32]> = ids.chunks(MESSAGE_ROWS).collect();
    let batches = |chunks: &[&[u32]]| -> Result<Vec<RecordBatch>, arrow_schema::ArrowError> {
        chunks.iter().map(|ids| rows::batch(schema, ids, options)).collect()
    };
    let parts: Result<Vec<_>, _> = std::thread::scope(|scope| {
        let share = chunks.len().div_ceil(cores).max(1);
        let parts: Vec<_> = chunks.chunks(share).map(|part| scope.spawn(move || batches(part))).collect();
        parts.into_iter().map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    Ok(parts?.into_iter().flatten().collect())
}
