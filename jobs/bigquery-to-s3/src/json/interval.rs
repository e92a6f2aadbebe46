//! INTERVAL as BigQuery's own text, `[-]Y-M [-]D [-]H:M:S[.F]`: what `CAST(interval AS STRING)` gives. No part has
//! zeros in front, and F has 3, 6 or 9 digits, as few as it takes.

use arrow_array::types::IntervalMonthDayNano;

use super::digits::{fill, push, push_signed};

const SECOND: u64 = 1_000_000_000;

/// A sign stands before each of the three groups for all of the group.
pub(super) fn push_quoted(interval: IntervalMonthDayNano, out: &mut Vec<u8>) {
    let months = interval.months.unsigned_abs();
    let nanos = interval.nanoseconds.unsigned_abs();
    let seconds = nanos / SECOND;
    out.extend_from_slice(if interval.months < 0 { b"\"-" } else { b"\"" });
    push_joined(&[(months / 12).into(), (months % 12).into()], b'-', out);
    out.push(b' ');
    push_signed(interval.days.into(), out);
    out.extend_from_slice(if interval.nanoseconds < 0 { b" -" } else { b" " });
    push_joined(&[seconds / 3600, seconds / 60 % 60, seconds % 60], b':', out);
    push_fraction(nanos % SECOND, out);
    out.push(b'"');
}

fn push_joined(parts: &[u64], mark: u8, out: &mut Vec<u8>) {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            out.push(mark);
        }
        push(*part, out);
    }
}

fn push_fraction(nanos: u64, out: &mut Vec<u8>) {
    let mut text = *b".000000000";
    fill(&mut text[1..], u32::try_from(nanos).unwrap_or_default());
    let length = match nanos {
        0 => 0,
        _ if nanos.is_multiple_of(1_000_000) => 4,
        _ if nanos.is_multiple_of(1_000) => 7,
        _ => 10,
    };
    out.extend_from_slice(&text[..length]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(months: i32, days: i32, nanos: i64) -> String {
        let mut out = Vec::new();
        push_quoted(IntervalMonthDayNano::new(months, days, nanos), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_interval_is_bigquerys_own_text() {
        assert_eq!(text(0, 0, 0), r#""0-0 0 0:0:0""#);
        assert_eq!(text(14, 3, 14_706_789_000_000), r#""1-2 3 4:5:6.789""#);
        assert_eq!(text(14, 3, 14_706_789_999_000), r#""1-2 3 4:5:6.789999""#);
        assert_eq!(text(120_000, -3_660_000, 36_000_000_000_000), r#""10000-0 -3660000 10:0:0""#);
    }

    #[test]
    fn each_group_has_its_own_sign() {
        assert_eq!(text(-14, 3, -1), r#""-1-2 3 -0:0:0.000000001""#);
        assert_eq!(text(-1, -3, 20_000), r#""-0-1 -3 0:0:0.000020""#);
        assert_eq!(text(i32::MIN, i32::MIN, i64::MIN), r#""-178956970-8 -2147483648 -2562047:47:16.854775808""#);
    }
}
