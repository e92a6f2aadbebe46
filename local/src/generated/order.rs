//! Which row stands where: clustered by shard, as the job's scratch table is.

use std::ops::Range;

use aws_lc_rs::digest::{SHA256, digest};

/// The rows of a table in the order of their shards; a row is known by its id.
pub(super) struct Order {
    /// 0 is a row without a key. These stand first, in the first shard.
    pub(super) ids: Vec<u32>,
    pub(super) null_keys: usize,
    /// Where the rows with a key of each shard begin, and behind the last one the number of rows.
    starts: Vec<usize>,
}

impl Order {
    pub(super) fn new(rows: u32, shards: u32, null_keys: u32) -> Self {
        let null_keys = null_keys as usize;
        let shard_of: Vec<u32> = in_parallel(rows as usize, |ids| ids.map(|id| shard(&key(id), shards)).collect());
        let mut starts = vec![0; shards as usize + 1];
        starts[0] = null_keys;
        for shard in &shard_of {
            starts[*shard as usize + 1] += 1;
        }
        for shard in 0..shards as usize {
            starts[shard + 1] += starts[shard];
        }
        let (mut next, mut ids) = (starts.clone(), vec![0; null_keys + rows as usize]);
        for (id, shard) in (1..).zip(shard_of) {
            ids[next[shard as usize]] = id;
            next[shard as usize] += 1;
        }
        Self { ids, null_keys, starts }
    }

    pub(super) fn shards(&self) -> usize {
        self.starts.len() - 1
    }

    pub(super) fn shard_rows(&self) -> Vec<usize> {
        self.starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// The positions of these shards' rows with a key, cut into at most `parts` of about the same number of rows. A part has whole
    /// shards, and at least one row.
    pub(super) fn parts(&self, shards: Range<usize>, parts: usize) -> Vec<Range<usize>> {
        let shards = shards.start.min(self.shards())..shards.end.min(self.shards());
        let (first, last) = (self.starts[shards.start], self.starts[shards.end.max(shards.start)]);
        let cut =
            |n: usize| self.starts[self.starts.partition_point(|start| *start < first + (last - first) * n / parts)];
        let cuts: Vec<usize> = (0..=parts).map(cut).collect();
        let parts = cuts.windows(2).map(|pair| pair[0]..pair[1].min(last));
        parts.filter(|part| !part.is_empty()).collect()
    }
}

/// The id as text.
pub(super) fn key(id: u32) -> String {
    id.to_string()
}

/// The first bits of the key's SHA-256.
pub(super) fn shard(key: &str, shards: u32) -> u32 {
    let hash = digest(&SHA256, key.as_bytes());
    let first = hash.as_ref().first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    // No bits of it, where there is one shard.
    first.checked_shr(32 - shards.trailing_zeros()).unwrap_or(0)
}

/// What `work` makes of the ids 1 to `rows`, in their order, on every core.
fn in_parallel<T: Send>(rows: usize, work: impl Fn(std::ops::RangeInclusive<u32>) -> Vec<T> + Sync) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let bound = |n: usize| u32::try_from(rows * n / cores).unwrap_or(u32::MAX);
    std::thread::scope(|scope| {
        let work = &work;
        let parts: Vec<_> = (0..cores).map(|n| scope.spawn(move || work(bound(n) + 1..=bound(n + 1)))).collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_the_first_bits_of_the_keys_hash() {
        // printf 1 | sha256sum: 6b86b273…
        assert_eq!(shard("1", 4096), 0x6b8);
        assert_eq!(shard("1", 2), 0);
        assert_eq!(shard("1", 1), 0);
    }

    #[test]
    fn every_row_stands_in_its_shard_once() {
        let order = Order::new(10_000, 16, 0);
        let mut ids = order.ids.clone();
        ids.sort_unstable();
        assert_eq!(ids, (1..=10_000).collect::<Vec<_>>());
        let mut positions = order.ids.iter();
        for (number, rows) in order.shard_rows().into_iter().enumerate() {
            for id in positions.by_ref().take(rows) {
                assert_eq!(shard(&key(*id), 16) as usize, number);
            }
        }
        assert_eq!(positions.next(), None);
    }

    #[test]
    fn rows_without_a_key_stand_before_all_others() {
        let order = Order::new(100, 4, 7);
        assert_eq!((order.ids.len(), order.shard_rows().iter().sum::<usize>()), (107, 100));
        assert!(order.ids[..7].iter().all(|id| *id == 0) && order.ids[7..].iter().all(|id| *id > 0));
        let one: Vec<_> = std::iter::once(7..107).collect();
        assert_eq!(order.parts(0..4, 1), one);
    }

    #[test]
    fn parts_are_whole_shards_and_miss_nothing() {
        let order = Order::new(10_000, 16, 0);
        for shards in [0..16, 3..9, 15..16, 7..7, 12..40] {
            for parts in [1, 3, 4, 100] {
                let cut = order.parts(shards.clone(), parts);
                let first = order.starts[shards.start];
                let last = order.starts[shards.end.min(16)];
                assert_eq!(cut.iter().map(ExactSizeIterator::len).sum::<usize>(), last - first);
                assert!(cut.len() <= parts && cut.iter().all(|part| order.starts.contains(&part.start)));
                assert!(cut.windows(2).all(|pair| pair[0].end == pair[1].start));
            }
        }
    }
}
