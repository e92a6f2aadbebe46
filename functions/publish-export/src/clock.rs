//! The time of an invocation: it begins when it is told, and goes on from there. Staging a day takes minutes.

use std::time::Instant;

use chrono::{DateTime, Utc};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    began: DateTime<Utc>,
    since: Instant,
}

impl Clock {
    pub(crate) fn starting_at(now: DateTime<Utc>) -> Self {
        Self { began: now, since: Instant::now() }
    }

    pub(crate) fn began(&self) -> DateTime<Utc> {
        self.began
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.began + self.since.elapsed()
    }
}
