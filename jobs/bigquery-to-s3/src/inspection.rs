//! What is believed, held against what S3 lists. Nothing that is believed of one object is true for ever: a person with a
//! console, a request that came very late or a fault of ours may have changed it. Each run looks at a share.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{AddAssign, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use handoff::sync::{Destination, FOLDERS, KeyHash};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::bucket::{Bucket, Checksum};
use crate::listing::{Entry, Folders};
use crate::rows::Rendered;
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

/// How many objects were found otherwise than the generation that is published says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub missing: u64,
    /// With another content.
    pub changed: u64,
    /// Of rows that are not published.
    pub extra: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Missing,
    Changed,
    Extra,
}

/// The hashes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content<'a> {
    pub sha256: &'a [u8],
    /// An older version did not write it down.
    pub md5: Option<[u8; 16]>,
}

/// One for a run, of one sync in layout objects.
#[derive(Debug)]
pub struct Inspection {
    bucket: Bucket,
    destination: Destination,
    shards: u32,
    due: Vec<bool>,
    folders: Folders,
    heads: Semaphore,
    /// Shards of which a look found nothing: where rows are compared first and written then, the second pass need not ask
    /// for each of their objects again.
    sound: Mutex<BTreeSet<u32>>,
}

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

    pub fn note(&mut self, fault: Fault) {
        match fault {
            Fault::Missing => self.missing += 1,
            Fault::Changed => self.changed += 1,
            Fault::Extra => self.extra += 1,
        }
    }
}

impl From<Fault> for Found {
    fn from(fault: Fault) -> Self {
        let mut found = Self::default();
        found.note(fault);
        found
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { missing, changed, extra } = self;
        write!(f, "{missing} objects missing, {changed} changed, {extra} too many")
    }
}

impl AddAssign for Found {
    fn add_assign(&mut self, other: Self) {
        self.missing += other.missing;
        self.changed += other.changed;
        self.extra += other.extra;
    }
}

/// What a listing tells of some keys, and what it leaves open.
#[derive(Debug, Default, PartialEq, Eq)]
struct Judged<'a> {
    faults: BTreeMap<&'a str, Fault>,
    /// These stand, with an `ETag` that says nothing.
    open: Vec<&'a str>,
}

/// `known` has none for a key of which nothing is known. What a row is to become is no fault: an earlier attempt of this
/// run may have written it.
fn judge<'a, 'b>(
    known: &BTreeMap<&'a str, Option<Content<'a>>>,
    wanted: impl Fn(&str) -> Option<Content<'b>>,
    listed: &'a [Entry],
) -> Judged<'a> {
    let (mut judged, mut seen) = (Judged::default(), BTreeSet::new());
    for entry in listed {
        let key = &*entry.key;
        seen.insert(key);
        let stands_as =
            |content: Option<Content<'_>>| entry.etag.zip(content).is_some_and(|(etag, c)| c.md5 == Some(etag));
        if stands_as(wanted(key)) {
            continue;
        }
        match known.get(key) {
            None => drop(judged.faults.insert(key, Fault::Extra)),
            Some(Some(known)) if !stands_as(Some(*known)) => judged.open.push(key),
            Some(_) => {}
        }
    }
    let missing = known.iter().filter(|(key, known)| known.is_some() && !seen.contains(*key));
    judged.faults.extend(missing.map(|(key, _)| (*key, Fault::Missing)));
    judged
}

impl Inspection {
    pub fn new(bucket: &Bucket, destination: &Destination, shards: u32, inspect: Inspect, run: u32) -> Self {
        Self {
            bucket: bucket.clone(),
            destination: destination.clone(),
            shards,
            due: (0..FOLDERS).map(|folder| inspect.is_due(folder, FOLDERS, run)).collect(),
            folders: Folders::new(bucket, destination),
            heads: Semaphore::new(HEADS_IN_FLIGHT),
            sound: Mutex::default(),
        }
    }

    fn folders(&self, shard: u32) -> Range<u32> {
        covering(shard, self.shards, FOLDERS)
    }

    pub fn is_due(&self, shard: u32) -> bool {
        self.folders(shard).any(|folder| self.due[folder as usize])
    }

