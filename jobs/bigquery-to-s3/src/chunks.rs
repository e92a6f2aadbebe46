//! Which shards are read together: as many neighbours as fit into the memory that one read may take.

use handoff::sync::ShardRange;

use crate::read::Chunk;
use crate::scratch::ScratchTable;

/// What a chunk should take as columns.
pub const CHUNK_BYTES: u64 = 16 << 20;

/// What a rendered row takes beside its JSON: its key, and where, how long and what it is.
const BESIDE_A_ROW: u64 = 100;
/// What one that stands in S3 takes while it is compared: its key, and the hash of its body.
const STANDING_ROW: u64 = 150;

/// What a row takes while it is read where keys are repeated: its key once more, in a hash table that grows by doubling.
const SIEVED_ROW: u64 = 150;

/// What there is to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    Nothing,
    Hashes,
    Bodies,
}

/// The shards `task` of `tasks` owns.
pub fn share(shards: u32, task: u32, tasks: u32) -> std::ops::Range<u32> {
    let bound = |n: u32| u32::try_from(u64::from(shards) * u64::from(n) / u64::from(tasks)).unwrap_or(shards);
    bound(task)..bound(task + 1)
}

/// The shards of `own` that are not done, in chunks.
pub fn chunks(table: &ScratchTable, own: std::ops::Range<u32>, is_done: impl Fn(u32) -> bool) -> Vec<Chunk> {
    let limit = (CHUNK_BYTES / read_row_bytes(table)).max(1);
    let mut chunks: Vec<Chunk> = Vec::new();
    for shard in own.filter(|shard| !is_done(*shard)) {
        let rows = table.shard_rows[shard as usize];
        match chunks.last_mut() {
            Some(chunk) if chunk.range.last + 1 == shard && chunk.rows + rows <= limit => {
                chunk.range.last = shard;
                chunk.rows += rows;
            }
            _ => chunks.push(Chunk { range: ShardRange { first: shard, last: shard }, rows }),
        }
    }
    chunks
}

/// What a chunk takes in memory beside its columns, once it is worked on: all its rows as JSON, since those of layout objects
/// are there until they are written, and what stands in S3 of one of its shards.
pub fn rendered_bytes(table: &ScratchTable, chunk: Chunk, compared: Compared) -> u64 {
    let row = row_bytes(table);
    let range = chunk.range.first as usize..=chunk.range.last as usize;
    let largest = table.shard_rows[range].iter().max().copied().unwrap_or_default();
    let standing_row = match compared {
        Compared::Nothing => 0,
        Compared::Hashes => STANDING_ROW,
        Compared::Bodies => row + STANDING_ROW,
    };
    chunk.rows.saturating_mul(row + BESIDE_A_ROW).saturating_add(largest.saturating_mul(standing_row))
}

/// What a row of this table takes in memory, as columns or as JSON: its values, by BigQuery's count, and for each column its
/// place or its name.
pub fn row_bytes(table: &ScratchTable) -> u64 {
    (table.bytes.checked_div(table.rows).unwrap_or(0) + table.frame_bytes).max(1)
}

/// What a row takes while it is read.
pub fn read_row_bytes(table: &ScratchTable) -> u64 {
    row_bytes(table) + if table.repeated_keys > 0 { SIEVED_ROW } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(shard_rows: &[u64], row_bytes: u64) -> ScratchTable {
        let rows = shard_rows.iter().sum();
        let shard_rows = shard_rows.to_vec();
        ScratchTable { rows, bytes: rows * row_bytes, shard_rows, ..ScratchTable::default() }
    }

    fn planned(table: &ScratchTable, own: std::ops::Range<u32>, done: &[u32]) -> Vec<(u32, u32, u64)> {
        let chunks = chunks(table, own, |shard| done.contains(&shard));
        chunks.iter().map(|chunk| (chunk.range.first, chunk.range.last, chunk.rows)).collect()
    }

    #[test]
    fn tasks_share_all_shards_and_none_twice() {
        for (shards, tasks) in [(4096, 4), (4096, 7), (16, 3), (2, 5), (1, 2)] {
            let shares: Vec<u32> = (0..tasks).flat_map(|task| share(shards, task, tasks)).collect();
            assert_eq!(shares, (0..shards).collect::<Vec<_>>(), "{shards} {tasks}");
        }
    }

    #[test]
    fn a_chunk_is_as_many_neighbours_as_fit() {
        let half = CHUNK_BYTES / 200;
        let table = table(&[half, half, half, 1, 1, half * 3, 1], 100);
        assert_eq!(
            planned(&table, 0..7, &[]),
            [(0, 1, half * 2), (2, 4, half + 2), (5, 5, half * 3), (6, 6, 1)],
            "a shard that is too large is read alone"
        );
    }

    #[test]
    fn columns_that_are_empty_count_too() {
        let sparse = ScratchTable { frame_bytes: 26_000, ..table(&[300; 8], 80) };
        let rows = CHUNK_BYTES / 26_080;
        assert!((600..900).contains(&rows), "{rows}");
        let chunks = planned(&sparse, 0..8, &[]);
        assert_eq!(chunks, [(0, 1, 600), (2, 3, 600), (4, 5, 600), (6, 7, 600)]);
        assert_eq!(planned(&table(&[300; 8], 80), 0..8, &[]).len(), 1);
    }

    #[test]
    fn keys_that_are_remembered_because_some_are_repeated_count_too() {
        let narrow = table(&[CHUNK_BYTES / 100; 2], 50);
        assert_eq!(planned(&narrow, 0..2, &[]).len(), 1);
        assert_eq!(planned(&ScratchTable { repeated_keys: 2, ..narrow }, 0..2, &[]).len(), 2);
    }

    #[test]
    fn what_is_worked_on_takes_more_the_larger_its_shards_where_something_stands() {
        let table = table(&[10, 30, 60], 900);
        let chunk = |first, last, rows| Chunk { range: ShardRange { first, last }, rows };
        assert_eq!(rendered_bytes(&table, chunk(0, 1, 40), Compared::Nothing), 40 * 1000);
        assert_eq!(rendered_bytes(&table, chunk(0, 1, 40), Compared::Hashes), 40 * 1000 + 30 * 150);
        assert_eq!(rendered_bytes(&table, chunk(2, 2, 60), Compared::Bodies), 60 * 2050);
    }

    #[test]
    fn what_is_done_is_left_out() {
        let table = table(&[1; 8], 100);
        assert_eq!(planned(&table, 2..8, &[4, 5]), [(2, 3, 2), (6, 7, 2)]);
        assert_eq!(planned(&table, 2..4, &[2, 3]), []);
    }

    #[test]
    fn an_empty_table_is_one_chunk_without_rows() {
        assert_eq!(planned(&table(&[0; 4], 100), 0..4, &[]), [(0, 3, 0)]);
    }
}
