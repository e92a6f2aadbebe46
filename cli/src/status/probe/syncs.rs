//! What is published of each sync: `CURRENT`, and the manifests of the generations that it names.

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use handoff::sync::{Current, Destination, Generation, GenerationManifest, SyncKey};

use super::aws::object;
use super::{Questions, known};
use crate::clouds::Aws;
use crate::status::facts::{Asked, Published, Sync};

const IN_FLIGHT: usize = 8;
/// A manifest names each shard; a handful of them shows what a sync writes.
const GENERATIONS: usize = 8;

impl Questions<'_> {
    pub(super) async fn syncs(&self) -> Asked<Vec<Sync>> {
        // A team that publishes nothing has no list.
        if !self.arguments.syncs.exists() {
            return Ok(Vec::new());
        }
        let listed = lineage::syncs(&self.arguments.syncs).map_err(|error| error.to_string())?;
        let asked = stream::iter(listed).map(|sync| async {
            let bucket = match sync.bucket {
                Some(bucket) => Ok(bucket),
                None => known(&self.names.app_bucket).map(str::to_owned),
            };
            let place = format!("s3://{}/{}", bucket.as_deref().unwrap_or("APP_BUCKET"), sync.prefix);
            let (generations, published_at) = match (bucket, self.aws()) {
                (Ok(bucket), Ok(aws)) => {
                    let to = Destination { bucket, prefix: sync.prefix };
                    tokio::join!(generations(aws, &to), publications(aws, &to))
                }
                (Err(why), _) | (_, Err(why)) => (Err(why), Vec::new()),
            };
            Sync { name: sync.name, place, generations, published_at }
        });
        Ok(asked.buffered(IN_FLIGHT).collect().await)
    }
}

/// The bucket keeps replaced versions for a while, and each publication replaces `CURRENT`. Only the calendar needs it:
/// without the right to list versions it begins with the generations that are kept.
async fn publications(aws: &Aws, to: &Destination) -> Vec<DateTime<Utc>> {
    let key = to.key(&SyncKey::Current);
    let listed = aws.s3().list_object_versions().bucket(&to.bucket).prefix(&key).send().await;
    let versions = listed.ok().and_then(|listed| listed.versions).unwrap_or_default();
    let of_current = versions.iter().filter(|version| version.key() == Some(&key));
    of_current.filter_map(|version| DateTime::from_timestamp(version.last_modified()?.secs(), 0)).collect()
}

/// The current one first. Of older ones, those that cannot be read are left out: they may have been collected meanwhile.
async fn generations(aws: &Aws, to: &Destination) -> Asked<Vec<Published>> {
    let key = to.key(&SyncKey::Current);
    let Some(bytes) = object(aws, &to.bucket, &key).await? else { return Ok(Vec::new()) };
    let wrong = |error: &dyn std::fmt::Display| format!("s3://{}/{key}: {error}", to.bucket);
    let current: Current = serde_json::from_slice(&bytes).map_err(|error| wrong(&error))?;
    let newest = published(aws, to, &current.generation).await?;
    let mut all = vec![newest.ok_or_else(|| wrong(&format!("names {}, whose manifest is gone", current.generation)))?];
    for generation in current.before.iter().flatten().take(GENERATIONS) {
        all.extend(published(aws, to, generation).await.ok().flatten());
    }
    Ok(all)
}

async fn published(aws: &Aws, to: &Destination, generation: &Generation) -> Asked<Option<Published>> {
    let key = to.key(&SyncKey::Manifest(generation));
    let Some(bytes) = object(aws, &to.bucket, &key).await? else { return Ok(None) };
    let manifest = GenerationManifest::parse(&bytes);
    manifest.map(|found| Some(Published::from(&found))).map_err(|error| format!("s3://{}/{key} {error}", to.bucket))
}
