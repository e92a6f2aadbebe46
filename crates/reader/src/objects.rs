//! Layout objects: an object for each row. Objects are replaced in place, so a cached row is stamped, and asked about: has
//! its key changed since?

use futures_util::future::BoxFuture;
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use futures_util::{FutureExt, TryFutureExt};
use handoff::sync::{KeyHash, MAX_OBJECT_KEY_BYTES};

use crate::bucket::{Got, Wanted};
use crate::changes::Mark;
use crate::follow::Followed;
use crate::packed::{Found, KEYS_AT_ONCE};
use crate::reader::Inner;
use crate::room::Room;
use crate::rows::Kept;
use crate::served::Served;
use crate::{Origin, ReadError, Row};

/// How an object is looked for.
#[derive(Clone, Copy)]
pub(crate) struct Seek<'a> {
    pub(crate) in_redis: bool,
    /// Of the answer that it is for.
    pub(crate) room: &'a Room,
}

/// Flights that may be joined and turn out to have begun under an older generation, before a request flies alone.
const FLIGHTS: usize = 3;

impl Inner {
    pub(crate) async fn object(
        &self,
        followed: &Followed,
        served: &Served,
        key: &str,
        seek: Seek<'_>,
    ) -> Result<(Option<Row>, Origin), ReadError> {
        if followed.bucket.destination.object_key(key, KeyHash::of(key)).len() > MAX_OBJECT_KEY_BYTES {
            return Ok((None, Origin::Manifest)); // the job rejects such rows, and S3 would refuse the question
        }
        let (mark, name) = (Mark::of(key), followed.object_name(key));
        for _ in 0..FLIGHTS {
            if let Some(row) = self.object_here(served, mark, &name).await {
                seek.room.take_for(row.as_ref())?;
                return Ok((row, Origin::Memory));
            }
            let flight = self.fetch_object(followed, served, key, &name, seek).boxed();
            let (kept, mine) = match self.rows.get_or_fetch(&name, flight).await {
                // Of an answer that has no room for this row; this one may have.
                Err(ReadError::TooLarge { .. }) if !seek.room.is_spent() => break,
                flown => flown?,
            };
            if mine {
                return Ok((kept.row, kept.from));
            }
            if served.history.is_true(mark, &kept.stamp) {
                seek.room.take_for(kept.row.as_ref())?;
                return Ok((kept.row, Origin::Memory));
            }
        }
        let kept = self.fetch_object(followed, served, key, &name, Seek { in_redis: false, ..seek }).await?;
        Ok((kept.row, kept.from))
    }

    /// The inner None: it is known that there is no row.
    async fn object_here(&self, served: &Served, mark: Mark, name: &str) -> Option<Option<Row>> {
        let kept = self.rows.get(name).await?;
        if served.history.is_true(mark, &kept.stamp) {
            return Some(kept.row);
        }
        self.rows.forget(name).await;
        None
    }

    /// The stamp is the generation under which the read begins: what is written while it lasts is of a later one.
    async fn fetch_object(
        &self,
        followed: &Followed,
        served: &Served,
        key: &str,
        name: &str,
        seek: Seek<'_>,
    ) -> Result<Kept, ReadError> {
        let mark = Mark::of(key);
        if let (Some(redis), true) = (&self.redis, seek.in_redis)
            && let Some(entry) = redis.get(name).await.filter(|entry| served.history.is_true(mark, &entry.stamp))
        {
            return Ok(self.kept(entry.row, &entry.stamp, Origin::Redis));
        }
        let bucket = &followed.bucket;
        let object = bucket.destination.object_key(key, KeyHash::of(key));
        let body = match bucket.get_into(seek.room, &object, Wanted::All).await? {
            Got::Object(object) => Some(object.bytes),
            Got::NotThere | Got::Same => None,
        };
        let mut kept = self.kept(body.map(Row::new), &served.generation, Origin::S3);
        if kept.row.is_none() || served.is_settled(mark) {
            self.share(name, &kept);
        } else {
            kept.keep = std::time::Duration::ZERO;
        }
        Ok(kept)
    }

    pub(crate) async fn object_many<'a>(
        &self,
        followed: &Followed,
        served: &Served,
        keys: &[&'a str],
        room: &Room,
    ) -> Result<Found<'a>, ReadError> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let mut found = Found::new();
        let mut sought = Vec::new();
        for key in keys {
            let name = followed.object_name(key);
            match self.object_here(served, Mark::of(key), &name).await {
                Some(row) => {
                    room.take_for(row.as_ref())?;
                    found.insert(key, (row, Origin::Memory));
                }
                None => sought.push((key, name)),
            }
        }
        let sought = self.objects_not_in_redis(served, sought, &mut found, room).await?;
        let seek = Seek { in_redis: false, room };
        let reads: Vec<BoxFuture<Result<_, ReadError>>> = sought
            .into_iter()
            .map(|key| self.object(followed, served, key, seek).map_ok(move |answered| (key, answered)).boxed())
            .collect();
        let reads = iter(reads).buffer_unordered(self.settings.concurrency.max(1));
        let read: Vec<(&str, (Option<Row>, Origin))> = reads.try_collect().await?;
        found.extend(read);
        Ok(found)
    }

    async fn objects_not_in_redis<'a>(
        &self,
        served: &Served,
        sought: Vec<(&'a str, String)>,
        found: &mut Found<'a>,
        room: &Room,
    ) -> Result<Vec<&'a str>, ReadError> {
        let Some(redis) = &self.redis else { return Ok(sought.into_iter().map(|(key, _)| key).collect()) };
        let mut rest = Vec::new();
        for some in sought.chunks(KEYS_AT_ONCE) {
            let names: Vec<&str> = some.iter().map(|(_, name)| name.as_str()).collect();
            for ((key, name), entry) in some.iter().zip(redis.get_many(&names).await) {
                match entry.filter(|entry| served.history.is_true(Mark::of(key), &entry.stamp)) {
                    Some(entry) => {
                        let kept = self.kept(entry.row, &entry.stamp, Origin::Redis);
                        room.take_for(kept.row.as_ref())?;
                        found.insert(key, (kept.row.clone(), Origin::Redis));
                        self.rows.keep(name.clone(), kept).await;
                    }
                    None => rest.push(*key),
                }
            }
        }
        Ok(rest)
    }
}
