//! What stands in S3 before a run: the current generation, and what runs that never published have left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result, ensure};
use handoff::sync::{Destination, Generation, GenerationManifest, KeyHash, Layout, ShardFile, ShardRange, SyncKey};
use tracing::{info, warn};

use crate::bucket::Bucket;
use crate::current::{Published, generations, published};
use crate::delta::Held;
use crate::digest::hex;
use crate::inspection::{Found, Inspect, Inspection, Known};
use crate::shard_file::Row;
use crate::started::started;
use crate::{change_file, digest, shard_file};

/// What is known of a key; nothing at first.
#[derive(Debug, Default)]
struct Stood {
    value: Option<Vec<u8>>,
    md5: Option<[u8; 16]>,
    published: bool,
    touched: bool,
}

impl Stood {
    /// A run that never published wrote this value (`finished`), or may have.
    fn overlay(&mut self, value: Vec<u8>, md5: Option<[u8; 16]>, finished: bool) {
        if self.value.as_ref() != Some(&value) {
            self.touched = true;
            self.value = finished.then_some(value);
            self.md5 = md5;
        }
    }

    /// Neither what was published nor what a run may have left counts: its object is to be written, or to go.
    fn doubt(&mut self) {
        (self.value, self.touched) = (None, true);
    }
}

/// A run that came after the current generation and never published. Only layout objects has to know of it: there it may
/// have written objects that readers see.
#[derive(Debug, Clone)]
struct Unfinished {
    generation: Generation,
    shards: u32,
    files: BTreeSet<u32>,
    done: Vec<ShardRange>,
}

#[derive(Debug)]
pub struct Standing {
    pub published: Option<Published>,
    bucket: Bucket,
    destination: Destination,
    layout: Layout,
    unfinished: Vec<Unfinished>,
    /// Keys that the current generation has not, but whose objects may still be there.
    undeleted: Vec<(KeyHash, String)>,
    inspect: Inspect,
    /// The number of this run among those that share the inspection.
    run: u32,
    inspection: OnceLock<Inspection>,
    /// Shards of layout packed whose object is gone or another one.
    damaged: Mutex<BTreeSet<u32>>,
}

impl Standing {
    /// As it is before `generation`, which is being made.
    pub async fn before(
        bucket: &Bucket,
        destination: &Destination,
        layout: Layout,
        generation: &Generation,
        inspect: Inspect,
    ) -> Result<Self> {
        let published = published(bucket, destination).await?;
        if let Some(Published { manifest, .. }) = &published {
            ensure!(
                manifest.layout == layout,
                "{destination} holds layout {}: give a sync of another layout another prefix",
                if layout == Layout::Packed { "objects" } else { "packed" },
            );
        }
        let last = published.as_ref().and_then(|published| published.manifest.verified);
        let mut standing = Self {
            published,
            bucket: bucket.clone(),
            destination: destination.clone(),
            layout,
            unfinished: Vec::new(),
            undeleted: Vec::new(),
            inspect,
            run: last.map_or(0, |last| last.wrapping_add(1)),
            inspection: OnceLock::new(),
            damaged: Mutex::default(),
        };
        if layout == Layout::Objects {
            standing.look_for_remains(generation).await?;
        }
        Ok(standing)
    }

    async fn look_for_remains(&mut self, before: &Generation) -> Result<()> {
        let current = self.published.as_ref().map(|published| published.manifest.generation.clone());
        for generation in generations(&self.bucket, &self.destination).await? {
            if &generation < before && Some(&generation) > current.as_ref() {
                self.unfinished.extend(self.unfinished(generation).await?);
            }
        }
        if let Some(manifest) = self.published.as_ref().map(|published| &published.manifest) {
            let keys = undeleted(&self.bucket, &self.destination, manifest).await?;
            self.undeleted = keys.into_iter().map(|key| (KeyHash::of(&key), key)).collect();
        }
        Ok(())
    }

    /// None where it had not begun to write.
    async fn unfinished(&self, generation: Generation) -> Result<Option<Unfinished>> {
        let Some(started) = started(&self.bucket, &self.destination, &generation).await? else { return Ok(None) };
        let prefix = self.destination.key(&SyncKey::Generation(&generation));
        let (mut files, mut done) = (BTreeSet::new(), Vec::new());
        for key in self.bucket.list(&prefix).await? {
            let name = key.strip_prefix(&prefix).unwrap_or_default();
            done.extend(done_range(name));
            files.extend(name.strip_suffix(".parquet").and_then(|shard| shard.parse::<u32>().ok()));
        }
        info!(%generation, "run {generation} was never published; what it may have written is looked at");
        Ok(Some(Unfinished { generation, shards: started.shards, files, done }))
    }

