//! Old generations go when nothing that is kept refers to them. Never by age: what did not change for a year is live.

use std::collections::BTreeSet;

use anyhow::Result;
use handoff::sync::{Destination, GenerationManifest, SyncKey};
use tracing::info;

use crate::current::{Published, generations, kept, manifest};
use crate::leased::LeasedBucket;

/// Keeps the generations that can be gone back to (what `CURRENT` named last), and what they name. Only the holder of the
/// lease collects, after it published: then every other generation is dead. Dying here leaves more than is needed; the
/// next run collects it.
pub async fn collect(bucket: &LeasedBucket, destination: &Destination, current: &Published) -> Result<usize> {
    let named = kept(bucket, destination, current).await?;
    let mut manifests = Vec::new();
    for generation in &named {
        manifests.extend(manifest(bucket, destination, generation).await?);
    }
    let live = live_files(destination, &manifests);
    let (mut manifests, mut garbage) = (Vec::new(), Vec::new());
    for generation in generations(bucket, destination).await?.iter().filter(|generation| !named.contains(generation)) {
        let keys = bucket.list(&destination.key(&SyncKey::Generation(generation))).await?;
        let manifest = destination.key(&SyncKey::Manifest(generation));
        let (its_manifest, others) = keys.into_iter().partition::<Vec<_>, _>(|key| *key == manifest);
        manifests.extend(its_manifest);
        garbage.extend(others.into_iter().filter(|key| !live.contains(key)));
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
