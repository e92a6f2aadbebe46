//! What the Google jobs share to talk to BigQuery: names that may stand in SQL, how a client is built, and which failed
//! calls are worth another try.

#[macro_use]
mod client;
mod names;
mod retry;

pub use names::{DatasetId, ProjectId};
pub use retry::{ATTEMPT_TIMEOUT, RETRY_FOR, Transient, backoff, is_not_found, is_throttled, may_be_done, may_pass};
