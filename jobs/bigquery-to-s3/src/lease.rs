//! One execution at a time writes a sync. The lease is an object that its holder renews; all tasks of an execution hold
//! it together, and it says which generation they make.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use handoff::sync::{Destination, Generation, SyncKey};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use crate::bucket::{Bucket, Put};
use crate::put::Gate;

/// The clocks of two holders may differ by this much.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(2);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Document {
    version: u32,
    execution: String,
    generation: Generation,
    expires_at: DateTime<Utc>,
    /// The execution has published and wants nothing more.
    finished: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error("{destination} is being written by execution {execution}: wait for its end, or stop it")]
    Busy { destination: String, execution: String },
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// What an execution finds when it asks for the lease.
#[derive(Debug)]
pub enum Acquired {
    Held(Lease),
    /// Another task, or an earlier attempt, of this execution has published this generation.
    Finished(Generation),
}

/// Held until it is dropped (then it runs out) or finished.
#[derive(Debug)]
pub struct Lease {
    pub generation: Generation,
    keeper: Arc<Keeper>,
    gate: watch::Receiver<Gate>,
    renewal: JoinHandle<()>,
}

#[derive(Debug)]
struct Keeper {
    bucket: Bucket,
    key: String,
    execution: String,
    ttl: Duration,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl Lease {
    /// `next` makes the generation, where this is the first task of the execution.
    pub async fn acquire(
        bucket: &Bucket,
        destination: &Destination,
        execution: &str,
        ttl: Duration,
        next: impl AsyncFn() -> Result<Generation>,
    ) -> Result<Acquired, LeaseError> {
        let key = destination.key(&SyncKey::Lease);
        let keeper = Keeper { bucket: bucket.clone(), key, execution: execution.to_owned(), ttl };
        let mut seen: Option<Document> = None;
        loop {
            let standing = keeper.look().await?;
            let generation = match &standing {
                Some((document, _)) if document.execution == execution && document.finished => {
                    return Ok(Acquired::Finished(document.generation.clone()));
                }
                Some((document, _)) if document.execution == execution => document.generation.clone(),
                Some((document, _)) if !document.is_free(Utc::now()) => {
                    let renewed = seen.as_ref().is_some_and(|seen| seen.expires_at != document.expires_at);
                    if renewed {
                        let (destination, execution) = (destination.to_string(), document.execution.clone());
                        return Err(LeaseError::Busy { destination, execution });
                    }
                    document.wait().await;
                    seen = Some(document.clone());
                    continue;
                }
                _ => next().await?,
            };
            let etag = standing.as_ref().map(|(_, etag)| etag.as_str());
            // Dying here leaves a lease that runs out by itself.
            if let Some((etag, expires)) = keeper.write(&generation, etag, false).await? {
                return Ok(Acquired::Held(Self::keep(keeper, generation, etag, expires)));
            }
        }
    }

    fn keep(keeper: Keeper, generation: Generation, etag: String, expires: Instant) -> Self {
        let keeper = Arc::new(keeper);
        let (sender, gate) = watch::channel(Gate::Open);
        let renewal = tokio::spawn(renew(Arc::clone(&keeper), generation.clone(), etag, expires, sender));
        Self { generation, keeper, gate, renewal }
    }

    /// Open while we hold the lease for certain.
    pub fn gate(&self) -> watch::Receiver<Gate> {
        self.gate.clone()
    }

    /// The next execution may begin at once.
    pub async fn finish(self) -> Result<()> {
        self.end(true).await
    }

    /// As `finish`, but this execution has not published: its next attempt goes on.
    pub async fn release(self) -> Result<()> {
        self.end(false).await
    }

    async fn end(self, finished: bool) -> Result<()> {
        self.renewal.abort();
        while let Some((document, etag)) = self.keeper.look().await? {
            if document.execution != self.keeper.execution || document.finished {
                return Ok(());
            }
            let keeper = Keeper { ttl: Duration::ZERO, ..self.keeper.copy() };
            if keeper.write(&self.generation, Some(&etag), finished).await?.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Document {
    fn is_free(&self, now: DateTime<Utc>) -> bool {
        self.finished || now > self.expires_at + CLOCK_SKEW
    }

    async fn wait(&self) {
        let left = (self.expires_at + CLOCK_SKEW - Utc::now()).to_std().unwrap_or_default();
        let (execution, seconds) = (&self.execution, left.as_secs() + 1);
        info!(execution, seconds, "execution {execution} holds the lease; if it is dead, that ends in {seconds} s");
        sleep(left + Duration::from_millis(100)).await;
    }
}

impl Keeper {
    fn copy(&self) -> Self {
        let Self { bucket, key, execution, ttl } = self;
        Self { bucket: bucket.clone(), key: key.clone(), execution: execution.clone(), ttl: *ttl }
    }

    async fn look(&self) -> Result<Option<(Document, String)>> {
        let Some(object) = self.bucket.get(&self.key).await? else { return Ok(None) };
        let document = serde_json::from_slice(&object.bytes)
            .with_context(|| format!("s3://{}/{} is not a lease: delete it", self.bucket.name, self.key))?;
        Ok(Some((document, object.etag)))
    }

    /// None when somebody was quicker. Otherwise the new `ETag`, and until when the lease is ours by our own clock,
    /// counted from before the request.
    async fn write(
        &self,
        generation: &Generation,
        etag: Option<&str>,
        finished: bool,
    ) -> Result<Option<(String, Instant)>> {
        let (asked, now) = (Instant::now(), Utc::now());
        let (execution, generation) = (self.execution.clone(), generation.clone());
        let document = Document { version: 1, execution, generation, expires_at: now + self.ttl, finished };
        let json = serde_json::to_vec(&document)?;
        let put = match etag {
            Some(etag) => self.bucket.replace(&self.key, json, etag).await?,
            None => self.bucket.create(&self.key, json).await?,
        };
        match put {
            Put::Done(etag) => Ok(Some((etag, asked + self.ttl))),
            Put::Lost => Ok(None),
        }
    }
}

/// Renews every quarter of the lease's time. A quarter before its end writing pauses: longer than one attempt of a PUT
/// lasts, so that none is carried out after the end. Whatever happens, the gate closes before the lease runs out, and opens
/// again only when the lease is ours again.
async fn renew(
    keeper: Arc<Keeper>,
    generation: Generation,
    mut etag: String,
    expires: Instant,
    gate: watch::Sender<Gate>,
) {
    let mut expires = expires;
    loop {
        sleep(keeper.ttl / 4).await;
        let answer = {
            let mut renewed = pin!(keeper.renew(&generation, &etag));
            tokio::select! {
                answer = &mut renewed => answer,
                () = sleep_until(expires - keeper.ttl / 4) => {
                    warn!("the lease could not be renewed in time: writing pauses");
                    gate.send_replace(Gate::Closed);
                    renewed.await
                }
            }
        };
        match answer {
            Ok(Some((new_etag, until))) => {
                (etag, expires) = (new_etag, until);
                gate.send_replace(Gate::Open);
            }
            Ok(None) => {
                gate.send_replace(Gate::Lost);
                return;
            }
            Err(error) => {
                warn!("renew the lease: {}", startup::with_causes(error.as_ref()));
                if Instant::now() > expires - keeper.ttl / 4 {
                    gate.send_replace(Gate::Closed);
                }
            }
        }
    }
}

impl Keeper {
    /// None when another execution has it. Another task of ours that renewed it first is as good.
    async fn renew(&self, generation: &Generation, etag: &str) -> Result<Option<(String, Instant)>> {
        if let Some(renewed) = self.write(generation, Some(etag), false).await? {
            return Ok(Some(renewed));
        }
        loop {
            let asked = Instant::now();
            let Some((document, etag)) = self.look().await? else { return Ok(None) };
            if document.execution != self.execution {
                return Ok(None);
            }
            let left = (document.expires_at - Utc::now()).to_std().unwrap_or_default();
            if document.finished {
                return Ok(Some((etag, asked + self.ttl)));
            }
            if left > self.ttl / 2 {
                return Ok(Some((etag, asked + left)));
            }
            if let Some(renewed) = self.write(generation, Some(&etag), false).await? {
                return Ok(Some(renewed));
            }
        }
    }
}
