//! The export date: the calendar day, in the time zone of the business, that an export belongs to.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExportDate(NaiveDate);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("export date {0:?} is not a calendar date of the form 2026-11-22")]
pub struct InvalidExportDate(String);

impl ExportDate {
    pub fn of(instant: DateTime<Utc>, zone: Tz) -> Self {
        Self(instant.with_timezone(&zone).date_naive())
    }

    /// `20261122`, as it stands in export task ids and prefixes.
    pub fn compact(self) -> String {
        self.0.format("%Y%m%d").to_string()
    }

    pub(crate) fn from_compact(text: &str) -> Option<Self> {
        let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
        let date = NaiveDate::parse_from_str(text, "%Y%m%d").ok()?;
        digits.then_some(Self(date))
    }

    /// The first instant of the day in `zone`. Where daylight saving skips midnight, the day begins an hour later.
    pub fn midnight(self, zone: Tz) -> DateTime<Utc> {
        let midnight = self.0.and_time(NaiveTime::MIN);
        let local = zone.from_local_datetime(&midnight).earliest();
        local
            .or_else(|| zone.from_local_datetime(&(midnight + Duration::hours(1))).earliest())
            .map_or_else(|| midnight.and_utc(), |at| at.to_utc())
    }

    pub fn days_before(self, days: u32) -> Self {
        Self(self.0 - Duration::days(i64::from(days)))
    }
}

impl FromStr for ExportDate {
    type Err = InvalidExportDate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shaped = text.len() == 10;
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| shaped);
        date.map(Self).ok_or_else(|| InvalidExportDate(text.to_owned()))
    }
}

impl TryFrom<String> for ExportDate {
    type Error = InvalidExportDate;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ExportDate> for String {
    fn from(date: ExportDate) -> Self {
        date.to_string()
    }
}

impl fmt::Display for ExportDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%d"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America::Sao_Paulo, Asia::Tokyo};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn four_in_the_morning_in_tokyo_is_the_day_before_in_utc() {
        let date = ExportDate::of(at("2026-11-21T19:00:00Z"), Tokyo);
        assert_eq!(date.to_string(), "2026-11-22");
        assert_eq!(date.compact(), "20261122");
        assert_eq!(date.midnight(Tokyo), at("2026-11-21T15:00:00Z"));
    }

    #[test]
    fn a_day_without_a_midnight_begins_at_one() {
        // Brazil's clocks went from 00:00 to 01:00 on 2018-11-04.
        let date: ExportDate = "2018-11-04".parse().unwrap();
        assert_eq!(date.midnight(Sao_Paulo), at("2018-11-04T03:00:00Z"));
    }

    #[test]
    fn only_a_full_calendar_date_is_taken() {
        for bad in ["2026-11-31", "2026-1-2", "20261122", "2026-11-22T00:00:00Z", "", "today"] {
            assert_eq!(bad.parse::<ExportDate>(), Err(InvalidExportDate(bad.into())), "{bad}");
        }
    }
}
