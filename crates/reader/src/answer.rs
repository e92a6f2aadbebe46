use bytes::Bytes;
use chrono::{DateTime, Utc};
use handoff::sync::{Generation, Layout};

/// A row as it was published: JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub body: Bytes,
    /// Of the body: what an HTTP `ETag` can be made of.
    pub sha256: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// None where the generation has no such key.
    pub row: Option<Row>,
    pub generation: Generation,
    pub from: Origin,
}

/// Where an answer came from. Not called `From`, which is the trait's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The manifest says that the shard of this key has no rows.
    Manifest,
    /// This process had the row (or knew that there is none), or its shard; or another request was just fetching it.
    Memory,
    Redis,
    S3,
}

/// In the order of the keys; in layout packed all of one generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub rows: Vec<Option<Row>>,
    pub generation: Generation,
}

/// What a reader knows of a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub generation: Generation,
    pub published_at: DateTime<Utc>,
    pub rows: u64,
    pub layout: Layout,
    /// When S3 last told what `CURRENT` is.
    pub checked_at: DateTime<Utc>,
    /// Why the newest publication, or any news of it, is not followed. The generation above is served meanwhile.
    pub problem: Option<String>,
}
