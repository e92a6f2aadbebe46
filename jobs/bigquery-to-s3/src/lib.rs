//! bigquery-to-s3, a Cloud Run job: publishes the result of a BigQuery query to S3, whole or not at all, and writes
//! only what changed. See `docs/spec/bigquery-to-s3.md`.
//!
//! Killed anywhere and started again, it comes to the same end: the query runs once for an execution, finished shards
//! are found again, every other write may be repeated, and readers follow one object that is flipped last.

pub mod bucket;
pub mod change_file;
pub mod chunks;
pub mod collect;
pub mod config;
pub mod counters;
pub mod delta;
pub mod digest;
pub mod doctor;
pub mod guard;
pub mod json;
pub mod lease;
pub mod plan;
pub mod price;
pub mod progress;
pub mod publish;
pub mod put;
pub mod read;
pub mod report;
pub mod rollback;
pub mod rows;
pub mod run;
pub mod scratch;
pub mod shard_file;
pub mod shards;
pub mod standing;
pub mod syncs;

use std::time::Duration;

use keyless::aws::Keyless;
use tokio::sync::watch;

use bucket::Bucket;
use lease::LeaseError;
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

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The result is not what anybody would want to publish.
    #[error(transparent)]
    Guard(anyhow::Error),
    #[error(transparent)]
    Lease(#[from] LeaseError),
    #[error("stopped by a signal; another attempt of the same execution goes on where this one was")]
    Stopped,
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl RunError {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Lease(LeaseError::Busy { .. }) => 3,
            Self::Guard(_) | Self::Lease(_) | Self::Other(_) => 1,
            Self::Stopped => STOPPED,
        }
    }
}
