//! How long answers took, in a fixed number of counters: eight for each doubling, so a percentile is at most an eighth
//! too high. Recording is one atomic addition.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const STEPS: usize = 8;
/// From a microsecond to over an hour.
const DOUBLINGS: usize = 32;

#[derive(Debug)]
pub struct Latency([AtomicU32; STEPS * DOUBLINGS]);

/// Counts that were taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken(Vec<u32>);

impl Default for Latency {
    fn default() -> Self {
        Self([const { AtomicU32::new(0) }; STEPS * DOUBLINGS])
    }
}

impl Latency {
    pub fn record(&self, took: Duration) {
        self.0[place(took)].fetch_add(1, Ordering::Relaxed);
    }

    pub fn take(&self) -> Taken {
        Taken(self.0.iter().map(|count| count.swap(0, Ordering::Relaxed)).collect())
    }
}

impl Taken {
    pub fn count(&self) -> u64 {
        self.0.iter().map(|count| u64::from(*count)).sum()
    }

    /// The time within which `share` of the answers came, in milliseconds; `None` where there were none.
    pub fn percentile_ms(&self, share: f64) -> Option<f64> {
        let (count, mut seen) = (self.count(), 0);
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        let wanted = share * count as f64;
        let place = self.0.iter().position(|of_place| {
            seen += u64::from(*of_place);
            #[allow(clippy::cast_precision_loss)]
            let reached = seen as f64 >= wanted;
            seen > 0 && reached
        })?;
        Some(upper_micros(place) / 1000.0)
    }
}

fn place(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    let doubling = micros.ilog2() as usize;
    // The three bits below the highest one say which eighth of the doubling it is.
    let eighth = if doubling >= 3 { (micros >> (doubling - 3)) & 7 } else { (micros << (3 - doubling)) & 7 };
    (doubling * STEPS + usize::try_from(eighth).unwrap_or(0)).min(STEPS * DOUBLINGS - 1)
}

/// Where the next place begins.
#[allow(clippy::cast_precision_loss)] // small numbers
fn upper_micros(place: usize) -> f64 {
    let (doubling, eighth) = (place / STEPS, place % STEPS);
    (1_u64 << doubling) as f64 * (1.0 + (eighth + 1) as f64 / STEPS as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_never_too_low_and_at_most_an_eighth_too_high() {
        let latency = Latency::default();
        (1..=1000).for_each(|n| latency.record(Duration::from_micros(n * 10)));
        let taken = latency.take();
        assert_eq!(taken.count(), 1000);
        for (share, exact) in [(0.5, 5.0), (0.99, 9.9), (1.0, 10.0), (0.001, 0.01)] {
            let told = taken.percentile_ms(share).unwrap();
            assert!(told >= exact && told <= exact * 1.126, "{share}: {told}");
        }
        assert_eq!(latency.take().count(), 0, "taken once");
        assert_eq!(latency.take().percentile_ms(0.5), None);
    }

    #[test]
    fn every_time_has_a_place() {
        for took in [Duration::ZERO, Duration::from_nanos(1), Duration::from_hours(100), Duration::MAX] {
            assert!(place(took) < STEPS * DOUBLINGS, "{took:?}");
        }
        assert!(place(Duration::from_micros(1)) < place(Duration::from_micros(2)));
    }
}
