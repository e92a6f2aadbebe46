//! What the footers say about a column for nothing: how many nulls, the smallest and the largest value. A value that is
//! told is exact; whatever may not be is left out, because a load is compared with it.

use std::cmp::Ordering;

use parquet::basic::{ColumnOrder, SortOrder};
use parquet::data_type::AsBytes;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::{Statistics, ValueStatistics};

use crate::parquet_type::Kind;
use crate::value_text::text;

/// A longer value is left out: two of each column stand in the manifest and in memory.
const LONGEST_VALUE: usize = 256;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnStatistics {
    nulls: Option<u64>,
    min: Extreme,
    max: Extreme,
}

/// One end of the values seen so far.
#[derive(Debug, Clone, PartialEq)]
enum Extreme {
    /// Not one value was seen.
    NoValue,
    Exactly(Value),
    /// Something was seen that does not tell its end.
    Unknown,
}

/// All values of a column are of the same variant.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(crate) enum Value {
    Number(i128),
    Float(f64),
    Bytes(Vec<u8>),
}

impl ColumnStatistics {
    /// Of no rows.
    pub(crate) const NONE: Self = Self { nulls: Some(0), min: Extreme::NoValue, max: Extreme::NoValue };
    pub(crate) const UNKNOWN: Self = Self { nulls: None, min: Extreme::Unknown, max: Extreme::Unknown };

    /// What a column chunk of `rows` rows, none of them a list, says about itself.
    pub(crate) fn of_chunk(kind: &Kind, order: ColumnOrder, chunk: &ColumnChunkMetaData, rows: u64) -> Self {
        let Some(told) = chunk.statistics().filter(|_| rows > 0) else {
            return if rows == 0 { Self::NONE } else { Self::UNKNOWN };
        };
        let nulls = told.null_count_opt().filter(|nulls| *nulls <= rows);
        let fixed_length = usize::try_from(chunk.column_descr().type_length()).unwrap_or_default();
        let (min, max) = if is_ordered(kind, order, told) { ends(kind, fixed_length, told) } else { (None, None) };
        if nulls == Some(rows) && (&min, &max) == (&None, &None) {
            return Self { nulls, ..Self::NONE };
        }
        // A writer that compared in another order than it says gives itself away.
        if matches!((&min, &max), (Some(min), Some(max)) if min > max) {
            return Self { nulls, ..Self::UNKNOWN };
        }
        let extreme = |end: Option<Value>| end.map_or(Extreme::Unknown, Extreme::Exactly);
        Self { nulls, min: extreme(min), max: extreme(max) }
    }

    /// More rows of the same column.
    pub(crate) fn add(&mut self, more: Self) {
        self.nulls = self.nulls.zip(more.nulls).and_then(|(some, more)| some.checked_add(more));
        self.min.add(more.min, Ordering::Less);
        self.max.add(more.max, Ordering::Greater);
    }

    pub(crate) fn told(&self, kind: &Kind) -> handoff::Statistics {
        let told = |extreme: &Extreme| match extreme {
            Extreme::Exactly(value) => text(kind, value),
            Extreme::NoValue | Extreme::Unknown => None,
        };
        handoff::Statistics { nulls: self.nulls, min: told(&self.min), max: told(&self.max) }
    }
}

impl Extreme {
    fn add(&mut self, more: Self, beyond: Ordering) {
        let replaced = match (&*self, &more) {
            (Self::Unknown, _) | (_, Self::NoValue) => false,
            (Self::NoValue, _) | (_, Self::Unknown) => true,
            (Self::Exactly(one), Self::Exactly(other)) => other.partial_cmp(one) == Some(beyond),
        };
        if replaced {
            *self = more;
        }
    }
}

