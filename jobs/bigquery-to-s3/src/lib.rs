//! bigquery-to-s3, a Cloud Run job: publishes the result of a BigQuery query to S3, whole or not at all, and writes
//! only what changed. See `docs/spec/bigquery-to-s3.md`.
//!
//! Killed anywhere and started again, it comes to the same end: the query runs once for an execution, finished shards
//! are found again, every other write may be repeated, and readers follow one object that is flipped last.

mod ahead;
mod as_it_was;
pub mod bucket;
pub mod change_file;
pub mod chunks;
pub mod claim;
pub mod collect;
pub mod compare;
pub mod config;
pub mod counters;
pub mod current;
mod cut;
pub mod cut_off;
pub mod delta;
pub mod digest;
pub mod doctor;
mod frame;
pub mod fresh;
pub mod guard;
pub mod inspection;
pub mod json;
mod key_text;
pub mod leased;
pub mod listing;
pub mod lists;
pub mod owner;
pub mod plan;
pub mod price;
pub mod progress;
pub mod publish;
pub mod put;
mod query;
pub mod read;
pub mod remains;
pub mod report;
pub mod rollback;
mod room;
pub mod rows;
pub mod run;
pub mod scratch;
pub mod shard_file;
pub mod shards;
mod sieve;
pub mod standing;
pub mod started;
mod stood;
pub mod syncs;
pub mod verify;
pub mod work;

use std::ops::Range;
use std::time::Duration;

use handoff::sync::Generation;
use keyless::aws::Keyless;
use tokio::sync::watch;

use bucket::Bucket;
use chunks::share;
use put::PutSettings;
use read::Reader;
use scratch::BigQuery;
use syncs::Sync;

/// As a shell reports a program that SIGTERM ended.
pub const STOPPED: u8 = 143;

/// Turns true when the platform wants the job to end.
pub type Stop = watch::Receiver<bool>;

/// What the job works with; `main` builds it.
pub struct Clouds {
    pub s3: aws_sdk_s3::Client,
    pub keyless: Keyless,
    pub bigquery: BigQuery,
    pub reader: Reader,
    pub put: PutSettings,
    /// `acme-prod.isthmus_scratch`: one for each environment, so it tells one list of syncs from another.
    pub scratch: String,
    /// How long a lease lasts that nobody renews.
    pub lease: Duration,
    pub give_up_after: Duration,
}

impl Clouds {
    pub fn bucket(&self, sync: &Sync) -> Bucket {
        let (s3, keyless) = (self.s3.clone(), self.keyless.clone());
        Bucket { s3, keyless, name: sync.destination.bucket.clone(), give_up_after: self.give_up_after }
    }
}

/// Which task of which execution this process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub execution: String,
    pub index: u32,
    pub count: u32,
    pub attempt: u32,
}

impl Task {
    /// The shards that this task owns.
    pub fn share(&self, shards: u32) -> Range<u32> {
        share(shards, self.index, self.count)
    }

    /// The shares of all tasks, this one's first.
    pub fn shares(&self, shards: u32) -> impl Iterator<Item = Range<u32>> {
        (0..self.count).map(move |n| share(shards, (self.index + n) % self.count, self.count))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The result is not what anybody would want to publish.
    #[error(transparent)]
    Guard(anyhow::Error),
    #[error("{destination} is being written by execution {execution}: wait for its end, or stop it")]
    Busy { destination: String, execution: String },
    /// Somebody else has written since this execution began.
    #[error("generation {own} of this execution can no longer be published: {by} came between; start a new execution")]
    Superseded { own: Generation, by: String },
    #[error("stopped by a signal; another attempt of the same execution goes on where this one was")]
    Stopped,
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl RunError {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Busy { .. } => 3,
            Self::Guard(_) | Self::Superseded { .. } | Self::Other(_) => 1,
            Self::Stopped => STOPPED,
        }
    }
}
