use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use handoff::sync::{Generation, Layout};
use tokio::task::JoinHandle;

use crate::bucket::Bucket;
use crate::counters::Counters;
use crate::follow::Followed;
use crate::jitter::jittered;
use crate::objects::Seek;
use crate::room::Room;
use crate::rows::{Kept, Rows};
use crate::served::Served;
use crate::settings::MAX_KEY_BYTES;
use crate::shard::Shelf;
use crate::{Answer, Batch, Counts, Origin, Published, ReadError, RedisCache, Row, Settings, Source};

const TTL_JITTER_PERCENT: u32 = 15;
/// An object that is named and not there is perhaps one of a collected generation; `CURRENT` is looked at for that, but
/// not more often than this.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A cheap handle: clones share everything. Following `CURRENT` stops when the last one is dropped.
#[derive(Clone)]
pub struct Reader(Arc<Inner>);

pub(crate) struct Inner {
    followed: HashMap<String, Arc<Followed>>,
    pub(crate) rows: Rows,
    pub(crate) shelf: Shelf,
    pub(crate) redis: Option<RedisCache>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) settings: Settings,
    following: Vec<JoinHandle<()>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.following.iter().for_each(JoinHandle::abort);
    }
}

impl Reader {
    /// Reads `CURRENT` of each sync first. One that was never published is no error: it is followed from its first
    /// publication on, and [`ReadError::NotPublished`] until then. Nor is one that cannot be read, as long as another
    /// can: its requests say why.
    pub async fn open(
        s3: aws_sdk_s3::Client,
        redis: Option<RedisCache>,
        sources: Vec<Source>,
        settings: Settings,
    ) -> Result<Self, ReadError> {
        let counters = Arc::new(Counters::default());
        let mut followed: HashMap<String, Arc<Followed>> = HashMap::new();
        for source in sources {
            let (s3, destination, counters) = (s3.clone(), source.destination(), Arc::clone(&counters));
            let bucket = Bucket { s3, destination, timeout: settings.s3_timeout, counters };
            let one = Arc::new(Followed::new(source.sync.clone(), bucket, settings.changes_bytes));
            if followed.insert(source.sync.clone(), one).is_some() {
                return Err(ReadError::RepeatedSync(source.sync));
            }
        }
        join_all(followed.values().map(|followed| followed.poll())).await;
        let problems: Vec<ReadError> = followed.values().filter_map(|followed| followed.problem()).collect();
        if !problems.is_empty() && problems.len() == followed.len() {
            return Err(problems[0].clone());
        }
        let follow = |followed: &Arc<Followed>| tokio::spawn(Arc::clone(followed).keep_following(settings.poll));
        let following = followed.values().map(follow).collect();
        let rows = Rows::new(settings.memory_bytes);
        let shelf = Shelf::new(settings.index_bytes, settings.whole_shard_bytes);
        Ok(Self(Arc::new(Inner { followed, rows, shelf, redis, counters, settings, following })))
    }

    pub async fn get(&self, sync: &str, key: &str) -> Result<Answer, ReadError> {
        let followed = self.0.followed(sync)?;
        check(key)?;
        let served = followed.served()?;
        self.0.counters.gets.one();
        match self.0.one(followed, &served, key).await {
            Err(gone @ ReadError::Gone { .. }) => match self.0.newer(followed, &served).await {
                Some(newer) => self.0.one(followed, &newer, key).await,
                None => Err(gone),
            },
            answered => answered,
        }
    }

    /// As many rows as keys, in their order; in layout packed all of one generation. A row of a key that is there twice
    /// counts once for `batch_bytes`.
    pub async fn get_many(&self, sync: &str, keys: &[&str]) -> Result<Batch, ReadError> {
        let followed = self.0.followed(sync)?;
        keys.iter().try_for_each(|key| check(key))?;
        let served = followed.served()?;
        self.0.counters.gets.add(keys.len() as u64);
        match self.0.many(followed, &served, keys).await {
            Err(gone @ ReadError::Gone { .. }) => match self.0.newer(followed, &served).await {
                Some(newer) => self.0.many(followed, &newer, keys).await,
                None => Err(gone),
            },
            answered => answered,
        }
    }

