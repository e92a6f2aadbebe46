//! The hours of a day in which its export is tried.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Timelike, Utc};
use chrono_tz::Tz;

/// `4-12`: every full hour from 04:00 to 12:00. template.yaml puts the same text into the schedule's cron expression, so
/// that what the function takes for the last try is the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    first: u32,
    last: u32,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a range of hours such as 4-12: from 0 to 23, the earlier one first")]
pub struct InvalidHours(String);

impl Hours {
    /// 04:00 is after Tokyo's backup window; a backup that is not there by noon is a matter for a human.
    pub const DEFAULT: Self = Self { first: 4, last: 12 };

    /// When the day's export is tried next; `None` at the last try and after it.
    pub fn next_try(self, time: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let local = time.with_timezone(&zone);
        let mut hours = self.first.max(local.hour() + 1)..=self.last;
        // An hour that a summer time leaves out is passed over.
        let at = hours.find_map(|hour| local.date_naive().and_hms_opt(hour, 0, 0)?.and_local_timezone(zone).earliest());
        at.map(|at| at.to_utc())
    }

    /// Between the first try and the last one, what makes the export possible may start it too.
    pub fn are_on(self, time: DateTime<Utc>, zone: Tz) -> bool {
        (self.first..self.last).contains(&time.with_timezone(&zone).hour())
    }
}

impl FromStr for Hours {
    type Err = InvalidHours;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hour = |text: &str| {
            let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|hour| digits && *hour <= 23)
        };
        let range = text.split_once('-').and_then(|(first, last)| Some((hour(first)?, hour(last)?)));
        match range {
            Some((first, last)) if first <= last => Ok(Self { first, last }),
            _ => Err(InvalidHours(text.to_owned())),
        }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Asia::Tokyo;
    use chrono_tz::Europe::Berlin;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_next_try_is_the_next_full_hour_until_the_last() {
        let next = |text| Hours::DEFAULT.next_try(at(text), Tokyo);
        assert_eq!(next("2026-11-22T04:00:00+09:00"), Some(at("2026-11-22T05:00:00+09:00")));
        assert_eq!(next("2026-11-22T04:20:10+09:00"), Some(at("2026-11-22T05:00:00+09:00")));
        assert_eq!(next("2026-11-22T11:59:59+09:00"), Some(at("2026-11-22T12:00:00+09:00")));
        for last in ["2026-11-22T12:00:00+09:00", "2026-11-22T23:00:00+09:00"] {
            assert_eq!(next(last), None, "{last}");
        }
        assert_eq!(next("2026-11-22T00:10:00+09:00"), Some(at("2026-11-22T04:00:00+09:00")));
    }

    #[test]
    fn an_hour_that_the_clock_leaves_out_is_no_try() {
        let hours: Hours = "1-5".parse().unwrap();
        assert_eq!(hours.next_try(at("2026-03-29T01:00:00+01:00"), Berlin), Some(at("2026-03-29T03:00:00+02:00")));
    }

    #[test]
    fn nothing_starts_an_export_before_the_first_try_or_after_the_last() {
        let on = |text| Hours::DEFAULT.are_on(at(text), Tokyo);
        assert!(on("2026-11-22T04:00:00+09:00") && on("2026-11-22T11:59:59+09:00"));
        assert!(!on("2026-11-22T03:59:59+09:00") && !on("2026-11-22T12:00:00+09:00"));
    }

    #[test]
    fn a_range_is_two_hours_in_their_order() {
        for good in ["4-12", "0-23", "4-4"] {
            assert_eq!(good.parse::<Hours>().unwrap().to_string(), good);
        }
        for bad in ["", "4", "12-4", "4-24", "04:00-12:00", "4-12-13", "-1-4", "+4-12", "4 - 12"] {
            assert_eq!(bad.parse::<Hours>(), Err(InvalidHours(bad.into())));
        }
    }
}
