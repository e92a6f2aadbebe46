//! Layout objects: which keys changed in which generation. A cached row is stamped with the generation under which it was
//! read, and is still true when its key changed in none since. So a row that does not change stays warm over any number
//! of publications, and nothing is ever flushed.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use bytes::Bytes;
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use handoff::sync::{Generation, GenerationManifest};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::ReadError;
use crate::bucket::{Bucket, Got, Wanted};

/// Generations that are looked back. What was read before that counts as not cached.
pub(crate) const GENERATIONS: usize = 8;
const GETS_AT_ONCE: usize = 8;
const HASH_BYTES: u64 = size_of::<u64>() as u64;

/// The first 64 bits of SHA-256 of a key. Two keys that share them are no harm: at worst a row is read once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark(u64);

/// From the newest generation back, without a gap.
#[derive(Debug, Clone, Default)]
pub(crate) struct History(Vec<Step>);

#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) generation: Generation,
    pub(crate) previous: Option<Generation>,
    /// None where there are too many, or a list of them is lost.
    changed: Option<Changed>,
}

#[derive(Debug, Clone, Default)]
struct Changed {
    /// In order.
    all: Arc<[Mark]>,
    /// Those whose row is gone, in order.
    vanished: Arc<[Mark]>,
}

impl Mark {
    pub(crate) fn of(key: &str) -> Self {
        let hash = Sha256::digest(key.as_bytes());
        Self(u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]]))
    }
}

impl History {
    /// With a newer generation on top, if it follows.
    pub(crate) fn with(&self, newest: Step) -> Self {
        let follows = self.0.first().is_some_and(|step| Some(&step.generation) == newest.previous.as_ref());
        let older = self.0.iter().filter(|_| follows).take(GENERATIONS - 1).cloned();
        Self(std::iter::once(newest).chain(older).collect())
    }

    pub(crate) fn with_older(&self, oldest: Step) -> Self {
        Self(self.0.iter().cloned().chain([oldest]).collect())
    }

    /// Whether a row that was read under `stamp` is still what it was.
    pub(crate) fn is_true(&self, mark: Mark, stamp: &Generation) -> bool {
        if self.0.first().is_some_and(|newest| *stamp >= newest.generation) {
            return true; // another process is ahead of this one: what it read is no older
        }
        for step in self.0.iter().take_while(|step| step.generation > *stamp) {
            if step.changed.as_ref().is_none_or(|changed| changed.all.binary_search(&mark).is_ok()) {
                return false;
            }
            if step.previous.as_ref() == Some(stamp) {
                return true;
            }
        }
        false
    }

    /// Whether the object of this key may still be there although the row is gone: deletes come after the flip.
    pub(crate) fn may_linger(&self, mark: Mark) -> bool {
        let newest = self.0.first().and_then(|step| step.changed.as_ref());
        newest.is_none_or(|changed| changed.vanished.binary_search(&mark).is_ok())
    }

    pub(crate) fn knows_newest(&self) -> bool {
        self.0.first().is_some_and(|step| step.changed.is_some())
    }

    /// The generation to be looked at next, if it is worth while.
    pub(crate) fn next_older(&self) -> Option<&Generation> {
        if self.0.len() >= GENERATIONS || self.0.last()?.changed.is_none() {
            None
        } else {
            self.0.last()?.previous.as_ref()
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.iter().map(Step::bytes).sum()
    }

    /// Forgets the oldest ones until the rest fits.
    pub(crate) fn within(mut self, bytes: u64) -> Self {
        while self.bytes() > bytes && self.0.len() > 1 {
            self.0.pop();
        }
        self
    }
}

impl Step {
    /// Reads the lists of changed keys, unless they take more than `bytes` of memory.
    pub(crate) async fn read(bucket: &Bucket, manifest: &GenerationManifest, bytes: u64) -> Result<Self, ReadError> {
        let (generation, previous) = (manifest.generation.clone(), manifest.previous.clone());
        let totals = &manifest.totals;
        if (totals.created + totals.updated + totals.deleted) * HASH_BYTES > bytes {
            return Ok(Self { generation, previous, changed: None });
        }
        let reads = manifest.changes.clone().into_iter().map(|key| async move { read(bucket, &key).await });
        let lists: Vec<Lists> = match iter(reads).buffered(GETS_AT_ONCE).try_collect().await {
            Ok(lists) => lists,
            // Nobody will bring it back, and the rows of this generation stand: they are read, and no older one is kept.
            Err(lost @ (ReadError::Gone { .. } | ReadError::Damaged { .. })) => {
                warn!(%generation, "any row may have changed in generation {generation}: {lost}");
                return Ok(Self { generation, previous, changed: None });
            }
            Err(error) => return Err(error),
        };
        let changed = Changed {
            all: in_order(lists.iter().flat_map(|lists| &lists.all)),
            vanished: in_order(lists.iter().flat_map(|lists| &lists.vanished)),
        };
        let step = Self { generation, previous, changed: Some(changed) };
        // More than the totals say: what runs that never published have touched is listed too.
        Ok(if step.bytes() > bytes { Self { changed: None, ..step } } else { step })
    }

