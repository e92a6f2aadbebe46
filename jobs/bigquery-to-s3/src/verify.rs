//! What stands in S3 against what `CURRENT` says, on demand and all of it. Changes nothing.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use handoff::sync::{Generation, Layout};
use serde::Serialize;
use tracing::{info, warn};

use crate::claim::{Claimed, claim};
use crate::inspection::{Found, Inspect};
use crate::standing::Standing;
use crate::syncs::Sync;
use crate::{Clouds, RunError, Task};

const SHARDS_IN_FLIGHT: usize = 16;
/// The state of a sync of which something stands otherwise than it should.
pub const FOUND: &str = "found";

#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    pub sync: String,
    pub state: &'static str,
    pub generation: Generation,
    pub rows: u64,
    #[serde(flatten)]
    pub found: Found,
}

impl Verified {
    pub fn to_text(&self) -> String {
        let Self { sync, generation, rows, found: Found { missing, changed, extra }, .. } = self;
        let mut text = format!("{sync}: {rows} rows of {generation}: ");
        let _ = match self.found.is_nothing() {
            true => writeln!(text, "all stand as they should"),
            false => writeln!(text, "{missing} objects missing, {changed} changed, {extra} too many: verify --repair"),
        };
        text
    }
}

/// For metrics and alerts too: that there is anything to repair means that somebody or something writes here.
pub fn tell(sync: &Sync, found: Found, repaired: bool) {
    let Found { missing, changed, extra } = found;
    let (name, done) = (sync.name.as_str(), if repaired { "put right" } else { "found" });
    warn!(event = "verified", sync = name, missing, changed, extra, "{name}: {done}: {missing} objects missing, {changed} changed, {extra} too many");
}

/// Under the lease: while a run writes, what it has written would be among what is found.
pub async fn verify(sync: &Sync, clouds: &Clouds, task: &Task) -> Result<Verified, RunError> {
    let Claimed::Held(held) = claim(sync, clouds, task).await? else {
        return Err(anyhow::anyhow!("this execution has published already; start a new one").into());
    };
    let (destination, next) = (&sync.destination, &held.claim.generation);
    let standing = Standing::before(&held.bucket, destination, sync.layout, next, Inspect::All).await?;
    let published = standing.published.clone();
    let manifest = published.with_context(|| format!("nothing is published at {destination}"))?.manifest;
    let shards = iter(0..manifest.shards).map(|shard| {
        let (standing, record) = (&standing, &manifest.records[shard as usize]);
        async move {
            if let (Layout::Packed, Some(file)) = (sync.layout, &record.file) {
                standing.is_readable(shard, file).await?;
            } else if sync.layout == Layout::Objects {
                standing.held(shard, manifest.shards).await?;
            }
            Ok::<_, anyhow::Error>(())
        }
    });
    shards.buffer_unordered(SHARDS_IN_FLIGHT).try_collect::<()>().await?;
    let (found, rows) = (standing.found(), manifest.totals.rows);
    if found.is_nothing() {
        info!(event = "verified", "{}: all {rows} rows stand as they should", sync.name);
    } else {
        tell(sync, found, false);
    }
    held.end(false).await?;
    let state = if found.is_nothing() { "verified" } else { FOUND };
    Ok(Verified { sync: sync.name.to_string(), state, generation: manifest.generation, rows, found })
}
