//! What runs that never published have left, and deletes that nobody has finished. Only layout objects has to know of
//! them: there they may have written objects that readers see.

use std::collections::BTreeSet;

use anyhow::Result;
use handoff::sync::{Destination, Generation, GenerationManifest, KeyHash, Layout, ShardRange, SyncKey};
use tracing::{info, warn};

use crate::bucket::Bucket;
use crate::change_file;
use crate::current::{Published, generations};
use crate::started::started;

#[derive(Debug, Default)]
pub struct Remains {
    pub unfinished: Vec<Unfinished>,
    /// Keys that the current generation has not, but whose objects may still be there.
    pub undeleted: Vec<(KeyHash, String)>,
    /// There may be more of them.
    pub undeleted_lost: bool,
}

/// A run that came after the current generation and never published.
#[derive(Debug, Clone)]
pub struct Unfinished {
    pub generation: Generation,
    pub shards: u32,
    /// The shards whose lists stand.
    pub files: BTreeSet<u32>,
    done: Vec<ShardRange>,
}

impl Remains {
    /// Of what came before `generation`.
    pub async fn look(
        bucket: &Bucket,
        destination: &Destination,
        generation: &Generation,
        published: Option<&Published>,
    ) -> Result<Self> {
        let mut remains = Self::default();
        let current = published.map(|published| &published.manifest.generation);
        for earlier in generations(bucket, destination).await? {
            if earlier < *generation && Some(&earlier) > current {
                remains.unfinished.extend(unfinished(bucket, destination, earlier).await?);
            }
        }
        if let Some(published) = published {
            let Undeleted { keys, lost } = undeleted(bucket, destination, &published.manifest).await?;
            remains.undeleted = keys.into_iter().map(|key| (KeyHash::of(&key), key)).collect();
            remains.undeleted_lost = lost;
        }
        Ok(remains)
    }

    pub fn is_nothing(&self) -> bool {
        self.unfinished.is_empty() && self.undeleted.is_empty() && !self.undeleted_lost
    }
}

impl Unfinished {
    pub fn has_finished(&self, shard: u32) -> bool {
        self.done.iter().any(|range| (range.first..=range.last).contains(&shard))
    }
}

/// None where it had not begun to write.
async fn unfinished(bucket: &Bucket, destination: &Destination, generation: Generation) -> Result<Option<Unfinished>> {
    let Some(started) = started(bucket, destination, &generation).await? else { return Ok(None) };
    let prefix = destination.key(&SyncKey::Generation(&generation));
    let (mut files, mut done) = (BTreeSet::new(), Vec::new());
    for key in bucket.list(&prefix).await? {
        let name = key.strip_prefix(&prefix).unwrap_or_default();
        done.extend(done_range(name));
        files.extend(name.strip_suffix(".parquet").and_then(|shard| shard.parse::<u32>().ok()));
    }
    info!(%generation, "run {generation} was never published; what it may have written is looked at");
    Ok(Some(Unfinished { generation, shards: started.shards, files, done }))
}

/// `done/00000-00063.json`
fn done_range(name: &str) -> Option<ShardRange> {
    let (first, last) = name.strip_prefix("done/")?.strip_suffix(".json")?.split_once('-')?;
    Some(ShardRange { first: first.parse().ok()?, last: last.parse().ok()? })
}

/// The vanished keys of a published generation whose objects may still be there.
#[derive(Debug, Default)]
pub struct Undeleted {
    pub keys: Vec<String>,
    /// A list of them is gone or damaged.
    pub lost: bool,
}

/// A list that is lost must not stop every run from now on: the objects that it named are found as S3 lists them.
pub async fn undeleted(bucket: &Bucket, destination: &Destination, manifest: &GenerationManifest) -> Result<Undeleted> {
    let mark = destination.key(&SyncKey::Deleted(&manifest.generation));
    let mut undeleted = Undeleted::default();
    if manifest.layout == Layout::Packed || bucket.get(&mark).await?.is_some() {
        return Ok(undeleted);
    }
    for changes in &manifest.changes {
        let list = bucket.get(changes).await?.and_then(|object| change_file::deleted(object.bytes).ok());
        if list.is_none() {
            warn!("s3://{}/{changes} is gone or damaged: what it named is looked for in S3", bucket.name);
        }
        undeleted.lost |= list.is_none();
        undeleted.keys.extend(list.into_iter().flatten());
    }
    Ok(undeleted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_a_finished_range_says_which_one() {
        assert_eq!(done_range("done/00000-00063.json"), Some(ShardRange { first: 0, last: 63 }));
        for other in ["00001.parquet", "done/x.json", "changes/00000-00063.parquet", "started.json"] {
            assert_eq!(done_range(other), None);
        }
    }
}
