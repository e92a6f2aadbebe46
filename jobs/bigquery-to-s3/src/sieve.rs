//! Keys that are there more than once: none of their rows can be published, and there may be millions of one. Two of each are
//! kept, which show that it is there twice; the others are counted.

use std::collections::HashMap;

use anyhow::{Context, Result};
use arrow_array::cast::AsArray;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;

use crate::scratch::KEY_COLUMN;

/// So many rows of a key are kept.
const KEPT: u64 = 2;

#[derive(Debug, Default)]
pub struct Sieve {
    rows: HashMap<String, u64>,
}

/// Rows of each key that came more often than they were kept.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Repeated(HashMap<String, u64>);

impl Sieve {
    pub fn pass(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let keys = batch.column_by_name(KEY_COLUMN).and_then(|keys| keys.as_string_opt::<i32>());
        let keys = keys.with_context(|| format!("the rows have no column {KEY_COLUMN} of text"))?;
        let kept: BooleanArray = keys.iter().map(|key| Some(key.is_none_or(|key| self.keeps(key)))).collect();
        Ok(filter_record_batch(batch, &kept)?)
    }

    fn keeps(&mut self, key: &str) -> bool {
        let rows = match self.rows.get_mut(key) {
            Some(rows) => rows,
            None => self.rows.entry(key.to_owned()).or_default(),
        };
        *rows += 1;
        *rows <= KEPT
    }

    pub fn repeated(mut self) -> Repeated {
        self.rows.retain(|_, rows| *rows > KEPT);
        self.rows.shrink_to_fit();
        Repeated(self.rows)
    }
}

impl Repeated {
    /// How many rows have this key, of which so many were kept.
    pub fn rows(&self, key: &str, kept: usize) -> u64 {
        self.0.get(key).copied().unwrap_or(kept as u64)
    }

    /// Each key, and how many of its rows were not kept.
    pub fn dropped(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(key, rows)| (key.as_str(), rows - KEPT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};

    fn batch(keys: &[Option<&str>]) -> RecordBatch {
        let keys: ArrayRef = Arc::new(keys.iter().copied().collect::<StringArray>());
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..i64::try_from(keys.len()).unwrap()));
        RecordBatch::try_from_iter_with_nullable([("n", numbers, true), (KEY_COLUMN, keys, true)]).unwrap()
    }

    #[test]
    fn what_is_kept_of_many_keys_is_as_small_as_those_that_are_repeated() {
        let mut sieve = Sieve::default();
        let names: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
        let names: Vec<Option<&str>> = names.iter().map(|name| Some(name.as_str())).collect();
        for keys in [&names[..], &[Some("7"); 2]] {
            sieve.pass(&batch(keys)).unwrap();
        }
        let repeated = sieve.repeated();
        assert_eq!(repeated.dropped().collect::<Vec<_>>(), [("7", 1)]);
        assert!(repeated.0.capacity() < 16, "room for {} keys is held", repeated.0.capacity());
    }

    #[test]
    fn two_rows_of_a_key_are_kept_and_all_are_counted_over_many_batches() {
        let mut sieve = Sieve::default();
        let kept = sieve.pass(&batch(&[Some("a"), Some("x"), Some("x"), None, Some("x")])).unwrap();
        let numbers: Vec<i64> = kept["n"].as_primitive::<arrow_array::types::Int64Type>().values().to_vec();
        assert_eq!(numbers, [0, 1, 2, 3]);
        assert_eq!(sieve.pass(&batch(&[Some("x"); 1000])).unwrap().num_rows(), 0);
        assert_eq!(sieve.pass(&batch(&[Some("a"), Some("b")])).unwrap().num_rows(), 2);
        let repeated = sieve.repeated();
        assert_eq!((repeated.rows("x", 2), repeated.rows("a", 2), repeated.rows("b", 1)), (1003, 2, 1));
        assert_eq!(repeated.dropped().collect::<Vec<_>>(), [("x", 1001)]);
    }
}
