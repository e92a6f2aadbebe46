//! A lease in one document that is written by compare-and-set, as an S3 object is: who holds it may write, everybody else
//! waits or goes away. See `docs/spec/lease.md` for why it holds.
//!
//! ```no_run
//! # #[cfg(feature = "s3")]
//! # async fn example(s3: aws_sdk_s3::Client) -> anyhow::Result<()> {
//! use lease::{Lease, LeaseError, LeaseObject, Terms};
//! use std::time::Duration;
//!
//! let object = LeaseObject { s3, keyless: None, bucket: "acme-exports".into(), key: "stg/load.lease.json".into() };
//! let (time, give_up_after) = (Duration::from_mins(1), Duration::from_mins(15));
//! let terms = Terms { holder: "load-export-x7k2p".into(), time, give_up_after };
//! let payload = serde_json::json!({"export_date": "2026-11-26"});
//! let lease = match Lease::take(&object, &terms, async |_| Ok(payload.clone())).await {
//!     Ok(lease) => lease,
//!     Err(LeaseError::HeldBy { name, since, payload }) => {
//!         anyhow::bail!("{name} has loaded {payload} since {since}")
//!     }
//!     Err(other) => return Err(other.into()),
//! };
//! let gate = lease.gate();
//! let attempt = Duration::from_secs(10); // an attempt never takes longer: it is cut off
//! gate.passes(attempt).await?; // just before each attempt of each write
//! // … the write, under a timeout of `attempt` …
//! lease.release(payload).await?;
//! # Ok(()) }
//! ```
//!
//! - [`LeaseAt::take`] returns at once where the lease is free. Where somebody holds it, it waits for one lease's time: a
//!   holder that lives renews within that, and is named by [`LeaseError::HeldBy`]; one that is dead loses the lease.
//! - Two processes of one holder's name share the lease (the tasks of an execution, or the next attempt of one).
//! - [`Gate`] is what every write asks. It is open while the lease is ours for certain, and long enough for an attempt.
//! - The payload is the holder's own: any JSON, read by whoever finds the lease.

mod document;
mod gate;
mod held;
mod keeper;
mod moment;
#[cfg(feature = "s3")]
mod object;
mod place;
mod take;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

pub use document::Document;
pub use gate::{Gate, Gatekeeper, Lost, Verdict};
pub use keeper::LeaseAt;
pub use moment::Moment;
#[cfg(feature = "s3")]
pub use object::LeaseObject;
pub use place::{Failure, Place, Put, Standing};

/// One in an S3 object.
#[cfg(feature = "s3")]
pub type Lease = LeaseAt<LeaseObject>;

/// Who takes the lease, and for how long it is good without a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The execution: processes of the same name share the lease.
    pub holder: String,
    /// Renewed four times in this time. A dead holder keeps others waiting for about as long.
    pub time: Duration,
    /// How long a place that is away is waited for when the lease is taken or given back.
    pub give_up_after: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// It renewed the lease while we watched.
    #[error("it is held by {name} since {since}: wait for its end, or stop it")]
    HeldBy {
        name: String,
        /// By the holder's own clock: for people.
        since: DateTime<Utc>,
        payload: Value,
    },
    #[error(transparent)]
    Lost(#[from] Lost),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}
