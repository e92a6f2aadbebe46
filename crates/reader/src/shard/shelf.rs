//! The shards that this process has at hand: small ones whole, of large ones the index and pages. Whoever asks for one
//! that is just being fetched waits for it, so a stampede is one request to S3.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::try_join;
use moka::future::Cache;
use sha2::{Digest, Sha256};

use super::index::{Index, Unread};
use super::page::{Page, Parts};
use crate::ReadError;
use crate::bucket::{Bucket, Got, Wanted};
use crate::room::Room;

/// What the first GET of a larger one asks for: the footer and the page index of about 800 pages.
const TAIL_BYTES: u64 = 64 * 1024;

/// The object of a shard, as the manifest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShardObject {
    pub(crate) key: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: [u8; 32],
    pub(crate) rows: u64,
}

#[derive(Clone)]
enum Held {
    Shard(Arc<Shard>),
    Page(Arc<Page>),
}

struct Shard {
    index: Index,
    /// All of it, where it is small.
    whole: Option<Bytes>,
}

/// An object, and which of its pages; none: its index.
type Name = (Arc<str>, Option<usize>);

pub(crate) struct Shelf {
    held: Cache<Name, Held>,
    whole_bytes: u64,
}

impl Shelf {
    pub(crate) fn new(memory_bytes: u64, whole_bytes: u64) -> Self {
        let weight = |(object, _): &Name, held: &Held| {
            let bytes = object.len() + 128 + held.memory_bytes();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self { held: Cache::builder().max_capacity(memory_bytes).weigher(weight).build(), whole_bytes }
    }

    /// Whether rows of this shard can be had without S3.
    pub(crate) async fn has_whole(&self, bucket: &Bucket, object: &ShardObject) -> bool {
        let held = self.held.get(&(bucket.name(&object.key).into(), None)).await;
        matches!(held, Some(Held::Shard(shard)) if shard.whole.is_some())
    }

    /// The bodies of `keys`, which must be in order.
    pub(crate) async fn rows(
        &self,
        bucket: &Bucket,
        object: &ShardObject,
        keys: &[&str],
        room: &Room,
    ) -> Result<Vec<Option<Bytes>>, ReadError> {
        let name: Arc<str> = bucket.name(&object.key).into();
        let shard = self.shard(bucket, object, &name).await?;
        let mut last: Option<(usize, Arc<Page>)> = None;
        let mut bodies = Vec::with_capacity(keys.len());
        for key in keys {
            let mut candidates = shard.index.candidates(key.as_bytes());
            let mut body = None;
            while !candidates.is_empty() {
                let n = usize::midpoint(candidates.start, candidates.end - 1);
                let page = match last.take() {
                    Some((at, page)) if at == n => page,
                    _ => self.page(bucket, object, &name, &shard, n).await?,
                };
                let side = page.side_of(key);
                let found = page.body(key);
                room.take(found.map_or(0, str::len) as u64)?;
                body = found.map(|body| Bytes::copy_from_slice(body.as_bytes()));
                last = Some((n, page));
                candidates = match side {
                    std::cmp::Ordering::Less => candidates.start..n,
                    std::cmp::Ordering::Greater => n + 1..candidates.end,
                    std::cmp::Ordering::Equal => break,
                };
            }
            bodies.push(body);
        }
        Ok(bodies)
    }

    async fn shard(&self, bucket: &Bucket, object: &ShardObject, name: &Arc<str>) -> Result<Arc<Shard>, ReadError> {
        let fetch = async {
            let shard = if object.bytes <= self.whole_bytes {
                whole(bucket, object).await
            } else {
                indexed(bucket, object).await
            };
            shard.map(|shard| Held::Shard(Arc::new(shard)))
        };
        match self.held.try_get_with((Arc::clone(name), None), fetch.boxed()).await {
            Ok(Held::Shard(shard)) => Ok(shard),
            Ok(Held::Page(_)) => Err(ReadError::damaged(&**name, "a page stands where its index should be")),
            Err(error) => Err((*error).clone()),
        }
    }

    async fn page(
        &self,
        bucket: &Bucket,
        object: &ShardObject,
        name: &Arc<str>,
        shard: &Shard,
        n: usize,
    ) -> Result<Arc<Page>, ReadError> {
        let place = &shard.index.pages[n];
        let damaged = |why| ReadError::damaged(&**name, why);
        if let Some(whole) = &shard.whole {
            return Page::read(&shard.index, place, whole.clone()).map(Arc::new).map_err(damaged);
        }
        let fetch = async {
            let (keys, bodies) = (place.keys.clone(), place.bodies.clone());
            let fetched = try_join(part(bucket, object, keys.clone()), part(bucket, object, bodies.clone())).await?;
            let parts = Parts { object_bytes: object.bytes, parts: [(keys, fetched.0), (bodies, fetched.1)] };
            Page::read(&shard.index, place, parts).map(|page| Held::Page(Arc::new(page))).map_err(damaged)
        };
        match self.held.try_get_with((Arc::clone(name), Some(n)), fetch.boxed()).await {
            Ok(Held::Page(page)) => Ok(page),
            Ok(Held::Shard(_)) => Err(damaged("an index stands where its page should be".into())),
            Err(error) => Err((*error).clone()),
        }
    }
}

impl Held {
    fn memory_bytes(&self) -> usize {
        match self {
            Self::Shard(shard) => shard.index.memory_bytes + shard.whole.as_ref().map_or(0, Bytes::len),
            Self::Page(page) => page.memory_bytes(),
        }
    }
}

async fn whole(bucket: &Bucket, object: &ShardObject) -> Result<Shard, ReadError> {
    let bytes = fetch(bucket, object, Wanted::All).await?;
    let damaged = |why: String| ReadError::damaged(bucket.name(&object.key), why);
    if bytes.len() as u64 != object.bytes {
        return Err(damaged(format!("it has {} bytes, the manifest says {}", bytes.len(), object.bytes)));
    }
    if Sha256::digest(&bytes)[..] != object.sha256 {
        return Err(damaged("its SHA-256 is not the manifest's".into()));
    }
    let index = Index::parse(&bytes, object.bytes, object.rows).map_err(|error| damaged(error.told()))?;
    Ok(Shard { index, whole: Some(bytes) })
}

async fn indexed(bucket: &Bucket, object: &ShardObject) -> Result<Shard, ReadError> {
    let mut wanted = TAIL_BYTES;
    loop {
        let tail = tail(bucket, object, wanted).await?;
        match Index::parse(&tail, object.bytes, object.rows) {
            Ok(index) => return Ok(Shard { index, whole: None }),
            Err(Unread::Longer(needed)) if needed > wanted => wanted = needed,
            Err(error) => return Err(ReadError::damaged(bucket.name(&object.key), error.told())),
        }
    }
}

async fn tail(bucket: &Bucket, object: &ShardObject, wanted: u64) -> Result<Bytes, ReadError> {
    let Got::Object(got) = bucket.get(&object.key, Wanted::Tail(wanted)).await? else {
        return Err(gone(bucket, object));
    };
    let of = got.content_range.as_deref().and_then(|range| range.rsplit_once('/')?.1.parse::<u64>().ok());
    if of != Some(object.bytes) {
        let why = format!("it has {} bytes, the manifest says {}", of.unwrap_or_default(), object.bytes);
        return Err(ReadError::damaged(bucket.name(&object.key), why));
    }
    Ok(got.bytes)
}

async fn part(bucket: &Bucket, object: &ShardObject, part: Range<u64>) -> Result<Bytes, ReadError> {
    let length = part.end - part.start;
    let bytes = fetch(bucket, object, Wanted::Part(part)).await?;
    if bytes.len() as u64 != length {
        return Err(ReadError::damaged(bucket.name(&object.key), "it is cut off"));
    }
    Ok(bytes)
}

async fn fetch(bucket: &Bucket, object: &ShardObject, wanted: Wanted) -> Result<Bytes, ReadError> {
    match bucket.get(&object.key, wanted).await? {
        Got::Object(object) => Ok(object.bytes),
        Got::NotThere | Got::Same => Err(gone(bucket, object)),
    }
}

fn gone(bucket: &Bucket, object: &ShardObject) -> ReadError {
    ReadError::Gone { object: bucket.name(&object.key) }
}

impl Unread {
    fn told(self) -> String {
        match self {
            Self::Longer(needed) => format!("its index is {needed} bytes long, which it cannot be"),
            Self::Damaged(why) => why,
        }
    }
}
