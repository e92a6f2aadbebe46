//! How many requests may be under way at once: grows while S3 takes them, halves when S3 says slow down.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

/// So that connections and their look-ups ramp up; S3's own partitions do too.
const START: usize = 20;
/// Below this a prefix that S3 is still splitting would be starved for nothing.
const FLOOR: usize = 10;
/// Answers that were under way when the window was halved say nothing new.
const BETWEEN_CUTS: Duration = Duration::from_secs(1);

pub(super) struct Window {
    slots: Semaphore,
    limit: Mutex<Limit>,
}

/// The right to have one request under way.
pub(super) struct Slot(Arc<Window>);

impl Window {
    pub(super) fn new(ceiling: usize) -> Arc<Self> {
        let limit = Limit::new(ceiling);
        Arc::new(Self { slots: Semaphore::new(limit.now), limit: Mutex::new(limit) })
    }

    pub(super) async fn slot(self: &Arc<Self>) -> Slot {
        // The semaphore is never closed.
        if let Ok(slot) = self.slots.acquire().await {
            slot.forget();
        }
        Slot(Arc::clone(self))
    }

    pub(super) fn now(&self) -> usize {
        self.limit().now
    }

    /// A window that is not used says nothing about a larger one.
    pub(super) fn succeeded(&self) {
        let mut limit = self.limit();
        if self.slots.available_permits() <= limit.now / 2 && limit.grow() {
            self.slots.add_permits(1);
        }
    }

    pub(super) fn slow_down(&self) {
        let mut limit = self.limit();
        let cut = limit.cut(Instant::now());
        limit.owed += cut - self.slots.forget_permits(cut);
    }

    fn limit(&self) -> std::sync::MutexGuard<'_, Limit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.0.limit().pay() {
            self.0.slots.add_permits(1);
        }
    }
}

#[derive(Debug)]
struct Limit {
    now: usize,
    floor: usize,
    ceiling: usize,
    /// Until S3 first says slow down, each success adds one: the window doubles with each round of answers.
    slow_start: bool,
    /// Successes since the window last grew; after slow start a whole window of them adds one.
    successes: usize,
    /// Slots in use beyond the limit: they go when they are given back.
    owed: usize,
    cut_at: Option<Instant>,
}

impl Limit {
    fn new(ceiling: usize) -> Self {
        let ceiling = ceiling.max(1);
        let (now, floor) = (START.min(ceiling), FLOOR.min(ceiling));
        Self { now, floor, ceiling, slow_start: true, successes: 0, owed: 0, cut_at: None }
    }

    /// Whether there is one more slot to give out.
    fn grow(&mut self) -> bool {
        self.successes += 1;
        if self.now >= self.ceiling || (!self.slow_start && self.successes < self.now) {
            return false;
        }
        self.successes = 0;
        self.now += 1;
        !self.pay()
    }

    /// How many slots are too many now.
    fn cut(&mut self, now: Instant) -> usize {
        if self.cut_at.is_some_and(|last| now.duration_since(last) < BETWEEN_CUTS) {
            return 0;
        }
        let before = self.now;
        self.now = (before / 2).max(self.floor);
        (self.slow_start, self.successes, self.cut_at) = (false, 0, Some(now));
        before - self.now
    }

    fn pay(&mut self) -> bool {
        let owed = self.owed > 0;
        self.owed -= usize::from(owed);
        owed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_success_adds_one_until_s3_says_slow_down_and_then_a_whole_window_of_them_does() {
        let mut limit = Limit::new(200);
        assert_eq!(limit.now, 20);
        assert!((0..20).all(|_| limit.grow()));
        assert_eq!(limit.now, 40);
        assert_eq!(limit.cut(Instant::now()), 20);
        assert_eq!((0..60).filter(|_| limit.grow()).count(), 2);
        assert_eq!(limit.now, 22);
    }

    #[test]
    fn the_window_stays_between_its_floor_and_its_ceiling() {
        let mut limit = Limit::new(30);
        (0..100).for_each(|_| _ = limit.grow());
        assert_eq!(limit.now, 30);
        let second = |n| Instant::now() + Duration::from_secs(n);
        assert_eq!([0, 2, 4].map(|n| limit.cut(second(n))), [15, 5, 0]);
        assert_eq!(limit.now, 10);
        assert_eq!(Limit::new(4).now, 4);
        assert_eq!(Limit::new(4).cut(Instant::now()), 0);
    }

    #[test]
    fn it_is_halved_once_a_second_however_many_answers_say_so() {
        let (mut limit, now) = (Limit::new(100), Instant::now());
        (0..80).for_each(|_| _ = limit.grow());
        assert_eq!((limit.cut(now), limit.cut(now + Duration::from_millis(900))), (50, 0));
        assert_eq!(limit.cut(now + Duration::from_secs(1)), 25);
    }

    #[tokio::test]
    async fn slots_in_use_beyond_a_halved_window_go_when_they_are_given_back() {
        let window = Window::new(20);
        let mut used = Vec::new();
        for _ in 0..18 {
            used.push(window.slot().await);
        }
        window.slow_down();
        assert_eq!((window.now(), window.slots.available_permits()), (10, 0));
        used.truncate(10);
        assert_eq!(window.slots.available_permits(), 0);
        used.pop();
        assert_eq!(window.slots.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_window_that_is_hardly_used_does_not_grow() {
        let window = Window::new(200);
        let slot = window.slot().await;
        (0..50).for_each(|_| window.succeeded());
        assert_eq!(window.now(), 20);
        drop(slot);
        let _used = futures_util::future::join_all((0..20).map(|_| window.slot())).await;
        (0..50).for_each(|_| window.succeeded());
        assert!(window.now() > 20);
    }
}
