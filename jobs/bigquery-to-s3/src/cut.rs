//! The object of a shard, cut into the more shards that there are now: read once, not once for each of them.

use anyhow::Result;
use arrow_array::RecordBatch;
use bytes::Bytes;
use handoff::sync::{KeyHash, Layout};

use crate::shard_file::{Columns, Row, record_batches};

/// As columns, which take little more than their values.
#[derive(Debug)]
pub struct Cut {
    layout: Layout,
    batches: Vec<RecordBatch>,
    /// In the order of shards, and of keys in each.
    places: Vec<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    shard: u32,
    batch: u32,
    row: u32,
}

impl Cut {
    pub fn new(layout: Layout, file: Bytes, shards: u32) -> Result<Self> {
        let batches: Vec<RecordBatch> = record_batches(file)?.collect::<Result<_, _>>()?;
        let mut places = Vec::new();
        for (batch, columns) in (0..).zip(&batches) {
            let keys = Columns::of(layout, columns)?;
            let shard = |n| KeyHash::of(keys.key(n)).shard(shards);
            places.extend((0..).zip(0..columns.num_rows()).map(|(row, n)| Place { shard: shard(n), batch, row }));
        }
        places.sort_by_key(|place| place.shard);
        Ok(Self { layout, batches, places })
    }

    pub fn rows(&self, shard: u32) -> Result<Vec<Row>> {
        let columns: Vec<_> =
            self.batches.iter().map(|batch| Columns::of(self.layout, batch)).collect::<Result<_>>()?;
        let begin = self.places.partition_point(|place| place.shard < shard);
        let places = self.places[begin..].iter().take_while(|place| place.shard == shard);
        Ok(places.map(|place| columns[place.batch as usize].row(place.row as usize)).collect())
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
