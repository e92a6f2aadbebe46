//! The Parquet object of a shard: `key` and `body` in layout packed; `key`, and `sha256` and `md5` of the body, in layout
//! objects: MD5 is what S3 lists as the `ETag`.
//! Sorted by key, with a page index, so that a reader finds one row by two small ranged GETs. The same rows always give
//! the same bytes.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer};
use bytes::Bytes;
use handoff::sync::Layout;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

/// Rows in one data page: what a point read has to fetch.
const PAGE_ROWS: usize = 256;
const BATCH_ROWS: usize = 8192;

/// The value column of each layout.
fn value_column(layout: Layout) -> &'static str {
    match layout {
        Layout::Packed => "body",
        Layout::Objects => "sha256",
    }
}

/// A row as a shard has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub key: String,
    /// What the layout compares: a body, or the hash of one.
    pub value: Vec<u8>,
    /// In layout objects; an older version did not write it.
    pub md5: Option<[u8; 16]>,
}

/// `bodies` holds all of them one after the other, `offsets` where each begins and the last ends.
pub fn write_packed(keys: StringArray, bodies: Bytes, offsets: Vec<i32>) -> Result<Bytes> {
    let offsets = OffsetBuffer::new(offsets.into());
    let bodies = StringArray::try_new(offsets, Buffer::from(bodies), None).context("bodies are UTF-8")?;
    write_columns(Layout::Packed, [("key", Arc::new(keys) as ArrayRef), ("body", Arc::new(bodies))])
}

/// The hashes of each body.
pub fn write_objects(keys: StringArray, sha256: &[[u8; 32]], md5: &[[u8; 16]]) -> Result<Bytes> {
    let (sha256, md5) = (BinaryArray::from_iter_values(sha256), BinaryArray::from_iter_values(md5));
    let columns = [("key", Arc::new(keys) as ArrayRef), ("sha256", Arc::new(sha256)), ("md5", Arc::new(md5))];
    write_columns(Layout::Objects, columns)
}

fn write_columns<const N: usize>(layout: Layout, columns: [(&str, ArrayRef); N]) -> Result<Bytes> {
    let batch = RecordBatch::try_from_iter(columns)?;
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties(layout)?))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?.into())
}

fn properties(layout: Layout) -> Result<WriterProperties> {
    let builder = WriterProperties::builder()
        .set_created_by("isthmus".to_owned()) // no version: an update must not rewrite what has not changed
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled("key".into(), EnabledStatistics::Page)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS);
    // Hashes do not get smaller.
    let compression = match layout {
        Layout::Packed => Compression::ZSTD(ZstdLevel::try_new(1)?),
        Layout::Objects => Compression::UNCOMPRESSED,
    };
    Ok(builder.set_compression(compression).build())
}

/// Every row, in order.
pub fn read(layout: Layout, file: Bytes) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for batch in batches(layout, file)? {
        rows.append(&mut batch?);
    }
    Ok(rows)
}

/// The same, some thousand rows at a time: unpacked, bodies take many times what they take in the file.
pub fn batches(layout: Layout, file: Bytes) -> Result<impl Iterator<Item = Result<Vec<Row>>>> {
    let rows = move |batch: &RecordBatch| {
        let columns = Columns::of(layout, batch)?;
        Ok((0..batch.num_rows()).map(|n| columns.row(n)).collect())
    };
    Ok(record_batches(file)?.map(move |batch| rows(&batch?)))
}

/// The same, as columns.
pub fn record_batches(file: Bytes) -> Result<ParquetRecordBatchReader> {
    Ok(ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(BATCH_ROWS).build()?)
}

pub struct Columns<'a> {
    keys: &'a StringArray,
    values: Values<'a>,
    md5s: Option<&'a BinaryArray>,
}

