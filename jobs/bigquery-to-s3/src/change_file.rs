//! The keys of a range of shards that were created, updated or deleted: columns `key` and `change`.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::delta::Change;

pub fn write(changes: &[(Change, String)]) -> Result<Bytes> {
    let keys: ArrayRef = Arc::new(StringArray::from_iter_values(changes.iter().map(|(_, key)| key)));
    let kinds: ArrayRef = Arc::new(StringArray::from_iter_values(changes.iter().map(|(change, _)| change.as_str())));
    let batch = RecordBatch::try_from_iter([("key", keys), ("change", kinds)])?;
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1)?);
    let properties = WriterProperties::builder().set_compression(zstd).set_created_by("isthmus".to_owned()).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?.into())
}

/// The keys that are gone.
pub fn deleted(file: Bytes) -> Result<Vec<String>> {
    let mut deleted = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file)?.build()? {
        let batch = batch?;
        let column = |name| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let (keys, changes) = column("key").zip(column("change")).context("columns key and change are missing")?;
        let named = keys.iter().flatten().zip(changes.iter().flatten());
        deleted.extend(named.filter(|(_, change)| *change == Change::Deleted.as_str()).map(|(key, _)| key.to_owned()));
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vanished_keys_are_found_again() {
        let changes = [(Change::Created, "a"), (Change::Deleted, "b"), (Change::Updated, "c"), (Change::Deleted, "本")];
        let file = write(&changes.map(|(change, key)| (change, key.to_owned()))).unwrap();
        assert_eq!(deleted(file).unwrap(), ["b", "本"]);
    }
}
