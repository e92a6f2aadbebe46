//! The shards' own objects as they stand in S3: in layout packed rows, in layout objects keys and hashes.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use handoff::sync::{Destination, Generation, Layout, SyncKey};
use tokio::sync::{Mutex, OnceCell};
use tracing::warn;

use crate::bucket::{Bucket, Object};
use crate::digest::{hex, sha256};
use crate::shard_file::{self, Row};

/// Objects that several shards need, since there are more shards now than then. Shards come in their order, so few are
/// wanted at once.
const KEPT: usize = 2;

/// The name of an object, and what was read under it.
type Kept = (String, Arc<OnceCell<Option<Bytes>>>);

#[derive(Debug)]
pub struct Lists {
    bucket: Bucket,
    destination: Destination,
    layout: Layout,
    /// The one that was asked for last comes last.
    kept: Mutex<VecDeque<Kept>>,
}

/// The object of a shard. What is known of its content, if anything is.
#[derive(Debug, Clone, Copy)]
pub struct List<'a> {
    pub generation: &'a Generation,
    pub shard: u32,
    pub sha256: Option<&'a str>,
}

impl Lists {
    pub fn new(bucket: &Bucket, destination: &Destination, layout: Layout) -> Self {
        Self { bucket: bucket.clone(), destination: destination.clone(), layout, kept: Mutex::default() }
    }

    /// The rows whose keys are wanted. None where the object is gone or another one. That must not stop every run from now
    /// on: what stands there is learnt from S3 itself then. `again`: other shards need it too.
    pub async fn rows(&self, list: List<'_>, again: bool, wanted: impl Fn(&str) -> bool) -> Result<Option<Vec<Row>>> {
        let bytes = if again { self.kept(list).await? } else { self.bytes(list).await? };
        let rows = bytes.and_then(|bytes| shard_file::read_those(self.layout, bytes, wanted).ok());
        if rows.is_none() {
            let (bucket, key) = (&self.bucket.name, self.key(list));
            warn!("s3://{bucket}/{key} is gone or another one: its rows are compared with what stands");
        }
        Ok(rows)
    }

    /// None where it is gone or another one.
    pub async fn bytes(&self, list: List<'_>) -> Result<Option<Bytes>> {
        let object = self.bucket.get(&self.key(list)).await?;
        let same = |object: &Object| list.sha256.is_none_or(|known| hex(&sha256(&object.bytes)) == known);
        Ok(object.filter(same).map(|object| object.bytes))
    }

    async fn kept(&self, list: List<'_>) -> Result<Option<Bytes>> {
        let cell = self.cell(self.key(list)).await;
        Ok(cell.get_or_try_init(|| self.bytes(list)).await?.clone())
    }

    async fn cell(&self, key: String) -> Arc<OnceCell<Option<Bytes>>> {
        let mut kept = self.kept.lock().await;
        let standing = kept.iter().position(|(name, _)| *name == key).and_then(|n| kept.remove(n));
        let (key, cell) = standing.unwrap_or_else(|| (key, Arc::default()));
        kept.push_back((key, Arc::clone(&cell)));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        cell
    }

    fn key(&self, list: List<'_>) -> String {
        self.destination.key(&SyncKey::Shard(list.generation, list.shard))
    }
}
