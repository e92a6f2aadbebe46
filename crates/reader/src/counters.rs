use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Of one reader, since it was opened.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        impl Counts {
            pub(crate) fn plus(self, other: &Self) -> Self {
                Self { $($name: self.$name + other.$name,)* }
            }
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: Counter,)* }

        impl Counters {
            pub(crate) fn read(&self) -> Counts {
                Counts { $($name: self.$name.0.load(Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Keys that were asked for.
    gets,
    /// Keys that have no row.
    absent,
    memory_hits,
    redis_hits,
    redis_misses,
    /// Requests that failed or timed out, and answers that were errors.
    redis_errors,
    /// Requests that were not sent, because Redis had just failed.
    redis_skipped,
    /// Values that Redis gave and nobody could have written.
    redis_refused,
    redis_writes,
    /// Rows that were not handed to Redis, or that it did not take: it is away or full, too many waited, or one is large.
    redis_dropped,
    /// Times that a node was given up for a while.
    redis_opened,
    /// Requests to S3, polls of `CURRENT` not counted.
    s3_reads,
    s3_bytes,
    s3_errors,
    polls,
    /// Generations that were followed, the first one included.
    generations,
    /// Polls that failed, and publications that were not followed.
    problems,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }
}
