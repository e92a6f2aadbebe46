//! What is believed, held against what S3 lists. Nothing that is believed of one object is true for ever: a person with a
//! console, a request that came very late or a fault of ours may have changed it. Each run looks at a share.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use anyhow::Result;
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use handoff::sync::{Destination, FOLDERS, KeyHash, key_of_object, object_file_name};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OnceCell, Semaphore};

use crate::bucket::Bucket;
use crate::digest::hex;
use crate::standing::covering;

/// Where an `ETag` is no MD5 (the bucket is encrypted with a KMS key), each object is asked for its checksum.
const HEADS_IN_FLIGHT: usize = 64;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspect {
    /// The part that is due, so that all are within so many runs; 0 is nothing.
    Share(u32),
    All,
}

/// What was found otherwise than it should be, since the last publication that knew of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Objects that should be there.
    pub missing: u64,
    /// Objects with another content.
    pub changed: u64,
    /// Objects of rows that are not published.
    pub extra: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Missing,
    Changed,
    Extra,
}

/// What is known of a key: the hashes of its object.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    pub sha256: &'a [u8],
    pub md5: Option<[u8; 16]>,
}

impl Known<'_> {
    fn is_listed_as(&self, etag: &str) -> bool {
        self.md5.is_some_and(|md5| etag == hex(&md5))
    }
}

/// One for a run, of one sync in layout objects.
#[derive(Debug)]
pub struct Inspection {
    bucket: Bucket,
    destination: Destination,
    shards: u32,
    due: Vec<bool>,
    folders: Vec<Mutex<Folder>>,
    /// Faults of each shard, found once: later in the run its own writes would be among them.
    found: Vec<OnceCell<BTreeMap<String, Fault>>>,
    heads: Semaphore,
}

/// A folder is listed when its first shard is inspected, and forgotten after its last one.
#[derive(Debug)]
struct Folder {
    listed: Option<Arc<Listing>>,
    left: u32,
}

/// The name of each object and its `ETag`.
type Listing = BTreeMap<Box<str>, Box<str>>;

impl Inspect {
    /// Whether part `n` of `parts` is due in the run with this number.
    pub fn is_due(self, n: u32, parts: u32, run: u32) -> bool {
        match self {
            Self::All => true,
            Self::Share(0) => false,
            Self::Share(runs) => u64::from(n) * u64::from(runs) / u64::from(parts) == u64::from(run % runs),
        }
    }
}

impl Found {
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    pub fn add(&mut self, other: Self) {
        self.missing += other.missing;
        self.changed += other.changed;
        self.extra += other.extra;
    }

    fn count<'a>(faults: impl IntoIterator<Item = &'a Fault>) -> Self {
        let mut found = Self::default();
        for fault in faults {
            match fault {
                Fault::Missing => found.missing += 1,
                Fault::Changed => found.changed += 1,
                Fault::Extra => found.extra += 1,
            }
        }
        found
    }
}

impl Inspection {
    pub fn new(bucket: &Bucket, destination: &Destination, shards: u32, inspect: Inspect, run: u32) -> Self {
        let left = (shards / FOLDERS).max(1);
        let folder = |_| Mutex::new(Folder { listed: None, left });
        Self {
            bucket: bucket.clone(),
            destination: destination.clone(),
            shards,
            due: (0..FOLDERS).map(|folder| inspect.is_due(folder, FOLDERS, run)).collect(),
            folders: (0..FOLDERS).map(folder).collect(),
            found: (0..shards).map(|_| OnceCell::new()).collect(),
            heads: Semaphore::new(HEADS_IN_FLIGHT),
        }
    }

    fn folders(&self, shard: u32) -> Range<u32> {
        covering(shard, self.shards, FOLDERS)
    }

    pub fn is_due(&self, shard: u32) -> bool {
        self.folders(shard).any(|folder| self.due[folder as usize])
    }

    /// All that was found so far.
    pub fn found(&self) -> Found {
        let mut found = Found::default();
        for shard in self.found.iter().filter_map(OnceCell::get) {
            found.add(Found::count(shard.values()));
        }
        found
    }

