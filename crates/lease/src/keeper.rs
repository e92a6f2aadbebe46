//! Taking, renewing and giving back.

use std::time::Duration;

use chrono::Utc;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::document::Document;
use crate::gate::{Gate, Gatekeeper};
use crate::held::Held;
use crate::place::{Failure, Place, Put, Standing};
use crate::take::{Step, step};
use crate::{LeaseError, Lost, Moment, Terms};
use std::sync::Arc;

const RENEWALS: u32 = 4;
/// Of a lease's time: between two tries of a renewal that failed.
const PAUSES: u32 = 20;
const LONGEST_TRY: Duration = Duration::from_secs(10);

/// Ours, and renewed in the background, until it is released, lost or dropped. Dropped, it runs out by itself.
#[derive(Debug)]
pub struct LeaseAt<P: Place> {
    place: P,
    terms: Terms,
    payload: Value,
    gatekeeper: Arc<Gatekeeper>,
    renewal: JoinHandle<()>,
}

impl<P: Place> Drop for LeaseAt<P> {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl<P: Place> LeaseAt<P> {
    /// Takes the lease where it is free or its holder dead, joins it where it stands in our own name.
    ///
    /// `payload` makes what the lease says of us, from the document that was given back or left there, if any. It is
    /// asked again after a try that failed. Where the lease is joined, the payload that stands there stays.
    pub async fn take<E: From<LeaseError>>(
        place: &P,
        terms: &Terms,
        payload: impl AsyncFn(Option<&Document>) -> Result<Value, E>,
    ) -> Result<Self, E> {
        let (mut watched, mut trouble) = (None, Trouble::new(terms));
        loop {
            let standing = match place.read(terms.longest_try()).await {
                Ok(standing) => standing,
                Err(failure) => {
                    trouble.wait_out(failure).await?;
                    continue;
                }
            };
            let previous = standing.as_ref().and_then(|standing| standing.document.clone());
            let (document, over) = match step(terms, &mut watched, standing, Moment::now())? {
                Step::Wait(wait) => {
                    trouble.tell_once(place, previous.as_ref());
                    sleep(wait).await;
                    continue;
                }
                Step::Join(document, etag) => (document.again(), Some(etag)),
                Step::Take(etag) => {
                    let payload = payload(previous.as_ref()).await?;
                    (Document::new(&terms.holder, Utc::now(), terms.time, payload), etag)
                }
            };
            let asked = Moment::now();
            // Dying here leaves a lease that runs out by itself. What becomes of a lost answer, the next look shows.
            match place.write(&document, over.as_deref(), terms.longest_try()).await {
                Ok(Put::Done { etag }) => return Ok(Self::keep(place, terms, Held::new(document, etag, asked))),
                Ok(Put::Refused) => {}
                Ok(Put::Unknown(error)) => trouble.wait_out(Failure::Passing(error)).await?,
                Err(failure) => trouble.wait_out(failure).await?,
            }
        }
    }

    fn keep(place: &P, terms: &Terms, held: Held) -> Self {
        let gatekeeper = Arc::new(Gatekeeper::new(held.since, held.document.time()));
        let payload = held.document.payload.clone();
        let renewal = tokio::spawn(renew(place.clone(), terms.clone(), held, Arc::clone(&gatekeeper)));
        Self { place: place.clone(), terms: terms.clone(), payload, gatekeeper, renewal }
    }

    pub fn gate(&self) -> Gate {
        self.gatekeeper.gate()
    }

    /// What stood there when the lease was taken or joined.
    pub fn payload(&self) -> &Value {
        &self.payload
    }

    /// The next holder may begin at once, and reads `payload`. To be called when nothing of ours is on its way any more,
    /// and no other process of this holder is at work: it would learn of it only at its next renewal.
    pub async fn release(self, payload: Value) -> Result<(), LeaseError> {
        self.end(payload, true).await
    }

    /// We want nothing more and say so in `payload`, but other processes of this holder may be at work: the lease runs
    /// out by itself when none of them renews it.
    pub async fn leave(self, payload: Value) -> Result<(), LeaseError> {
        self.end(payload, false).await
    }

