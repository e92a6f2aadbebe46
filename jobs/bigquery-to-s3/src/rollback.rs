//! Back to a generation that was published before.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use handoff::sync::{Generation, Layout};
use serde::Serialize;

use crate::bucket::Bucket;
use crate::lease::{Acquired, Lease};
use crate::publish::flip;
use crate::report::Outcome;
use crate::run::{From, run};
use crate::standing::{generations, manifest, published};
use crate::syncs::Sync;
use crate::{Clouds, RunError, Stop, Task};

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
    let current = published(&bucket, destination).await?.map(|published| published.manifest.generation);
    let mut kept = Vec::new();
    for generation in generations(&bucket, destination).await?.into_iter().rev() {
        let Some(manifest) = manifest(&bucket, destination, &generation).await? else { continue };
        let totals = manifest.totals;
        kept.push(Kept {
            sync: sync.name.to_string(),
            current: Some(&generation) == current.as_ref(),
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
/// objects were replaced, so the older result is published once more, as a new generation.
pub async fn rollback(
    sync: &Sync,
    to: &Generation,
    clouds: &Clouds,
    task: &Task,
    stop: Stop,
) -> Result<Outcome, RunError> {
    match sync.layout {
        Layout::Packed => {
            flip_back(&clouds.bucket(sync), sync, to, clouds, task).await?;
            Ok(Outcome::rolled_back(sync, to))
        }
        Layout::Objects => run(sync, From::Table(to), clouds, task, stop).await,
    }
}

async fn flip_back(
    bucket: &Bucket,
    sync: &Sync,
    to: &Generation,
    clouds: &Clouds,
    task: &Task,
) -> Result<(), RunError> {
    let destination = &sync.destination;
    let next = async || Ok(Generation::next(Utc::now(), generations(bucket, destination).await?.last()));
    let Acquired::Held(lease) = Lease::acquire(bucket, destination, &task.execution, clouds.lease, next).await? else {
        return Ok(());
    };
    let older = manifest(bucket, destination, to).await?;
    let older = older.with_context(|| format!("{to} is not kept at {destination}; `generations` lists what is"))?;
    ensure_whole(bucket, sync, &older).await?;
    let current = published(bucket, destination).await?;
    flip(bucket, destination, &older, current.as_ref()).await?;
    lease.finish().await?;
    Ok(())
}

/// What was collected by mistake or by hand is found before readers find it.
async fn ensure_whole(bucket: &Bucket, sync: &Sync, manifest: &handoff::sync::GenerationManifest) -> Result<()> {
    use handoff::sync::SyncKey;
    use std::collections::{BTreeMap, BTreeSet};
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
