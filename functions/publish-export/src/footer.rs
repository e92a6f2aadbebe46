//! The footer of a Parquet part: how many rows it has, which columns, and what it says about their values. A part is
//! never read beyond it.

use bytes::Bytes;
use handoff::Column;
use parquet::basic::Repetition;
use parquet::errors::ParquetError;
use parquet::file::FOOTER_SIZE;
use parquet::file::metadata::{
    FooterTail, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};
use parquet::schema::types::Type;

use crate::Error;
use crate::bucket::{Bucket, Object};
use crate::parquet_type::Kind;
use crate::statistics::ColumnStatistics;
use crate::task::Task;

/// Magic, footer length, magic.
const SMALLEST: u64 = 12;

/// RDS's footers have some kilobytes. One of this length is broken, and 64 of them at once would not fit in memory.
const LONGEST_FOOTER: u64 = 16 << 20;

#[derive(Debug, PartialEq)]
pub(crate) struct Footer {
    pub(crate) rows: u64,
    pub(crate) columns: Vec<PartColumn>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PartColumn {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) statistics: ColumnStatistics,
}

impl PartColumn {
    /// Of no rows yet. A list has several values in a row, or none: its counts say nothing about rows.
    fn new(field: &Type) -> Self {
        let statistics = if is_flat(field) { ColumnStatistics::NONE } else { ColumnStatistics::UNKNOWN };
        Self { name: field.name().to_owned(), kind: Kind::of(field), statistics }
    }

    pub(crate) fn with_source_type(&self, source_type: &str) -> Column {
        Column {
            name: self.name.clone(),
            source_type: source_type.to_owned(),
            parquet_type: self.kind.to_string(),
            statistics: self.statistics.told(&self.kind),
        }
    }
}

fn is_flat(field: &Type) -> bool {
    field.is_primitive() && field.get_basic_info().repetition() != Repetition::REPEATED
}

/// Two ranged reads: the eight bytes at the end, and then exactly the footer that they announce.
pub(crate) async fn read(bucket: Bucket<'_>, task: &Task, part: &Object) -> Result<Footer, Error> {
    let unreadable = |problem| Error::PartUnreadable { key: part.key.clone(), problem, again: task.again() };
    let tail_length = FOOTER_SIZE as u64;
    if part.size < SMALLEST {
        return Err(unreadable(format!("it has {} bytes and a Parquet file has at least {SMALLEST}", part.size)));
    }
    let tail = bucket.get_range(&part.key, part.size - tail_length..part.size).await?;
    let length = footer_length(&tail, part.size).map_err(unreadable)?;
    let end = part.size - tail_length;
    let footer = bucket.get_range(&part.key, end - length..end).await?;
    decode(&footer)
        .map_err(|error| unreadable(format!("its footer of {length} bytes is not Parquet metadata: {error}")))
}

fn footer_length(tail: &Bytes, size: u64) -> Result<u64, String> {
    let Ok(bytes) = <&[u8; FOOTER_SIZE]>::try_from(tail.as_ref()) else {
        return Err(format!("its last {FOOTER_SIZE} bytes were asked for and {} came", tail.len()));
    };
    let magic = bytes[4..].escape_ascii();
    let Ok(tail) = FooterTail::try_new(bytes) else {
        return Err(format!("it ends with \"{magic}\", not with \"PAR1\""));
    };
    if tail.is_encrypted_footer() {
        return Err("its footer is encrypted".into());
    }
    let length = tail.metadata_length() as u64;
    if length == 0 || length > size - SMALLEST {
        return Err(format!("its footer would have {length} of its {size} bytes"));
    }
    if length > LONGEST_FOOTER {
        return Err(format!("its footer would have {length} bytes, more than {LONGEST_FOOTER}"));
    }
    Ok(length)
}

fn decode(footer: &[u8]) -> Result<Footer, ParquetError> {
    let metadata = metadata(footer)?;
    let file = metadata.file_metadata();
    let rows = u64::try_from(file.num_rows()).map_err(|_| ParquetError::General("a negative row count".into()))?;
    let groups: i64 = metadata.row_groups().iter().map(parquet::file::metadata::RowGroupMetaData::num_rows).sum();
    if groups != file.num_rows() {
        let told = format!("it counts {rows} rows and its row groups count {groups}");
        return Err(ParquetError::General(told));
    }
    Ok(Footer { rows, columns: columns(&metadata) })
}