/// Whether the ends were found in the order in which a reader compares. Without a column order, `min_value` and
/// `max_value` mean nothing; the old `min` and `max` were always compared as signed numbers.
/// <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>, `ColumnOrder`
fn is_ordered(kind: &Kind, order: ColumnOrder, told: &Statistics) -> bool {
    match order {
        ColumnOrder::TYPE_DEFINED_ORDER(SortOrder::UNDEFINED) => false,
        ColumnOrder::TYPE_DEFINED_ORDER(_) => !told.is_min_max_deprecated() || is_signed_number(kind, told),
        ColumnOrder::IEEE_754_TOTAL_ORDER => !told.is_min_max_deprecated(),
        ColumnOrder::UNDEFINED => told.is_min_max_deprecated() && is_signed_number(kind, told),
        _ => false,
    }
}

fn is_signed_number(kind: &Kind, told: &Statistics) -> bool {
    let unsigned = matches!(kind, Kind::Integer { signed: false, .. } | Kind::Other(_));
    matches!(told, Statistics::Int32(_) | Statistics::Int64(_)) && !unsigned
}

fn ends(kind: &Kind, fixed_length: usize, told: &Statistics) -> (Option<Value>, Option<Value>) {
    let unsigned = matches!(kind, Kind::Integer { signed: false, .. });
    match told {
        _ if matches!(kind, Kind::Other(_)) => (None, None),
        Statistics::Boolean(told) => both(told, |bit, _| Some(Value::Number((*bit).into()))),
        Statistics::Int32(told) if unsigned => both(told, |n, _| Some(Value::Number(n.cast_unsigned().into()))),
        Statistics::Int64(told) if unsigned => both(told, |n, _| Some(Value::Number(n.cast_unsigned().into()))),
        Statistics::Int32(told) => both(told, |n, _| Some(Value::Number((*n).into()))),
        Statistics::Int64(told) => both(told, |n, _| Some(Value::Number((*n).into()))),
        // Writers leave a NaN out of min and max, and BigQuery's MIN and MAX are NaN where there is one.
        Statistics::Float(told) if told.nan_count_opt() == Some(0) => {
            both(told, |number, is_exact| is_exact.then(|| float((*number).into())))
        }
        Statistics::Double(told) if told.nan_count_opt() == Some(0) => {
            both(told, |number, is_exact| is_exact.then(|| float(*number)))
        }
        Statistics::ByteArray(told) => both(told, |bytes, is_exact| whole(kind, bytes.as_bytes()).filter(|_| is_exact)),
        // Writers mark what they did not cut. RDS's may be older than that mark, but what was cut is shorter.
        Statistics::FixedLenByteArray(told) => both(told, |bytes, is_exact| {
            whole(kind, bytes.as_bytes()).filter(|_| is_exact || bytes.as_bytes().len() == fixed_length)
        }),
        Statistics::Float(_) | Statistics::Double(_) | Statistics::Int96(_) => (None, None),
    }
}

fn both<T>(told: &ValueStatistics<T>, value: impl Fn(&T, bool) -> Option<Value>) -> (Option<Value>, Option<Value>) {
    let min = told.min_opt().and_then(|min| value(min, told.min_is_exact()));
    (min, told.max_opt().and_then(|max| value(max, told.max_is_exact())))
}

/// Zero is zero: writers put -0 for a smallest and 0 for a largest zero.
fn float(number: f64) -> Value {
    Value::Float(number + 0.0)
}

fn whole(kind: &Kind, bytes: &[u8]) -> Option<Value> {
    match kind {
        Kind::Decimal { .. } => number(bytes).map(Value::Number),
        _ => (bytes.len() <= LONGEST_VALUE).then(|| Value::Bytes(bytes.to_vec())),
    }
}

/// Two's complement, the highest byte first. `None` where 128 bits do not hold it.
fn number(bytes: &[u8]) -> Option<i128> {
    let sign = if bytes.first()? & 0x80 == 0 { 0 } else { 0xff };
    let mut wide = [sign; 16];
    let at = wide.len().checked_sub(bytes.len())?;
    wide[at..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

#[cfg(test)]
mod tests;
