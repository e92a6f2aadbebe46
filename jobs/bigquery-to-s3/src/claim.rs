//! An execution takes the lease of its sync, and with it the one generation that it may make.

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::Utc;
use handoff::sync::{Destination, Generation, SyncKey};
use lease::{Document, Lease, LeaseError, LeaseObject, Terms};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bucket::Bucket;
use crate::current::{current, fence, generations};
use crate::leased::LeasedBucket;
use crate::started::{Turn, begun};
use crate::syncs::Sync;
use crate::{Clouds, RunError, Task, owner};

/// What the lease says of its holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub generation: Generation,
    /// From a holder that did not give it back, and may still be at work.
    pub taken_over: bool,
    /// The execution has published and wants nothing more.
    pub published: bool,
    /// Executions that lost the lease, the last one first: one of their tasks may still come.
    #[serde(default)]
    pub superseded: Vec<Superseded>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    pub execution: String,
    pub generation: Generation,
}

/// An execution may last for days, and a task of it may be started again as late.
const SUPERSEDED: usize = 50;

impl Claim {
    /// After what stood in the lease before.
    fn new(generation: Generation, before: Option<&Document>) -> Self {
        let taken_over = before.is_some_and(|before| !before.released);
        let claim = before.and_then(|before| claim_in(&before.payload));
        let last = before.zip(claim.as_ref()).filter(|_| taken_over).map(|(before, claim)| Superseded {
            execution: before.holder.clone(),
            generation: claim.generation.clone(),
        });
        let older = claim.into_iter().flat_map(|claim| claim.superseded);
        Self {
            generation,
            taken_over,
            published: false,
            superseded: last.into_iter().chain(older).take(SUPERSEDED).collect(),
        }
    }
}

/// What an execution finds when it asks.
pub enum Claimed {
    Held(Box<Held>),
    /// Another task, or an earlier attempt, of this execution has published this generation.
    Published(Generation),
}

/// The right to write, until it is given back or lost.
pub struct Held {
    pub bucket: LeasedBucket,
    pub claim: Claim,
    lease: Lease,
    /// Other tasks of this execution may be at work.
    shared: bool,
}

enum Halt {
    Published(Generation),
    Superseded { own: Generation, by: String },
    Lease(LeaseError),
}

impl From<LeaseError> for Halt {
    fn from(error: LeaseError) -> Self {
        Self::Lease(error)
    }
}

impl From<anyhow::Error> for Halt {
    fn from(error: anyhow::Error) -> Self {
        Self::Lease(error.into())
    }
}

impl Held {
    /// All of this execution is done. The next one may begin at once, unless other tasks of ours may still be at work:
    /// then the lease runs out by itself.
    pub async fn end(self, published: bool) -> Result<()> {
        let claim = serde_json::to_value(Claim { published, ..self.claim })?;
        let ended = if self.shared { self.lease.leave(claim).await } else { self.lease.release(claim).await };
        ended.context("give the lease back")
    }
}

/// Refuses the prefix of another sync before anything is written there, the lease included.
pub async fn claim(sync: &Sync, clouds: &Clouds, task: &Task) -> Result<Claimed, RunError> {
    owner::ensure_ours(&clouds.bucket(sync), sync, &clouds.scratch).await?;
    let claimed = claim_unowned(sync, clouds, task).await?;
    if let Claimed::Held(held) = &claimed {
        // Somebody may have published here while we waited.
        owner::ensure_ours(&held.bucket, sync, &clouds.scratch).await?;
    }
    Ok(claimed)
}

/// As `claim`, whoever's the prefix is.
pub async fn claim_unowned(sync: &Sync, clouds: &Clouds, task: &Task) -> Result<Claimed, RunError> {
    let (bucket, destination) = (clouds.bucket(sync), &sync.destination);
    let (object, terms) = lease_of(&bucket, destination, clouds.lease, &task.execution);
    let lease = Lease::take(&object, &terms, async |before| {
        let claim = Claim::new(generation_of(&bucket, destination, task, before).await?, before);
        serde_json::to_value(claim).context("write a claim").map_err(Halt::from)
    });
    let lease = match lease.await {
        Ok(lease) => lease,
        Err(Halt::Published(generation)) => return Ok(Claimed::Published(generation)),
        Err(Halt::Superseded { own, by }) => return Err(RunError::Superseded { own, by }),
        Err(Halt::Lease(LeaseError::HeldBy { name, .. })) => {
            return Err(RunError::Busy { destination: destination.to_string(), execution: name });
        }
        Err(Halt::Lease(error)) => return Err(RunError::Other(error.into())),
    };
    let claim = claim_in(lease.payload()).context("the lease of this execution has no claim in it")?;
    if claim.published {
        return Ok(Claimed::Published(claim.generation));
    }
    let leased = LeasedBucket::new(bucket, lease.gate(), clouds.put.attempt);
    if claim.taken_over {
        fence(&leased, destination, &claim.generation).await?;
    }
    Ok(Claimed::Held(Box::new(Held { bucket: leased, claim, lease, shared: task.count > 1 })))
}

fn lease_of(bucket: &Bucket, destination: &Destination, time: Duration, execution: &str) -> (LeaseObject, Terms) {
    let (s3, keyless) = (bucket.s3.clone(), Some(bucket.keyless.clone()));
    let key = destination.key(&SyncKey::Lease);
    let object = LeaseObject { s3, keyless, bucket: bucket.name.clone(), key };
    (object, Terms { holder: execution.to_owned(), time, give_up_after: bucket.give_up_after })
}

fn claim_in(payload: &Value) -> Option<Claim> {
    serde_json::from_value(payload.clone()).ok()
}

async fn generation_of(
    bucket: &Bucket,
    destination: &Destination,
    task: &Task,
    before: Option<&Document>,
) -> Result<Generation, Halt> {
    let claim = before.and_then(|before| claim_in(&before.payload));
    let own = before.is_some_and(|before| before.holder == task.execution);
    if let Some(claim) = claim.as_ref().filter(|claim| own && claim.published) {
        return Err(Halt::Published(claim.generation.clone()));
    }
    let by_others = claim.as_ref().filter(|_| !own).map_or(&[][..], |claim| &claim.superseded);
    let standing = generations(bucket, destination).await?;
    let begun = begun(bucket, destination, &standing).await?;
    let current = current(bucket, destination).await?;
    let named = current.as_ref().map(|(current, etag)| (current, etag.as_str()));
    match Turn::decide(&task.execution, &begun, by_others, named) {
        Turn::Begin => {
            // One that has claimed its generation and not begun it comes earlier too.
            let claimed = claim.as_ref().map(|claim| &claim.generation);
            Ok(Generation::next(Utc::now(), standing.last().max(claimed)))
        }
        Turn::GoOn(generation) => Ok(generation),
        Turn::Published(generation) => Err(Halt::Published(generation)),
        Turn::Superseded { own, by } => Err(Halt::Superseded { own, by }),
    }
}