enum Values<'a> {
    Bodies(&'a StringArray),
    Hashes(&'a BinaryArray),
}

impl<'a> Columns<'a> {
    pub fn of(layout: Layout, batch: &'a RecordBatch) -> Result<Self> {
        let column = |name| batch.column_by_name(name).with_context(|| format!("there is no column {name}"));
        let keys = column("key")?.as_string_opt::<i32>().context("column key is not text")?;
        ensure!(keys.null_count() == 0, "a key is null");
        let (name, values) = (value_column(layout), column(value_column(layout))?);
        let values = match layout {
            Layout::Packed => values.as_string_opt::<i32>().map(Values::Bodies),
            Layout::Objects => values.as_binary_opt::<i32>().map(Values::Hashes),
        };
        let values = values.with_context(|| format!("column {name} is of another type"))?;
        Ok(Self { keys, values, md5s: batch.column_by_name("md5").and_then(|md5s| md5s.as_binary_opt::<i32>()) })
    }

    pub fn key(&self, n: usize) -> &'a str {
        self.keys.value(n)
    }

    pub fn row(&self, n: usize) -> Row {
        let value = match self.values {
            Values::Bodies(bodies) => bodies.value(n).as_bytes(),
            Values::Hashes(hashes) => hashes.value(n),
        };
        let md5 = self.md5s.and_then(|md5s| md5s.value(n).try_into().ok());
        Row { key: self.key(n).to_owned(), value: value.to_vec(), md5 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use parquet::basic::{Encoding, LogicalType, Type};
    use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
    use parquet::file::page_index::column_index::ColumnIndexMetaData;

    fn file(layout: Layout, rows: &[(String, String)]) -> Bytes {
        let keys = StringArray::from_iter_values(rows.iter().map(|(key, _)| key));
        if layout == Layout::Objects {
            let sha256: Vec<_> = rows.iter().map(|(_, value)| crate::digest::sha256(value)).collect();
            let md5: Vec<_> = rows.iter().map(|(_, value)| crate::digest::md5(value)).collect();
            return write_objects(keys, &sha256, &md5).unwrap();
        }
        let values: String = rows.iter().map(|(_, value)| value.as_str()).collect();
        let mut offsets = vec![0];
        for (_, value) in rows {
            offsets.push(offsets[offsets.len() - 1] + i32::try_from(value.len()).unwrap());
        }
        write_packed(keys, Bytes::from(values), offsets).unwrap()
    }

    fn rows(n: usize) -> Vec<(String, String)> {
        (0..n).map(|n| (format!("key-{n:06}"), format!("{{\"n\":{n}}}"))).collect()
    }

    #[test]
    fn rows_come_back_and_the_same_rows_are_the_same_bytes() {
        for layout in [Layout::Packed, Layout::Objects] {
            let rows = rows(1000);
            let written = file(layout, &rows);
            assert_eq!(written, file(layout, &rows));
            let read = read(layout, written).unwrap();
            for ((key, body), row) in rows.iter().zip(&read) {
                let (value, md5) = match layout {
                    Layout::Packed => (body.clone().into_bytes(), None),
                    Layout::Objects => (crate::digest::sha256(body).to_vec(), Some(crate::digest::md5(body))),
                };
                assert_eq!((&row.key, &row.value, row.md5), (key, &value, md5));
            }
            assert_eq!(read.len(), rows.len());
        }
    }

    #[test]
    fn what_a_version_without_md5_wrote_is_read() {
        let (keys, sha256) = (StringArray::from_iter_values(["a"]), BinaryArray::from_iter_values([[7; 32]]));
        let columns = [("key", Arc::new(keys) as ArrayRef), ("sha256", Arc::new(sha256))];
        let written = write_columns(Layout::Objects, columns).unwrap();
        let row = Row { key: "a".into(), value: vec![7; 32], md5: None };
        assert_eq!(read(Layout::Objects, written).unwrap(), [row]);
    }

    /// As `docs/spec/packed.md` describes it to whoever reads it without our code.
    #[test]
    fn the_object_is_plain_parquet_with_small_pages_and_a_page_index() {
        let prefix = "p".repeat(100);
        let long: Vec<_> = rows(2000).into_iter().map(|(key, body)| (prefix.clone() + &key, body)).collect();
        let written = file(Layout::Packed, &long);
        let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
        let metadata = reader.parse_and_finish(&written).unwrap();
        let index = metadata.page_index_for_row_group(0);
        for (n, name) in ["key", "body"].into_iter().enumerate() {
            let column = metadata.row_group(0).column(n);
            assert_eq!((column.column_path().string().as_str(), column.column_type()), (name, Type::BYTE_ARRAY));
            assert_eq!(column.column_descr().logical_type_ref(), Some(&LogicalType::String));
            assert_eq!(column.column_descr().max_def_level(), 0, "never null");
            assert!(matches!(column.compression(), Compression::ZSTD(_)));
            assert!(!column.encodings().any(|encoding| encoding == Encoding::RLE_DICTIONARY));
            assert!(column.dictionary_page_offset().is_none());
            assert_eq!(index.offset_index(n).unwrap().page_locations().len(), 8, "2,000 rows in pages of 256");
        }
        let Some(ColumnIndexMetaData::BYTE_ARRAY(keys)) = index.column_index(0) else { panic!("keys have no bounds") };
        assert!(keys.min_value(0).unwrap().len() <= 64 && keys.max_value(0).unwrap().len() <= 64);
        assert!(
            keys.min_value(0).unwrap() <= long[0].0.as_bytes() && keys.max_value(0).unwrap() >= long[255].0.as_bytes()
        );
    }

    #[test]
    fn more_than_a_million_rows_are_several_row_groups_in_order() {
        let rows = rows(1_048_577);
        let written = file(Layout::Packed, &rows);
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&written).unwrap();
        assert_eq!(metadata.num_row_groups(), 2);
        let read = read(Layout::Packed, written).unwrap();
        assert!(rows.iter().zip(&read).all(|((key, _), row)| *key == row.key) && read.len() == rows.len());
    }

    #[test]
    fn what_is_not_a_shard_is_refused() {
        assert!(read(Layout::Packed, Bytes::from("not a file")).is_err());
        let error = read(Layout::Objects, file(Layout::Packed, &rows(1))).unwrap_err().to_string();
        assert_eq!(error, "there is no column sha256");
    }
}
