//! `CURRENT`: what readers read, whose it is, and how it is flipped.

use anyhow::{Context, Result, bail, ensure};
use handoff::sync::{Current, Destination, Generation, GenerationManifest, Owner, SYNC_VERSION, SyncKey};
use tracing::info;

use crate::bucket::Bucket;
use crate::leased::{LeasedBucket, Put};
use crate::started::Base;

/// The generation that readers read.
#[derive(Debug, Clone)]
pub struct Published {
    pub current: Current,
    pub manifest: GenerationManifest,
    /// Of `CURRENT`.
    pub etag: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flip {
    /// We published: what `CURRENT` is now, and its `ETag`.
    Ours(Current, String),
    /// Another task of this execution was quicker by a moment, with the same generation.
    Theirs,
}

impl Published {
    pub fn base(&self) -> Base {
        Base { generation: self.current.generation.clone(), etag: self.etag.clone() }
    }

    pub fn owner(&self) -> Owner {
        let manifest = || Owner { sync: self.manifest.sync.clone(), scratch: self.manifest.scratch.clone() };
        self.current.owner.clone().unwrap_or_else(manifest)
    }

    /// The generations that can be gone back to, the current one first.
    pub fn kept(&self) -> Option<Vec<Generation>> {
        let before = self.current.before.as_ref()?;
        Some(std::iter::once(&self.current.generation).chain(before).cloned().collect())
    }

    /// What a generation that is published now names as those before it. `keep` counts the new one.
    fn before_the_next(&self, next: &Generation, keep: usize, standing: Vec<Generation>) -> Vec<Generation> {
        let kept = self.kept().unwrap_or(standing);
        kept.into_iter().filter(|generation| generation != next).take(keep.saturating_sub(1)).collect()
    }
}

/// `CURRENT` and the manifest that it names; nothing before the first publication.
pub async fn published(bucket: &Bucket, destination: &Destination) -> Result<Option<Published>> {
    let Some((current, etag)) = current(bucket, destination).await? else { return Ok(None) };
    let manifest = manifest(bucket, destination, &current.generation).await?;
    let manifest =
        manifest.with_context(|| format!("CURRENT of {destination} names {}, which is not there", current.manifest))?;
    Ok(Some(Published { current, manifest, etag }))
}

pub async fn current(bucket: &Bucket, destination: &Destination) -> Result<Option<(Current, String)>> {
    let key = destination.key(&SyncKey::Current);
    let Some(object) = bucket.get(&key).await? else { return Ok(None) };
    let broken = || format!("s3://{}/{key}", bucket.name);
    let current: Current = serde_json::from_slice(&object.bytes).with_context(broken)?;
    let version = current.version;
    ensure!(version == SYNC_VERSION, "{} has version {version}, this program knows {SYNC_VERSION}", broken());
    Ok(Some((current, object.etag)))
}

pub async fn manifest(
    bucket: &Bucket,
    destination: &Destination,
    generation: &Generation,
) -> Result<Option<GenerationManifest>> {
    let key = destination.key(&SyncKey::Manifest(generation));
    let Some(object) = bucket.get(&key).await? else { return Ok(None) };
    let manifest = GenerationManifest::parse(&object.bytes).with_context(|| format!("s3://{}/{key}", bucket.name))?;
    Ok(Some(manifest))
}

/// Every generation that has left an object, oldest first.
pub async fn generations(bucket: &Bucket, destination: &Destination) -> Result<Vec<Generation>> {
    let prefix = destination.key(&SyncKey::Generations);
    let folders = bucket.folders(&prefix).await?;
    let generation = |folder: &String| folder.strip_prefix(&prefix)?.trim_end_matches('/').parse().ok();
    let mut generations: Vec<Generation> = folders.iter().filter_map(generation).collect();
    generations.sort();
    Ok(generations)
}

/// The generations that can be gone back to, the current one first. Where `CURRENT` does not list them, those whose
/// manifests stand.
pub async fn kept(bucket: &Bucket, destination: &Destination, published: &Published) -> Result<Vec<Generation>> {
    match published.kept() {
        Some(kept) => Ok(kept),
        None => with_manifests(bucket, destination, &published.current.generation).await,
    }
}

async fn with_manifests(bucket: &Bucket, destination: &Destination, first: &Generation) -> Result<Vec<Generation>> {
    let mut kept = vec![first.clone()];
    for generation in generations(bucket, destination).await?.into_iter().rev() {
        if generation != *first && manifest(bucket, destination, &generation).await?.is_some() {
            kept.push(generation);
        }
    }
    Ok(kept)
}

/// Writes `CURRENT` once more, unless `generation` has: from now on nobody who read it before can flip it. It names the
/// same generation as before, so readers see no difference.
pub async fn fence(bucket: &LeasedBucket, destination: &Destination, generation: &Generation) -> Result<()> {
    let key = destination.key(&SyncKey::Current);
    while let Some((current, etag)) = current(bucket, destination).await? {
        if current.fence.as_ref() == Some(generation) || current.generation == *generation {
            return Ok(());
        }
        let fenced = Current { nonce: nonce(), fence: Some(generation.clone()), ..current };
        if matches!(bucket.replace(&key, serde_json::to_vec(&fenced)?, &etag).await?, Put::Done(_)) {
            return Ok(());
        }
    }
    Ok(())
}

/// Dying before the flip leaves readers where they are; the next attempt comes here again. `keep` counts the new one.
pub async fn flip(
    bucket: &LeasedBucket,
    destination: &Destination,
    generation: &Generation,
    owner: Option<Owner>,
    base: Option<&Published>,
    keep: usize,
) -> Result<Flip> {
    let before = match base {
        None => Vec::new(),
        Some(base) => {
            let standing = kept(bucket, destination, base).await?;
            base.before_the_next(generation, keep, standing)
        }
    };
    let next = Current { owner, before: Some(before), nonce: nonce(), ..Current::new(destination, generation) };
    let (key, json) = (destination.key(&SyncKey::Current), serde_json::to_vec(&next)?);
    let put = match base {
        Some(base) => bucket.replace(&key, json, &base.etag).await?,
        None => bucket.create(&key, json).await?,
    };
    if let Put::Done(etag) = put {
        info!(%generation, "CURRENT of {destination} is {generation}");
        return Ok(Flip::Ours(next, etag));
    }
    match current(bucket, destination).await? {
        Some((standing, _)) if standing.generation == *generation => Ok(Flip::Theirs),
        Some((standing, _)) => bail!(
            "CURRENT of {destination} was flipped to {} while {generation} was made; run again",
            standing.generation
        ),
        None => bail!("CURRENT of {destination} was deleted while {generation} was made; run again"),
    }
}

pub fn nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use handoff::sync::Totals;

