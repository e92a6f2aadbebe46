//! Where BigQuery's types differ from what `arrow_json` would write by itself. BOOL, INT64 as a number, STRING,
//! GEOGRAPHY (its text), STRUCT, RANGE and ARRAY are as it does them.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float64Type, Int64Type, IntervalMonthDayNanoType,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_json::writer::NullableEncoder;
use arrow_json::{Encoder, EncoderFactory, EncoderOptions};
use arrow_schema::{ArrowError, DataType, Field, FieldRef};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Int64, civil_time, decimal, digits, interval};

#[derive(Debug)]
pub(super) struct BigQueryTypes {
    pub(super) int64: Int64,
}

impl EncoderFactory for BigQueryTypes {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let values = match array.data_type() {
            DataType::Int64 if self.int64 == Int64::String => quoted_integers(array),
            DataType::Utf8 if is_json(field) => embedded(array),
            DataType::Binary => base64(array),
            DataType::Float64 => floats(array),
            DataType::Decimal128(_, scale) => decimals(array, *scale),
            DataType::Decimal256(_, scale) => wide_decimals(array, *scale),
            DataType::Interval(_) => intervals(array),
            kind if kind.is_temporal() => return Ok(moments(array).map(|values| nullable(values, array))),
            _ => return Ok(None),
        };
        Ok(Some(nullable(values, array)))
    }
}

type Values<'a> = Box<dyn Encoder + 'a>;

fn nullable<'a>(values: Values<'a>, array: &'a dyn Array) -> NullableEncoder<'a> {
    NullableEncoder::new(values, array.nulls().cloned())
}

struct Each<F>(F);

impl<F: FnMut(usize, &mut Vec<u8>)> Encoder for Each<F> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        (self.0)(row, out);
    }
}

fn each<'a>(write: impl FnMut(usize, &mut Vec<u8>) + 'a) -> Values<'a> {
    Box::new(Each(write))
}

/// For an ARRAY, `field` is the list's field also when the values are asked for: that is where BigQuery puts the mark.
/// Other writers put it on the items.
fn is_json(field: &Field) -> bool {
    let marked = |field: &Field| field.extension_type_name() == Some("google:sqlType:json");
    marked(field) || matches!(field.data_type(), DataType::List(item) if marked(item))
}

/// BigQuery parsed it when it was stored, and sends it without white space.
fn embedded(array: &dyn Array) -> Values<'_> {
    let texts = array.as_string::<i32>();
    each(|row, out| out.extend_from_slice(texts.value(row).as_bytes()))
}

fn quoted_integers(array: &dyn Array) -> Values<'_> {
    let integers = array.as_primitive::<Int64Type>().values();
    each(|row, out| {
        out.push(b'"');
        digits::push_signed(integers[row], out);
        out.push(b'"');
    })
}

/// The shortest text that reads back as the same double. A row with another value than a number is refused before.
/// -0.0 equals 0.0 for BigQuery, which may answer either: plus zero makes one text of both, and changes nothing else.
fn floats(array: &dyn Array) -> Values<'_> {
    let floats = array.as_primitive::<Float64Type>().values();
    each(|row, out| serde_json::to_writer(out, &(floats[row] + 0.0)).expect("a vector takes every byte"))
}

fn base64(array: &dyn Array) -> Values<'_> {
    let bytes = array.as_binary::<i32>();
    each(|row, out| {
        let value = bytes.value(row);
        out.push(b'"');
        let start = out.len();
        out.resize(start + value.len().div_ceil(3) * 4, 0);
        STANDARD.encode_slice(value, &mut out[start..]).expect("four bytes for each three were made room for");
        out.push(b'"');
    })
}

fn decimals(array: &dyn Array, scale: i8) -> Values<'_> {
    let decimals = array.as_primitive::<Decimal128Type>().values();
    each(move |row, out| decimal::push(decimals[row], scale, out))
}

/// What fits into 128 bits, which nearly all do, is much quicker there.
fn wide_decimals(array: &dyn Array, scale: i8) -> Values<'_> {
    let decimals = array.as_primitive::<Decimal256Type>().values();
    each(move |row, out| match decimals[row].to_i128() {
        Some(narrow) => decimal::push(narrow, scale, out),
        None => decimal::push_text(&decimals[row].to_string(), scale, out),
    })
}

fn intervals(array: &dyn Array) -> Values<'_> {
    let intervals = array.as_primitive::<IntervalMonthDayNanoType>().values();
    each(|row, out| interval::push_quoted(intervals[row], out))
}

fn moments(array: &dyn Array) -> Option<Values<'_>> {
    Some(match array.data_type() {
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().values();
            each(|row, out| civil_time::push_date(days[row], out))
        }
        DataType::Time64(_) => {
            let micros = array.as_primitive::<Time64MicrosecondType>().values();
            each(|row, out| civil_time::push_time(micros[row], out))
        }
        DataType::Timestamp(_, None) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().values();
            each(|row, out| civil_time::push_datetime(micros[row], out))
        }
        // Whatever zone is named, the value itself counts from the epoch in UTC.
        DataType::Timestamp(_, Some(_)) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().values();
            each(|row, out| civil_time::push_timestamp(micros[row], out))
        }
        _ => return None,
    })
}
