//! Values of rows as the kinds that Parquet's columns take.

use anyhow::{Result, bail};
use chrono::NaiveDate;
use mysql_async::Value;

pub(super) fn integer(value: &Value) -> Result<Option<i128>> {
    match value {
        Value::NULL => Ok(None),
        Value::Int(number) => Ok(Some((*number).into())),
        Value::UInt(number) => Ok(Some((*number).into())),
        other => bail!("{other:?} is not an integer"),
    }
}

pub(super) fn float(value: &Value) -> Result<Option<f32>> {
    match value {
        Value::NULL => Ok(None),
        Value::Float(number) => Ok(Some(*number)),
        other => bail!("{other:?} is not a floating-point number of four bytes"),
    }
}

pub(super) fn double(value: &Value) -> Result<Option<f64>> {
    match value {
        Value::NULL => Ok(None),
        Value::Float(number) => Ok(Some((*number).into())),
        Value::Double(number) => Ok(Some(*number)),
        other => bail!("{other:?} is not a floating-point number"),
    }
}

/// MySQL sends a decimal as text with exactly `scale` digits behind the point.
pub(super) fn decimal(value: &Value, scale: i8) -> Result<Option<i128>> {
    let Value::Bytes(bytes) = value else { return integer(value) };
    let text = std::str::from_utf8(bytes)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() != usize::try_from(scale)? {
        bail!("{text:?} has not {scale} digits behind the point");
    }
    Ok(Some(format!("{whole}{fraction}").parse()?))
}

/// The wall clock read as if it were UTC; a day that does not exist (0000-00-00) is null.
pub(super) fn micros(value: &Value) -> Result<Option<i64>> {
    match *value {
        Value::NULL => Ok(None),
        Value::Date(year, month, day, hour, minute, second, micro) => {
            let date = NaiveDate::from_ymd_opt(year.into(), month.into(), day.into());
            let time = |date: NaiveDate| date.and_hms_micro_opt(hour.into(), minute.into(), second.into(), micro);
            Ok(date.and_then(time).map(|time| time.and_utc().timestamp_micros()))
        }
        ref other => bail!("{other:?} is not a time"),
    }
}

pub(super) fn text(value: &Value) -> Option<String> {
    match *value {
        Value::NULL => None,
        Value::Bytes(ref bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Date(year, month, day, ..) => Some(format!("{year:04}-{month:02}-{day:02}")),
        Value::Time(negative, days, hours, minutes, seconds, micros) => {
            let (sign, hours) = (if negative { "-" } else { "" }, days * 24 + u32::from(hours));
            let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
            Some(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{fraction}"))
        }
        ref other => Some(other.as_sql(true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_every_digit() {
        let decimal = |text: &str, scale| decimal(&Value::from(text), scale).ok().flatten();
        assert_eq!(decimal("-12.50", 2), Some(-1250));
        assert_eq!(decimal("-0.05", 2), Some(-5));
        assert_eq!(decimal("18446744073709551615", 0), Some(18_446_744_073_709_551_615));
        assert_eq!(decimal("1.5", 2), None);
    }

    #[test]
    fn a_wall_clock_is_read_as_utc_and_a_day_that_is_none_is_null() {
        assert_eq!(micros(&Value::Date(1970, 1, 2, 0, 0, 1, 5)).unwrap(), Some(86_401_000_005));
        assert_eq!(micros(&Value::Date(0, 0, 0, 0, 0, 0, 0)).unwrap(), None);
    }

    #[test]
    fn days_and_times_are_text() {
        assert_eq!(text(&Value::Date(2026, 11, 22, 0, 0, 0, 0)).unwrap(), "2026-11-22");
        assert_eq!(text(&Value::Time(true, 1, 2, 3, 4, 0)).unwrap(), "-26:03:04");
        assert_eq!(text(&Value::Time(false, 0, 2, 3, 4, 500_000)).unwrap(), "02:03:04.500000");
    }
}
