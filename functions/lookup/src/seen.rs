//! What was answered since the last line of metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use handoff::Environment;
use http::StatusCode;
use reader::Counts;

use crate::emf::{self, Measured};
use crate::latency::Latency;

/// How often a line is due.
const EVERY: Duration = Duration::from_mins(1);
/// A Lambda that is called seldom is stopped without a word: what it has seen must not wait for the clock alone.
const EVERY_CALLS: u64 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Now, if there is anything to tell.
    Now,
    /// After a minute or a hundred calls: for a process that may sleep at any time.
    InTime,
}

pub(crate) struct Seen {
    namespace: String,
    latency: Latency,
    requests: AtomicU64,
    not_found: AtomicU64,
    refused: AtomicU64,
    faults: AtomicU64,
    told: Mutex<Told>,
}

/// As of the last line.
struct Told {
    at: Instant,
    counts: Counts,
}

impl Seen {
    pub(crate) fn new(environment: &Environment) -> Self {
        Self {
            namespace: format!("isthmus/{environment}"),
            latency: Latency::default(),
            requests: AtomicU64::new(0),
            not_found: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            told: Mutex::new(Told { at: Instant::now(), counts: Counts::default() }),
        }
    }

    pub(crate) fn record(&self, status: StatusCode, took: Duration) {
        self.latency.record(took);
        self.requests.fetch_add(1, Relaxed);
        let counter = match status {
            StatusCode::NOT_FOUND => &self.not_found,
            status if status.is_client_error() => &self.refused,
            status if status.is_server_error() => &self.faults,
            _ => return,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn line(&self, due: Due, counts: &Counts) -> Option<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = self.requests.load(Relaxed);
        let in_time = requests >= EVERY_CALLS || told.at.elapsed() >= EVERY;
        if requests == 0 || (due == Due::InTime && !in_time) {
            return None;
        }
        let take = |counter: &AtomicU64| counter.swap(0, Relaxed);
        let measured = Measured {
            requests: take(&self.requests),
            not_found: take(&self.not_found),
            refused: take(&self.refused),
            faults: take(&self.faults),
            latency: self.latency.take(),
            before: told.counts,
            now: *counts,
        };
        *told = Told { at: Instant::now(), counts: *counts };
        Some(emf::line(&self.namespace, &measured, Utc::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_came_since_the_last_one() {
        let seen = Seen::new(&"prod".parse().unwrap());
        assert_eq!(seen.line(Due::Now, &Counts::default()), None, "nothing to tell");
        for status in [200, 304, 404, 400, 503, 502] {
            seen.record(StatusCode::from_u16(status).unwrap(), Duration::from_millis(1));
        }
        assert_eq!(seen.line(Due::InTime, &Counts::default()), None, "not yet");
        let line = seen.line(Due::Now, &Counts { gets: 4, memory_hits: 3, ..Counts::default() }).unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        for (name, value) in
            [("Requests", 6.0), ("NotFound", 1.0), ("Refused", 1.0), ("Faults", 2.0), ("HitRatio", 0.75)]
        {
            assert_eq!(line[name], serde_json::json!(value), "{name}");
        }
        assert_eq!(seen.line(Due::Now, &Counts::default()), None, "told once");
    }

    #[test]
    fn a_hundred_calls_are_enough_for_a_line() {
        let seen = Seen::new(&"prod".parse().unwrap());
        (0..EVERY_CALLS).for_each(|_| seen.record(StatusCode::OK, Duration::from_micros(200)));
        assert!(seen.line(Due::InTime, &Counts::default()).is_some());
    }
}