    /// Whether all of what is known of this shard is what the current generation says, and nobody wants to look closer.
    pub fn is_clean(&self, shard: u32, shards: u32) -> bool {
        let is_due = self.layout == Layout::Objects && self.inspection(shards).is_due(shard);
        self.unfinished.is_empty() && self.undeleted.is_empty() && !is_due
    }

    /// Whether the object of a shard is what the manifest says, as far as anybody wants to know.
    pub async fn is_readable(&self, shard: u32, file: &ShardFile) -> Result<bool> {
        let shards = self.published.as_ref().map_or(1, |published| published.manifest.shards);
        if self.layout == Layout::Objects || !self.inspect.is_due(shard, shards, self.run) {
            return Ok(true);
        }
        let key = self.destination.key(&SyncKey::Shard(&file.generation, shard));
        let standing = self.bucket.sha256_of(&key).await?;
        let readable = standing.is_some_and(|sha256| hex(&sha256) == file.sha256);
        if !readable {
            self.damaged.lock().unwrap_or_else(PoisonError::into_inner).insert(shard);
            warn!("s3://{}/{key} is gone or another one: the shard is written again", self.bucket.name);
        }
        Ok(readable)
    }

    /// What was found otherwise than the current generation says.
    pub fn found(&self) -> Found {
        let mut found = self.inspection.get().map(Inspection::found).unwrap_or_default();
        found.changed += self.damaged.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
        found
    }

    /// For the manifest: which part was looked at.
    pub fn verified(&self) -> u32 {
        self.run
    }

    fn inspection(&self, shards: u32) -> &Inspection {
        let new = || Inspection::new(&self.bucket, &self.destination, shards, self.inspect, self.run);
        self.inspection.get_or_init(new)
    }

    /// How many rows the current generation has.
    pub fn rows(&self) -> u64 {
        self.published.as_ref().map_or(0, |published| published.manifest.totals.rows)
    }

    /// What stands under the keys of a shard, sorted by key.
    pub async fn held(&self, shard: u32, shards: u32) -> Result<Vec<Held>> {
        let (mut held, mut lost) = (BTreeMap::new(), false);
        if let Some(Published { manifest, .. }) = &self.published {
            for covering in covering(shard, shards, manifest.shards) {
                let Some(file) = &manifest.records[covering as usize].file else { continue };
                let rows = self.rows_of(&file.generation, covering, Some(&file.sha256)).await?;
                lost |= rows.is_none();
                for Row { key, value, md5 } in rows.into_iter().flatten() {
                    held.insert(key, Stood { value: Some(value), md5, published: true, touched: false });
                }
            }
        }
        for (_, key) in self.undeleted.iter().filter(|(hash, _)| hash.shard(shards) == shard) {
            held.insert(key.clone(), Stood::default());
        }
        for run in &self.unfinished {
            lost |= !self.overlay(&mut held, run, shard, shards).await?;
        }
        if lost && self.layout == Layout::Objects {
            for key in self.inspection(shards).keys(shard).await? {
                held.entry(key).or_default().doubt();
            }
        }
        held.retain(|key, _| KeyHash::of(key).shard(shards) == shard);
        if self.layout == Layout::Objects && self.inspection(shards).is_due(shard) {
            self.inspect(&mut held, shard, shards).await?;
        }
        let named = |(key, Stood { value, published, touched, .. })| Held { key, value, published, touched };
        Ok(held.into_iter().map(named).collect())
    }

    /// Doubts what S3 lists otherwise, and learns of what nobody should know.
    async fn inspect(&self, held: &mut BTreeMap<String, Stood>, shard: u32, shards: u32) -> Result<()> {
        let known = held.iter().map(|(key, stood)| {
            let sha256 = stood.value.as_deref();
            (key.as_str(), sha256.map(|sha256| Known { sha256, md5: stood.md5 }))
        });
        let faults = self.inspection(shards).faults(shard, &known.collect()).await?;
        let faults: Vec<String> = faults.keys().cloned().collect();
        faults.into_iter().for_each(|key| held.entry(key).or_default().doubt());
        Ok(())
    }

