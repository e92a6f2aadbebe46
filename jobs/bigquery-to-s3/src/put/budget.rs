//! How often the engine may repeat: a bucket of tokens that all puts share. Successes fill it, so that a broken S3 is only
//! probed, and one that is back is met by twice as many requests with every round of answers.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// What a success earns. Two, so that S3 may refuse as much as two thirds of all requests before repeats are rationed.
const EARNED: f64 = 2.0;
/// Earned by waiting: the probes of an S3 that answers nothing.
const PROBES_A_SECOND: f64 = 5.0;
/// So many failures without a success between them are an outage: the first success after it wakes all who pause.
const OUTAGE: u32 = 10;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Budget {
    tokens: Mutex<Tokens>,
    earned: Notify,
    /// Those without a token stand in line.
    line: tokio::sync::Mutex<()>,
    failures_in_a_row: AtomicU32,
    recovered: Notify,
}

impl Budget {
    pub(super) fn new(capacity: usize) -> Self {
        #[allow(clippy::cast_precision_loss)] // at most thousands
        let tokens = Tokens { left: capacity as f64, capacity: capacity as f64, at: Instant::now() };
        Self {
            tokens: Mutex::new(tokens),
            earned: Notify::new(),
            line: tokio::sync::Mutex::new(()),
            failures_in_a_row: AtomicU32::new(0),
            recovered: Notify::new(),
        }
    }

    pub(super) fn succeeded(&self) {
        if self.tokens().earn() {
            self.earned.notify_one();
        }
        if self.failures_in_a_row.load(Ordering::Relaxed) > 0
            && self.failures_in_a_row.swap(0, Ordering::Relaxed) >= OUTAGE
        {
            self.recovered.notify_waiters();
        }
    }

    pub(super) fn failed(&self) {
        self.failures_in_a_row.fetch_add(1, Ordering::Relaxed);
    }

    /// The pause before the repeat after the `failures`-th failure of one put, then a token.
    pub(super) async fn pause(&self, failures: u32) {
        tokio::select! {
            () = sleep(backoff(failures, chance())) => {}
            () = self.recovered.notified() => {}
        }
        self.token().await;
    }

    async fn token(&self) {
        let _turn = self.line.lock().await;
        loop {
            let Some(wait) = self.tokens().take(Instant::now()) else { return };
            tokio::select! {
                () = sleep(wait) => {}
                () = self.earned.notified() => {}
            }
        }
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Tokens {
    left: f64,
    capacity: f64,
    at: Instant,
}

impl Tokens {
    /// How long to wait for a token; none when one was taken.
    fn take(&mut self, now: Instant) -> Option<Duration> {
        let waited = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + waited * PROBES_A_SECOND).min(self.capacity);
        self.at = now;
        if self.left >= 1.0 {
            self.left -= 1.0;
            return None;
        }
        Some(Duration::from_secs_f64((1.0 - self.left) / PROBES_A_SECOND))
    }

    /// Whether somebody may be waiting for it.
    fn earn(&mut self) -> bool {
        let short = self.left < 1.0;
        self.left = (self.left + EARNED).min(self.capacity);
        short
    }
}

/// Full jitter: anything up to a bound that doubles.
fn backoff(failures: u32, chance: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE).mul_f64(chance)
}

/// In 0..1. The standard library's hash maps are seeded at random, which is good enough to spread retries.
fn chance() -> f64 {
    let bits = RandomState::new().build_hasher().finish();
    f64::from((bits >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn pauses_double_up_to_five_seconds_and_are_spread_down_to_nothing() {
        let longest = |failures| backoff(failures, 1.0).as_millis();
        assert_eq!([1, 2, 3, 4].map(longest), [50, 100, 200, 400]);
        assert_eq!([8, 100, u32::MAX].map(longest), [5000; 3]);
        assert_eq!(backoff(8, 0.0), Duration::ZERO);
        let drawn: Vec<f64> = (0..1000).map(|_| chance()).collect();
        assert!(drawn.iter().all(|chance| (0.0..=1.0).contains(chance)));
        assert!(drawn.iter().any(|chance| *chance < 0.1) && drawn.iter().any(|chance| *chance > 0.9));
    }

    fn tokens(left: f64) -> Tokens {
        Tokens { left, capacity: 10.0, at: Instant::now() }
    }

    #[test]
    fn without_a_success_a_spent_budget_allows_five_repeats_a_second() {
        let mut tokens = tokens(10.0);
        let mut now = tokens.at;
        let mut take = |now: &mut Instant| {
            while let Some(wait) = tokens.take(*now) {
                *now += wait;
            }
        };
        (0..10).for_each(|_| take(&mut now));
        let spent = now;
        (0..20).for_each(|_| take(&mut now));
        let seconds = (now - spent).as_secs_f64();
        assert!((3.99..4.01).contains(&seconds), "{seconds} s for twenty probes");
    }

    #[test]
    fn a_success_earns_two_repeats_and_the_bucket_has_a_bottom_and_a_brim() {
        let mut tokens = tokens(0.5);
        let now = tokens.at;
        assert!(tokens.earn(), "somebody may wait");
        assert_eq!([0, 1, 2].map(|_| tokens.take(now).is_none()), [true, true, false]);
        (0..100).for_each(|_| _ = tokens.earn());
        assert!(!tokens.earn());
        assert_eq!((0..100).filter(|_| tokens.take(now).is_none()).count(), 10);
    }

    #[tokio::test]
    async fn those_in_line_go_as_soon_as_a_success_has_earned_it() {
        let budget = Arc::new(Budget::new(1));
        budget.token().await;
        let began = Instant::now();
        let line: Vec<_> = (0..20)
            .map(|_| {
                tokio::spawn({
                    let budget = Arc::clone(&budget);
                    async move { budget.token().await }
                })
            })
            .collect();
        for waiting in line {
            budget.succeeded();
            tokio::task::yield_now().await;
            waiting.await.unwrap();
        }
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}, but 4 s of probes", began.elapsed());
    }

    #[tokio::test]
    async fn the_first_success_after_an_outage_wakes_those_who_pause() {
        let (budget, began) = (Budget::new(100), Instant::now());
        (0..OUTAGE).for_each(|_| budget.failed());
        let pauses = futures_util::future::join_all((0..20).map(|_| budget.pause(100)));
        let success = async { budget.succeeded() };
        tokio::join!(pauses, success);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
}
