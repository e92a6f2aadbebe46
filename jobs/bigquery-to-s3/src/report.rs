//! What a run ends with, for people and for scripts.

use std::time::Duration;

use anyhow::{Context, Result};
use handoff::sync::{Generation, GenerationManifest, Layout, SyncKey, Totals};
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::bucket::Bucket;
use crate::inspection::Found;
use crate::progress::Progress;
use crate::scratch::ScratchTable;
use crate::syncs::Sync;
use crate::verify;

/// What became of a sync.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    pub sync: String,
    pub generation: Generation,
    pub state: State,
    #[serde(flatten)]
    pub summary: Option<Summary>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Published,
    /// By another task or an earlier attempt of this execution.
    AlreadyPublished,
    /// This task's shards are written; the last task publishes.
    ShareDone,
    RolledBack,
}

/// Stands beside the manifest. The requests are those of the task that published.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    pub layout: Layout,
    pub previous: Option<Generation>,
    pub scratch_table: String,
    #[serde(flatten)]
    pub totals: Totals,
    /// What stood otherwise than it should, and is put right.
    #[serde(default)]
    pub repaired: Found,
    pub seconds: f64,
    /// Of them, before the first row could be written: comparing, so that the guards could judge.
    #[serde(default)]
    pub compared_in_seconds: f64,
    pub puts: u64,
    pub put_bytes: u64,
    pub slow_downs: u64,
    pub put_retries: u64,
}

impl Summary {
    pub fn new(
        manifest: &GenerationManifest,
        repaired: Found,
        table: &ScratchTable,
        progress: &Progress,
        compared_in: Duration,
    ) -> Self {
        let seconds = |duration: Duration| (duration.as_secs_f64() * 1000.0).round() / 1000.0;
        let counters = progress.counters();
        Self {
            layout: manifest.layout,
            previous: manifest.previous.clone(),
            scratch_table: table.name.clone(),
            totals: manifest.totals,
            repaired,
            seconds: seconds(progress.elapsed()),
            compared_in_seconds: seconds(compared_in),
            puts: counters.puts.get(),
            put_bytes: counters.put_bytes.get(),
            slow_downs: counters.slow_downs.get(),
            put_retries: counters.put_retries.get(),
        }
    }
}

impl Outcome {
    pub fn published(sync: &Sync, generation: &Generation, summary: Summary) -> Self {
        let (sync, generation) = (sync.name.to_string(), generation.clone());
        Self { sync, generation, state: State::Published, summary: Some(summary) }
    }

    /// Of a generation that an earlier attempt of this execution has flipped to: as it wrote it down.
    pub async fn found(bucket: &Bucket, sync: &Sync, generation: &Generation) -> Result<Self> {
        let key = sync.destination.key(&SyncKey::Summary(generation));
        let Some(object) = bucket.get(&key).await? else { return Ok(Self::already(sync, generation.clone())) };
        serde_json::from_slice(&object.bytes).with_context(|| format!("s3://{}/{key}", bucket.name))
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub fn already(sync: &Sync, generation: Generation) -> Self {
        Self { sync: sync.name.to_string(), generation, state: State::AlreadyPublished, summary: None }
    }

    pub fn share_done(sync: &Sync, generation: &Generation) -> Self {
        Self { sync: sync.name.to_string(), generation: generation.clone(), state: State::ShareDone, summary: None }
    }

    pub fn rolled_back(sync: &Sync, to: &Generation) -> Self {
        Self { sync: sync.name.to_string(), generation: to.clone(), state: State::RolledBack, summary: None }
    }

    /// For metrics and alerts: one line with a field for each figure.
    pub fn tell(&self) {
        let Some(summary) = &self.summary else { return };
        let Totals { rows, created, updated, deleted, rejected, .. } = summary.totals;
        let (sync, seconds, puts, slow_downs) = (&self.sync, summary.seconds, summary.puts, summary.slow_downs);
        info!(
            event = "published",
            sync,
            generation = %self.generation,
            rows,
            created,
            updated,
            deleted,
            rejected,
            puts,
            slow_downs,
            seconds,
            "{sync}: {rows} rows are published"
        );
        if !summary.repaired.is_nothing() {
            verify::tell(sync, summary.repaired, "put right");
        }
    }

    pub fn to_text(&self) -> String {
        let Self { sync, generation, .. } = self;
        match (&self.summary, self.state) {
            (Some(Summary { totals, repaired, seconds, puts, .. }), _) => {
                let also = if repaired.is_nothing() { String::new() } else { format!("; put right: {repaired}") };
                let Totals { rows, created, updated, unchanged, deleted, rejected, .. } = totals;
                format!(
                    "{sync}: published {generation}: {rows} rows ({created} created, {updated} updated, {deleted} deleted, \
                     {unchanged} unchanged, {rejected} rejected), {puts} PUTs, {seconds:.1} s{also}"
                )
            }
            (None, State::ShareDone) => format!("{sync}: this task's shards of {generation} are written"),
            (None, State::RolledBack) => format!("{sync}: readers are back at {generation}"),
            (None, _) => format!("{sync}: {generation} was published already"),
        }
    }
}
