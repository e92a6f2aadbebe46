//! What stands in S3 against what `CURRENT` says, on demand and all of it. Changes nothing.

use std::future::ready;

use anyhow::{Context, Result};
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use handoff::sync::{Generation, GenerationManifest, Layout, ShardRecord};
use serde::Serialize;
use tracing::{info, warn};

use crate::claim::{Claimed, Held, claim};
use crate::inspection::{Found, Inspect};
use crate::progress::Progress;
use crate::standing::Standing;
use crate::syncs::Sync;
use crate::{Clouds, RunError, Stop, Task};

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
    fn new(sync: &Sync, manifest: GenerationManifest, found: Found) -> Self {
        let state = if found.is_nothing() { "verified" } else { FOUND };
        let (generation, rows) = (manifest.generation, manifest.totals.rows);
        Self { sync: sync.name.to_string(), state, generation, rows, found }
    }

    pub fn to_text(&self) -> String {
        let Self { sync, generation, rows, found, .. } = self;
        let text = format!("{sync}: {rows} rows of {generation}: ");
        if found.is_nothing() {
            text + "all stand as they should\n"
        } else {
            text + &format!("{found}; verify --repair puts it right\n")
        }
    }
}

/// For metrics and alerts too: that there is anything to repair means that somebody or something writes here.
pub fn tell(sync: &str, found: Found, done: &str) {
    let Found { missing, changed, extra } = found;
    if found.is_nothing() {
        info!(event = "verified", sync, missing, changed, extra, "{sync}: every object stands as it should");
    } else {
        warn!(event = "verified", sync, missing, changed, extra, "{sync}: {done}: {found}");
    }
}

/// Under the lease: while a run writes, what it has written would be among what is found.
pub async fn verify(sync: &Sync, clouds: &Clouds, task: &Task, stop: &Stop) -> Result<Verified, RunError> {
    let Claimed::Held(held) = claim(sync, clouds, task).await? else {
        return Err(anyhow::anyhow!("this execution has published already; start a new one").into());
    };
    let looked = look(sync, &held, stop).await;
    // Before anything is told: had somebody taken the lease, it would be his writes.
    held.end(false).await?;
    let verified = looked?;
    tell(&verified.sync, verified.found, "found");
    Ok(verified)
}

async fn look(sync: &Sync, held: &Held, stop: &Stop) -> Result<Verified, RunError> {
    let (destination, next) = (&sync.destination, &held.claim.generation);
    let standing = Standing::before(&held.bucket, destination, sync.layout, next, Inspect::All).await?;
    let published = standing.published.clone();
    let manifest = published.with_context(|| format!("nothing is published at {destination}"))?.manifest;
    let progress = Progress::start(sync.name.as_str());
    progress.say("verifying");
    progress.expect_more(manifest.totals.rows);
    let counters = progress.counters();
    let begun = iter(&manifest.records).take_while(|_| ready(!*stop.borrow()));
    let looked = begun.map(|record| async {
        let found = of_shard(&standing, record, &manifest).await?;
        counters.rows_done.add(record.totals.rows);
        Ok::<_, anyhow::Error>(found)
    });
    let mut found = Found::default();
    let mut looked = std::pin::pin!(looked.buffer_unordered(SHARDS_IN_FLIGHT));
    while let Some(of_shard) = looked.try_next().await? {
        found += of_shard;
    }
    if *stop.borrow() { Err(RunError::Stopped) } else { Ok(Verified::new(sync, manifest.clone(), found)) }
}

async fn of_shard(standing: &Standing, record: &ShardRecord, manifest: &GenerationManifest) -> Result<Found> {
    let mut found = match manifest.layout {
        Layout::Packed => Found::default(),
        Layout::Objects => standing.held(record.shard, manifest.shards, None).await?.found,
    };
    found += standing.damage(record.shard).await?;
    Ok(found)
}
