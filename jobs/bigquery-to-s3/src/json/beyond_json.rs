//! Values that JSON, or the text of a date, cannot hold. `arrow_json` would write null for NaN and say nothing.
//!
//! It is asked of each row when it is rendered, and of no other: a shard takes few rows of each batch, so a scan of
//! whole columns would be made again for every shard.

use std::ops::Range;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Time64MicrosecondType, TimestampMicrosecondType};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;

use super::NotRepresentable;

const DAY: i64 = 86_400_000_000;
/// The years 1 to 9999: all that BigQuery has.
const DAYS: Range<i32> = -719_162..2_932_897;
const MICROS: Range<i64> = -719_162 * DAY..2_932_897 * DAY;
const NO_DATE: &str = "a date outside the years 1 to 9999";
const NO_MOMENT: &str = "a moment outside the years 1 to 9999";
const NO_TIME: &str = "a time outside the day";

/// Whether such a value can be in a column of this type.
pub(super) fn can_be_in(kind: &DataType) -> bool {
    match kind {
        DataType::Struct(fields) => fields.iter().any(|field| can_be_in(field.data_type())),
        DataType::List(item) => can_be_in(item.data_type()),
        DataType::Float64 | DataType::Date32 | DataType::Time64(_) | DataType::Timestamp(..) => true,
        _ => false,
    }
}

/// Names the column by its path from `column` down.
pub(super) fn refuse(column: &str, array: &dyn Array, row: usize) -> Result<(), NotRepresentable> {
    match find(array, row) {
        None => Ok(()),
        Some((path, value)) => Err(NotRepresentable { column: format!("{column}{path}"), value }),
    }
}

/// The path begins with a dot, or is empty where `array` itself holds the value.
fn find(array: &dyn Array, row: usize) -> Option<(String, &'static str)> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Struct(fields) => fields.iter().zip(array.as_struct().columns()).find_map(|(field, column)| {
            let (path, value) = find(column, row)?;
            Some((format!(".{}{path}", field.name()), value))
        }),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offsets = list.offsets();
            (offsets[row].as_usize()..offsets[row + 1].as_usize()).find_map(|item| find(list.values(), item))
        }
        _ => Some((String::new(), wrong_at(array, row)?)),
    }
}

fn wrong_at(array: &dyn Array, row: usize) -> Option<&'static str> {
    match array.data_type() {
        DataType::Float64 => not_finite(array.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => outside(&DAYS, array.as_primitive::<Date32Type>().value(row), NO_DATE),
        DataType::Timestamp(..) => {
            outside(&MICROS, array.as_primitive::<TimestampMicrosecondType>().value(row), NO_MOMENT)
        }
        DataType::Time64(_) => outside(&(0..DAY), array.as_primitive::<Time64MicrosecondType>().value(row), NO_TIME),
        _ => None,
    }
}

fn outside<T: PartialOrd + Copy>(range: &Range<T>, value: T, problem: &'static str) -> Option<&'static str> {
    (!range.contains(&value)).then_some(problem)
}

fn not_finite(number: f64) -> Option<&'static str> {
    match number {
        _ if number.is_finite() => None,
        _ if number.is_nan() => Some("NaN"),
        _ if number > 0.0 => Some("Infinity"),
        _ => Some("-Infinity"),
    }
}
