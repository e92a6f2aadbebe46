//! Follows `CURRENT` of one sync, never in the way of a request. What is served changes as a whole, and only to a
//! generation whose manifest has been read and makes sense.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use handoff::sync::{Current, Generation, GenerationManifest, Layout, SYNC_VERSION, SyncKey};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use crate::bucket::{Bucket, Got, Wanted};
use crate::changes::{History, Step};
use crate::jitter::jittered;
use crate::served::Served;
use crate::{Published, ReadError};

const JITTER_PERCENT: u32 = 10;

pub(crate) struct Followed {
    pub(crate) sync: String,
    pub(crate) bucket: Bucket,
    pub(crate) changes_bytes: u64,
    /// `isthmus:users:1a2b3c4d:`, with a hash of bucket and prefix: environments that share a Redis share no rows.
    names: String,
    state: RwLock<State>,
    /// One poll at a time. Holds the `ETag` of the `CURRENT` that is served.
    polling: Mutex<Option<String>>,
}

#[derive(Default, Clone)]
struct State {
    served: Option<Arc<Served>>,
    checked_at: DateTime<Utc>,
    /// When a poll last ended, well or not.
    looked: Option<Instant>,
    problem: Option<ReadError>,
}

impl Followed {
    pub(crate) fn new(sync: String, bucket: Bucket, changes_bytes: u64) -> Self {
        let place = Sha256::digest(bucket.destination.to_string().as_bytes());
        let place: String = place[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        let names = format!("isthmus:{sync}:{place}:");
        Self { sync, bucket, changes_bytes, names, state: RwLock::default(), polling: Mutex::default() }
    }

    /// Of a row of layout packed, in all caches. It never changes: another generation's row has another name.
    pub(crate) fn packed_name(&self, written_by: &Generation, key: &str) -> String {
        format!("{}{written_by}:{key}", self.names)
    }

    /// Of a row of layout objects. What stands under it is stamped.
    pub(crate) fn object_name(&self, key: &str) -> String {
        format!("{}{key}", self.names)
    }

    pub(crate) fn served(&self) -> Result<Arc<Served>, ReadError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        match (&state.served, &state.problem) {
            (Some(served), _) => Ok(Arc::clone(served)),
            (None, Some(problem)) => Err(problem.clone()),
            (None, None) => Err(ReadError::NotPublished(self.bucket.destination.to_string())),
        }
    }

