//! Rows as the Storage Read API sends them: messages of some thousand rows in Arrow's stream format.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions, write_message};
use arrow_schema::{ArrowError, Schema};
use bytes::Bytes;

/// Rows of a message.
pub(super) const MESSAGE_ROWS: usize = 5_000;

/// The rows of a table, as many in each batch as a message has.
pub(super) type Batches = Arc<Vec<RecordBatch>>;

/// The table with some of its columns in one encoding. What was encoded once is kept, so that a second reading costs
/// nothing but its way through the network.
pub(super) struct Rendition {
    batches: Batches,
    columns: Vec<usize>,
    options: IpcWriteOptions,
    pub(super) schema: Bytes,
    encoded: Mutex<BTreeMap<(usize, usize), Bytes>>,
}

impl Rendition {
    pub(super) fn new(
        batches: Batches,
        schema: &Schema,
        columns: Vec<usize>,
        compression: Option<CompressionType>,
    ) -> Result<Self, ArrowError> {
        let options = IpcWriteOptions::default().try_with_compression(compression)?;
        let schema = encode_schema(&schema.project(&columns)?, &options)?;
        Ok(Self { batches, columns, options, schema, encoded: Mutex::default() })
    }

    /// The first of the messages that these positions need, and how many rows it has.
    pub(super) fn message(&self, positions: &Range<usize>) -> Result<(Bytes, usize), ArrowError> {
        let (nth, from) = (positions.start / MESSAGE_ROWS, positions.start % MESSAGE_ROWS);
        let rows = positions.len().min(MESSAGE_ROWS - from);
        let place = (positions.start, rows);
        let known = self.lock().get(&place).cloned();
        if let Some(message) = known {
            return Ok((message, rows));
        }
        let message = encode(&self.batches[nth].slice(from, rows).project(&self.columns)?, &self.options)?;
        self.lock().insert(place, message.clone());
        Ok((message, rows))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(usize, usize), Bytes>> {
        self.encoded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encode_schema(schema: &Schema, options: &IpcWriteOptions) -> Result<Bytes, ArrowError> {
    let mut tracker = DictionaryTracker::new(false);
    let encoded = IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(schema, &mut tracker, options);
    let mut message = Vec::new();
    write_message(&mut message, encoded, options)?;
    Ok(message.into())
}

fn encode(batch: &RecordBatch, options: &IpcWriteOptions) -> Result<Bytes, ArrowError> {
    let mut tracker = DictionaryTracker::new(false);
    // No column is a dictionary.
    let (_, encoded) =
        IpcDataGenerator::default().encode(batch, &mut tracker, options, &mut IpcWriteContext::default())?;
    let mut message = Vec::with_capacity(encoded.ipc_message.len() + encoded.arrow_data.len() + 64);
    write_message(&mut message, encoded, options)?;
    Ok(message.into())
}
