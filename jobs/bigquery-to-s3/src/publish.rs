//! The end of a run: prove that the generation is whole, write its manifest, flip `CURRENT`, and only then delete what
//! readers no longer see.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use chrono::Utc;
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use handoff::sync::{
    Current, Destination, Generation, GenerationManifest, KeyHash, Layout, SYNC_VERSION, ShardRecord, SyncKey, Totals,
};
use tracing::info;

use crate::bucket::{Bucket, Put};
use crate::scratch::ScratchTable;
use crate::shards::Done;
use crate::standing::{Published, published, undeleted};
use crate::syncs::Sync;

const GETS_IN_FLIGHT: usize = 32;

/// Everything that tasks have finished of a generation.
#[derive(Debug, Default)]
pub struct Finished {
    records: BTreeMap<u32, ShardRecord>,
    changes: Vec<String>,
    rejects: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flip {
    /// We published.
    Ours,
    /// Another task of this execution was quicker by a moment, with the same generation.
    Theirs,
}

impl Finished {
    pub async fn look(bucket: &Bucket, destination: &Destination, generation: &Generation) -> Result<Self> {
        let keys = bucket.list(&destination.key(&SyncKey::DonePrefix(generation))).await?;
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

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.records.values().for_each(|record| totals.add(&record.totals));
        totals
    }
}

/// The generation's manifest, once it is proven: no row of BigQuery's table is missing.
pub fn prove(
    sync: &Sync,
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
        layout: sync.layout,
        generation: generation.clone(),
        previous: previous.map(|previous| previous.generation.clone()),
        published_at: Utc::now(),
        key: sync.key.clone(),
        query_sha256: sync.query_sha256(),
        shards: sync.shards,
        totals,
        changes: finished.changes,
        rejects: finished.rejects,
        records: finished.records.into_values().collect(),
    })
}

/// Dying before the flip leaves readers where they are; the next attempt comes here again.
pub async fn flip(
    bucket: &Bucket,
    destination: &Destination,
    manifest: &GenerationManifest,
    previous: Option<&Published>,
) -> Result<Flip> {
    let generation = &manifest.generation;
    // Where one stands already, a task of ours that saw the same shards wrote it.
    bucket.create(&destination.key(&SyncKey::Manifest(generation)), manifest.to_json()).await?;
    let current = serde_json::to_vec(&Current::new(destination, generation))?;
    let key = destination.key(&SyncKey::Current);
    let put = match previous {
        Some(previous) => bucket.replace(&key, current, &previous.etag).await?,
        None => bucket.create(&key, current).await?,
    };
    if matches!(put, Put::Done(_)) {
        info!(%generation, "published {generation} at {destination}");
        return Ok(Flip::Ours);
    }
    match published(bucket, destination).await? {
        Some(standing) if standing.manifest.generation == *generation => Ok(Flip::Theirs),
        Some(standing) => bail!(
            "CURRENT of {destination} was flipped to {} while {generation} was made; nothing was changed, run again",
            standing.manifest.generation
        ),
        None => bail!("CURRENT of {destination} was deleted while {generation} was made; run again"),
    }
}

/// After the flip: nobody looks for these objects any more. Repeated until its mark is written.
pub async fn delete_vanished(bucket: &Bucket, destination: &Destination, manifest: &GenerationManifest) -> Result<()> {
    if manifest.layout == Layout::Packed {
        return Ok(());
    }
    let keys = undeleted(bucket, destination, manifest).await?;
    let objects: Vec<String> = keys.iter().map(|key| destination.object_key(key, KeyHash::of(key))).collect();
    bucket.delete(&objects).await.context("delete the objects of vanished keys")?;
    bucket.create(&destination.key(&SyncKey::Deleted(&manifest.generation)), "{}").await?;
    Ok(())
}
