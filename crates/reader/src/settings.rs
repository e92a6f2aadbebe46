use std::time::Duration;

use handoff::sync::Destination;

/// bigquery-to-s3 rejects longer ones in both layouts, so that no row can have such a key.
pub const MAX_KEY_BYTES: usize = 1024;

/// A sync, and where it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub sync: String,
    pub bucket: String,
    /// No slash at either end.
    pub prefix: String,
}

impl Source {
    pub(crate) fn destination(&self) -> Destination {
        Destination { bucket: self.bucket.clone(), prefix: self.prefix.clone() }
    }
}

#[derive(Debug, Clone)]
pub struct Settings {
    /// How often `CURRENT` of each sync is looked at, in the background. Each pause is up to a tenth longer or shorter.
    pub poll: Duration,
    /// For rows in this process: keys, bodies and what it takes to keep them.
    pub memory_bytes: u64,
    /// For shards in this process: small ones whole, of large ones the index and pages.
    pub index_bytes: u64,
    /// Up to this size a shard comes whole, by one GET, and its SHA-256 is compared with the manifest's. Of a larger one
    /// come the index and single pages. Measured in `docs/research/reader.md`.
    pub whole_shard_bytes: u64,
    /// For the lists of changed keys (layout objects), over all generations of a sync.
    pub changes_bytes: u64,
    /// How long a row is cached, in this process and in Redis; up to 15 % longer or shorter, so that what came together
    /// does not go together.
    pub ttl: Duration,
    /// How long it is cached that there is no such row.
    pub miss_ttl: Duration,
    /// For one answer of S3 in a request's way, retries of the client included.
    pub s3_timeout: Duration,
    /// Requests to S3 at once of one `get_many`.
    pub concurrency: usize,
    /// For the bodies of one `get_many`. Where they are more, no more than these are read.
    pub batch_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            poll: Duration::from_secs(10),
            memory_bytes: 32 * MIB,
            index_bytes: 64 * MIB,
            whole_shard_bytes: MIB,
            changes_bytes: 32 * MIB,
            ttl: Duration::from_hours(24),
            miss_ttl: Duration::from_secs(30),
            s3_timeout: Duration::from_secs(3),
            concurrency: 16,
            batch_bytes: 16 * MIB,
        }
    }
}
