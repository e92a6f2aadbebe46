//! What a holder knows of its lease: a decision over what S3 answered, without a clock of its own.
//!
//! Others take the lease when they have seen one document unchanged for its time. So ours is good for that time after
//! any moment that is surely not later than the last change: the moment before a renewal was sent that S3 carried out,
//! or a moment when S3 still had an older document than the one that stands now.

use crate::document::Document;
use crate::place::Standing;
use crate::{Lost, Moment};

#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// Ours for the document's time after this.
    pub(crate) since: Moment,
    pub(crate) document: Document,
    /// The newest that we know of.
    pub(crate) etag: String,
    /// When it was known to stand: a request that showed it was sent then.
    seen: Moment,
    /// Renewals that S3 may have carried out, or may still: nonce, and when they were sent.
    unknown: Vec<(String, Moment)>,
}

impl Held {
    /// S3 said that it has our document, `asked` before the request was sent.
    pub(crate) fn new(document: Document, etag: String, asked: Moment) -> Self {
        Self { since: asked, document, etag, seen: asked, unknown: Vec::new() }
    }

    pub(crate) fn renewed(&mut self, document: Document, etag: String, asked: Moment) {
        *self = Self::new(document, etag, asked);
    }

    /// A renewal that had no answer.
    pub(crate) fn unanswered(&mut self, document: &Document, asked: Moment) {
        self.unknown.push((document.nonce.clone(), asked));
    }

    /// Whether it has to be looked at before it can be renewed: S3 may have another document of ours.
    pub(crate) fn is_in_doubt(&self) -> bool {
        !self.unknown.is_empty()
    }

    /// What stands there, by a request that was sent at `asked`.
    pub(crate) fn looked(&mut self, standing: Option<Standing>, asked: Moment) -> Result<(), Lost> {
        let Some(Standing { document, etag }) = standing else {
            return Err(Lost("somebody deleted the lease of this run: start it again".into()));
        };
        let Some(document) = document else {
            return Err(Lost("a program of another version took the lease of this run".into()));
        };
        if document.holder != self.document.holder {
            let other = document.holder;
            return Err(Lost(format!("{other} took the lease of this run; start it again when that one has ended")));
        }
        if document.released {
            return Err(Lost("another process of this run gave the lease back".into()));
        }
        if document.since != self.document.since {
            return Err(Lost("the lease of this run was lost, and another process of it took it again".into()));
        }
        if etag == self.etag {
            self.seen = self.seen.later_of(asked);
            // What was sent over this `ETag` may still come; that nothing came yet says only that we may try again.
            self.unknown.clear();
            return Ok(());
        }
        let own = self.unknown.iter().find(|(nonce, _)| *nonce == document.nonce).map(|(_, asked)| *asked);
        let changed_after = own.map_or(self.seen, |own| own.later_of(self.seen));
        self.since = self.since.later_of(changed_after);
        (self.document, self.etag, self.seen) = (document, etag, asked);
        self.unknown.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::Utc;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn after(begin: Moment, seconds: u64) -> Moment {
        let gone = Duration::from_secs(seconds);
        Moment { monotonic: begin.monotonic + gone, wall: begin.wall + gone }
    }

    fn stands(document: &Document) -> Standing {
        Standing { document: Some(document.clone()), etag: document.nonce.clone() }
    }

    fn held(begin: Moment) -> Held {
        let document = Document::new("me", Utc::now(), MINUTE, Value::Null);
        Held::new(document.clone(), document.nonce, begin)
    }

    #[test]
    fn a_renewal_without_an_answer_counts_only_when_its_document_is_read() {
        let begin = Moment::now();
        let mut held = held(begin);
        let tried = held.document.again();
        held.unanswered(&tried, after(begin, 15));
        assert_eq!((held.since, held.is_in_doubt()), (begin, true));
        let mut refused = held.clone();
        let same = Some(stands(&refused.document));
        refused.looked(same, after(begin, 20)).unwrap();
        assert_eq!((refused.since, refused.is_in_doubt()), (begin, false), "S3 has the old one");
        held.looked(Some(stands(&tried)), after(begin, 20)).unwrap();
        assert_eq!((held.since, held.etag), (after(begin, 15), tried.nonce));
    }

    #[test]
    fn what_another_process_of_ours_renewed_is_good_from_when_we_last_saw_the_older_one() {
        let begin = Moment::now();
        let mut held = held(begin);
        let same = Some(stands(&held.document));
        held.looked(same, after(begin, 10)).unwrap();
        let theirs = held.document.again();
        held.looked(Some(stands(&theirs)), after(begin, 30)).unwrap();
        assert_eq!((held.since, held.etag), (after(begin, 10), theirs.nonce));
    }

    #[test]
    fn another_holder_a_given_back_one_one_taken_again_and_none_at_all_are_lost() {
        let begin = Moment::now();
        let other = Document { holder: "other".into(), ..held(begin).document };
        let free = Document { released: true, ..held(begin).document };
        let again = Document { since: Utc::now(), ..held(begin).document };
        let odd = Some(Standing { document: None, etag: "x".into() });
        for standing in [None, odd, Some(stands(&other)), Some(stands(&free)), Some(stands(&again))] {
            assert!(held(begin).looked(standing, after(begin, 1)).is_err());
        }
    }

    /// S3, two processes of one holder and somebody who watches, step by step.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        /// Process, whether S3 carries it out, whether the answer comes, seconds under way.
        Renew(usize, bool, bool, u64),
        Look(usize),
        Wait(u64),
        Watch,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (0..2_usize, any::<bool>(), any::<bool>(), 0..40_u64).prop_map(|(p, s, a, t)| Event::Renew(p, s, a, t)),
            (0..2_usize).prop_map(Event::Look),
            (1..30_u64).prop_map(Event::Wait),
            Just(Event::Watch),
        ]
    }

    proptest! {
        /// However renewals, answers and pauses fall: once a watcher has seen one document unchanged for its time, no
        /// process of the holder believes in it any more.
        #[test]
        fn nobody_believes_in_a_lease_that_another_may_take(events in prop::collection::vec(event(), 1..40)) {
            let begin = Moment::now();
            let first = held(begin);
            let mut s3 = first.document.clone();
            let mut processes = [first.clone(), first];
            let (mut now, mut seen) = (0, None::<(String, u64)>);
            for event in events {
                match event {
                    Event::Wait(seconds) => now += seconds,
                    Event::Watch if seen.as_ref().is_none_or(|(nonce, _)| *nonce != s3.nonce) => {
                        seen = Some((s3.nonce.clone(), now));
                    }
                    Event::Watch => {}
                    Event::Look(process) => {
                        processes[process].looked(Some(stands(&s3)), after(begin, now)).unwrap();
                    }
                    Event::Renew(process, carried_out, answered, under_way) => {
                        let (asked, held) = (after(begin, now), &mut processes[process]);
                        let document = held.document.again();
                        now += under_way;
                        let matches = carried_out && held.etag == s3.nonce;
                        if matches {
                            s3 = document.clone();
                        }
                        match (answered && carried_out, matches) {
                            (true, true) => held.renewed(document.clone(), document.nonce, asked),
                            (true, false) => held.looked(Some(stands(&s3)), after(begin, now)).unwrap(),
                            (false, _) => held.unanswered(&document, asked),
                        }
                    }
                }
                if let Some((nonce, since)) = &seen
                    && *nonce == s3.nonce
                    && now >= since + MINUTE.as_secs()
                {
                    for held in &processes {
                        prop_assert!(held.since.age(after(begin, now)) >= MINUTE, "{held:?}");
                    }
                }
            }
        }
    }
}
