//! The row objects of layout objects as S3 lists them, folder by folder.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::Result;
use handoff::from_hex;
use handoff::sync::{Destination, FOLDERS, KeyHash, key_of_object};
use tokio::sync::{Mutex, OnceCell};

use crate::bucket::{Bucket, Listed};

/// Shards come in their order, so few folders are wanted at once; of five million rows each has 300,000 objects.
const KEPT: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    hash: KeyHash,
    /// Of the row, not of the object.
    pub key: Box<str>,
    /// None where the `ETag` is no MD5.
    pub etag: Option<[u8; 16]>,
}

impl Entry {
    pub fn new(key: &str, etag: Option<[u8; 16]>) -> Self {
        Self { hash: KeyHash::of(key), key: key.into(), etag }
    }
}

/// A folder, in the order of the keys' hashes: the entries of a shard stand together.
pub type Folder = Vec<Entry>;

#[derive(Debug)]
pub struct Folders {
    bucket: Bucket,
    destination: Destination,
    /// The one that was asked for last comes last.
    kept: Mutex<VecDeque<(u32, Arc<OnceCell<Folder>>)>>,
}

impl Folders {
    pub fn new(bucket: &Bucket, destination: &Destination) -> Self {
        Self { bucket: bucket.clone(), destination: destination.clone(), kept: Mutex::default() }
    }

    /// What it held when it was listed, some time in this run.
    pub async fn entries(&self, folder: u32, shard: u32, shards: u32) -> Result<Vec<Entry>> {
        let cell = self.cell(folder).await;
        let listed = cell.get_or_try_init(|| self.list(folder)).await?;
        Ok(of_shard(listed, shard, shards).to_vec())
    }

    async fn cell(&self, folder: u32) -> Arc<OnceCell<Folder>> {
        let mut kept = self.kept.lock().await;
        let standing = kept.iter().position(|(number, _)| *number == folder).and_then(|n| kept.remove(n));
        let (_, cell) = standing.unwrap_or_default();
        kept.push_back((folder, Arc::clone(&cell)));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        cell
    }

    async fn list(&self, folder: u32) -> Result<Folder> {
        let prefix = self.destination.folder(folder);
        let mut entries = self.bucket.listed(&prefix, |object| entry(&object, &prefix, folder)).await?;
        entries.shrink_to_fit();
        entries.sort_unstable_by_key(|entry| entry.hash);
        Ok(entries)
    }
}

/// None of an object that no reader would look for: what has no row's name, or lies in another folder than its key.
fn entry(object: &Listed, prefix: &str, folder: u32) -> Option<Entry> {
    let key = key_of_object(object.key.strip_prefix(prefix)?)?;
    Some(Entry::new(&key, from_hex(&object.etag))).filter(|entry| entry.hash.shard(FOLDERS) == folder)
}

fn of_shard(folder: &[Entry], shard: u32, shards: u32) -> &[Entry] {
    let begin = folder.partition_point(|entry| entry.hash.shard(shards) < shard);
    let end = folder.partition_point(|entry| entry.hash.shard(shards) <= shard);
    &folder[begin..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str) -> Listed {
        Listed { key: format!("users/0110/{name}"), etag: "6b86b273ff34fce19d6b804eff5a3f57".into() }
    }

    #[test]
    fn only_objects_of_rows_in_their_own_folder_are_entries() {
        let found = |name: &str| entry(&listed(name), "users/0110/", 6).map(|entry| entry.key);
        assert_eq!(found("1.json").as_deref(), Some("1"));
        assert_eq!(found("2.json"), None, "its folder is 1101");
        assert_eq!(found("notes.txt"), None);
        assert_eq!(found("1%2.json"), None);
    }

    #[test]
    fn an_etag_is_an_md5_or_says_nothing() {
        let md5 = |etag: &str| entry(&Listed { etag: etag.into(), ..listed("1.json") }, "users/0110/", 6)?.etag;
        assert_eq!(md5("00ff0102030405060708090a0b0c0d0e").map(|md5| (md5[1], md5[15])), Some((0xff, 0x0e)));
        for other in ["", "00ff0102030405060708090a0b0c0d0e-2", "00ff0102030405060708090a0b0c0dxx"] {
            assert_eq!(md5(other), None, "{other}");
        }
    }

    /// Of five million rows a folder has 300,000, and three folders may be there at once.
    #[test]
    fn an_entry_takes_forty_bytes_beside_its_key() {
        assert_eq!(size_of::<Entry>(), 40);
    }

    #[test]
    fn the_entries_of_a_shard_are_those_of_its_hashes() {
        let mut folder: Folder =
            (0..500).filter_map(|n| entry(&listed(&format!("{n}.json")), "users/0110/", 6)).collect();
        folder.sort_unstable_by_key(|entry| entry.hash);
        assert!(folder.len() > 10);
        for shards in [1, 4, 16, 64, 4096] {
            let of_shards = (0..shards).map(|shard| of_shard(&folder, shard, shards));
            let mut all = 0;
            for (shard, entries) in (0..).zip(of_shards) {
                assert!(entries.iter().all(|entry| entry.hash.shard(shards) == shard));
                all += entries.len();
            }
            assert_eq!(all, folder.len(), "{shards} shards");
        }
    }
}