    fn bytes(&self) -> u64 {
        self.changed.as_ref().map_or(0, |changed| (changed.all.len() + changed.vanished.len()) as u64 * HASH_BYTES)
    }
}

fn in_order<'a>(marks: impl Iterator<Item = &'a Mark>) -> Arc<[Mark]> {
    let mut marks: Vec<Mark> = marks.copied().collect();
    marks.sort_unstable();
    marks.dedup();
    marks.into()
}

struct Lists {
    all: Vec<Mark>,
    vanished: Vec<Mark>,
}

async fn read(bucket: &Bucket, key: &str) -> Result<Lists, ReadError> {
    let Got::Object(object) = bucket.get(key, Wanted::All).await? else {
        return Err(ReadError::Gone { object: bucket.name(key) });
    };
    parse(object.bytes).map_err(|why| ReadError::damaged(bucket.name(key), why))
}

fn parse(file: Bytes) -> Result<Lists, String> {
    let mut lists = Lists { all: Vec::new(), vanished: Vec::new() };
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(ParquetRecordBatchReaderBuilder::build);
    for batch in reader.map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        let column = |name| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        let (keys, changes) = column("key").zip(column("change")).ok_or("columns key and change are missing")?;
        for (key, change) in keys.iter().flatten().zip(changes.iter().flatten()) {
            let mark = Mark::of(key);
            lists.all.push(mark);
            lists.vanished.extend((change == "deleted").then_some(mark));
        }
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(day: u32) -> Generation {
        format!("202611{day:02}T190000Z").parse().unwrap()
    }

    fn step(day: u32, changed: Option<&[&str]>) -> Step {
        let marks: Option<Vec<Mark>> = changed.map(|keys| keys.iter().map(|key| Mark::of(key)).collect());
        let changed =
            marks.map(|marks| Changed { all: in_order(marks.iter()), vanished: in_order(marks.iter().take(1)) });
        Step { generation: generation(day), previous: Some(generation(day - 1)), changed }
    }

    fn history(steps: &[Step]) -> History {
        steps.iter().fold(History::default(), |history, step| history.with(step.clone()))
    }

    fn is_true(history: &History, key: &str, day: u32) -> bool {
        history.is_true(Mark::of(key), &generation(day))
    }

    #[test]
    fn a_row_stays_true_until_a_generation_after_its_own_changes_it() {
        let history = history(&[step(11, Some(&["a"])), step(12, Some(&["b"])), step(13, Some(&["c"]))]);
        for (key, days) in [("a", [false, true, true, true]), ("b", [false, false, true, true]), ("x", [true; 4])] {
            assert_eq!([10, 11, 12, 13].map(|day| is_true(&history, key, day)), days, "{key}");
        }
        assert!(!is_true(&history, "x", 9), "nobody knows what changed before");
        assert!(is_true(&history, "c", 14), "another process has read a newer one");
    }

    #[test]
    fn what_is_not_known_to_be_true_counts_as_changed() {
        let unknown = history(&[step(11, Some(&["a"])), step(12, None), step(13, Some(&["c"]))]);
        assert!(is_true(&unknown, "x", 12) && !is_true(&unknown, "x", 11));
        let gap = history(&[step(10, Some(&[])), step(12, Some(&[]))]);
        assert!(is_true(&gap, "x", 11) && !is_true(&gap, "x", 10), "generation 11 was never looked at");
        assert!(!is_true(&History::default(), "x", 10));
    }

    #[test]
    fn the_rows_that_vanished_last_may_linger() {
        let known = history(&[step(11, Some(&["a"])), step(12, Some(&["b", "c"]))]);
        assert_eq!(["a", "b", "c"].map(|key| known.may_linger(Mark::of(key))), [false, true, false]);
        assert!(history(&[step(12, None)]).may_linger(Mark::of("x")), "nobody knows");
    }

    #[test]
    fn history_is_bounded_in_length_and_bytes() {
        let steps: Vec<Step> = (2..28).map(|day| step(day, Some(&["a", "b"]))).collect();
        let long = history(&steps);
        assert_eq!((long.0.len(), long.bytes()), (GENERATIONS, 24 * GENERATIONS as u64));
        let short = long.within(50);
        assert_eq!((short.0.len(), short.next_older()), (2, Some(&generation(25))));
        assert_eq!(history(&[step(12, None)]).next_older(), None, "nothing can be true beyond it");
    }
}