    /// The faults of a shard whose keys should be these. `known` has none for a key of which nothing is known anyway.
    pub async fn faults(
        &self,
        shard: u32,
        known: &BTreeMap<&str, Option<Known<'_>>>,
    ) -> Result<&BTreeMap<String, Fault>> {
        self.found[shard as usize].get_or_try_init(|| self.inspect(shard, known)).await
    }

    async fn inspect(&self, shard: u32, known: &BTreeMap<&str, Option<Known<'_>>>) -> Result<BTreeMap<String, Fault>> {
        let mut faults = BTreeMap::new();
        let mut asked = Vec::new();
        for folder in self.folders(shard).filter(|folder| self.due[*folder as usize]) {
            let listing = self.listing(folder).await?;
            for key in listing.keys().filter_map(|name| key_of_object(name)) {
                let hash = KeyHash::of(&key);
                let of_shard = hash.shard(self.shards) == shard && hash.shard(FOLDERS) == folder;
                if of_shard && !known.contains_key(key.as_str()) {
                    faults.insert(key, Fault::Extra);
                }
            }
            for (key, known) in known.iter().filter(|(key, _)| KeyHash::of(key).shard(FOLDERS) == folder) {
                let name = object_file_name(key);
                match (listing.get(name.as_str()), known) {
                    (_, None) => {}
                    (None, Some(_)) => drop(faults.insert((*key).to_owned(), Fault::Missing)),
                    (Some(etag), Some(known)) if known.is_listed_as(etag) => {}
                    (Some(_), Some(known)) => asked.push(((*key).to_owned(), known.sha256.to_vec())),
                }
            }
        }
        let asked = iter(asked).map(|(key, sha256)| self.ask(key, sha256)).buffer_unordered(HEADS_IN_FLIGHT);
        faults.extend(asked.try_collect::<Vec<_>>().await?.into_iter().flatten());
        Ok(faults)
    }

    /// The `ETag` does not tell.
    async fn ask(&self, key: String, known: Vec<u8>) -> Result<Option<(String, Fault)>> {
        let _one_of_few = self.heads.acquire().await?;
        let standing = self.bucket.sha256_of(&self.destination.object_key(&key, KeyHash::of(&key))).await?;
        let same = standing.is_some_and(|sha256| sha256[..] == known[..]);
        Ok((!same).then_some((key, Fault::Changed)))
    }

    /// The keys of a shard whose objects stand, where nothing else is known of it.
    pub async fn keys(&self, shard: u32) -> Result<Vec<String>> {
        let mut keys = Vec::new();
        for folder in self.folders(shard) {
            let listing = self.list(folder).await?;
            let of_shard = |key: &String| KeyHash::of(key).shard(self.shards) == shard;
            keys.extend(listing.keys().filter_map(|name| key_of_object(name)).filter(of_shard));
        }
        Ok(keys)
    }

    async fn listing(&self, folder: u32) -> Result<Arc<Listing>> {
        let mut kept = self.folders[folder as usize].lock().await;
        let listing = match &kept.listed {
            Some(listing) => Arc::clone(listing),
            None => Arc::new(self.list(folder).await?),
        };
        kept.left = kept.left.saturating_sub(1);
        kept.listed = (kept.left > 0).then(|| Arc::clone(&listing));
        Ok(listing)
    }

    async fn list(&self, folder: u32) -> Result<Listing> {
        let prefix = self.destination.folder(folder);
        let objects = self.bucket.listed(&prefix).await?;
        let named = objects.into_iter().filter_map(|object| {
            let name = object.key.strip_prefix(&prefix)?;
            Some((Box::from(name), object.etag.into_boxed_str()))
        });
        Ok(named.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_due_once_in_so_many_runs() {
        for (parts, runs) in [(16, 30), (16, 16), (16, 4), (4096, 30), (16, 1), (1, 30)] {
            for part in 0..parts {
                let due = (0..runs).filter(|run| Inspect::Share(runs).is_due(part, parts, *run)).count();
                assert_eq!(due, 1, "part {part} of {parts} in {runs} runs");
            }
            assert!(Inspect::All.is_due(0, parts, 7));
        }
        assert!(!Inspect::Share(0).is_due(0, 16, 0));
    }
}