    /// A run that finished a shard has put every row of its file; of one that did not, nobody knows. False where its list
    /// is lost.
    async fn overlay(
        &self,
        held: &mut BTreeMap<String, Stood>,
        run: &Unfinished,
        shard: u32,
        shards: u32,
    ) -> Result<bool> {
        for covering in covering(shard, shards, run.shards) {
            if !run.files.contains(&covering) {
                continue;
            }
            let finished = run.done.iter().any(|range| (range.first..=range.last).contains(&covering));
            let Some(rows) = self.rows_of(&run.generation, covering, None).await? else { return Ok(false) };
            for Row { key, value, md5 } in rows {
                held.entry(key).or_default().overlay(value, md5, finished);
            }
        }
        Ok(true)
    }

    /// None where the shard's object is gone or another one. That must not stop every run from now on: what stands there
    /// is learnt from S3 itself then.
    async fn rows_of(&self, generation: &Generation, shard: u32, sha256: Option<&str>) -> Result<Option<Vec<Row>>> {
        let key = self.destination.key(&SyncKey::Shard(generation, shard));
        let object = self.bucket.get(&key).await?;
        let object = object.filter(|object| sha256.is_none_or(|sha256| hex(&digest::sha256(&object.bytes)) == sha256));
        let rows = object.and_then(|object| shard_file::read(self.layout, object.bytes).ok());
        if rows.is_none() {
            warn!("s3://{}/{key} is gone or another one: its rows are compared with what stands", self.bucket.name);
        }
        Ok(rows)
    }
}

/// The shards, of `standing` many, that may hold keys of `shard` of `shards`: both are a range of the same hash.
pub fn covering(shard: u32, shards: u32, standing: u32) -> std::ops::Range<u32> {
    if standing >= shards {
        let each = standing / shards;
        shard * each..(shard + 1) * each
    } else {
        let of = shard / (shards / standing);
        of..of + 1
    }
}

/// `done/00000-00063.json`
fn done_range(name: &str) -> Option<ShardRange> {
    let (first, last) = name.strip_prefix("done/")?.strip_suffix(".json")?.split_once('-')?;
    Some(ShardRange { first: first.parse().ok()?, last: last.parse().ok()? })
}

/// The vanished keys of a published generation whose objects may still be there.
pub async fn undeleted(
    bucket: &Bucket,
    destination: &Destination,
    manifest: &GenerationManifest,
) -> Result<Vec<String>> {
    let mark = destination.key(&SyncKey::Deleted(&manifest.generation));
    if manifest.layout == Layout::Packed || bucket.get(&mark).await?.is_some() {
        return Ok(Vec::new());
    }
    let mut keys = Vec::new();
    for changes in &manifest.changes {
        let object = bucket.get(changes).await?;
        let object = object.with_context(|| format!("s3://{}/{changes} is not there", bucket.name))?;
        keys.extend(
            change_file::deleted(object.bytes).with_context(|| format!("read s3://{}/{changes}", bucket.name))?,
        );
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_number_of_shards_is_another_cut_through_the_same_hash() {
        assert_eq!(covering(5, 16, 16), 5..6);
        assert_eq!(covering(5, 16, 64), 20..24);
        assert_eq!(covering(5, 16, 4), 1..2);
        assert_eq!(covering(0, 1, 4), 0..4);
        for key in ["a", "b", "1", "本"] {
            for standing in [1, 4, 16, 64] {
                let (hash, shards) = (KeyHash::of(key), 16);
                assert!(covering(hash.shard(shards), shards, standing).contains(&hash.shard(standing)), "{key}");
            }
        }
    }

    #[test]
    fn a_key_is_touched_by_a_run_that_had_another_value_and_stays_so() {
        let (old, new) = (b"old".to_vec(), b"new".to_vec());
        let published = || Stood { value: Some(old.clone()), md5: None, published: true, touched: false };
        for (runs, value, touched) in [
            (vec![(&old, true)], Some(&old), false),
            (vec![(&old, false)], Some(&old), false),
            (vec![(&new, true)], Some(&new), true),
            (vec![(&new, false)], None, true),
            (vec![(&new, true), (&old, true)], Some(&old), true),
            (vec![(&new, false), (&new, true)], Some(&new), true),
        ] {
            let mut stood = published();
            for (value, finished) in runs {
                stood.overlay(value.clone(), None, finished);
            }
            assert_eq!((stood.value.as_ref(), stood.touched), (value, touched));
        }
    }

    #[test]
    fn the_mark_of_a_finished_range_says_which_one() {
        assert_eq!(done_range("done/00000-00063.json"), Some(ShardRange { first: 0, last: 63 }));
        for other in ["00001.parquet", "done/x.json", "changes/00000-00063.parquet", "started.json"] {
            assert_eq!(done_range(other), None);
        }
    }
}
