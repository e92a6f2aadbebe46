//! The rows of one page.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::{Array, StringArray};
use bytes::{Buf, Bytes};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use super::index::{Index, PagePlace};

pub(super) struct Page {
    keys: StringArray,
    bodies: StringArray,
}

impl Page {
    /// Every key is compared with its neighbour and with the page's bounds: a page of somewhere else is no answer.
    pub(super) fn read(index: &Index, place: &PagePlace, from: impl ChunkReader + 'static) -> Result<Self, String> {
        let rows = place.rows.len();
        let selection = RowSelection::from(vec![RowSelector::skip(place.rows.start), RowSelector::select(rows)]);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(from, index.metadata.clone());
        let builder = builder.with_row_groups(vec![place.row_group]).with_row_selection(selection);
        let mut reader = builder.with_batch_size(rows).build().map_err(|error| error.to_string())?;
        let batch = reader.next().ok_or("a page has no rows")?.map_err(|error| error.to_string())?;
        let column =
            |n: usize| batch.column(n).as_string_opt::<i32>().filter(|column| column.null_count() == 0).cloned();
        let (keys, bodies) = column(0).zip(column(1)).ok_or("key and body are not text")?;
        let page = Self { keys, bodies };
        page.check(place)?;
        Ok(page)
    }

    fn check(&self, place: &PagePlace) -> Result<(), String> {
        let len = self.keys.len();
        if len != place.rows.len() {
            return Err(format!("a page has {len} rows, its index says {}", place.rows.len()));
        }
        let key = |n: usize| self.keys.value(n).as_bytes();
        let sorted = (1..len).all(|n| key(n - 1) < key(n));
        if !sorted || key(0) < place.first.as_slice() || key(len - 1) > place.last.as_slice() {
            return Err("a page holds other keys than its index says".into());
        }
        Ok(())
    }

    /// Whether all keys of the page are greater (`Less`: the key comes before) or less.
    pub(super) fn side_of(&self, key: &str) -> std::cmp::Ordering {
        use std::cmp::Ordering;
        let (first, last) = (self.keys.value(0), self.keys.value(self.keys.len() - 1));
        if key < first {
            Ordering::Less
        } else if key > last {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }

    pub(super) fn body(&self, key: &str) -> Option<&str> {
        let (mut from, mut to) = (0, self.keys.len());
        while from < to {
            let middle = usize::midpoint(from, to);
            match self.keys.value(middle).cmp(key) {
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Greater => to = middle,
                std::cmp::Ordering::Equal => return Some(self.bodies.value(middle)),
            }
        }
        None
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.keys.get_array_memory_size() + self.bodies.get_array_memory_size()
    }
}

/// Parts of an object, as if all of it were there.
pub(super) struct Parts {
    pub(super) object_bytes: u64,
    pub(super) parts: [(Range<u64>, Bytes); 2],
}

impl Length for Parts {
    fn len(&self) -> u64 {
        self.object_bytes
    }
}

impl ChunkReader for Parts {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let end = self.parts.iter().find(|(part, _)| part.contains(&start)).map_or(start, |(part, _)| part.end);
        Ok(self.get_bytes(start, usize::try_from(end - start).unwrap_or_default())?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let end = start + length as u64;
        let found = self.parts.iter().find(|(part, _)| part.start <= start && end <= part.end);
        let (part, bytes) = found.ok_or_else(|| ParquetError::General(format!("{start}..{end} was not fetched")))?;
        let at = usize::try_from(start - part.start).unwrap_or(usize::MAX);
        Ok(bytes.slice(at..at + length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bigquery_to_s3::shard_file::{write_objects, write_packed};

    fn file() -> (Bytes, Index) {
        let keys = StringArray::from_iter_values((0..600).map(|n| format!("key-{n:03}")));
        let file = write_packed(keys, "x".repeat(600).into(), (0..=600).collect()).unwrap();
        let index = Index::parse(&file, file.len() as u64, 600).unwrap();
        (file, index)
    }

    #[test]
    fn a_page_is_found_by_its_bounds_and_gives_its_rows() {
        let (file, index) = file();
        assert_eq!(index.pages.iter().map(|page| page.rows.clone()).collect::<Vec<_>>(), [0..256, 256..512, 512..600]);
        assert_eq!(
            ["a", "key-000", "key-256", "key-2555", "z"].map(|key| index.candidates(key.as_bytes())),
            [0..0, 0..1, 1..2, 1..1, 3..3]
        );
        let page = Page::read(&index, &index.pages[1], file).unwrap();
        assert_eq!((page.body("key-300"), page.body("key-000"), page.body("key-3000")), (Some("x"), None, None));
    }

    #[test]
    fn a_page_of_other_keys_than_the_index_says_is_damaged() {
        let (file, index) = file();
        for (first, last) in [("key-001", "key-255"), ("key-000", "key-254"), ("other", "others")] {
            let place = PagePlace { first: first.into(), last: last.into(), ..index.pages[0].clone() };
            let refused = Page::read(&index, &place, file.clone()).err().unwrap();
            assert_eq!(refused, "a page holds other keys than its index says");
        }
    }

    #[test]
    fn an_index_of_other_rows_or_columns_is_damaged() {
        let (file, _) = file();
        assert!(Index::parse(&file, file.len() as u64, 599).is_err());
        let hashes = StringArray::from_iter_values(["a"]);
        let objects = write_objects(hashes, &[[0; 32]], &[[0; 16]]).unwrap();
        assert!(Index::parse(&objects, objects.len() as u64, 1).is_err());
    }
}
