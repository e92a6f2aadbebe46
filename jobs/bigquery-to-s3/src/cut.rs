//! The object of a shard, cut into the more shards that there are now: read once, not once for each of them.

use anyhow::Result;
use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;
use bytes::Bytes;
use handoff::sync::{KeyHash, Layout};

use crate::shard_file::{Columns, Row, record_batches};

#[derive(Debug)]
pub struct Cut {
    layout: Layout,
    batches: Vec<Batch>,
}

/// Some thousand rows as columns, which take little more than their values. In the order of shards, and of keys in each.
#[derive(Debug)]
struct Batch {
    shards: Vec<u32>,
    columns: RecordBatch,
}

impl Cut {
    pub fn new(layout: Layout, file: Bytes, shards: u32) -> Result<Self> {
        let batches = record_batches(file)?.map(|columns| Batch::new(layout, &columns?, shards));
        Ok(Self { layout, batches: batches.collect::<Result<_>>()? })
    }

    pub fn rows(&self, shard: u32) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for Batch { shards, columns } in &self.batches {
            let of_shard =
                shards.partition_point(|other| *other < shard)..shards.partition_point(|other| *other <= shard);
            let columns = Columns::of(self.layout, columns)?;
            rows.extend(of_shard.map(|n| columns.row(n)));
        }
        Ok(rows)
    }
}

impl Batch {
    fn new(layout: Layout, columns: &RecordBatch, shards: u32) -> Result<Self> {
        let keys = Columns::of(layout, columns)?;
        let shard_of = |n| KeyHash::of(keys.key(n)).shard(shards);
        let mut places: Vec<(u32, u32)> = (0..columns.num_rows()).map(shard_of).zip(0..).collect();
        places.sort_unstable();
        let (shards, rows): (Vec<u32>, Vec<u32>) = places.into_iter().unzip();
        Ok(Self { shards, columns: take_record_batch(columns, &UInt32Array::from(rows))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard_file::{read, write_objects};
    use arrow_array::StringArray;

    #[test]
    fn the_parts_of_a_list_are_all_its_rows_each_in_its_own_shard_and_in_order() {
        let keys: Vec<String> = (0..20_000).map(|n| format!("key-{n:05}")).collect();
        let (sha256, md5) = (vec![[7; 32]; keys.len()], vec![[9; 16]; keys.len()]);
        let list = write_objects(StringArray::from_iter_values(&keys), &sha256, &md5).unwrap();
        let cut = Cut::new(Layout::Objects, list.clone(), 64).unwrap();
        let mut all = Vec::new();
        for shard in 0..64 {
            let rows = cut.rows(shard).unwrap();
            assert!(rows.iter().all(|row| KeyHash::of(&row.key).shard(64) == shard));
            assert!(rows.is_sorted_by_key(|row| row.key.clone()) && rows.len() > 200);
            all.extend(rows);
        }
        all.sort_by(|one, other| one.key.cmp(&other.key));
        assert_eq!(all, read(Layout::Objects, list).unwrap());
        assert!(Cut::new(Layout::Objects, Bytes::from("not a list"), 64).is_err());
    }
}
