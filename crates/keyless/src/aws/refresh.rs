//! The background refresh: one at a time, whoever waits.

use std::sync::Arc;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tracing::{debug, warn};

use super::exchange::Exchange;
use super::{KeylessError, schedule};

#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) credentials: Option<Credentials>,
    /// Why the last try failed; none once a try has succeeded.
    pub(crate) failure: Option<Arc<KeylessError>>,
}

impl State {
    /// The last good credentials, for as long as they are valid: a refresh that fails takes nothing away.
    pub(crate) fn usable(&self, now: SystemTime) -> Option<Credentials> {
        self.credentials.clone().filter(|credentials| credentials.expiry().is_none_or(|expires| now < expires))
    }
}

#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) state: watch::Sender<State>,
    /// Somebody found no usable credentials: rejected by AWS, or this machine slept past their expiry.
    pub(crate) wake: Notify,
}

impl Shared {
    pub(crate) fn reject(&self, access_key_id: &str) {
        let dropped = self.state.send_if_modified(|state| {
            let current = state.credentials.as_ref().is_some_and(|held| held.access_key_id() == access_key_id);
            if current {
                state.credentials = None;
            }
            current
        });
        if dropped {
            self.wake.notify_one();
        }
    }

    /// Returns early when there is nothing usable left.
    async fn keep(&self, credentials: &Credentials) {
        let now = SystemTime::now();
        let Some(expires) = credentials.expiry() else { return };
        let refresh = sleep(schedule::keep_for(now, expires));
        tokio::pin!(refresh);
        loop {
            tokio::select! {
                () = &mut refresh => return,
                () = self.wake.notified() => {
                    let usable = self.state.borrow().usable(SystemTime::now()).is_some();
                    if !usable {
                        return;
                    }
                }
            }
        }
    }
}

pub(crate) async fn keep_fresh(mut exchange: Exchange, shared: Arc<Shared>) {
    let mut failures = 0;
    loop {
        match exchange.credentials().await {
            Ok(credentials) => {
                failures = 0;
                debug!(access_key_id = credentials.access_key_id(), "refreshed AWS credentials");
                shared.state.send_replace(State { credentials: Some(credentials.clone()), failure: None });
                shared.keep(&credentials).await;
            }
            Err(failure) => {
                failures += 1;
                tell(&shared, &failure, failures);
                shared.state.send_modify(|state| state.failure = Some(Arc::new(failure)));
                sleep(schedule::backoff(failures, chance())).await;
            }
        }
    }
}

/// A failed refresh is only worth a line while the old credentials still serve; without any, those who wait are told.
fn tell(shared: &Shared, failure: &KeylessError, failures: u32) {
    let usable = shared.state.borrow().usable(SystemTime::now());
    if let Some(expires) = usable.and_then(|credentials| credentials.expiry()) {
        let left = expires.duration_since(SystemTime::now()).unwrap_or_default().as_secs();
        let cause = startup::with_causes(failure);
        warn!(failures, seconds_left = left, "could not refresh AWS credentials, {left} s left: {cause}");
    }
}

/// Good enough to spread retries; not worth a random number generator.
fn chance() -> f64 {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    f64::from(nanos % 1000) / 1000.0
}
