//! What has to be done so that S3 holds the rows of a shard: a decision over two sorted lists.

use std::cmp::Ordering;

use anyhow::Result;
use handoff::sync::Totals;

/// What stands in S3 under a key, as far as is known. `value` is what the layout compares: a body, or the hash of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub key: String,
    /// None where a run was cut off while it wrote: the object may be there or not, old or new.
    pub value: Option<Vec<u8>>,
    /// In the current generation. Otherwise only an unfinished run knows of it.
    pub published: bool,
    /// An unfinished run had another value for it than what stood there before, so readers may hold either.
    pub touched: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Created,
    Updated,
    Deleted,
}

impl Change {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// `rows`, `bytes` and `rejected` are the caller's to fill.
    pub totals: Totals,
    /// The rows to write, by their number.
    pub writes: Vec<usize>,
    /// In the order of their keys.
    pub changes: Vec<(Change, String)>,
}

/// Both in the order of their keys, each key once.
pub fn delta<'a>(held: impl IntoIterator<Item = Held>, rows: impl Iterator<Item = (&'a str, &'a [u8])>) -> Delta {
    let mut delta = Delta::default();
    let mut held = held.into_iter().peekable();
    for (n, (key, value)) in rows.enumerate() {
        while let Some(vanished) = held.next_if(|held| held.key.as_str() < key) {
            delta.delete(vanished);
        }
        match held.next_if(|held| held.key.as_str().cmp(key) == Ordering::Equal) {
            Some(held) => delta.compare(n, held, value),
            None => delta.create(n, key.to_owned()),
        }
    }
    held.for_each(|vanished| delta.delete(vanished));
    delta
}

/// The same, where what is held is still to be read.
pub fn delta_as_read<'a>(
    held: impl Iterator<Item = Result<Vec<Held>>>,
    rows: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<Delta> {
    let mut failed = None;
    let read = held.map_while(|batch| batch.map_err(|error| failed = Some(error)).ok());
    let delta = delta(read.flatten(), rows);
    failed.map_or(Ok(delta), Err)
}

impl Delta {
    fn create(&mut self, n: usize, key: String) {
        self.totals.created += 1;
        self.writes.push(n);
        self.changes.push((Change::Created, key));
    }

    fn compare(&mut self, n: usize, held: Held, value: &[u8]) {
        let same = held.value.as_deref() == Some(value);
        match (held.published, same) {
            (true, true) if !held.touched => self.totals.unchanged += 1,
            // Whether it has to be written or stands already: whoever read it since the last publication must be told.
            (true, same) => {
                self.totals.updated += 1;
                self.writes.extend((!same).then_some(n));
                self.changes.push((Change::Updated, held.key));
            }
            // A run that was never published has written it already: for readers it is new, there is nothing to write.
            (false, true) => {
                self.totals.created += 1;
                self.changes.push((Change::Created, held.key));
            }
            (false, false) => self.create(n, held.key),
        }
    }

    /// What no reader was ever told of is no loss, but it goes too.
    fn delete(&mut self, vanished: Held) {
        self.totals.deleted += u64::from(vanished.published);
        self.changes.push((Change::Deleted, vanished.key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn held(key: &str, value: Option<&str>, published: bool) -> Held {
        let touched = value.is_none();
        Held { key: key.into(), value: value.map(|value| value.as_bytes().to_vec()), published, touched }
    }

    fn between(held: Vec<Held>, rows: &[(&str, &str)]) -> (Vec<usize>, Vec<(Change, String)>, [u64; 4]) {
        let delta = delta(held, rows.iter().map(|(key, value)| (*key, value.as_bytes())));
        let Totals { created, updated, unchanged, deleted, .. } = delta.totals;
        (delta.writes, delta.changes, [created, updated, unchanged, deleted])
    }

    #[test]
    fn only_what_differs_is_written() {
        let standing = vec![held("a", Some("1"), true), held("b", Some("1"), true), held("c", Some("1"), true)];
        let (writes, changes, counts) = between(standing, &[("b", "1"), ("c", "2"), ("d", "1")]);
        assert_eq!(writes, [1, 2]);
        let named = |change, key: &str| (change, key.to_owned());
        assert_eq!(changes, [named(Change::Deleted, "a"), named(Change::Updated, "c"), named(Change::Created, "d")]);
        assert_eq!(counts, [1, 1, 1, 1]);
    }

    #[test]
    fn what_a_run_that_was_cut_off_may_have_written_is_written_again_or_goes() {
        let standing =
            vec![held("a", None, true), held("b", None, false), held("c", None, true), held("d", None, false)];
        let (writes, _, counts) = between(standing, &[("a", "1"), ("b", "1")]);
        assert_eq!(writes, [0, 1]);
        assert_eq!(counts, [1, 1, 0, 1], "d was never published, so nothing is lost with it");
    }

    #[test]
    fn what_an_unpublished_run_finished_is_not_written_twice() {
        let (writes, changes, counts) = between(vec![held("a", Some("1"), false)], &[("a", "1")]);
        assert_eq!((writes, changes, counts), (vec![], vec![(Change::Created, "a".into())], [1, 0, 0, 0]));
    }

    /// Readers keep a row until a generation lists its key. One that was read before an unfinished run is wrong when the
    /// next run publishes what the unfinished one wrote, and one that was read meanwhile when it publishes the old row.
    #[test]
    fn what_an_unpublished_run_touched_is_listed_even_where_it_stands_already() {
        let touched = Held { touched: true, ..held("a", Some("1"), true) };
        let (writes, changes, counts) = between(vec![touched, held("b", Some("1"), true)], &[("a", "1"), ("b", "1")]);
        assert_eq!((writes, changes, counts), (vec![], vec![(Change::Updated, "a".into())], [0, 1, 1, 0]));
    }

    #[test]
    fn what_cannot_be_read_to_its_end_is_an_error_and_no_row_that_is_new() {
        let rows = || [("a", "1"), ("b", "1")].into_iter().map(|(key, value)| (key, value.as_bytes()));
        let batch = |key| vec![held(key, Some("1"), true)];
        let whole = delta_as_read([Ok(batch("a")), Ok(batch("b"))].into_iter(), rows()).unwrap();
        assert_eq!((whole.totals.unchanged, whole.writes), (2, vec![]));
        let torn = delta_as_read([Ok(batch("a")), Err(anyhow::anyhow!("torn"))].into_iter(), rows());
        assert_eq!(torn.unwrap_err().to_string(), "torn");
    }

    proptest! {
        #[test]
        fn after_the_writes_and_deletes_s3_holds_exactly_the_rows(
            before in prop::collection::btree_map("[a-e]{0,2}", ("[x-z]", any::<bool>(), any::<bool>()), 0..20),
            after in prop::collection::btree_map("[a-e]{0,2}", "[x-z]", 0..20),
        ) {
            let mut s3: BTreeMap<String, String> =
                before.iter().map(|(key, (value, ..))| (key.clone(), value.clone())).collect();
            let standing = before.iter().map(|(key, (value, known, published))| {
                held(key, known.then_some(value.as_str()), *published)
            });
            let rows: Vec<(&str, &str)> = after.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            let (writes, changes, counts) = between(standing.collect(), &rows);
            for n in writes {
                s3.insert(rows[n].0.to_owned(), rows[n].1.to_owned());
            }
            for (change, key) in changes {
                if change == Change::Deleted {
                    s3.remove(&key);
                }
            }
            prop_assert_eq!(&s3, &after);
            prop_assert_eq!(counts[0] + counts[1] + counts[2], after.len() as u64);
        }
    }
}
