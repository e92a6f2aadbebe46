//! Layout packed: rows out of shards. Names of cached rows carry the generation that wrote the shard, so nothing that is
//! cached can ever be wrong, and a shard that did not change stays warm over any number of publications.

use std::collections::{BTreeMap, HashMap};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{StreamExt, TryStreamExt, iter};

use crate::follow::Followed;
use crate::reader::Inner;
use crate::room::Room;
use crate::rows::Kept;
use crate::served::{Place, Served};
use crate::{Origin, ReadError, Row};

/// Keys that Redis is asked for at once; their rows are together in memory before they are counted.
pub(crate) const KEYS_AT_ONCE: usize = 100;

pub(crate) type Found<'a> = HashMap<&'a str, (Option<Row>, Origin)>;

/// A key that is not in this process.
struct Sought<'a> {
    key: &'a str,
    name: String,
    place: Place<'a>,
}

impl Inner {
    pub(crate) async fn packed(
        &self,
        followed: &Followed,
        served: &Served,
        key: &str,
    ) -> Result<(Option<Row>, Origin), ReadError> {
        let Some(place) = served.place(key) else { return Ok((None, Origin::Manifest)) };
        let name = followed.packed_name(place.written_by, key);
        if let Some(kept) = self.rows.get(&name).await {
            return Ok((kept.row, Origin::Memory));
        }
        let flight = self.fetch(followed, &place, key, &name).boxed();
        let (kept, mine) = self.rows.get_or_fetch(&name, flight).await?;
        Ok((kept.row, if mine { kept.from } else { Origin::Memory }))
    }

    /// A small shard that is here already is nearer than Redis.
    async fn fetch(&self, followed: &Followed, place: &Place<'_>, key: &str, name: &str) -> Result<Kept, ReadError> {
        let object = place.object(&followed.bucket.destination);
        let at_hand = self.shelf.has_whole(&followed.bucket, &object).await;
        if let (Some(redis), false) = (&self.redis, at_hand)
            && let Some(entry) = redis.get(name).await.filter(|entry| *entry.stamp == *place.written_by)
        {
            return Ok(self.kept(entry.row, place.written_by, Origin::Redis));
        }
        let body = self.shelf.rows(&followed.bucket, &object, &[key], &Room::for_one()).await?.pop().flatten();
        let from = if at_hand { Origin::Memory } else { Origin::S3 };
        let kept = self.kept(body.map(Row::new), place.written_by, from);
        self.share(name, &kept);
        Ok(kept)
    }

    /// Hands a row to the other processes.
    pub(crate) fn share(&self, name: &str, kept: &Kept) {
        if let Some(redis) = &self.redis {
            redis.put(name, &kept.entry(), kept.keep);
        }
    }

    pub(crate) async fn packed_many<'a>(
        &self,
        followed: &Followed,
        served: &'a Served,
        keys: &[&'a str],
        room: &Room,
    ) -> Result<Found<'a>, ReadError> {
        let mut found = Found::new();
        let sought = self.not_here(followed, served, keys, &mut found, room).await?;
        let sought = self.not_in_redis(followed, sought, &mut found, room).await?;
        let mut shards: BTreeMap<u32, Vec<Sought<'a>>> = BTreeMap::new();
        for one in sought {
            shards.entry(one.place.shard).or_default().push(one);
        }
        let fetch = |sought| self.fetch_shard(followed, sought, room).boxed();
        let reads: Vec<BoxFuture<Result<Vec<_>, ReadError>>> = shards.into_values().map(fetch).collect();
        let reads = iter(reads).buffer_unordered(self.settings.concurrency.max(1));
        let read: Vec<Vec<(&str, Option<Row>, Origin)>> = reads.try_collect().await?;
        found.extend(read.into_iter().flatten().map(|(key, row, from)| (key, (row, from))));
        Ok(found)
    }

    /// The keys in order, each once, without those that are found here.
    async fn not_here<'a>(
        &self,
        followed: &Followed,
        served: &'a Served,
        keys: &[&'a str],
        found: &mut Found<'a>,
        room: &Room,
    ) -> Result<Vec<Sought<'a>>, ReadError> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let mut sought = Vec::new();
        for key in keys {
            let Some(place) = served.place(key) else { continue };
            let name = followed.packed_name(place.written_by, key);
            match self.rows.get(&name).await {
                Some(kept) => {
                    room.take_for(kept.row.as_ref())?;
                    found.insert(key, (kept.row, Origin::Memory));
                }
                None => sought.push(Sought { key, name, place }),
            }
        }
        Ok(sought)
    }

    async fn not_in_redis<'a>(
        &self,
        followed: &Followed,
        sought: Vec<Sought<'a>>,
        found: &mut Found<'a>,
        room: &Room,
    ) -> Result<Vec<Sought<'a>>, ReadError> {
        let Some(redis) = &self.redis else { return Ok(sought) };
        let (mut rest, mut asked) = (Vec::new(), Vec::new());
        for one in sought {
            let object = one.place.object(&followed.bucket.destination);
            let at_hand = self.shelf.has_whole(&followed.bucket, &object).await;
            if at_hand { &mut rest } else { &mut asked }.push(one);
        }
        let mut asked = asked.into_iter().peekable();
        while asked.peek().is_some() {
            let some: Vec<Sought> = asked.by_ref().take(KEYS_AT_ONCE).collect();
            let names: Vec<&str> = some.iter().map(|one| one.name.as_str()).collect();
            let entries = redis.get_many(&names).await;
            for (one, entry) in some.into_iter().zip(entries) {
                match entry.filter(|entry| *entry.stamp == *one.place.written_by) {
                    Some(entry) => {
                        let kept = self.kept(entry.row, one.place.written_by, Origin::Redis);
                        room.take_for(kept.row.as_ref())?;
                        found.insert(one.key, (kept.row.clone(), Origin::Redis));
                        self.rows.keep(one.name, kept).await;
                    }
                    None => rest.push(one),
                }
            }
        }
        Ok(rest)
    }

    /// All of one shard.
    async fn fetch_shard<'a>(
        &self,
        followed: &Followed,
        mut sought: Vec<Sought<'a>>,
        room: &Room,
    ) -> Result<Vec<(&'a str, Option<Row>, Origin)>, ReadError> {
        sought.sort_unstable_by_key(|one| one.key);
        let keys: Vec<&str> = sought.iter().map(|one| one.key).collect();
        let Some(first) = sought.first() else { return Ok(Vec::new()) };
        let object = first.place.object(&followed.bucket.destination);
        let bodies = self.shelf.rows(&followed.bucket, &object, &keys, room).await?;
        let mut read = Vec::with_capacity(sought.len());
        for (one, body) in sought.into_iter().zip(bodies) {
            let kept = self.kept(body.map(Row::new), one.place.written_by, Origin::S3);
            read.push((one.key, kept.row.clone(), Origin::S3));
            self.share(&one.name, &kept);
            self.rows.keep(one.name, kept).await;
        }
        Ok(read)
    }
}
