//! The end of a run: prove that the generation is whole, and, after the flip, delete what readers no longer see.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use chrono::Utc;
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use handoff::sync::{
    Destination, Generation, GenerationManifest, KeyHash, Layout, SYNC_VERSION, ShardRecord, SyncKey, Totals,
};

use crate::bucket::Bucket;
use crate::inspection::Found;
use crate::leased::LeasedBucket;
use crate::remains::{Undeleted, undeleted};
use crate::scratch::ScratchTable;
use crate::shards::Done;
use crate::syncs::Sync;

const GETS_IN_FLIGHT: usize = 32;

/// Everything that tasks have finished of a generation.
#[derive(Debug, Default)]
pub struct Finished {
    records: BTreeMap<u32, ShardRecord>,
    changes: Vec<String>,
    rejects: Vec<String>,
    found: Found,
}

impl Finished {
    /// The marks under `prefix`: what is done, or what is compared.
    pub async fn look(bucket: &Bucket, destination: &Destination, prefix: SyncKey<'_>) -> Result<Self> {
        let keys = bucket.list(&destination.key(&prefix)).await?;
        let read = async |key: String| -> Result<Done> {
            let object = bucket.get(&key).await?.with_context(|| format!("s3://{}/{key} went away", bucket.name))?;
            serde_json::from_slice(&object.bytes).with_context(|| format!("s3://{}/{key}", bucket.name))
        };
        let done: Vec<Done> = iter(keys).map(read).buffered(GETS_IN_FLIGHT).try_collect().await?;
        let mut finished = Self::default();
        for done in done {
            finished.add(done);
        }
        Ok(finished)
    }

    pub fn add(&mut self, done: Done) {
        self.records.extend(done.records.into_iter().map(|record| (record.shard, record)));
        self.changes.extend(done.changes);
        self.rejects.extend(done.rejects);
        self.found += done.found;
    }

    /// What `self` says of a shard counts more.
    pub fn or(mut self, other: Self) -> Self {
        for (shard, record) in other.records {
            self.records.entry(shard).or_insert(record);
        }
        self
    }

    pub fn has(&self, shard: u32) -> bool {
        self.records.contains_key(&shard)
    }

    pub fn is_whole(&self, shards: u32) -> bool {
        self.records.len() == shards as usize
    }

    /// How many shards this generation itself wrote.
    pub fn files_of(&self, generation: &Generation) -> u64 {
        let files = self.records.values().filter_map(|record| record.file.as_ref());
        files.filter(|file| file.generation == *generation).count() as u64
    }

    /// By all tasks.
    pub fn found(&self) -> Found {
        self.found
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.records.values().for_each(|record| totals.add(&record.totals));
        totals
    }
}

/// The generation's manifest, once it is proven: no row of BigQuery's table is missing.
pub fn prove(
    sync: &Sync,
    scratch: &str,
    generation: &Generation,
    table: &ScratchTable,
    previous: Option<&GenerationManifest>,
    finished: Finished,
) -> Result<GenerationManifest> {
    let totals = finished.totals();
    let (done, counted) = (totals.rows + totals.rejected, table.rows);
    ensure!(finished.is_whole(sync.shards), "{} of {} shards are done", finished.records.len(), sync.shards);
    ensure!(done == counted, "{done} rows were worked on, BigQuery counted {counted}");
    Ok(GenerationManifest {
        version: SYNC_VERSION,
        sync: sync.name.to_string(),
        scratch: Some(scratch.to_owned()),
        layout: sync.layout,
        generation: generation.clone(),
        previous: previous.map(|previous| previous.generation.clone()),
        published_at: Utc::now(),
        key: sync.key.clone(),
        query_sha256: sync.query_sha256(),
        shards: sync.shards,
        totals,
        verified: None,
        changes: finished.changes,
        rejects: finished.rejects,
        records: finished.records.into_values().collect(),
    })
}

/// After the flip: nobody looks for these objects any more. Repeated until its mark is written; where a list of them is
/// lost, the next run finds and deletes the rest.
pub async fn delete_vanished(
    bucket: &LeasedBucket,
    destination: &Destination,
    manifest: &GenerationManifest,
) -> Result<()> {
    if manifest.layout == Layout::Packed {
        return Ok(());
    }
    let Undeleted { keys, lost } = undeleted(bucket, destination, manifest).await?;
    let objects: Vec<String> = keys.iter().map(|key| destination.object_key(key, KeyHash::of(key))).collect();
    bucket.delete(&objects).await.context("delete the objects of vanished keys")?;
    if !lost {
        bucket.create(&destination.key(&SyncKey::Deleted(&manifest.generation)), "{}").await?;
    }
    Ok(())
}
