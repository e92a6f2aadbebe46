//! One put with all its repeats.

use std::sync::Arc;

use aws_credential_types::Credentials;
use keyless::aws::KeylessError;
use lease::Verdict;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::answer::Verdict as Advice;
use super::attempt::{Failure, Prepared};
use super::window::Slot;
use super::{AttemptLimit, Engine, Place, Put, PutError};

/// Credentials that S3 refuses as often are not expired: they are wrong.
const NEW_CREDENTIALS: u32 = 3;

pub(super) struct Trial<'a> {
    engine: &'a Engine,
    put: &'a Put,
    prepared: Prepared,
    began: Instant,
    deadline: Instant,
    attempts: u32,
    /// How often credentials were refused.
    refused: u32,
    /// What the last attempt came to.
    last: String,
}

enum Next {
    Done,
    AtOnce,
    Later,
}

impl<'a> Trial<'a> {
    pub(super) fn new(engine: &'a Engine, put: &'a Put) -> Result<Self, PutError> {
        let unsendable = |source| PutError::Unsendable { place: place(put), source };
        if put.key.is_empty() {
            return Err(unsendable(anyhow::anyhow!("the key is empty")));
        }
        if !engine.settings.attempt.fits(put.body.len()) {
            let (bytes, seconds) = (put.body.len(), AttemptLimit::lease_for(put.body.len()));
            let help = "or more shards, where it is a shard";
            let source = anyhow::anyhow!("its {bytes} bytes need LEASE_SECONDS to be {seconds} at least; {help}");
            return Err(unsendable(source));
        }
        let target = engine.targets.of(&put.bucket).map_err(unsendable)?;
        let began = Instant::now();
        Ok(Self {
            engine,
            put,
            prepared: Prepared::new(target, put),
            began,
            deadline: began + engine.settings.give_up_after,
            attempts: 0,
            refused: 0,
            last: "none was made".into(),
        })
    }

    /// The slot is given back for each pause, so that the window means requests under way.
    pub(super) async fn run(mut self, slot: Slot) -> Result<(), PutError> {
        let mut slot = Some(slot);
        let mut failures = 0;
        loop {
            let held = match slot.take() {
                Some(slot) => slot,
                None => self.in_time(self.engine.window.slot()).await?,
            };
            match self.attempt().await? {
                Next::Done => return Ok(()),
                Next::AtOnce => slot = Some(held),
                Next::Later => {
                    drop(held);
                    failures += 1;
                    self.pause(failures).await?;
                }
            }
            self.engine.counters.put_retries.add(1);
        }
    }

    async fn attempt(&mut self) -> Result<Next, PutError> {
        let credentials = match self.engine.keyless.credentials().await {
            Ok(credentials) => credentials,
            Err(failure) => return self.without_credentials(failure),
        };
        // The last thing before the request: whatever was waited for, the lease is ours now, and long enough.
        self.wait_for_gate().await?;
        self.attempts += 1;
        match self.engine.attempt(self.put, &self.prepared, &credentials).await {
            Ok(()) => {
                self.succeeded();
                Ok(Next::Done)
            }
            Err(failure) => self.failed(failure, &credentials),
        }
    }

    fn succeeded(&self) {
        let engine = self.engine;
        engine.window.succeeded();
        engine.budget.succeeded();
        engine.counters.puts.add(1);
        engine.counters.put_bytes.add(self.put.body.len() as u64);
    }

    fn failed(&mut self, failure: Failure, credentials: &Credentials) -> Result<Next, PutError> {
        let refusal = match failure {
            Failure::Unsendable(source) => {
                let source = anyhow::anyhow!(source);
                return Err(PutError::Unsendable { place: place(self.put), source });
            }
            // Said of the connection, not of S3. Once: after that a new connection shows which it is.
            Failure::Stale(error) if self.attempts == 1 => {
                self.note(startup::with_causes(&*error));
                return Ok(Next::AtOnce);
            }
            Failure::Stale(error) | Failure::Broken(error) => return Ok(self.later(startup::with_causes(&*error))),
            Failure::Late(limit) => {
                self.engine.window.slow_down();
                return Ok(self.later(format!("no answer within {limit:?}")));
            }
            Failure::Refused(refusal) => refusal,
        };
        let text = format!("{} {} {}", refusal.status.as_u16(), refusal.code, refusal.message);
        match refusal.verdict() {
            Advice::Slower => {
                self.engine.window.slow_down();
                self.engine.counters.slow_downs.add(u64::from(refusal.status == 503));
                Ok(self.later(text))
            }
            Advice::Again => Ok(self.later(text)),
            Advice::NewCredentials if self.refused < NEW_CREDENTIALS => {
                self.refused += 1;
                self.engine.keyless.reject(credentials.access_key_id());
                self.note(text);
                Ok(if self.refused == 1 { Next::AtOnce } else { Next::Later })
            }
            Advice::CorrectClock => {
                if let Some(date) = refusal.date {
                    self.engine.clock.correct(date);
                }
                Ok(self.later(text))
            }
            Advice::NewCredentials | Advice::Never => Err(PutError::refused(place(self.put), refusal)),
        }
    }

    /// STS may be down as S3 may be; only a refusal is final.
    fn without_credentials(&mut self, failure: Arc<KeylessError>) -> Result<Next, PutError> {
        if failure.is_permanent() {
            return Err(PutError::NoCredentials { place: place(self.put), source: failure });
        }
        Ok(self.later(startup::with_causes(&*failure)))
    }

    fn later(&mut self, text: String) -> Next {
        self.engine.budget.failed();
        self.note(text);
        Next::Later
    }

    fn note(&mut self, text: String) {
        debug!(attempt = self.attempts, "put {}: {text}", place(self.put));
        self.last = text;
    }

    async fn pause(&self, failures: u32) -> Result<(), PutError> {
        let paused = async {
            tokio::select! {
                () = self.engine.budget.pause(failures) => {}
                _ = self.engine.gate.until_lost() => {}
            }
        };
        self.in_time(paused).await
    }

    async fn wait_for_gate(&self) -> Result<(), PutError> {
        let limit = self.engine.settings.attempt.of(self.put.body.len());
        let passed = match self.engine.gate.check(limit) {
            Verdict::Open => return Ok(()),
            _ => self.in_time(self.engine.gate.passes(limit)).await?,
        };
        passed.map_err(|lost| PutError::Lost { place: place(self.put), lost })
    }

    async fn in_time<T>(&self, wait: impl Future<Output = T>) -> Result<T, PutError> {
        timeout_at(self.deadline, wait).await.map_err(|_| PutError::GaveUp {
            place: place(self.put),
            attempts: self.attempts,
            elapsed: self.began.elapsed(),
            last: self.last.clone(),
        })
    }
}

fn place(put: &Put) -> Place {
    Place { bucket: Arc::clone(&put.bucket), key: put.key.clone() }
}
