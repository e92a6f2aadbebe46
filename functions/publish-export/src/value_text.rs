//! The text of a column's smallest and largest value, as `docs/spec/manifest.md` promises it.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta};
use parquet::basic::Type as PhysicalType;

use crate::parquet_type::{Kind, Unit};
use crate::statistics::Value;

/// `None` for a value that its text could not give back, or that a reader could not take.
pub(crate) fn text(kind: &Kind, value: &Value) -> Option<String> {
    match (kind, value) {
        (Kind::Physical(PhysicalType::BOOLEAN, _), Value::Number(bit)) => Some((*bit != 0).to_string()),
        (Kind::Decimal { scale, .. }, Value::Number(unscaled)) => decimal(*unscaled, *scale),
        (Kind::Timestamp(unit), Value::Number(ticks)) => timestamp(unit.micros(*ticks)?),
        (Kind::Time(unit), Value::Number(ticks)) => time(unit.micros(*ticks)?),
        (Kind::Date, Value::Number(days)) => date(i64::try_from(*days).ok()?),
        (_, Value::Number(number)) => Some(number.to_string()),
        (_, Value::Float(number)) => number.is_finite().then(|| format!("{number:?}")),
        (Kind::Text(_), Value::Bytes(bytes)) => String::from_utf8(bytes.clone()).ok(),
        (_, Value::Bytes(bytes)) => Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}

impl Unit {
    /// `None` where something finer would be lost.
    fn micros(self, ticks: i128) -> Option<i64> {
        let micros = match self {
            Self::Millis => ticks.checked_mul(1000)?,
            Self::Micros => ticks,
            Self::Nanos if ticks % 1000 == 0 => ticks / 1000,
            Self::Nanos => return None,
        };
        i64::try_from(micros).ok()
    }
}

/// With exactly `scale` digits behind the point.
fn decimal(unscaled: i128, scale: i32) -> Option<String> {
    let scale = usize::try_from(scale).ok()?;
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let point = if scale > 0 { "." } else { "" };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// BigQuery knows the years 1 to 9999.
fn timestamp(micros: i64) -> Option<String> {
    let at = DateTime::from_timestamp_micros(micros).filter(|at| (1..=9999).contains(&at.year()))?;
    Some(at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

fn date(days: i64) -> Option<String> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    let date = epoch.checked_add_signed(TimeDelta::try_days(days)?)?;
    (1..=9999).contains(&date.year()).then(|| date.format("%Y-%m-%d").to_string())
}

fn time(micros: i64) -> Option<String> {
    let seconds = u32::try_from(micros.div_euclid(1_000_000)).ok()?;
    let nanos = u32::try_from(micros.rem_euclid(1_000_000)).ok()? * 1000;
    let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos)?;
    Some(time.format("%H:%M:%S%.6f").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(kind: &Kind, number: i128) -> Option<String> {
        text(kind, &Value::Number(number))
    }

    #[test]
    fn decimals_have_every_digit_of_their_scale() {
        let of = |scale, unscaled| number(&Kind::Decimal { precision: 38, scale }, unscaled).unwrap();
        assert_eq!(of(0, 18_446_744_073_709_551_615), "18446744073709551615");
        assert_eq!(of(2, 1230), "12.30");
        assert_eq!(of(2, -5), "-0.05");
        assert_eq!(of(2, 0), "0.00");
        assert_eq!(of(38, 1), format!("0.{}1", "0".repeat(37)));
        assert_eq!(of(0, i128::MIN), i128::MIN.to_string());
    }

    #[test]
    fn times_are_told_to_the_microsecond_and_left_out_where_that_would_lose_something() {
        let micros = Kind::Timestamp(Unit::Micros);
        assert_eq!(number(&micros, 1_795_309_323_000_004).unwrap(), "2026-11-22T01:02:03.000004Z");
        assert_eq!(number(&micros, -1).unwrap(), "1969-12-31T23:59:59.999999Z");
        assert_eq!(number(&micros, -62_135_596_800_000_000).unwrap(), "0001-01-01T00:00:00.000000Z");
        assert_eq!(number(&micros, -62_135_596_800_000_001), None);
        assert_eq!(number(&micros, 253_402_300_800_000_000), None);
        assert_eq!(number(&micros, i64::MAX.into()), None);
        assert_eq!(number(&Kind::Timestamp(Unit::Millis), -1).unwrap(), "1969-12-31T23:59:59.999000Z");
        assert_eq!(number(&Kind::Timestamp(Unit::Millis), i64::MAX.into()), None);
        assert_eq!(number(&Kind::Timestamp(Unit::Nanos), 1_000).unwrap(), "1970-01-01T00:00:00.000001Z");
        assert_eq!(number(&Kind::Timestamp(Unit::Nanos), 1_001), None);
        assert_eq!(number(&Kind::Date, 20_779).unwrap(), "2026-11-22");
        assert_eq!(number(&Kind::Date, i32::MIN.into()), None);
        assert_eq!(number(&Kind::Time(Unit::Micros), 3_723_000_004).unwrap(), "01:02:03.000004");
        for no_time in [-1, 86_400_000_000, i128::from(i64::MAX)] {
            assert_eq!(number(&Kind::Time(Unit::Micros), no_time), None);
        }
    }

    #[test]
    fn text_is_as_it_is_and_bytes_are_hexadecimal() {
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        assert_eq!(text(&Kind::Text("STRING"), &bytes("注文".as_bytes())).unwrap(), "注文");
        assert_eq!(text(&Kind::Text("STRING"), &bytes(b"\xff")), None);
        assert_eq!(text(&Kind::Physical(PhysicalType::BYTE_ARRAY, 0), &bytes(b"\x00\xffA")).unwrap(), "00ff41");
    }

    #[test]
    fn numbers_read_back_as_they_were() {
        let double = Kind::Physical(PhysicalType::DOUBLE, 0);
        for number in [0.1, 1e300, 5e-324, -1.0, f64::MAX] {
            assert_eq!(text(&double, &Value::Float(number)).unwrap().parse(), Ok(number));
        }
        assert_eq!(text(&double, &Value::Float(f64::INFINITY)), None);
        let bit = |bit| number(&Kind::Physical(PhysicalType::BOOLEAN, 0), bit).unwrap();
        assert_eq!((bit(0), bit(1)), ("false".into(), "true".into()));
    }
}