    /// The faults among a shard's objects, as far as they are due.
    pub async fn faults(
        &self,
        shard: u32,
        known: &BTreeMap<&str, Option<Content<'_>>>,
        rendered: Option<&Rendered>,
    ) -> Result<BTreeMap<String, Fault>> {
        let wanted = |key: &str| rendered.and_then(|rendered| rendered.content(key));
        let mut faults = BTreeMap::new();
        if self.sound().contains(&shard) {
            return Ok(faults);
        }
        for folder in self.folders(shard).filter(|folder| self.due[*folder as usize]) {
            let listed = self.folders.entries(folder, shard, self.shards).await?;
            let of_folder = known.iter().filter(|(key, _)| KeyHash::of(key).shard(FOLDERS) == folder);
            let known = of_folder.map(|(key, known)| (*key, *known)).collect();
            let judged = judge(&known, wanted, &listed);
            let questions: Vec<_> = judged.open.iter().map(|key| self.ask(key, [known[key], wanted(key)])).collect();
            let answers: Vec<_> = iter(questions).buffer_unordered(HEADS_IN_FLIGHT).try_collect().await?;
            let judged = judged.faults.into_iter().map(|(key, fault)| (key.to_owned(), fault));
            faults.extend(judged.chain(answers.into_iter().flatten()));
        }
        if faults.is_empty() {
            self.sound().insert(shard);
        }
        Ok(faults)
    }

    fn sound(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.sound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `ETag` does not tell whether it is one of these.
    async fn ask(&self, key: &str, contents: [Option<Content<'_>>; 2]) -> Result<Option<(String, Fault)>> {
        let _one_of_few = self.heads.acquire().await?;
        let object = self.destination.object_key(key, KeyHash::of(key));
        let fault = match self.bucket.checksum(&object).await? {
            Checksum::Sha256(sha256) if contents.iter().flatten().any(|content| content.sha256 == sha256) => None,
            Checksum::NoObject => Some(Fault::Missing),
            Checksum::Sha256(_) | Checksum::Unreadable => Some(Fault::Changed),
        };
        Ok(fault.map(|fault| (key.to_owned(), fault)))
    }

    /// The keys of a shard whose objects stand, where nothing else is known of it.
    pub async fn keys(&self, shard: u32) -> Result<Vec<String>> {
        let mut keys = Vec::new();
        for folder in self.folders(shard) {
            let entries = self.folders.entries(folder, shard, self.shards).await?;
            keys.extend(entries.into_iter().map(|entry| entry.key.into_string()));
        }
        Ok(keys)
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

    /// The folders of row objects are sixteen parts, whatever the number of runs and of shards.
    #[test]
    fn of_fewer_parts_than_runs_a_run_looks_at_one_or_at_none() {
        let due = |parts, run| (0..parts).filter(|part| Inspect::Share(30).is_due(*part, parts, run)).count();
        let folders: Vec<usize> = (0..30).map(|run| due(FOLDERS, run)).collect();
        assert_eq!(folders.iter().filter(|due| **due == 1).count(), 16, "{folders:?}");
        assert_eq!(folders.iter().filter(|due| **due == 0).count(), 14, "{folders:?}");
        let shards: Vec<usize> = (0..30).map(|run| due(4096, run)).collect();
        assert!(shards.iter().all(|due| (136..=137).contains(due)), "{shards:?}");
    }

    fn content(md5: u8) -> Content<'static> {
        Content { sha256: &[], md5: Some([md5; 16]) }
    }

    #[test]
    fn what_stands_otherwise_than_it_is_known_and_wanted_is_a_fault() {
        let entry = |key: &str, etag: Option<u8>| Entry::new(key, etag.map(|etag| [etag; 16]));
        let known = BTreeMap::from([
            ("same", Some(content(1))),
            ("gone", Some(content(1))),
            ("other", Some(content(1))),
            ("kms", Some(content(1))),
            ("old", Some(Content { sha256: &[], md5: None })),
            ("written", Some(content(1))),
            ("doubted", None),
            ("doubted and gone", None),
        ]);
        let wanted = |key: &str| (key == "written" || key == "created").then(|| content(2));
        let listed = [
            entry("same", Some(1)),
            entry("other", Some(9)),
            entry("kms", None),
            entry("old", Some(1)),
            entry("written", Some(2)),
            entry("created", Some(2)),
            entry("doubted", Some(9)),
            entry("unknown", Some(9)),
        ];
        let judged = judge(&known, wanted, &listed);
        assert_eq!(judged.faults, BTreeMap::from([("gone", Fault::Missing), ("unknown", Fault::Extra)]));
        assert_eq!(judged.open, ["other", "kms", "old"]);
    }
}
