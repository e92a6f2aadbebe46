//! The time as S3 has it. A signature is good for fifteen minutes about S3's clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use tracing::warn;

/// How many seconds S3's clock is ahead of ours.
#[derive(Debug, Default)]
pub(super) struct Clock(AtomicI64);

impl Clock {
    pub(super) fn now(&self) -> SystemTime {
        let ahead = self.0.load(Ordering::Relaxed);
        let by = Duration::from_secs(ahead.unsigned_abs());
        let now = SystemTime::now();
        if ahead < 0 { now.checked_sub(by).unwrap_or(now) } else { now + by }
    }

    pub(super) fn correct(&self, s3: SystemTime) {
        let seconds = |gap: Duration| i64::try_from(gap.as_secs()).unwrap_or_default();
        let ahead = match s3.duration_since(SystemTime::now()) {
            Ok(gap) => seconds(gap),
            Err(behind) => -seconds(behind.duration()),
        };
        if self.0.swap(ahead, Ordering::Relaxed).abs_diff(ahead) > 1 {
            warn!(ahead, "S3's clock is {ahead} s ahead of this machine's; signatures follow it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_follow_the_clock_of_s3_both_ways() {
        for (s3_is, ahead) in [(true, 3600), (false, 7200)] {
            let (clock, gap, now) = (Clock::default(), Duration::from_secs(ahead), SystemTime::now());
            let s3 = if s3_is { now + gap } else { now - gap };
            clock.correct(s3);
            let off = clock.now().duration_since(s3).unwrap_or_else(|early| early.duration());
            assert!(off < Duration::from_secs(3), "{off:?}");
        }
    }
}
