//! One execution at a time loads an environment: two would overwrite each other's tables. See `docs/spec/lease.md`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use lease::{Gate, Lease, LeaseError, LeaseObject, Lost, Terms};
use serde_json::{Value, json};
use tracing::{info, warn};

use crate::wait::Wait;
use handoff::ExportDate;

/// Of a lease's time: no single call that changes anything takes longer.
const CALLS: u32 = 3;
/// An S3 that is away is waited for at least so long.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    #[error(
        "{name} has loaded {what} since {since}, and two loads at once would overwrite each other's tables: this one waited \
         {minutes} minutes and did nothing; start it again when that one has ended"
    )]
    Taken { name: String, what: String, since: DateTime<Utc>, minutes: u64 },
    #[error("gave up in the middle: {0}")]
    Lost(#[from] Lost),
    #[error("take the lease that keeps two loads apart (s3:GetObject and s3:PutObject on leases/*)")]
    Lease(#[source] anyhow::Error),
}

/// Asked before each call that changes something.
#[derive(Debug, Clone)]
pub struct Turn {
    gate: Gate,
    /// How long such a call may take.
    pub limit: Duration,
}

impl Turn {
    /// Waits until it is ours for certain, for as long as it may still be ours.
    pub async fn is_ours(&self) -> Result<(), Lost> {
        self.gate.passes(self.limit).await
    }

    pub async fn until_lost(&self) -> Lost {
        self.gate.until_lost().await
    }
}

/// Waits for whoever loads the environment now. An attempt of the same execution goes on with its lease.
pub async fn take(
    object: &LeaseObject,
    holder: &str,
    time: Duration,
    date: ExportDate,
    mut wait: Wait,
) -> Result<(Lease, Turn), TurnError> {
    let terms = Terms { holder: holder.to_owned(), time, give_up_after: wait.left().max(PATIENCE) };
    let payload = json!({"export_date": date});
    loop {
        match Lease::take(object, &terms, async |_| Ok::<_, LeaseError>(payload.clone())).await {
            Ok(lease) => {
                let turn = Turn { gate: lease.gate(), limit: time / CALLS };
                return Ok((lease, turn));
            }
            Err(LeaseError::HeldBy { name, since, payload }) => {
                let what = what(&payload);
                if wait.is_over() {
                    return Err(TurnError::Taken { name, what, since, minutes: wait.minutes() });
                }
                let say = |left| info!(holder = name, "waiting for {name}, which loads {what}; {left} minutes left");
                wait.pause(say).await;
            }
            Err(LeaseError::Lost(lost)) => return Err(lost.into()),
            Err(LeaseError::Other(error)) => return Err(TurnError::Lease(error)),
        }
    }
}

/// The next one need not wait. What is still under way at Google, it waits for.
pub async fn give_back(lease: Lease, date: ExportDate, limit: Duration) {
    let released = tokio::time::timeout(limit, lease.release(json!({"export_date": date}))).await;
    if !matches!(released, Ok(Ok(()))) {
        warn!("could not give the lease back; it ends by itself");
    }
}

fn what(payload: &Value) -> String {
    payload["export_date"].as_str().unwrap_or("an export").to_owned()
}