    pub(crate) fn problem(&self) -> Option<ReadError> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).problem.clone()
    }

    pub(crate) fn published(&self) -> Result<Published, ReadError> {
        let served = self.served()?;
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Published {
            generation: served.generation.clone(),
            published_at: served.published_at,
            rows: served.rows,
            layout: served.layout,
            checked_at: state.checked_at,
            problem: state.problem.as_ref().map(told),
        })
    }

    pub(crate) fn is_older_than(&self, age: Duration) -> bool {
        let looked = self.state.read().unwrap_or_else(PoisonError::into_inner).looked;
        looked.is_none_or(|looked| looked.elapsed() >= age)
    }

    /// Ends with the reader.
    pub(crate) async fn keep_following(self: Arc<Self>, every: Duration) {
        loop {
            self.look_back().await;
            sleep(jittered(every, JITTER_PERCENT)).await;
            self.poll().await;
            self.look_for_deletes().await;
        }
    }

    /// Looks at `CURRENT`, unless somebody else has since this was called.
    pub(crate) async fn poll(&self) {
        let asked = Instant::now();
        let mut etag = self.polling.lock().await;
        if self.state.read().unwrap_or_else(PoisonError::into_inner).looked.is_some_and(|looked| looked > asked) {
            return;
        }
        self.bucket.counters.polls.one();
        let outcome = self.look(&mut etag).await;
        self.note(outcome.err());
    }

    fn note(&self, problem: Option<ReadError>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let is_news = problem.as_ref().map(told) != state.problem.as_ref().map(told);
        let sync = &self.sync;
        match &problem {
            None => state.checked_at = Utc::now(),
            Some(_) => self.bucket.counters.problems.one(),
        }
        match &problem {
            Some(problem @ ReadError::Unavailable { .. }) if is_news => {
                warn!(sync, "cannot look for a new generation of {sync}: {}", told(problem));
            }
            Some(problem) if is_news => error!(sync, "a publication of {sync} is not followed: {}", told(problem)),
            None if is_news => info!(sync, "{sync} is followed again"),
            _ => {}
        }
        // That sync replaces objects of this place, and collects shards: what was served is served no more.
        if matches!(problem, Some(ReadError::OfAnotherSync { .. })) {
            state.served = None;
        }
        state.problem = problem;
        state.looked = Some(Instant::now());
    }

    async fn look(&self, etag: &mut Option<String>) -> Result<(), ReadError> {
        let key = self.bucket.destination.key(&SyncKey::Current);
        let standing = self.served().ok();
        let wanted = etag.clone().filter(|_| standing.is_some()).map_or(Wanted::All, Wanted::Newer);
        let object = match self.bucket.look(&key, wanted).await? {
            Got::Same => return Ok(()),
            Got::NotThere if standing.is_none() => return Ok(()),
            Got::NotThere => return Err(ReadError::damaged(self.bucket.name(&key), "it is gone")),
            Got::Object(object) => object,
        };
        let broken = |why: String| ReadError::damaged(self.bucket.name(&key), why);
        let current: Current = serde_json::from_slice(&object.bytes).map_err(|error| broken(error.to_string()))?;
        if current.version != SYNC_VERSION {
            return Err(broken(format!("it has version {}, this program knows {SYNC_VERSION}", current.version)));
        }
        // Whose it is, `CURRENT` itself may say: then the manifest may still have the name of before.
        if let Some(owner) = current.owner.as_ref().filter(|owner| owner.sync != self.sync) {
            let (found, expected) = (owner.sync.clone(), self.sync.clone());
            return Err(ReadError::OfAnotherSync { object: self.bucket.name(&key), found, expected });
        }
        if standing.as_ref().is_none_or(|standing| standing.generation != current.generation) {
            self.follow(&current, standing.as_deref()).await?;
        }
        *etag = object.etag;
        Ok(())
    }

    async fn follow(&self, current: &Current, standing: Option<&Served>) -> Result<(), ReadError> {
        let manifest = self.manifest(&current.manifest, &current.generation, current.owner.is_some()).await?;
        let history = match manifest.layout {
            Layout::Packed => History::default(),
            Layout::Objects => {
                let step = Step::read(&self.bucket, &manifest, self.changes_bytes).await?;
                let older = standing.map(|standing| Arc::clone(&standing.history)).unwrap_or_default();
                older.with(step).within(self.changes_bytes)
            }
        };
        let broken = |why| ReadError::damaged(self.bucket.name(&current.manifest), why);
        self.serve(Served::new(&manifest, history).map_err(broken)?);
        self.bucket.counters.generations.one();
        let (sync, generation) = (&self.sync, &current.generation);
        info!(sync, %generation, rows = manifest.totals.rows, "{sync} is read in generation {generation}");
        Ok(())
    }

    /// `owner_proven`: that this place is ours is known, so the manifest may have the name of who wrote it then.
    async fn manifest(
        &self,
        key: &str,
        generation: &Generation,
        owner_proven: bool,
    ) -> Result<GenerationManifest, ReadError> {
        let broken = |why| ReadError::damaged(self.bucket.name(key), why);
        let Got::Object(object) = self.bucket.look(key, Wanted::All).await? else {
            return Err(ReadError::Gone { object: self.bucket.name(key) });
        };
        let manifest = GenerationManifest::parse(&object.bytes).map_err(|error| broken(format!("it {error}")))?;
        if manifest.sync != self.sync && !owner_proven {
            let (object, expected) = (self.bucket.name(key), self.sync.clone());
            return Err(ReadError::OfAnotherSync { object, found: manifest.sync, expected });
        }
        if manifest.generation != *generation {
            return Err(broken(format!("it is of generation {}, not of {generation}", manifest.generation)));
        }
        Ok(manifest)
    }

    fn serve(&self, served: Served) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).served = Some(Arc::new(served));
    }

    /// Learns what changed in earlier generations too, so that what other processes cached, or this one before it missed
    /// a publication, need not be read again. Older ones may have been collected; then this is as far as it goes.
    async fn look_back(&self) {
        while let Ok(served) = self.served() {
            let Some(generation) = served.history.next_older() else { return };
            let room = self.changes_bytes.saturating_sub(served.history.bytes());
            let key = self.bucket.destination.key(&SyncKey::Manifest(generation));
            // What is served is ours, and this came before it: whoever owned the place then.
            let Ok(manifest) = self.manifest(&key, generation, true).await else { return };
            let Ok(step) = Step::read(&self.bucket, &manifest, room).await else { return };
            let history = Arc::new(served.history.with_older(step));
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            // Unless a poll was quicker; then what it saw is looked back from.
            if state.served.as_ref().is_some_and(|now| Arc::ptr_eq(now, &served)) {
                state.served = Some(Arc::new(Served { history, ..(*served).clone() }));
            }
        }
    }

    /// Where too many keys changed to know which vanished, rows are cached only when all deletes are done.
    async fn look_for_deletes(&self) {
        let Ok(served) = self.served() else { return };
        if served.layout == Layout::Packed || served.history.knows_newest() || served.swept.load(Ordering::Relaxed) {
            return;
        }
        let key = self.bucket.destination.key(&SyncKey::Deleted(&served.generation));
        let looked = self.bucket.look(&key, Wanted::All).await;
        served.swept.store(matches!(looked, Ok(Got::Object(_))), Ordering::Relaxed);
    }
}

/// The error and all its causes in one line.
fn told(problem: &ReadError) -> String {
    let causes = std::iter::successors(std::error::Error::source(problem), |cause| cause.source());
    causes.fold(problem.to_string(), |text, cause| format!("{text}: {cause}"))
}
