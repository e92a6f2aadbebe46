//! The shards' own objects as they stand in S3: in layout packed rows, in layout objects keys and hashes.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use handoff::sync::{Destination, Generation, Layout, SyncKey};
use tokio::sync::{Mutex, OnceCell};
use tracing::warn;

use crate::bucket::{Bucket, Object};
use crate::cut::Cut;
use crate::digest::{hex, sha256};
use crate::shard_file::{self, Row};

/// Objects that several shards need, since there are more shards now than then. Shards come in their order, so few are
/// wanted at once.
const KEPT: usize = 2;

/// The name of an object, and what was read under it.
type Kept = (String, Arc<OnceCell<Option<Cut>>>);

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

    /// All of its rows. None where the object is gone or another one. That must not stop every run from now on: what stands
    /// there is learnt from S3 itself then.
    pub async fn rows(&self, list: List<'_>) -> Result<Option<Vec<Row>>> {
        let rows = self.bytes(list).await?.and_then(|bytes| shard_file::read(self.layout, bytes).ok());
        self.miss(list, rows.is_none());
        Ok(rows)
    }

    /// Likewise, those of `shard`, where there are so many more `shards` now that it is a part of the object.
    pub async fn part(&self, list: List<'_>, shard: u32, shards: u32) -> Result<Option<Vec<Row>>> {
        let cell = self.cell(self.key(list)).await;
        let read = async || {
            let bytes = self.bytes(list).await?;
            Ok::<_, anyhow::Error>(bytes.and_then(|bytes| Cut::new(self.layout, bytes, shards).ok()))
        };
        let rows = cell.get_or_try_init(read).await?.as_ref().and_then(|cut| cut.rows(shard).ok());
        self.miss(list, rows.is_none());
        Ok(rows)
    }

    fn miss(&self, list: List<'_>, is_lost: bool) {
        if is_lost {
            let (bucket, key) = (&self.bucket.name, self.key(list));
            warn!("s3://{bucket}/{key} is gone or another one: its rows are compared with what stands");
        }
    }

    /// None where it is gone or another one.
    pub async fn bytes(&self, list: List<'_>) -> Result<Option<Bytes>> {
        let object = self.bucket.get(&self.key(list)).await?;
        let same = |object: &Object| list.sha256.is_none_or(|known| hex(&sha256(&object.bytes)) == known);
        Ok(object.filter(same).map(|object| object.bytes))
    }

    async fn cell(&self, key: String) -> Arc<OnceCell<Option<Cut>>> {
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