fn columns(metadata: &ParquetMetaData) -> Vec<PartColumn> {
    let (file, schema) = (metadata.file_metadata(), metadata.file_metadata().schema_descr());
    let mut columns: Vec<PartColumn> =
        schema.root_schema().get_fields().iter().map(|field| PartColumn::new(field)).collect();
    for leaf in (0..schema.num_columns()).filter(|leaf| is_flat(schema.get_column_root(*leaf))) {
        let column = &mut columns[schema.get_column_root_idx(leaf)];
        for group in metadata.row_groups() {
            let rows = u64::try_from(group.num_rows()).unwrap_or_default();
            let chunk = group.columns().get(leaf);
            let said = chunk.map_or(ColumnStatistics::UNKNOWN, |chunk| {
                ColumnStatistics::of_chunk(&column.kind, file.column_order(leaf), chunk, rows)
            });
            column.statistics.add(said);
        }
    }
    columns
}

/// Statistics that cannot be read are no reason to refuse a part whose rows can be counted.
fn metadata(footer: &[u8]) -> Result<ParquetMetaData, ParquetError> {
    let decode = |column_statistics| {
        let options = ParquetMetaDataOptions::new()
            .with_column_stats_policy(column_statistics)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll);
        ParquetMetaDataReader::decode_metadata_with_options(footer, Some(&options))
    };
    decode(ParquetStatisticsPolicy::KeepAll).or_else(|_| decode(ParquetStatisticsPolicy::SkipAll))
}

/// The footer of a whole file.
#[cfg(test)]
pub(crate) fn of_file(file: &[u8]) -> Footer {
    let end = file.len() - FOOTER_SIZE;
    let length = footer_length(&Bytes::copy_from_slice(&file[end..]), file.len() as u64).unwrap_or_default();
    decode(&file[end - usize::try_from(length).unwrap_or_default()..end]).unwrap_or_else(|error| panic!("{error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;

    fn length(tail: &[u8], size: u64) -> Result<u64, String> {
        footer_length(&Bytes::copy_from_slice(tail), size)
    }

    #[test]
    fn a_tail_that_cannot_be_is_refused_and_says_what_was_found() {
        assert_eq!(length(b"\x10\0\0\0PAR1", 100), Ok(16));
        assert_eq!(length(b"\x58\0\0\0PAR1", 100), Ok(88));
        assert_eq!(length(b"\x59\0\0\0PAR1", 100), Err("its footer would have 89 of its 100 bytes".into()));
        assert_eq!(length(b"\0\0\0\0PAR1", 100), Err("its footer would have 0 of its 100 bytes".into()));
        assert_eq!(length(b"\x10\0\0\0PARE", 100), Err("its footer is encrypted".into()));
        assert_eq!(length(b"1,2\n3,4\n", 100), Err("it ends with \"3,4\\n\", not with \"PAR1\"".into()));
        assert_eq!(length(b"PAR1", 100), Err("its last 8 bytes were asked for and 4 came".into()));
        let huge = length(b"\xff\xff\xff\x7fPAR1", 1 << 33);
        assert_eq!(huge, Err("its footer would have 2147483647 bytes, more than 16777216".into()));
    }

    fn file() -> Vec<u8> {
        let ids = Arc::new(Int64Array::from(vec![Some(3), None, Some(1)])) as ArrayRef;
        let notes = Arc::new(StringArray::from(vec!["b", "a", "c"])) as ArrayRef;
        let batch = RecordBatch::try_from_iter([("id", ids), ("note", notes)]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic() {
        for byte in 0..=255_u8 {
            for length in [1, 7, 64] {
                assert!(decode(&vec![byte; length]).is_err(), "{length} times {byte}");
            }
        }
        let file = file();
        let end = file.len() - FOOTER_SIZE;
        let length = usize::try_from(footer_length(&Bytes::copy_from_slice(&file[end..]), 1 << 20).unwrap()).unwrap();
        let footer = &file[end - length..end];
        for place in 0..footer.len() {
            for flipped in [0x01, 0x10, 0x80, 0xff] {
                let mut footer = footer.to_vec();
                footer[place] ^= flipped;
                let _ = decode(&footer); // whether it is still a footer is chance
            }
        }
    }

    #[test]
    fn statistics_that_cannot_be_read_cost_themselves_and_not_the_part() {
        let file = file();
        let whole = of_file(&file);
        // Behind the eight bytes of the smallest id comes the null count: the head of its field, and in Thrift's compact
        // form 2 for one and 1 for minus one.
        let nulls = file.windows(5).rposition(|bytes| bytes == [0, 0, 0, 0x16, 2]).unwrap() + 4;
        let mut broken = file;
        broken[nulls] = 1;
        let part = of_file(&broken);
        assert_eq!((part.rows, part.columns.len()), (whole.rows, 2));
        assert_ne!(whole.columns[1].statistics, ColumnStatistics::UNKNOWN);
        assert!(part.columns.iter().all(|column| column.statistics == ColumnStatistics::UNKNOWN));
    }
}