    pub fn generation(&self, sync: &str) -> Result<Published, ReadError> {
        self.0.followed(sync)?.published()
    }

    /// For programs that are frozen between calls, as a Lambda is: looks at every `CURRENT` that was not looked at for so
    /// long. What went wrong is told by [`Reader::generation`]; the last good generation is served on.
    pub async fn refresh_if_older_than(&self, age: Duration) {
        let old = self.0.followed.values().filter(|followed| followed.is_older_than(age));
        join_all(old.map(|followed| followed.poll())).await;
    }

    pub fn counters(&self) -> Counts {
        let own = self.0.counters.read();
        self.0.redis.as_ref().map_or(own, |redis| own.plus(&redis.counters().read()))
    }
}

fn check(key: &str) -> Result<(), ReadError> {
    match key.len() {
        0 => Err(ReadError::InvalidKey("is empty")),
        1..=MAX_KEY_BYTES => Ok(()),
        _ => Err(ReadError::InvalidKey("is longer than 1024 bytes")),
    }
}

impl Inner {
    fn followed(&self, sync: &str) -> Result<&Arc<Followed>, ReadError> {
        self.followed.get(sync).ok_or_else(|| ReadError::UnknownSync(sync.to_owned()))
    }

    async fn one(&self, followed: &Followed, served: &Served, key: &str) -> Result<Answer, ReadError> {
        let (row, from) = match served.layout {
            Layout::Packed => self.packed(followed, served, key).await?,
            Layout::Objects => {
                let seek = Seek { in_redis: true, room: &Room::for_one() };
                self.object(followed, served, key, seek).await?
            }
        };
        self.count(row.as_ref(), from);
        Ok(Answer { row, generation: served.generation.clone(), from })
    }

    async fn many(&self, followed: &Followed, served: &Served, keys: &[&str]) -> Result<Batch, ReadError> {
        let room = Room::new(self.settings.batch_bytes);
        let found = match served.layout {
            Layout::Packed => self.packed_many(followed, served, keys, &room).await?,
            Layout::Objects => self.object_many(followed, served, keys, &room).await?,
        };
        let rows = keys.iter().map(|key| {
            let (row, from) = found.get(key).cloned().unwrap_or((None, Origin::Manifest));
            self.count(row.as_ref(), from);
            row
        });
        Ok(Batch { rows: rows.collect(), generation: served.generation.clone() })
    }

    fn count(&self, row: Option<&Row>, from: Origin) {
        self.counters.absent.add(u64::from(row.is_none()));
        self.counters.memory_hits.add(u64::from(from == Origin::Memory));
    }

    /// Another generation than `served`, if there is one.
    async fn newer(&self, followed: &Followed, served: &Served) -> Option<Arc<Served>> {
        if followed.is_older_than(LOOK_AGAIN_AFTER) {
            followed.poll().await;
        }
        followed.served().ok().filter(|now| now.generation != served.generation)
    }

    pub(crate) fn kept(&self, row: Option<Row>, stamp: &Generation, from: Origin) -> Kept {
        let time = if row.is_some() { self.settings.ttl } else { self.settings.miss_ttl };
        Kept { row, stamp: Arc::new(stamp.clone()), from, keep: jittered(time, TTL_JITTER_PERCENT) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever calls the reader may be on any thread, as axum's handlers and Tokio's tasks are.
    #[test]
    fn requests_may_be_spawned() {
        fn spawned<T: Send>(_: impl FnOnce(Reader) -> T) {}
        spawned(|reader| async move { reader.get("users", "1").await });
        spawned(|reader| async move { reader.get_many("users", &["1"]).await });
        spawned(|reader| async move { reader.refresh_if_older_than(Duration::ZERO).await });
    }
}
