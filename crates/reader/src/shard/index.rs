//! Where the rows of a shard's object stand, by the page index at its end.

use std::ops::Range;

use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::PageLocation;

const KEY: usize = 0;
const BODY: usize = 1;

pub(super) struct Index {
    pub(super) metadata: ArrowReaderMetadata,
    /// In the order of their keys.
    pub(super) pages: Vec<PagePlace>,
    pub(super) memory_bytes: usize,
}

/// A page of keys, and the pages of bodies that hold the same rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PagePlace {
    pub(super) row_group: usize,
    /// Within the row group.
    pub(super) rows: Range<usize>,
    /// Bounds of the keys. Long ones are cut by the writer: the first may be less than the least key, the last greater.
    pub(super) first: Vec<u8>,
    pub(super) last: Vec<u8>,
    pub(super) keys: Range<u64>,
    pub(super) bodies: Range<u64>,
}

#[derive(Debug)]
pub(super) enum Unread {
    /// So many bytes at the end are needed.
    Longer(u64),
    Damaged(String),
}

impl Index {
    /// `tail` is the end of an object of `bytes`, or all of it.
    pub(super) fn parse(tail: &Bytes, bytes: u64, rows: u64) -> Result<Self, Unread> {
        let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
        reader.try_parse_sized(tail, bytes).map_err(|error| match error {
            ParquetError::NeedMoreData(needed) if (needed as u64) <= bytes => Unread::Longer(needed as u64),
            error => Unread::Damaged(error.to_string()),
        })?;
        Self::of(reader.finish().map_err(|error| damaged(&error))?, rows)
    }

    fn of(metadata: ParquetMetaData, rows: u64) -> Result<Self, Unread> {
        let columns = metadata.file_metadata().schema_descr().columns();
        let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
        let stored = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or_default();
        if names != ["key", "body"] {
            return Err(Unread::Damaged(format!("its columns are {names:?}, not key and body")));
        }
        if stored != rows {
            return Err(Unread::Damaged(format!("it has {stored} rows, the manifest says {rows}")));
        }
        let mut pages = Vec::new();
        for group in 0..metadata.num_row_groups() {
            let group_rows = usize::try_from(metadata.row_group(group).num_rows()).unwrap_or_default();
            let places = places(group, group_rows, &metadata);
            pages.extend(places.ok_or_else(|| Unread::Damaged("its page index is not whole".into()))?);
        }
        let bounds: usize = pages.iter().map(|page| page.first.len() + page.last.len() + size_of::<PagePlace>()).sum();
        let memory_bytes = metadata.memory_size() + bounds;
        let metadata = ArrowReaderMetadata::try_new(metadata.into(), ArrowReaderOptions::new())
            .map_err(|error| damaged(&error))?;
        Ok(Self { metadata, pages, memory_bytes })
    }

    /// The pages that may hold `key`: mostly one; several where many keys begin alike for longer than the bounds are.
    pub(super) fn candidates(&self, key: &[u8]) -> Range<usize> {
        let first = self.pages.partition_point(|page| page.last.as_slice() < key);
        let end = self.pages.partition_point(|page| page.first.as_slice() <= key);
        first..end.max(first)
    }
}

fn damaged(error: &ParquetError) -> Unread {
    Unread::Damaged(error.to_string())
}

/// None where anything is missing.
fn places(row_group: usize, rows: usize, metadata: &ParquetMetaData) -> Option<Vec<PagePlace>> {
    let index = metadata.page_index_for_row_group(row_group);
    let (keys, bodies) = (index.page_locations(KEY)?, index.page_locations(BODY)?);
    let ColumnIndexMetaData::BYTE_ARRAY(bounds) = index.column_index(KEY)? else { return None };
    if bounds.num_pages() != keys.len() as u64 {
        return None;
    }
    (0..keys.len())
        .map(|n| {
            let rows = row_range(keys, n, rows)?;
            let bodies = covering(bodies, &rows)?;
            let (first, last) = (bounds.min_value(n)?.to_vec(), bounds.max_value(n)?.to_vec());
            Some(PagePlace { row_group, rows, first, last, keys: bytes(&keys[n])?, bodies })
        })
        .collect()
}

fn row_range(pages: &[PageLocation], n: usize, rows: usize) -> Option<Range<usize>> {
    let first = usize::try_from(pages[n].first_row_index).ok()?;
    let end = pages.get(n + 1).map_or(Some(rows), |next| usize::try_from(next.first_row_index).ok())?;
    (first < end && end <= rows).then_some(first..end)
}

/// The bytes of the pages that hold these rows: they lie one after the other.
fn covering(pages: &[PageLocation], rows: &Range<usize>) -> Option<Range<u64>> {
    let starts_by = |row: usize| {
        pages.partition_point(|page| usize::try_from(page.first_row_index).is_ok_and(|first| first <= row))
    };
    let first = bytes(pages.get(starts_by(rows.start).checked_sub(1)?)?)?;
    let last = bytes(pages.get(starts_by(rows.end - 1).checked_sub(1)?)?)?;
    Some(first.start..last.end)
}

fn bytes(page: &PageLocation) -> Option<Range<u64>> {
    let start = u64::try_from(page.offset).ok()?;
    Some(start..start + u64::try_from(page.compressed_page_size).ok()?)
}
