//! What a run has done so far: counted where it happens, shown by the progress line and the summary.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub struct Counters {
    pub rows_read: Counter,
    pub rows_done: Counter,
    /// Requests that S3 answered with 200, and their bytes.
    pub puts: Counter,
    pub put_bytes: Counter,
    /// Answers 503 (`SlowDown`).
    pub slow_downs: Counter,
    pub put_retries: Counter,
}
