//! What is refused: a value costs its row, a column the whole query.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, ListBuilder};
use arrow_array::{
    Array, ArrayRef, Date32Array, Float64Array, Int32Array, Int64Array, ListArray, NullArray, StringArray, StructArray,
    TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields};
use bigquery_to_s3::json::{JsonOptions, RowEncoder, RowFormat};

use crate::batch::{batch, column};

/// What each row of the column gives: its JSON, or why not. `out` must be as it was after a refusal.
fn outcomes(name: &str, array: impl Array + 'static) -> Vec<String> {
    let batch =
        batch([column("id", Int64Array::from_iter_values(0..array.len().try_into().unwrap())), column(name, array)]);
    let format = RowFormat::new(&JsonOptions::default());
    let mut encoder = RowEncoder::new(&batch, &format).unwrap();
    let mut outcome = |row| {
        let mut out = b"before".to_vec();
        match encoder.encode(row, &mut out) {
            Ok(()) => String::from_utf8(out.split_off(6)).unwrap(),
            Err(refused) => {
                assert_eq!(out, b"before");
                refused.to_string()
            }
        }
    };
    (0..batch.num_rows()).map(&mut outcome).collect()
}

fn refused_column(columns: &[(Field, ArrayRef)]) -> String {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.iter().cloned().unzip();
    let schema = Arc::new(arrow_schema::Schema::new(fields));
    let batch = arrow_array::RecordBatch::try_new(schema, arrays).unwrap();
    let format = RowFormat::new(&JsonOptions::default());
    RowEncoder::new(&batch, &format).err().unwrap().to_string()
}

fn struct_of(field: Field, values: ArrayRef, nulls: Option<NullBuffer>) -> StructArray {
    StructArray::new(Fields::from(vec![field]), vec![values], nulls)
}

#[test]
fn a_number_that_is_none_refuses_its_row_and_no_other() {
    let array = Float64Array::from(vec![Some(1.5), Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY), None]);
    let expected = [
        r#"{"id":0,"ratio":1.5}"#,
        "column ratio holds NaN, which JSON cannot",
        "column ratio holds Infinity, which JSON cannot",
        "column ratio holds -Infinity, which JSON cannot",
        r#"{"id":4,"ratio":null}"#,
    ];
    assert_eq!(outcomes("ratio", array), expected);
}

#[test]
fn a_refusal_names_the_column_by_its_path() {
    let prices: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, f64::NAN]));
    let lines = struct_of(Field::new("price", DataType::Float64, true), prices, None);
    let item = Arc::new(Field::new("item", lines.data_type().clone(), true));
    let lines = ListArray::new(item, OffsetBuffer::from_lengths([1, 2, 0]), Arc::new(lines), None);
    let order = struct_of(Field::new("lines", lines.data_type().clone(), true), Arc::new(lines), None);
    let expected = [
        r#"{"id":0,"order":{"lines":[{"price":1.0}]}}"#,
        "column order.lines.price holds NaN, which JSON cannot",
        r#"{"id":2,"order":{"lines":[]}}"#,
    ];
    assert_eq!(outcomes("order", order), expected);
}

#[test]
fn what_lies_below_a_null_refuses_nothing() {
    let ratios: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, 2.0]));
    let nulls = NullBuffer::from(vec![false, true]);
    let array = struct_of(Field::new("ratio", DataType::Float64, true), ratios, Some(nulls));
    assert_eq!(outcomes("s", array), [r#"{"id":0,"s":null}"#, r#"{"id":1,"s":{"ratio":2.0}}"#]);
}

#[test]
fn an_infinity_in_an_array_is_found_after_a_slice_too() {
    let mut list = ListBuilder::new(Float64Builder::new());
    list.append_value([Some(f64::INFINITY)]);
    list.append_value([Some(1.0)]);
    list.append_value([None, Some(f64::INFINITY)]);
    let expected = [r#"{"id":0,"v":[1.0]}"#, "column v holds Infinity, which JSON cannot"];
    assert_eq!(outcomes("v", list.finish().slice(1, 2)), expected);
}

#[test]
fn years_that_bigquery_does_not_have_are_refused() {
    let dates = outcomes("d", Date32Array::from(vec![-719_163, -719_162, 2_932_896, 2_932_897, i32::MIN]));
    let beyond = "column d holds a date outside the years 1 to 9999, which JSON cannot";
    assert_eq!(dates, [beyond, r#"{"id":1,"d":"0001-01-01"}"#, r#"{"id":2,"d":"9999-12-31"}"#, beyond, beyond]);

    let moments = outcomes("t", TimestampMicrosecondArray::from(vec![i64::MIN, i64::MAX]).with_timezone("UTC"));
    assert_eq!(moments, ["column t holds a moment outside the years 1 to 9999, which JSON cannot"; 2]);
}

#[test]
fn a_column_of_another_type_is_refused_by_name() {
    let nanos = TimestampNanosecondArray::from(vec![1]);
    let inner = struct_of(Field::new("at", nanos.data_type().clone(), true), Arc::new(nanos), None);
    let expected = "column seen.at cannot be written as JSON: its Arrow type is Timestamp(ns)";
    assert_eq!(refused_column(&[column("seen", inner)]), expected);
    for other in [column("v", Int32Array::from(vec![1])), column("v", NullArray::new(1))] {
        assert!(refused_column(&[other]).starts_with("column v cannot be written as JSON: its Arrow type is "));
    }
}

#[test]
fn names_that_make_no_good_object_are_refused() {
    let one = || column("a", Int64Array::from(vec![1]));
    let twice = "column a cannot be written as JSON: another column has the same name";
    assert_eq!(refused_column(&[one(), column("b", StringArray::from(vec!["x"])), one()]), twice);

    let anonymous = struct_of(Field::new("", DataType::Int64, true), one().1, None);
    let nameless = "column s. cannot be written as JSON: it has no name";
    assert_eq!(refused_column(&[column("s", anonymous)]), nameless);
}
