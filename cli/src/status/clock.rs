//! What "today" and "late" mean.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use handoff::ExportDate;

/// When the day's export is tried first: before, the day before is the newest that there can be.
const DAY_BEGINS: TimeDelta = TimeDelta::hours(4);

#[derive(Debug, Clone, Copy)]
pub struct Clock {
    pub now: DateTime<Utc>,
    pub zone: Tz,
    /// The time of the day at which everything is to be there.
    pub ready_by: NaiveTime,
}

impl Clock {
    pub fn day(&self) -> ExportDate {
        ExportDate::of(self.now - DAY_BEGINS, self.zone)
    }

    /// What is not there now is late, not only on its way.
    pub fn is_due(&self, day: ExportDate) -> bool {
        self.now >= self.due(day)
    }

    pub fn due(&self, day: ExportDate) -> DateTime<Utc> {
        day.midnight(self.zone) + (self.ready_by - NaiveTime::MIN)
    }

    /// The first moment at which the day's export can have been started.
    pub fn begins(&self, day: ExportDate) -> DateTime<Utc> {
        day.midnight(self.zone) + DAY_BEGINS
    }

    /// `04:12`, or with the date where it is not of the day.
    pub fn time(&self, at: DateTime<Utc>, day: ExportDate) -> String {
        let local = at.with_timezone(&self.zone);
        let same = ExportDate::of(at, self.zone) == day;
        local.format(if same { "%H:%M" } else { "%Y-%m-%d %H:%M" }).to_string()
    }

    /// `3 h 20 min`
    pub fn ago(&self, at: DateTime<Utc>) -> String {
        length(self.now - at)
    }
}

pub fn length(duration: TimeDelta) -> String {
    let minutes = duration.num_minutes().max(0);
    match (minutes / 1440, minutes / 60, minutes % 60) {
        (0, 0, 0) => format!("{} s", duration.num_seconds().max(0)),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Asia::Tokyo;

    fn clock(now: &str) -> Clock {
        Clock { now: now.parse().unwrap(), zone: Tokyo, ready_by: NaiveTime::from_hms_opt(9, 0, 0).unwrap() }
    }

    #[test]
    fn before_four_in_the_morning_the_newest_day_is_yesterday() {
        for (now, day, due) in [
            ("2026-11-21T18:59:59Z", "2026-11-21", true), // 03:59:59 in Tokyo
            ("2026-11-21T19:00:00Z", "2026-11-22", false),
            ("2026-11-21T23:59:59Z", "2026-11-22", false),
            ("2026-11-22T00:00:00Z", "2026-11-22", true), // 09:00
        ] {
            let clock = clock(now);
            assert_eq!((clock.day().to_string().as_str(), clock.is_due(clock.day())), (day, due), "{now}");
        }
    }

    #[test]
    fn times_of_another_day_are_told_with_their_date() {
        let clock = clock("2026-11-22T03:00:00Z");
        let time = |at: &str| clock.time(at.parse().unwrap(), clock.day());
        assert_eq!(
            (time("2026-11-21T19:12:00Z"), time("2026-11-21T14:00:00Z")),
            ("04:12".into(), "2026-11-21 23:00".into())
        );
    }

    #[test]
    fn a_length_has_the_two_units_that_matter() {
        let told = [30, 300, 12_000, 200_000].map(|seconds| length(TimeDelta::seconds(seconds)));
        assert_eq!(told, ["30 s", "5 min", "3 h 20 min", "2 d 7 h"]);
    }
}
