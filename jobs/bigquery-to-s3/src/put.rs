//! The PUT engine: sends many small objects to S3 as fast as S3 takes them. A put has no conditions and may be repeated,
//! so whatever passes is outlived: slow-downs, resets, lost answers, an outage, expired credentials. What a human must
//! change is told at once. See `docs/research/put-engine.md` for why it does not use the SDK.
//!
//! Lists, reads, conditional puts and deletes are not here: they are few, and the SDK makes them.

mod answer;
mod attempt;
mod budget;
mod clock;
mod connection;
mod dns;
mod error;
mod pool;
mod sign;
mod target;
mod trial;
mod window;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt, TryStreamExt};
use keyless::aws::Keyless;
use lease::Gate;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::counters::Counters;
use budget::Budget;
use clock::Clock;
use pool::Pool;
use sign::Signer;
use target::{Target, Targets};
use trial::Trial;
use window::{Slot, Window};

pub use error::{Place, PutError};

#[derive(Debug, Clone)]
pub struct PutSettings {
    /// `http://127.0.0.1:9000`, addressed by path; S3 itself where there is none.
    pub endpoint: Option<String>,
    pub region: String,
    /// 1 to 1,000: requests under way at once, at most.
    pub max_concurrency: usize,
    pub attempt: AttemptLimit,
    /// For one put with all its repeats.
    pub give_up_after: Duration,
}

impl PutSettings {
    pub fn of_region(region: &str) -> Self {
        Self {
            endpoint: None,
            region: region.to_owned(),
            max_concurrency: 200,
            attempt: AttemptLimit::within(Duration::from_mins(1)),
            give_up_after: Duration::from_mins(15),
        }
    }
}

/// In seconds, as `LEASE_SECONDS` may be.
const LONGEST_LEASE: u64 = 3600;

/// After how long an attempt is cut off. The gate lets one begin only where the lease is ours for longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptLimit {
    pub least: Duration,
    pub each_mib: Duration,
    /// What takes longer would wait for the gate for ever.
    pub longest: Duration,
}

impl AttemptLimit {
    /// Such that an attempt fits into a lease of this time beside the time between two renewals, a body of 25 MiB too.
    pub fn within(lease: Duration) -> Self {
        let (least, each_mib) = ((lease / 4).min(Duration::from_secs(10)), (lease / 60).min(Duration::from_secs(1)));
        Self { least, each_mib, longest: lease / 4 * 3 }
    }

    /// Whether a body of so many bytes can be written at all.
    pub fn fits(self, bytes: usize) -> bool {
        self.of(bytes) <= self.longest
    }

    /// The shortest lease, in seconds, beside which a body of so many bytes fits.
    pub fn lease_for(bytes: usize) -> u64 {
        let fits = |seconds: &u64| Self::within(Duration::from_secs(*seconds)).fits(bytes);
        (1..=LONGEST_LEASE).find(fits).unwrap_or(LONGEST_LEASE)
    }

    pub fn of(self, bytes: usize) -> Duration {
        self.least + self.each_mib * u32::try_from(bytes >> 20).unwrap_or(u32::MAX)
    }
}

/// One object to be written.
#[derive(Debug, Clone)]
pub struct Put {
    pub bucket: Arc<str>,
    pub key: String,
    pub body: Bytes,
    /// Of the body. S3 checks the body against it, and keeps it as the object's checksum.
    pub sha256: [u8; 32],
    pub content_type: &'static str,
}

/// The right to have one put under way. Take one before the put is made: that is what holds the reader back.
pub struct Permit {
    /// Bounds the puts in memory, those that pause between attempts too.
    _held: Option<OwnedSemaphorePermit>,
    slot: Slot,
}

/// Clones share connections, window and budget.
#[derive(Clone)]
pub struct PutEngine(Arc<Engine>);

struct Engine {
    settings: PutSettings,
    keyless: Keyless,
    gate: Gate,
    counters: Arc<Counters>,
    targets: Targets,
    pool: Pool,
    signer: Signer,
    clock: Clock,
    window: Arc<Window>,
    held: Arc<Semaphore>,
    budget: Budget,
}

impl PutEngine {
    pub fn new(settings: PutSettings, keyless: Keyless, gate: Gate, counters: Arc<Counters>) -> Result<Self> {
        let ceiling = settings.max_concurrency;
        ensure!((1..=1000).contains(&ceiling), "puts at once must be 1 to 1000, not {ceiling}");
        Target::new(settings.endpoint.as_deref(), &settings.region, "bucket")?;
        Ok(Self(Arc::new(Engine {
            keyless,
            gate,
            counters,
            targets: Targets::new(settings.endpoint.as_deref(), &settings.region),
            pool: Pool::new().context("read this machine's root certificates")?,
            signer: Signer::new(&settings.region),
            clock: Clock::default(),
            window: Window::new(ceiling),
            held: Arc::new(Semaphore::new(ceiling)),
            budget: Budget::new(ceiling),
            settings,
        })))
    }

    /// Waits for room in the window.
    pub async fn permit(&self) -> Permit {
        // Never closed, so there always is one in the end.
        let held = Arc::clone(&self.0.held).acquire_owned().await.ok();
        Permit { _held: held, slot: self.0.window.slot().await }
    }

    /// Returns once S3 has the object, whole; an error says that it may or may not have it.
    pub async fn put(&self, permit: Permit, put: Put) -> Result<(), PutError> {
        Trial::new(&self.0, &put)?.run(permit.slot).await
    }

    /// All of them, as many at once as the window has room for, until one fails for good. They share the caller's task:
    /// with a task for each, most are woken on another thread, and that costs more than all else that a small put does.
    pub async fn put_all(&self, puts: impl Iterator<Item = Put>) -> Result<(), PutError> {
        let mut under_way = FuturesUnordered::new();
        for put in puts {
            let mut permit = pin!(self.permit());
            let permit = loop {
                tokio::select! {
                    biased;
                    Some(done) = under_way.next() => done?,
                    permit = &mut permit => break permit,
                }
            };
            under_way.push(self.put(permit, put));
        }
        under_way.try_collect().await
    }

    /// How many requests may be under way now.
    pub fn window(&self) -> usize {
        self.0.window.now()
    }
}
