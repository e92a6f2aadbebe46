//! Values of every type that the emulator knows, as SQL.

use chrono::{DateTime, NaiveDate, NaiveTime};
use proptest::collection::vec;
use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
use proptest::prelude::*;
use serde_json::Value;

const DAY: i64 = 86_400_000_000;

/// A column type and its literals.
#[derive(Clone)]
pub struct Kind {
    pub sql: String,
    pub literal: BoxedStrategy<String>,
}

fn kind(sql: &str, literal: impl Strategy<Value = String> + 'static) -> Kind {
    Kind { sql: sql.to_owned(), literal: literal.boxed() }
}

impl Kind {
    /// NULL now and then.
    pub fn nullable(&self) -> BoxedStrategy<String> {
        let null = format!("CAST(NULL AS {})", self.sql);
        prop_oneof![1 => Just(null), 6 => self.literal.clone()].boxed()
    }

    /// Empty now and then; BigQuery takes no NULLs into an array.
    pub fn array(&self) -> Kind {
        let sql = format!("ARRAY<{}>", self.sql);
        let of = sql.clone();
        kind(&sql, vec(self.literal.clone(), 0..3).prop_map(move |items| format!("{of}[{}]", items.join(", "))))
    }
}

/// A STRUCT of these fields, whose NULLs are their own; an array in it is never NULL.
pub fn record(fields: &[(&str, Kind)]) -> Kind {
    let types: Vec<String> = fields.iter().map(|(name, field)| format!("{name} {}", field.sql)).collect();
    let names: Vec<String> = fields.iter().map(|(name, _)| (*name).to_owned()).collect();
    let values: Vec<_> = fields
        .iter()
        .map(|(_, field)| if field.sql.starts_with("ARRAY") { field.literal.clone() } else { field.nullable() })
        .collect();
    let literal = values.prop_map(move |values| {
        let named = values.iter().zip(&names).map(|(value, name)| format!("{value} AS {name}"));
        format!("STRUCT({})", named.collect::<Vec<_>>().join(", "))
    });
    kind(&format!("STRUCT<{}>", types.join(", ")), literal)
}

pub fn int64() -> Kind {
    kind("INT64", prop_oneof![any::<i64>(), -10_i64..10, Just(i64::MIN)].prop_map(|n| format!("CAST('{n}' AS INT64)")))
}

pub fn float64() -> Kind {
    let floats = prop_oneof![
        POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO,
        (-1000_i32..1000).prop_map(|n| f64::from(n) / 8.0)
    ];
    kind("FLOAT64", floats.prop_map(|x| format!("CAST('{x:e}' AS FLOAT64)")))
}

pub fn numeric() -> Kind {
    kind("NUMERIC", decimal(9).prop_map(|text| format!("NUMERIC '{text}'")))
}

/// The emulator's has 38 digits, 18 of them behind the point.
pub fn bignumeric() -> Kind {
    kind("BIGNUMERIC", decimal(18).prop_map(|text| format!("BIGNUMERIC '{text}'")))
}

fn decimal(scale: u32) -> impl Strategy<Value = String> {
    let (limit, one) = (10_i128.pow(38) - 1, 10_i128.pow(scale));
    let unscaled = prop_oneof![-limit..=limit, -1000..1000_i128, (-1000..1000_i128).prop_map(move |n| n * one / 4)];
    unscaled.prop_map(move |n| {
        let (sign, n) = (if n < 0 { "-" } else { "" }, n.abs());
        format!("{sign}{}.{:0width$}", n / one, n % one, width = scale as usize)
    })
}

pub fn boolean() -> Kind {
    kind("BOOL", any::<bool>().prop_map(|value| value.to_string()))
}

pub fn string() -> Kind {
    let marks = prop::sample::select(vec!['"', '\\', '/', '\'', '\n', '\t', '\u{8}', '\u{1f}', '\u{7f}', '\u{2028}']);
    let letters = vec(prop_oneof![any::<char>(), marks, proptest::char::range('a', 'z')], 0..12);
    let text = letters.prop_map(|letters| letters.into_iter().filter(|letter| *letter != '\0').collect::<String>());
    kind("STRING", text.prop_map(|text| quoted(&text)))
}

fn quoted(text: &str) -> String {
    let escaped: String = text.chars().map(|letter| format!("\\U{:08x}", u32::from(letter))).collect();
    format!("'{escaped}'")
}

/// The emulator reads `\xff` in a literal as a letter, so the bytes come in hex.
pub fn bytes() -> Kind {
    let hex =
        vec(any::<u8>(), 0..9).prop_map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    kind("BYTES", hex.prop_map(|hex| format!("FROM_HEX('{hex}')")))
}

pub fn date() -> Kind {
    let days = prop_oneof![-719_162..2_932_897, 0..30_000];
    kind("DATE", days.prop_map(|days| format!("DATE '{}'", NaiveDate::from_epoch_days(days).unwrap())))
}

pub fn time() -> Kind {
    let micros = prop_oneof![0..DAY, (0..86_400_i64).prop_map(|seconds| seconds * 1_000_000)];
    kind("TIME", micros.prop_map(|micros| format!("TIME '{}'", clock(micros))))
}

pub fn datetime() -> Kind {
    kind("DATETIME", moment().prop_map(|text| format!("DATETIME '{text}'")))
}

pub fn timestamp() -> Kind {
    kind("TIMESTAMP", moment().prop_map(|text| format!("TIMESTAMP '{text}+00'")))
}

fn moment() -> impl Strategy<Value = String> {
    let seconds = (-100_000..100_000_i64).prop_map(|seconds| seconds * 1_000_000);
    let micros = prop_oneof![-719_162 * DAY..2_932_897 * DAY, 0..20_000 * DAY, seconds];
    micros
        .prop_map(|micros| DateTime::from_timestamp_micros(micros).unwrap().format("%Y-%m-%d %H:%M:%S%.6f").to_string())
}

fn clock(micros: i64) -> String {
    let (seconds, micros) = (u32::try_from(micros / 1_000_000).unwrap(), u32::try_from(micros % 1_000_000).unwrap());
    let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds, micros * 1000).unwrap();
    time.format("%H:%M:%S%.6f").to_string()
}

pub fn geography() -> Kind {
    let point = (-1800_i32..1800, -900_i32..900);
    let sql = |(x, y)| format!("ST_GEOGPOINT({}, {})", f64::from(x) / 10.0, f64::from(y) / 10.0);
    kind("GEOGRAPHY", point.prop_map(sql))
}

pub fn json() -> Kind {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z\"é ]{0,6}".prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(3, 12, 3, |inner| {
        let object = prop::collection::btree_map("[a-z]{1,3}", inner.clone(), 0..3);
        prop_oneof![
            vec(inner, 0..3).prop_map(Value::from),
            object.prop_map(|fields| Value::Object(fields.into_iter().collect()))
        ]
    });
    kind("JSON", tree.prop_map(|value| format!("JSON {}", quoted(&value.to_string()))))
}