    fn generation(n: u32) -> Generation {
        format!("20261125T19000{n}Z").parse().unwrap()
    }

    fn numbers(generations: &[Generation]) -> Vec<u32> {
        (0..10).filter(|n| generations.contains(&generation(*n))).collect()
    }

    #[test]
    fn what_current_named_last_is_kept_in_whatever_order_it_was_named() {
        let destination = Destination { bucket: "acme".into(), prefix: "users".into() };
        let manifest = serde_json::json!({
            "version": 1, "sync": "users", "layout": "packed", "generation": generation(0), "previous": null,
            "published_at": "2026-11-25T19:03:10Z", "key": "id", "query_sha256": "", "shards": 1, "changes": [],
            "rejects": [], "totals": Totals::default(),
            "records": [{"shard": 0, "rows": 0, "bytes": 0, "created": 0, "updated": 0, "unchanged": 0, "deleted": 0,
                         "rejected": 0, "file": null}],
        });
        let manifest = GenerationManifest::parse(manifest.to_string().as_bytes()).unwrap();
        let current = Current { before: None, ..Current::new(&destination, &generation(0)) };
        let mut base = Published { current, manifest, etag: String::new() };
        assert_eq!(base.before_the_next(&generation(5), 3, vec![generation(0), generation(4)]).len(), 2, "of old");
        base.current.before = Some(Vec::new());
        for (next, before) in [(1, vec![0]), (2, vec![0, 1]), (0, vec![1, 2]), (3, vec![0, 2]), (4, vec![0, 3])] {
            let kept = base.before_the_next(&generation(next), 3, Vec::new());
            base.current = Current { before: Some(kept), ..Current::new(&destination, &generation(next)) };
            assert_eq!(numbers(base.current.before.as_deref().unwrap_or_default()), before, "{next}");
        }
    }
}
