//! DATE, TIME, DATETIME and TIMESTAMP. The fraction always has its six digits, so that texts sort as their values do
//! and the same value is the same text.

use chrono::{Datelike, NaiveDate};

use super::digits::fill;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

pub(super) fn push_date(days: i32, out: &mut Vec<u8>) {
    let mut text = *b"\"0000-00-00\"";
    set_date(&mut text[1..11], days);
    out.extend_from_slice(&text);
}

pub(super) fn push_time(micros: i64, out: &mut Vec<u8>) {
    let mut text = *b"\"00:00:00.000000\"";
    set_time(&mut text[1..16], micros);
    out.extend_from_slice(&text);
}

pub(super) fn push_datetime(micros: i64, out: &mut Vec<u8>) {
    let mut text = *b"\"0000-00-00T00:00:00.000000\"";
    set_moment(&mut text[1..27], micros);
    out.extend_from_slice(&text);
}

pub(super) fn push_timestamp(micros: i64, out: &mut Vec<u8>) {
    let mut text = *b"\"0000-00-00T00:00:00.000000Z\"";
    set_moment(&mut text[1..27], micros);
    out.extend_from_slice(&text);
}

fn set_moment(text: &mut [u8], micros: i64) {
    let days = micros.div_euclid(DAY);
    set_date(&mut text[..10], i32::try_from(days).unwrap_or_default());
    set_time(&mut text[11..], micros.rem_euclid(DAY));
}

/// A day beyond BigQuery's years does not come here: its row is refused before.
fn set_date(text: &mut [u8], days: i32) {
    let date = NaiveDate::from_epoch_days(days).unwrap_or_default();
    fill(&mut text[..4], date.year().unsigned_abs());
    fill(&mut text[5..7], date.month());
    fill(&mut text[8..10], date.day());
}

fn set_time(text: &mut [u8], micros: i64) {
    let seconds = u32::try_from(micros / SECOND).unwrap_or_default();
    fill(&mut text[..2], seconds / 3600);
    fill(&mut text[3..5], seconds / 60 % 60);
    fill(&mut text[6..8], seconds % 60);
    fill(&mut text[9..15], u32::try_from(micros % SECOND).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_cover_the_years_1_to_9999() {
        assert_eq!(text(|out| push_date(0, out)), r#""1970-01-01""#);
        assert_eq!(text(|out| push_date(-719_162, out)), r#""0001-01-01""#);
        assert_eq!(text(|out| push_date(2_932_896, out)), r#""9999-12-31""#);
        assert_eq!(text(|out| push_date(19_782, out)), r#""2024-02-29""#);
    }

    #[test]
    fn times_have_six_fraction_digits() {
        assert_eq!(text(|out| push_time(0, out)), r#""00:00:00.000000""#);
        assert_eq!(text(|out| push_time(14_706_123_456, out)), r#""04:05:06.123456""#);
        assert_eq!(text(|out| push_time(DAY - 1, out)), r#""23:59:59.999999""#);
    }

    #[test]
    fn a_timestamp_tells_its_zone_and_a_datetime_has_none() {
        let micros = 1_795_579_506_123_456;
        assert_eq!(text(|out| push_timestamp(micros, out)), r#""2026-11-25T04:05:06.123456Z""#);
        assert_eq!(text(|out| push_datetime(micros, out)), r#""2026-11-25T04:05:06.123456""#);
    }

    #[test]
    fn moments_before_1970_and_at_both_ends_are_right() {
        assert_eq!(text(|out| push_timestamp(-1, out)), r#""1969-12-31T23:59:59.999999Z""#);
        assert_eq!(text(|out| push_timestamp(-719_162 * DAY, out)), r#""0001-01-01T00:00:00.000000Z""#);
        assert_eq!(text(|out| push_timestamp(2_932_897 * DAY - 1, out)), r#""9999-12-31T23:59:59.999999Z""#);
    }
}
