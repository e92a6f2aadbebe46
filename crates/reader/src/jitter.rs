use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// `duration`, up to `percent` longer or shorter: what came together must not go together.
pub(crate) fn jittered(duration: Duration, percent: u32) -> Duration {
    // The standard library's hasher has random keys; that is all the randomness that is needed here.
    let random = RandomState::new().hash_one(0u8) % 2001;
    let share = f64::from(percent) / 100.0;
    #[allow(clippy::cast_precision_loss)] // at most 2,000
    let factor = 1.0 - share + share * (random as f64 / 1000.0);
    duration.mul_f64(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jittered_time_stays_within_its_share_and_differs() {
        let hour = Duration::from_hours(1);
        let times: Vec<Duration> = (0..1000).map(|_| jittered(hour, 15)).collect();
        assert!(times.iter().all(|time| (hour.mul_f64(0.849)..=hour.mul_f64(1.151)).contains(time)));
        assert!(
            times.iter().any(|time| *time < hour.mul_f64(0.9)) && times.iter().any(|time| *time > hour.mul_f64(1.1))
        );
    }
}
