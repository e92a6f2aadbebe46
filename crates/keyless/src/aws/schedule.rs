//! When credentials are refreshed, and how long a failed refresh waits.

use std::time::{Duration, SystemTime};

/// New credentials are asked for this long before the old ones expire: a dozen failed tries lose nothing.
const LEAD: Duration = Duration::from_mins(10);
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// How long to keep new credentials before the next ones are asked for: until ten minutes before they expire; of
/// credentials that live less than half an hour, two thirds of their life.
pub(crate) fn keep_for(now: SystemTime, expires: SystemTime) -> Duration {
    let life = expires.duration_since(now).unwrap_or_default();
    life.saturating_sub(LEAD.min(life / 3))
}

/// The pause after the `failures`-th failure in a row. `chance` in 0..1 spreads programs that failed together.
pub(crate) fn backoff(failures: u32, chance: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let pause = FIRST_BACKOFF.saturating_mul(1 << doublings).min(LONGEST_BACKOFF);
    pause.mul_f64(0.5 + chance / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(seconds: u64) -> u64 {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        keep_for(now, now + Duration::from_secs(seconds)).as_secs()
    }

    #[test]
    fn an_hour_is_kept_for_fifty_minutes_and_a_short_life_for_two_thirds() {
        assert_eq!(kept(3600), 3000);
        assert_eq!(kept(43_200), 42_600);
        assert_eq!(kept(1800), 1200);
        assert_eq!(kept(900), 600);
        assert_eq!(kept(6), 4);
        assert_eq!(kept(0), 0);
    }

    #[test]
    fn credentials_that_come_expired_are_refreshed_at_once() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_mins(1);
        assert_eq!(keep_for(now, SystemTime::UNIX_EPOCH), Duration::ZERO);
    }

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let longest = |failures| backoff(failures, 1.0).as_millis();
        assert_eq!([1, 2, 3, 4].map(longest), [200, 400, 800, 1600]);
        assert_eq!([9, 100, u32::MAX].map(longest), [30_000; 3]);
        assert_eq!(backoff(1, 0.0), Duration::from_millis(100));
    }
}
