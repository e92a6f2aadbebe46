//! Before we hold the lease: what to do about what stands there. A decision without a clock of its own.

use std::time::Duration;

use crate::document::Document;
use crate::place::Standing;
use crate::{LeaseError, Moment, Terms};

#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// Nobody holds it: write our own document over this `ETag`, or where nothing stands.
    Take(Option<String>),
    /// Our own name stands there: write its document again, afresh.
    Join(Document, String),
    /// Look again after this.
    Wait(Duration),
}

/// Somebody else's document, and since when we have seen it unchanged.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    etag: String,
    since: Moment,
}

impl Watched {
    fn left(&self, time: Duration, now: Moment) -> Duration {
        // Only the monotonic clock: here the wall clock would make us bold.
        let watched = now.monotonic.saturating_duration_since(self.since.monotonic);
        (time + time / CLOCK_DRIFT).saturating_sub(watched)
    }
}

/// Two clocks that run a sixteenth apart would still agree that the lease is over.
const CLOCK_DRIFT: u32 = 16;
/// How often, within a lease's time, we look whether its holder lives.
const LOOKS: u32 = 8;

/// `now` is after the answer came, so nothing that we count from was later in S3 than we think.
pub(crate) fn step(
    terms: &Terms,
    watched: &mut Option<Watched>,
    standing: Option<Standing>,
    now: Moment,
) -> Result<Step, LeaseError> {
    let Some(Standing { document, etag }) = standing else { return Ok(Step::Take(None)) };
    let time = document.as_ref().map_or(terms.time, Document::time);
    match document {
        Some(document) if document.released => return Ok(Step::Take(Some(etag))),
        Some(document) if document.holder == terms.holder => return Ok(Step::Join(document, etag)),
        _ => {}
    }
    match watched {
        None => {
            *watched = Some(Watched { etag, since: now });
            Ok(Step::Wait(time / LOOKS))
        }
        Some(seen) if seen.etag == etag => match seen.left(time, now) {
            Duration::ZERO => Ok(Step::Take(Some(etag))),
            left => Ok(Step::Wait(left.min(time / LOOKS))),
        },
        Some(_) => Err(held_by(document)),
    }
}

fn held_by(document: Option<Document>) -> LeaseError {
    match document {
        Some(Document { holder, since, payload, .. }) => LeaseError::HeldBy { name: holder, since, payload },
        None => LeaseError::HeldBy {
            name: "a program of another version".into(),
            since: chrono::DateTime::UNIX_EPOCH,
            payload: serde_json::Value::Null,
        },
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use serde_json::{Value, json};

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn terms() -> Terms {
        Terms { holder: "me".into(), time: MINUTE, give_up_after: MINUTE }
    }

    fn held(holder: &str) -> Document {
        Document::new(holder, Utc::now(), MINUTE, json!({"day": 1}))
    }

    fn stands(document: &Document) -> Standing {
        Standing { document: Some(document.clone()), etag: document.nonce.clone() }
    }

    fn after(begin: Moment, seconds: u64) -> Moment {
        let gone = Duration::from_secs(seconds);
        Moment { monotonic: begin.monotonic + gone, wall: begin.wall + gone }
    }

    #[test]
    fn what_is_free_is_taken_and_what_is_ours_is_joined() {
        let now = Moment::now();
        let decide = |standing| step(&terms(), &mut None, standing, now).unwrap();
        assert_eq!(decide(None), Step::Take(None));
        let free = Document { released: true, ..held("other") };
        assert_eq!(decide(Some(stands(&free))), Step::Take(Some(free.nonce.clone())));
        let mine = held("me");
        assert_eq!(decide(Some(stands(&mine))), Step::Join(mine.clone(), mine.nonce.clone()));
        let given_back = Document { released: true, ..mine };
        assert_eq!(decide(Some(stands(&given_back))), Step::Take(Some(given_back.nonce.clone())));
    }

    #[test]
    fn a_document_that_stands_unchanged_for_its_time_is_dead_and_one_that_changes_is_alive() {
        let (begin, other) = (Moment::now(), held("other"));
        let mut watched = None;
        for seconds in [0, 10, 59, 63] {
            let step = step(&terms(), &mut watched, Some(stands(&other)), after(begin, seconds)).unwrap();
            assert!(matches!(step, Step::Wait(_)), "{seconds}: {step:?}");
        }
        let dead = step(&terms(), &mut watched.clone(), Some(stands(&other)), after(begin, 64)).unwrap();
        assert_eq!(dead, Step::Take(Some(other.nonce.clone())));
        let alive = step(&terms(), &mut watched, Some(stands(&other.again())), after(begin, 64)).unwrap_err();
        assert!(matches!(alive, LeaseError::HeldBy { name, payload, .. } if name == "other" && payload["day"] == 1));
    }

    #[test]
    fn it_is_the_document_s_time_that_counts_and_no_wall_clock() {
        let (begin, hour) = (Moment::now(), Duration::from_hours(1));
        let other = Document { time_ms: 3_600_000, ..held("other") };
        let mut watched = None;
        assert_eq!(step(&terms(), &mut watched, Some(stands(&other)), begin).unwrap(), Step::Wait(hour / 8));
        let skewed = Moment { wall: begin.wall + 10 * hour, ..after(begin, 61) };
        assert_eq!(step(&terms(), &mut watched, Some(stands(&other)), skewed).unwrap(), Step::Wait(hour / 8));
    }

    #[test]
    fn what_is_no_lease_is_watched_for_our_own_time() {
        let (begin, mut watched) = (Moment::now(), None);
        let odd = |etag: &str| Some(Standing { document: None, etag: etag.into() });
        assert!(matches!(step(&terms(), &mut watched, odd("a"), begin).unwrap(), Step::Wait(_)));
        let mut changed = watched.clone();
        assert!(step(&terms(), &mut changed, odd("b"), after(begin, 64)).is_err());
        assert_eq!(step(&terms(), &mut watched, odd("a"), after(begin, 64)).unwrap(), Step::Take(Some("a".into())));
        assert_eq!(held("x").payload["none"], Value::Null);
    }
}
