use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// A moment by both clocks of this machine. The monotonic one decides; but it stands still while a laptop sleeps, so what
/// the wall clock says is over is over too. The wall clock can only ever make us more careful.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub(crate) monotonic: Instant,
    pub(crate) wall: SystemTime,
}

impl Moment {
    pub fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    /// How long ago `self` was at `now`, at least.
    pub fn age(self, now: Self) -> Duration {
        let monotonic = now.monotonic.saturating_duration_since(self.monotonic);
        monotonic.max(now.wall.duration_since(self.wall).unwrap_or_default())
    }

    pub(crate) fn later_of(self, other: Self) -> Self {
        if self.monotonic >= other.monotonic { self } else { other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_that_went_further_counts_and_one_that_is_set_back_does_not() {
        let begin = Moment::now();
        let seconds = Duration::from_secs;
        let at = |monotonic, wall| Moment { monotonic: begin.monotonic + seconds(monotonic), wall };
        assert_eq!(begin.age(at(5, begin.wall + seconds(5))), seconds(5));
        assert_eq!(begin.age(at(1, begin.wall + seconds(3600))), seconds(3600), "asleep for an hour");
        assert_eq!(begin.age(at(5, begin.wall - seconds(3600))), seconds(5), "set back by an hour");
    }
}