    async fn end(self, payload: Value, released: bool) -> Result<(), LeaseError> {
        self.renewal.abort();
        self.gatekeeper.lose("the lease was given back");
        let mut trouble = Trouble::new(&self.terms);
        loop {
            let standing = match self.place.read(self.terms.longest_try()).await {
                Ok(standing) => standing,
                Err(failure) => {
                    trouble.wait_out(failure).await?;
                    continue;
                }
            };
            let Some(Standing { document: Some(document), etag }) = standing else { return Ok(()) };
            if document.holder != self.terms.holder || document.released {
                return Ok(());
            }
            let last = Document { released, payload: payload.clone(), ..document.again() };
            match self.place.write(&last, Some(&etag), self.terms.longest_try()).await {
                Ok(Put::Done { .. }) => return Ok(()),
                Ok(Put::Refused) => {}
                Ok(Put::Unknown(error)) => trouble.wait_out(Failure::Passing(error)).await?,
                Err(failure) => trouble.wait_out(failure).await?,
            }
        }
    }
}

impl Terms {
    fn longest_try(&self) -> Duration {
        (self.time / RENEWALS).min(LONGEST_TRY)
    }
}

/// Whatever happens, the gate closes by itself in time; here it is opened again.
async fn renew<P: Place>(place: P, terms: Terms, mut held: Held, gatekeeper: Arc<Gatekeeper>) {
    let time = held.document.time();
    let mut told = false;
    loop {
        if !told {
            sleep(time / RENEWALS).await;
        }
        match try_to_renew(&place, &terms, &mut held).await {
            Ok(()) => {
                gatekeeper.hold(held.since, time);
                told = false;
            }
            Err(Trial::Lost(lost)) => {
                warn!("{place}: {lost}");
                gatekeeper.lose(lost.0);
                return;
            }
            Err(Trial::Failed(error)) => {
                if !std::mem::replace(&mut told, true) {
                    let cause = startup::with_causes(error.as_ref());
                    warn!("could not renew {place}, trying again; writing pauses before it runs out: {cause}");
                }
                sleep(time / PAUSES).await;
            }
        }
    }
}

enum Trial {
    Lost(Lost),
    Failed(anyhow::Error),
}

impl From<Failure> for Trial {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Passing(error) | Failure::Final(error) => Self::Failed(error),
        }
    }
}

/// A document that was never sent before, each time. Another process of ours that renewed it first is as good.
async fn try_to_renew<P: Place>(place: &P, terms: &Terms, held: &mut Held) -> Result<(), Trial> {
    let limit = terms.longest_try();
    if held.is_in_doubt() {
        look(place, limit, held).await?;
    }
    let (document, asked) = (held.document.again(), Moment::now());
    match place.write(&document, Some(&held.etag), limit).await? {
        Put::Done { etag } => held.renewed(document, etag, asked),
        Put::Refused => look(place, limit, held).await?,
        Put::Unknown(error) => {
            held.unanswered(&document, asked);
            return Err(Trial::Failed(error));
        }
    }
    Ok(())
}

async fn look<P: Place>(place: &P, limit: Duration, held: &mut Held) -> Result<(), Trial> {
    let asked = Moment::now();
    let standing = place.read(limit).await?;
    held.looked(standing, asked).map_err(Trial::Lost)
}

/// What is waited out, and for how long.
struct Trouble {
    pause: Duration,
    give_up_after: Duration,
    since: Option<Instant>,
    told: bool,
}

impl Trouble {
    fn new(terms: &Terms) -> Self {
        let pause = (terms.time / PAUSES).min(Duration::from_secs(1));
        Self { pause, give_up_after: terms.give_up_after, since: None, told: false }
    }

    async fn wait_out(&mut self, failure: Failure) -> Result<(), LeaseError> {
        let error = match failure {
            Failure::Final(error) => return Err(error.into()),
            Failure::Passing(error) => error,
        };
        if self.since.is_none() {
            warn!("trying again: {}", startup::with_causes(error.as_ref()));
        }
        if self.since.get_or_insert_with(Instant::now).elapsed() > self.give_up_after {
            return Err(error.into());
        }
        sleep(self.pause).await;
        Ok(())
    }

    fn tell_once<P: Place>(&mut self, place: &P, document: Option<&Document>) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let (name, seconds) =
            document.map_or(("somebody", 0), |document| (&*document.holder, document.time().as_secs()));
        info!(holder = name, "{name} holds {place}; if it is dead, that ends in about {seconds} s");
    }
}
