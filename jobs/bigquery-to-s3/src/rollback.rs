//! Back to a generation that was published before.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use handoff::sync::{Generation, GenerationManifest, Layout, SyncKey};
use serde::Serialize;

use crate::bucket::Bucket;
use crate::claim::{Claimed, claim};
use crate::current::{flip, manifest, published};
use crate::inspection::Inspect;
use crate::report::Outcome;
use crate::run::{Attempt, From, run};
use crate::syncs::Sync;
use crate::{Clouds, RunError, Stop, Task, current, owner};

/// A generation that is still kept.
#[derive(Debug, Clone, Serialize)]
pub struct Kept {
    pub sync: String,
    pub generation: Generation,
    pub published_at: DateTime<Utc>,
    pub rows: u64,
    pub created: u64,
    pub updated: u64,
    pub deleted: u64,
    pub current: bool,
}

impl Kept {
    pub fn to_text(&self) -> String {
        let Self { sync, generation, published_at, rows, created, updated, deleted, current } = self;
        let mark = if *current { "*" } else { " " };
        let at = published_at.format("%Y-%m-%d %H:%M:%S UTC");
        format!("{mark} {sync} {generation} published {at}: {rows} rows (+{created} ~{updated} -{deleted})\n")
    }
}

pub async fn kept(sync: &Sync, clouds: &Clouds) -> Result<Vec<Kept>> {
    let (bucket, destination) = (clouds.bucket(sync), &sync.destination);
    let Some(published) = published(&bucket, destination).await? else { return Ok(Vec::new()) };
    let mut kept = Vec::new();
    for generation in current::kept(&bucket, destination, &published).await? {
        let Some(manifest) = manifest(&bucket, destination, &generation).await? else { continue };
        let totals = manifest.totals;
        kept.push(Kept {
            sync: sync.name.to_string(),
            current: generation == published.current.generation,
            generation,
            published_at: manifest.published_at,
            rows: totals.rows,
            created: totals.created,
            updated: totals.updated,
            deleted: totals.deleted,
        });
    }
    Ok(kept)
}

/// In layout packed, everything that the older manifest names is still there: a flip is enough. In layout objects the
/// objects were replaced, so the older result is published once more, as a new generation; with the settings of then,
/// and only if it comes out as it was.
pub async fn rollback(
    sync: &Sync,
    to: &Generation,
    clouds: &Clouds,
    task: &Task,
    stop: Stop,
) -> Result<Outcome, RunError> {
    owner::ensure_ours(&clouds.bucket(sync), sync, &clouds.scratch).await?;
    let earlier = earlier(&clouds.bucket(sync), sync, to).await?;
    match sync.layout {
        Layout::Packed => flip_back(sync, to, clouds, task).await,
        Layout::Objects => {
            let as_then = Sync { shards: earlier.shards, key: earlier.key.clone(), ..sync.clone() };
            run(Attempt { sync: &as_then, from: From::Table(&earlier), inspect: Inspect::Share(0), clouds, task, stop })
                .await
        }
    }
}

async fn earlier(bucket: &Bucket, sync: &Sync, to: &Generation) -> Result<GenerationManifest> {
    let destination = &sync.destination;
    let published = published(bucket, destination).await?;
    let kept = match &published {
        Some(published) => current::kept(bucket, destination, published).await?,
        None => Vec::new(),
    };
    let manifest = if kept.contains(to) { manifest(bucket, destination, to).await? } else { None };
    let manifest =
        manifest.with_context(|| format!("{to} is not kept at {destination}; `generations` lists what is"))?;
    ensure!(manifest.layout == sync.layout, "{to} is of another layout than sync {}", sync.name);
    Ok(manifest)
}

async fn flip_back(sync: &Sync, to: &Generation, clouds: &Clouds, task: &Task) -> Result<Outcome, RunError> {
    let destination = &sync.destination;
    let Claimed::Held(held) = claim(sync, clouds, task).await? else { return Ok(Outcome::rolled_back(sync, to)) };
    // Looked at again: while we waited for the lease, another run may have collected it.
    let earlier = earlier(&held.bucket, sync, to).await?;
    ensure_whole(&held.bucket, sync, &earlier).await?;
    let base = published(&held.bucket, destination).await?;
    if base.as_ref().is_none_or(|base| base.current.generation != *to) {
        let owner = Some(owner::owner(sync, &clouds.scratch));
        flip(&held.bucket, destination, to, owner, base.as_ref(), sync.keep_generations).await?;
    }
    held.end(true).await?;
    Ok(Outcome::rolled_back(sync, to))
}

/// What was collected by mistake or by hand is found before readers find it.
async fn ensure_whole(bucket: &Bucket, sync: &Sync, manifest: &GenerationManifest) -> Result<()> {
    let mut listed: BTreeMap<&Generation, BTreeSet<String>> = BTreeMap::new();
    for record in &manifest.records {
        let Some(file) = &record.file else { continue };
        if !listed.contains_key(&file.generation) {
            let prefix = sync.destination.key(&SyncKey::Generation(&file.generation));
            listed.insert(&file.generation, bucket.list(&prefix).await?.into_iter().collect());
        }
        let key = sync.destination.key(&SyncKey::Shard(&file.generation, record.shard));
        ensure!(
            listed[&file.generation].contains(&key),
            "{} names s3://{}/{key}, which is not there",
            manifest.generation,
            bucket.name
        );
    }
    Ok(())
}
