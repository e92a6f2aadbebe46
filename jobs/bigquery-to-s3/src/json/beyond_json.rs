//! Values that JSON, or the text of a date, cannot hold. `arrow_json` would write null for NaN and say nothing.
//!
//! Each column of a batch is scanned once, when its encoder is made, which costs about a nanosecond a value. Rows of a
//! clean batch, and nearly all are clean, are then not looked at again.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Time64MicrosecondType, TimestampMicrosecondType};
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_schema::DataType;

use super::NotRepresentable;

const DAY: i64 = 86_400_000_000;
/// The years 1 to 9999: all that BigQuery has.
const DAYS: Range<i32> = -719_162..2_932_897;
const MICROS: Range<i64> = -719_162 * DAY..2_932_897 * DAY;

/// The slots of NULLs count too: a false alarm costs only time.
pub(super) fn may_be_in(array: &dyn Array) -> bool {
    match array.data_type() {
        DataType::Struct(_) => array.as_struct().columns().iter().any(|column| may_be_in(column)),
        DataType::List(_) => may_be_in(array.as_list::<i32>().values()),
        _ => first_in(array, 0..array.len()).is_some(),
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
            let items = list.value(row);
            (0..items.len()).find_map(|item| find(&items, item))
        }
        _ => Some((String::new(), first_in(array, row..row + 1)?)),
    }
}

fn first_in(array: &dyn Array, rows: Range<usize>) -> Option<&'static str> {
    match array.data_type() {
        DataType::Float64 => first::<Float64Type>(array, rows, not_finite),
        DataType::Date32 => first::<Date32Type>(array, rows, |days| {
            (!DAYS.contains(&days)).then_some("a date outside the years 1 to 9999")
        }),
        DataType::Timestamp(..) => first::<TimestampMicrosecondType>(array, rows, |micros| {
            (!MICROS.contains(&micros)).then_some("a moment outside the years 1 to 9999")
        }),
        DataType::Time64(_) => first::<Time64MicrosecondType>(array, rows, |micros| {
            (!(0..DAY).contains(&micros)).then_some("a time outside the day")
        }),
        _ => None,
    }
}

fn first<T: ArrowPrimitiveType>(
    array: &dyn Array,
    rows: Range<usize>,
    wrong: impl Fn(T::Native) -> Option<&'static str>,
) -> Option<&'static str> {
    array.as_primitive::<T>().values()[rows].iter().find_map(|value| wrong(*value))
}

fn not_finite(number: f64) -> Option<&'static str> {
    match number {
        _ if number.is_finite() => None,
        _ if number.is_nan() => Some("NaN"),
        _ if number > 0.0 => Some("Infinity"),
        _ => Some("-Infinity"),
    }
}
