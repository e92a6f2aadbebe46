//! What stands in S3 before a run: the current generation, and what runs that never published have left.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use anyhow::{Result, ensure};
use handoff::sync::{Destination, Generation, Layout, SyncKey};
use tracing::warn;

use crate::bucket::{Bucket, Checksum};
use crate::current::{Published, published};
use crate::delta::Held;
use crate::digest::hex;
use crate::inspection::{Content, Fault, Found, Inspect, Inspection};
use crate::lists::{List, Lists};
use crate::remains::{Remains, Unfinished};
use crate::rows::Rendered;
use crate::shard_file::{self, Row};
use crate::stood::Stood;

/// What stands under the keys of a shard.
#[derive(Debug, Default)]
pub struct Stands {
    /// In the order of their keys.
    pub held: Vec<Held>,
    /// What was found otherwise than it is known.
    pub found: Found,
    /// An object by which the current generation says what they are is gone, or another one.
    pub list_lost: bool,
}

#[derive(Debug)]
pub struct Standing {
    pub published: Option<Published>,
    bucket: Bucket,
    destination: Destination,
    layout: Layout,
    pub lists: Lists,
    remains: Remains,
    inspect: Inspect,
    inspection: OnceLock<Inspection>,
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
        let remains = match layout {
            Layout::Packed => Remains::default(),
            Layout::Objects => Remains::look(bucket, destination, generation, published.as_ref()).await?,
        };
        let lists = Lists::new(bucket, destination, layout);
        let (bucket, destination) = (bucket.clone(), destination.clone());
        Ok(Self { published, bucket, destination, layout, lists, remains, inspect, inspection: OnceLock::new() })
    }

    /// The number of this run among those that share the inspection.
    fn run(&self) -> u32 {
        let last = self.published.as_ref().and_then(|published| published.manifest.verified);
        last.map_or(0, |last| last.wrapping_add(1))
    }

    /// For the manifest: which part was looked at last.
    pub fn verified(&self) -> Option<u32> {
        match self.inspect {
            Inspect::Share(0) => self.published.as_ref()?.manifest.verified,
            Inspect::Share(_) | Inspect::All => Some(self.run()),
        }
    }

    fn inspection(&self, shards: u32) -> &Inspection {
        let new = || Inspection::new(&self.bucket, &self.destination, shards, self.inspect, self.run());
        self.inspection.get_or_init(new)
    }

    /// Whether row objects of this shard are looked at.
    fn is_due(&self, shard: u32, shards: u32) -> bool {
        self.layout == Layout::Objects && self.inspection(shards).is_due(shard)
    }

    /// Whether all of what is known of this shard is what the current generation says, and nobody wants to look closer.
    pub fn is_clean(&self, shard: u32, shards: u32) -> bool {
        self.remains.is_nothing() && !self.is_due(shard, shards)
    }

    /// Whether nothing was ever published or begun, and nobody wants to look what is there nevertheless.
    pub fn is_nothing(&self, shard: u32, shards: u32) -> bool {
        self.published.is_none() && self.is_clean(shard, shards)
    }

    /// What is wrong with the object of a shard that the current generation names, where it is due.
    pub async fn damage(&self, shard: u32) -> Result<Found> {
        let Some(Published { manifest, .. }) = &self.published else { return Ok(Found::default()) };
        let Some(file) = manifest.records.get(shard as usize).and_then(|record| record.file.as_ref()) else {
            return Ok(Found::default());
        };
        if !self.inspect.is_due(shard, manifest.shards, self.run()) {
            return Ok(Found::default());
        }
        let key = self.destination.key(&SyncKey::Shard(&file.generation, shard));
        let fault = match self.bucket.checksum(&key).await? {
            Checksum::Sha256(sha256) if hex(&sha256) == file.sha256 => return Ok(Found::default()),
            Checksum::NoObject => Fault::Missing,
            Checksum::Sha256(_) | Checksum::Unreadable => Fault::Changed,
        };
        warn!("s3://{}/{key} is gone or another one", self.bucket.name);
        Ok(fault.into())
    }

    /// How many rows the current generation has.
    pub fn rows(&self) -> u64 {
        self.published.as_ref().map_or(0, |published| published.manifest.totals.rows)
    }

    /// `rendered` is what the shard is to become.
    pub async fn held(&self, shard: u32, shards: u32, rendered: Option<&Rendered>) -> Result<Stands> {
        let mut held = BTreeMap::new();
        let list_lost = !self.current(&mut held, shard, shards).await?;
        let mut doubted = list_lost;
        for run in &self.remains.unfinished {
            doubted |= !self.overlay(&mut held, run, shard, shards).await?;
        }
        if self.layout == Layout::Objects && (doubted || self.remains.undeleted_lost) {
            if doubted {
                held.values_mut().for_each(Stood::doubt);
            }
            for key in self.inspection(shards).keys(shard).await? {
                let stood = held.entry(key).or_insert_with(Stood::of_nobody);
                // Of what a lost list had, nobody else knows: it may not vanish as if it had never been published.
                stood.published |= list_lost;
            }
        }
        for (_, key) in self.remains.undeleted.iter().filter(|(hash, _)| hash.shard(shards) == shard) {
            held.entry(key.clone()).or_default().published = false;
        }
        let mut found = Found::default();
        if self.is_due(shard, shards) {
            for (key, fault) in self.faults(&held, shard, shards, rendered).await? {
                found.note(fault);
                held.entry(key).or_default().doubt();
            }
        }
        let named = |(key, Stood { value, published, touched, .. })| Held { key, value, published, touched };
        Ok(Stands { held: held.into_iter().map(named).collect(), found, list_lost })
    }

    /// What the current generation has. False where a list of it is lost.
    async fn current(&self, held: &mut BTreeMap<String, Stood>, shard: u32, shards: u32) -> Result<bool> {
        let Some(Published { manifest, .. }) = &self.published else { return Ok(true) };
        let mut all = true;
        for covering in covering(shard, shards, manifest.shards) {
            let Some(file) = &manifest.records[covering as usize].file else { continue };
            let list = List { generation: &file.generation, shard: covering, sha256: Some(&file.sha256) };
            let rows = self.part(list, manifest.shards, shard, shards).await?;
            all &= rows.is_some();
            for Row { key, value, md5 } in rows.into_iter().flatten() {
                held.insert(key, Stood { value: Some(value), md5, published: true, touched: false });
            }
        }
        Ok(all)
    }

    async fn faults(
        &self,
        held: &BTreeMap<String, Stood>,
        shard: u32,
        shards: u32,
        rendered: Option<&Rendered>,
    ) -> Result<BTreeMap<String, Fault>> {
        let known = held.iter().map(|(key, Stood { value, md5, .. })| {
            let content = value.as_deref().map(|sha256| Content { sha256, md5: *md5 });
            (key.as_str(), content)
        });
        self.inspection(shards).faults(shard, &known.collect(), rendered).await
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
        for covering in covering(shard, shards, run.shards).filter(|covering| run.files.contains(covering)) {
            let list = List { generation: &run.generation, shard: covering, sha256: None };
            let rows = self.part(list, run.shards, shard, shards).await?;
            let Some(rows) = rows else { return Ok(false) };
            for Row { key, value, md5 } in rows {
                held.entry(key).or_default().overlay(value, md5, run.has_finished(covering));
            }
        }
        Ok(true)
    }

    /// Those of `shard` of `shards`, out of a list that covers it: all, or a part of the list.
    async fn part(&self, list: List<'_>, standing: u32, shard: u32, shards: u32) -> Result<Option<Vec<Row>>> {
        if standing < shards { self.lists.part(list, shard, shards).await } else { self.lists.rows(list).await }
    }

    /// As `held`, but not all of it at once, where that can be: in layout packed the bodies are what takes memory, and one
    /// shard of the current generation has all that stands.
    pub async fn held_packed(
        &self,
        shard: u32,
        shards: u32,
    ) -> Result<Option<impl Iterator<Item = Result<Vec<Held>>>>> {
        let published = self.published.as_ref().map(|published| &published.manifest);
        let cut_alike = published.filter(|manifest| self.layout == Layout::Packed && manifest.shards == shards);
        let Some(file) = cut_alike.and_then(|manifest| manifest.records[shard as usize].file.as_ref()) else {
            return Ok(None);
        };
        let list = List { generation: &file.generation, shard, sha256: Some(&file.sha256) };
        let Some(bytes) = self.lists.bytes(list).await? else { return Ok(None) };
        let held = |Row { key, value, .. }| Held { key, value: Some(value), published: true, touched: false };
        let batches = shard_file::batches(self.layout, bytes)?;
        Ok(Some(batches.map(move |rows| Ok(rows?.into_iter().map(held).collect()))))
    }

    /// Whether `held` has to have whole bodies in memory.
    pub fn holds_bodies(&self, shards: u32) -> bool {
        let published = self.published.as_ref().map(|published| &published.manifest);
        published.is_some_and(|manifest| self.layout == Layout::Packed && manifest.shards != shards)
    }
}

/// The shards, of `standing` many, that may hold keys of `shard` of `shards`: both are a range of the same hash.
pub fn covering(shard: u32, shards: u32, standing: u32) -> Range<u32> {
    if standing >= shards {
        let each = standing / shards;
        shard * each..(shard + 1) * each
    } else {
        let of = shard / (shards / standing);
        of..of + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handoff::sync::KeyHash;

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
}
