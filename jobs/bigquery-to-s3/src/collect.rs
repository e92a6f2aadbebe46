//! Old generations go when nothing that is kept refers to them. Never by age: what did not change for a year is live.

use std::collections::BTreeSet;

use anyhow::Result;
use handoff::sync::{Destination, Generation, GenerationManifest, SyncKey};
use tracing::info;

use crate::bucket::Bucket;
use crate::standing::{generations, manifest};

/// Keeps the newest `keep` manifests and what they name. Only the holder of the lease collects, after it published:
/// then every run that is older and has no manifest is dead. Dying here leaves more than is needed; the next run
/// collects it.
pub async fn collect(bucket: &Bucket, destination: &Destination, current: &Generation, keep: usize) -> Result<usize> {
    let mut kept: Vec<GenerationManifest> = Vec::new();
    let generations = generations(bucket, destination).await?;
    for generation in generations.iter().rev() {
        if kept.len() < keep || generation == current {
            kept.extend(manifest(bucket, destination, generation).await?);
        }
    }
    let named: BTreeSet<&Generation> = kept.iter().map(|kept| &kept.generation).collect();
    let files = live_files(destination, &kept);
    let (mut manifests, mut garbage) = (Vec::new(), Vec::new());
    for generation in generations.iter().filter(|generation| *generation < current && !named.contains(generation)) {
        let keys = bucket.list(&destination.key(&SyncKey::Generation(generation))).await?;
        let manifest = destination.key(&SyncKey::Manifest(generation));
        let (its_manifest, others) = keys.into_iter().partition::<Vec<_>, _>(|key| *key == manifest);
        manifests.extend(its_manifest);
        garbage.extend(others.into_iter().filter(|key| !files.contains(key)));
    }
    // Manifests first: as long as one is there, all that it names is.
    bucket.delete(&manifests).await?;
    bucket.delete(&garbage).await?;
    let objects = manifests.len() + garbage.len();
    if objects > 0 {
        info!(objects, "collected {objects} objects of old generations");
    }
    Ok(objects)
}

fn live_files(destination: &Destination, kept: &[GenerationManifest]) -> BTreeSet<String> {
    let records = kept.iter().flat_map(|manifest| &manifest.records);
    let files = records.filter_map(|record| Some((record.shard, record.file.as_ref()?)));
    files.map(|(shard, file)| destination.key(&SyncKey::Shard(&file.generation, shard))).collect()
}
