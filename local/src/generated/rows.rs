//! The values of a row, drawn from its id: the same in each run. About 200 bytes as JSON.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};

use super::Options;
use super::order::{key, shard};

/// Quotes, a line's end and letters of more than one byte, since they cost a writer of JSON more.
const FIRST: [&str; 8] = ["Aiko", "Bram", "Chloé", "\"Dee\"", "Emre", "Fatima", "健太", "Hana"];
const LAST: [&str; 8] = ["Abe", "de Boer", "Durand", "O'Neill", "Yılmaz", "Haddad", "佐藤", "Suzuki-Grünewald"];
const COUNTRIES: [&str; 8] = ["JP", "NL", "FR", "IE", "TR", "MA", "JP", "DE"];
const NOTES: [&str; 8] = [
    "prefers e-mail",
    "asked for an invoice, paid late",
    "back\\slash and \"quotes\"",
    "two\nlines",
    "",
    "moved to Osaka in March",
    "no calls before noon",
    "電話は午後にお願いします",
];
/// 2020-01-01T00:00:00Z
const FIRST_MICROS: i64 = 1_577_836_800_000_000;
const FIVE_YEARS_MICROS: u64 = 5 * 365 * 86_400 * 1_000_000;
/// NUMERIC has nine digits behind the point; a balance has two.
const UNITS_PER_CENT: i128 = 10_000_000;

/// Those with values; whatever follows is null.
const COLUMNS: usize = 11;

pub(super) fn schema(empty_columns: usize) -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let empty = (0..empty_columns).map(|n| Field::new(format!("column_{n:03}"), DataType::Int64, true));
    let columns = vec![
        Field::new("id", DataType::Int64, true),
        text("name"),
        text("email"),
        text("country"),
        Field::new("score", DataType::Float64, true),
        Field::new("balance", DataType::Decimal128(38, 9), true),
        Field::new("active", DataType::Boolean, true),
        Field::new("created", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        text("note"),
        text("isthmus_key"),
        Field::new("isthmus_shard", DataType::Int64, true),
    ];
    Arc::new(Schema::new(columns.into_iter().chain(empty).collect::<Vec<_>>()))
}

/// Of the values: BigQuery counts no null.
pub(super) fn bytes(batch: &RecordBatch) -> u64 {
    batch.columns()[..COLUMNS].iter().map(|column| column.get_array_memory_size() as u64).sum()
}

/// The rows with these ids.
pub(super) fn batch(schema: &SchemaRef, ids: &[u32], options: &Options) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<Row> = ids.iter().map(|id| Row::new(*id, options)).collect();
    let texts = |of: fn(&Row) -> String| StringArray::from_iter_values(rows.iter().map(of));
    let created = TimestampMicrosecondArray::from_iter_values(rows.iter().map(Row::created)).with_timezone("UTC");
    let balance = Decimal128Array::from_iter_values(rows.iter().map(Row::balance)).with_precision_and_scale(38, 9)?;
    let keys: Vec<Option<String>> = ids.iter().map(|id| (*id > 0).then(|| key(*id))).collect();
    let shards = keys.iter().map(|key| key.as_deref().map_or(0, |key| i64::from(shard(key, options.shards))));
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(ids.iter().map(|id| (*id > 0).then_some(i64::from(*id))).collect::<Int64Array>()),
        Arc::new(texts(Row::name)),
        Arc::new(texts(Row::email)),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| pick(&COUNTRIES, row.person)))),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(Row::score))),
        Arc::new(balance),
        Arc::new(rows.iter().map(|row| Some(row.state.is_multiple_of(3))).collect::<BooleanArray>()),
        Arc::new(created),
        Arc::new(rows.iter().map(|row| row.note(options.note_bytes)).collect::<StringArray>()),
        Arc::new(keys.iter().map(Option::as_deref).collect::<StringArray>()),
        Arc::new(Int64Array::from_iter_values(shards)),
    ];
    // One array for all of them.
    columns.resize(schema.fields().len(), new_null_array(&DataType::Int64, ids.len()));
    RecordBatch::try_new(Arc::clone(schema), columns)
}

struct Row {
    id: u32,
    /// What stays.
    person: u64,
    /// What a change changes.
    state: u64,
}

impl Row {
    fn new(id: u32, options: &Options) -> Self {
        let drawn = scramble(u64::from(id) ^ scramble(options.seed));
        let changed = options.seed != 0 && share(drawn) < options.changed;
        let state = if changed { scramble(drawn) } else { scramble(u64::from(id) << 32) };
        Self { id, person: scramble(u64::from(id)), state }
    }

    fn name(&self) -> String {
        format!("{} {}", pick(&FIRST, self.person), pick(&LAST, self.person >> 8))
    }

    fn email(&self) -> String {
        format!("{:06x}.{}@example.com", self.person >> 40, self.id)
    }

    fn score(&self) -> f64 {
        f64::from(low(self.state) % 100_000) / 1_000.0
    }

    fn balance(&self) -> i128 {
        (i128::from(low(self.state >> 16)) - (1 << 31)) * UNITS_PER_CENT
    }

    fn created(&self) -> i64 {
        FIRST_MICROS + i64::try_from(self.person % FIVE_YEARS_MICROS).unwrap_or(0)
    }

    fn note(&self, bytes: usize) -> Option<String> {
        (!self.state.is_multiple_of(16)).then(|| format!("{:<bytes$}", pick(&NOTES, self.state >> 24)))
    }
}

fn pick<'a>(words: &[&'a str; 8], drawn: u64) -> &'a str {
    words[usize::from(drawn.to_le_bytes()[0]) % words.len()]
}

fn low(drawn: u64) -> u32 {
    let [a, b, c, d, ..] = drawn.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// From 0 to 1.
fn share(drawn: u64) -> f64 {
    f64::from(low(drawn)) / f64::from(u32::MAX)
}

/// One step of `SplitMix64` (Steele, Lea and Flood, 2014): every bit of the input moves every bit of the output.
fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(seed: u64, changed: f64) -> RecordBatch {
        let ids: Vec<u32> = (1..=20_000).collect();
        batch(&schema(0), &ids, &Options { rows: 20_000, shards: 64, seed, changed, ..Options::default() }).unwrap()
    }

    /// How many rows differ.
    fn differing(one: &RecordBatch, other: &RecordBatch) -> usize {
        (0..one.num_rows()).filter(|n| one.slice(*n, 1) != other.slice(*n, 1)).count()
    }

    #[test]
    fn a_seed_changes_the_share_of_rows_that_was_asked_for_and_always_the_same() {
        let first = rows(0, 0.05);
        assert_eq!(differing(&first, &rows(0, 0.9)), 0, "seed 0 is the table that nothing has changed yet");
        let changed = differing(&first, &rows(7, 0.05));
        assert!((900..1_100).contains(&changed), "{changed} of 20,000");
        assert_eq!(differing(&rows(7, 0.05), &rows(7, 0.05)), 0);
        assert!(differing(&rows(7, 0.05), &rows(8, 0.05)) > 1_800);
        assert_eq!(differing(&first, &rows(7, 1.0)), 20_000);
    }
}
