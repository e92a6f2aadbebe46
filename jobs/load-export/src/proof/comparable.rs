//! Where a value of the manifest and one of BigQuery can be compared, and how. By value, not by spelling.

use std::cmp::Ordering;

use chrono::{DateTime, NaiveDateTime, Utc};

/// Text of the manifest: `docs/spec/manifest.md`, "Statistics".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparable {
    Integer,
    Decimal,
    Float,
    /// To the microsecond; BigQuery answers microseconds since 1970.
    Instant,
    /// The same, of a column of BigQuery that has no time zone.
    Civil,
    Date,
    Time,
    Truth,
    Text,
    Bytes,
}

impl Comparable {
    /// `None` where the two types order their values differently, or one has no order.
    pub(super) fn of(parquet: &str, bigquery: &str) -> Option<Self> {
        let parquet = parquet.split('(').next().unwrap_or_default();
        match (parquet, bigquery) {
            (
                "INT8" | "INT16" | "INT32" | "INT64" | "UINT8" | "UINT16" | "UINT32" | "UINT64",
                "INTEGER" | "INT64" | "NUMERIC" | "BIGNUMERIC",
            ) => Some(Self::Integer),
            ("DECIMAL", "NUMERIC" | "BIGNUMERIC" | "INTEGER" | "INT64") => Some(Self::Decimal),
            ("FLOAT" | "DOUBLE", "FLOAT" | "FLOAT64") => Some(Self::Float),
            ("TIMESTAMP", "TIMESTAMP") => Some(Self::Instant),
            ("TIMESTAMP", "DATETIME") => Some(Self::Civil),
            ("DATE", "DATE") => Some(Self::Date),
            ("TIME", "TIME") => Some(Self::Time),
            ("BOOLEAN", "BOOLEAN" | "BOOL") => Some(Self::Truth),
            ("STRING" | "ENUM", "STRING") => Some(Self::Text),
            ("BYTE_ARRAY" | "FIXED_LEN_BYTE_ARRAY", "BYTES") => Some(Self::Bytes),
            _ => None,
        }
    }

    /// An expression that gives the value as text without losing anything.
    pub(super) fn sql(self, value: &str) -> String {
        match self {
            Self::Integer | Self::Float | Self::Text => value.to_owned(),
            Self::Decimal | Self::Date | Self::Truth => format!("CAST({value} AS STRING)"),
            Self::Instant => format!("UNIX_MICROS({value})"),
            Self::Civil => format!("UNIX_MICROS(TIMESTAMP({value}))"),
            Self::Time => format!("FORMAT_TIME('%H:%M:%E6S', {value})"),
            Self::Bytes => format!("TO_HEX({value})"),
        }
    }

    pub(super) fn same(self, expected: &str, found: &str) -> bool {
        match self {
            Self::Integer | Self::Decimal => decimal(expected) == decimal(found),
            Self::Float => {
                let [expected, found] = [expected, found].map(|text| text.parse::<f64>().ok());
                expected.zip(found).is_some_and(|(a, b)| a.partial_cmp(&b) == Some(Ordering::Equal))
            }
            Self::Instant | Self::Civil => micros(expected).is_some_and(|micros| Some(micros) == found.parse().ok()),
            Self::Date | Self::Time | Self::Truth | Self::Text | Self::Bytes => expected == found,
        }
    }

    /// BigQuery's answer as people read it.
    pub(super) fn readable(self, found: &str) -> String {
        let time = || DateTime::from_timestamp_micros(found.parse().ok()?);
        match self {
            Self::Instant | Self::Civil => {
                time().map(|time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
            }
            _ => None,
        }
        .unwrap_or_else(|| found.to_owned())
    }
}

/// `2026-11-22T01:02:03.000004Z`
fn micros(text: &str) -> Option<i64> {
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.fZ").ok()?;
    Some(time.and_utc().timestamp_micros())
}

/// Sign, whole digits and fraction without the zeros that say nothing.
fn decimal(text: &str) -> (bool, &str, &str) {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    (negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_and_not_their_spellings() {
        use Comparable::{Bytes, Decimal, Float, Instant, Integer, Text};
        for (comparable, expected, found, same) in [
            (Integer, "18446744073709551615", "18446744073709551615", true),
            (Integer, "-5", "5", false),
            (Decimal, "12.30", "12.3", true),
            (Decimal, "0.00", "0", true),
            (Decimal, "-0.05", "-0.05", true),
            (Decimal, "-0.00", "0", true),
            (Decimal, "120", "12", false),
            (Decimal, "12.30", "12.03", false),
            (Float, "1e300", "1.0E300", true),
            (Float, "0.1", "0.1", true),
            (Float, "0.1", "0.10000000000000002", false),
            (Instant, "2026-11-22T01:02:03.000004Z", "1795309323000004", true),
            (Instant, "2026-11-22T01:02:03.000004Z", "1795309323000005", false),
            (Instant, "0001-01-01T00:00:00.000000Z", "-62135596800000000", true),
            (Text, "a", "A", false),
            (Bytes, "00ff", "00ff", true),
        ] {
            assert_eq!(comparable.same(expected, found), same, "{comparable:?} {expected} {found}");
        }
        assert!(!Float.same("x", "x") && !Instant.same("x", "x"));
    }

    #[test]
    fn only_types_that_order_alike_are_compared() {
        for (parquet, bigquery, expected) in [
            ("INT64", "INTEGER", Some(Comparable::Integer)),
            ("DECIMAL(20,0)", "NUMERIC", Some(Comparable::Decimal)),
            ("DECIMAL(38,10)", "STRING", None), // as text, 9 is more than 10
            ("TIMESTAMP(MICROS)", "TIMESTAMP", Some(Comparable::Instant)),
            ("TIMESTAMP(MICROS)", "DATETIME", Some(Comparable::Civil)),
            ("STRING", "STRING", Some(Comparable::Text)),
            ("STRING", "BYTES", None),
            ("BYTE_ARRAY", "BYTES", Some(Comparable::Bytes)),
            ("BOOLEAN", "BOOLEAN", Some(Comparable::Truth)),
            ("JSON", "JSON", None),
            ("LIST", "RECORD", None),
            ("INT96", "TIMESTAMP", None),
        ] {
            assert_eq!(Comparable::of(parquet, bigquery), expected, "{parquet} {bigquery}");
        }
    }
}
