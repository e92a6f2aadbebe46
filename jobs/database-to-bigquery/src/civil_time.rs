//! Dates and times of the Gregorian calendar as BigQuery counts them: from year 1 to 9999, days and microseconds since
//! 1970. Our own arithmetic, because libraries that know the old calendar put year 1 two days off.

use std::ops::RangeInclusive;

/// As a database sends it; zero dates and the 31st of February are possible there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    pub year: u16,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    pub micros: u32,
}

const DAY_MICROS: i64 = 86_400_000_000;
/// From 0001-01-01 to 9999-12-31.
pub const DAYS: RangeInclusive<i64> = -719_162..=2_932_896;
pub const MICROS: RangeInclusive<i64> = (-719_162 * DAY_MICROS)..=(2_932_897 * DAY_MICROS - 1);

impl Civil {
    /// Whether the calendar has it and BigQuery as well.
    pub fn exists(self) -> bool {
        let date = (1..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_of_month(self.year, self.month)).contains(&self.day);
        date && self.hour < 24 && self.minute < 60 && self.second < 60 && self.micros < 1_000_000
    }
}

fn days_of_month(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Of a date that exists. Counts from a year that begins in March, so that the leap day comes last.
#[allow(clippy::cast_possible_truncation)] // within `DAYS`
pub fn days(date: Civil) -> i32 {
    let (month, day) = (i64::from(date.month), i64::from(date.day));
    let year = i64::from(date.year) - i64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year / 4 - year / 100 + year / 400;
    (year * 365 + leap_days + day_of_year - 719_468) as i32
}

/// Of a time that exists.
pub fn micros(time: Civil) -> i64 {
    let seconds = (i64::from(time.hour) * 60 + i64::from(time.minute)) * 60 + i64::from(time.second);
    i64::from(days(time)) * DAY_MICROS + seconds * 1_000_000 + i64::from(time.micros)
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate, NaiveTime};

    use super::*;

    fn date(year: u16, month: u8, day: u8) -> Civil {
        Civil { year, month, day, hour: 0, minute: 0, second: 0, micros: 0 }
    }

    #[test]
    fn every_day_of_ten_thousand_years_is_counted() {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        let mut day = NaiveDate::from_ymd_opt(1, 1, 1).unwrap();
        while day.year() < 10_000 {
            let civil =
                date(day.year().try_into().unwrap(), day.month().try_into().unwrap(), day.day().try_into().unwrap());
            assert!(civil.exists());
            assert_eq!(i64::from(days(civil)), (day - epoch).num_days(), "{day}");
            day = day.succ_opt().unwrap();
        }
        assert_eq!(*DAYS.start(), i64::from(days(date(1, 1, 1))));
        assert_eq!(*DAYS.end(), i64::from(days(date(9999, 12, 31))));
    }

    #[test]
    fn a_time_is_counted_in_microseconds() {
        let civil = Civil { hour: 23, minute: 59, second: 59, micros: 999_999, ..date(9999, 12, 31) };
        let expected = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap();
        let expected = expected.and_time(NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999).unwrap()).and_utc();
        assert_eq!((micros(civil), *MICROS.end()), (expected.timestamp_micros(), expected.timestamp_micros()));
        assert_eq!(micros(date(1, 1, 1)), *MICROS.start());
    }

    #[test]
    fn what_no_calendar_has_does_not_exist() {
        for (year, month, day) in [
            (0, 0, 0),
            (2026, 0, 1),
            (2026, 2, 0),
            (2026, 2, 29),
            (1900, 2, 29),
            (0, 1, 1),
            (2026, 4, 31),
            (2026, 13, 1),
        ] {
            assert!(!date(year, month, day).exists(), "{year}-{month}-{day}");
        }
        assert!(date(2000, 2, 29).exists() && date(2024, 2, 29).exists());
    }
}
