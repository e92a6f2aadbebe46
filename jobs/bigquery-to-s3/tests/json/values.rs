//! Values at the edges of their types.

use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder, StringBuilder};
use arrow_array::{
    BinaryArray, Date32Array, Decimal256Array, Float64Array, Int64Array, ListArray, RecordBatch, RecordBatchOptions,
    StringArray, StructArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow_buffer::i256;
use arrow_schema::{DataType, Field, Schema};
use bigquery_to_s3::json::{Int64, JsonOptions, RowEncoder, RowFormat};
use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
use proptest::prelude::*;

use crate::batch::{JSON_MARK, batch, column, marked, rows, text, values, with_extension};

const DAY: i64 = 86_400_000_000;
const AS_TEXT: JsonOptions = JsonOptions { int64: Int64::String };

fn json_list(item_extension: Option<&str>) -> ListArray {
    let item = Field::new("item", DataType::Utf8, true);
    let item = item_extension.map_or(item.clone(), |extension| with_extension(item, extension));
    let mut list = ListBuilder::new(StringBuilder::new()).with_field(item);
    list.append_value([Some("{}"), Some("1")]);
    list.finish()
}

#[test]
fn an_integer_has_all_its_digits() {
    assert_eq!(
        values(Int64Array::from(vec![i64::MIN, 0, i64::MAX])),
        [i64::MIN.to_string(), "0".into(), i64::MAX.to_string()]
    );
}

#[test]
fn integers_as_strings_are_strings_in_arrays_and_structs_too() {
    let mut list = ListBuilder::new(Int64Builder::new());
    list.append_value([Some(1), Some(-2)]);
    let inner = StructArray::from(vec![(
        Arc::new(Field::new("n", DataType::Int64, true)),
        Arc::new(Int64Array::from(vec![i64::MIN])) as _,
    )]);
    let batch = batch([column("n", Int64Array::from(vec![7])), column("list", list.finish()), column("s", inner)]);
    assert_eq!(rows(&batch, &AS_TEXT), [r#"{"n":"7","list":["1","-2"],"s":{"n":"-9223372036854775808"}}"#]);
}

#[test]
fn a_float_is_the_shortest_text_that_reads_back_as_itself() {
    let cases = [
        (0.0, "0.0"),
        (1.0, "1.0"),
        (0.1, "0.1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e15, "1000000000000000.0"),
        (1e21, "1e+21"),
        (f64::MAX, "1.7976931348623157e+308"),
        (5e-324, "5e-324"),
        (1.0 / 3.0, "0.3333333333333333"),
    ];
    let written = values(Float64Array::from_iter_values(cases.map(|(number, _)| number)));
    assert_eq!(written, cases.map(|(_, text)| text));
}

#[test]
fn a_zero_is_one_value_whatever_its_sign() {
    assert_eq!(values(Float64Array::from(vec![0.0, -0.0])), ["0.0", "0.0"]);
    assert_eq!(values(Float64Array::from(vec![-5e-324, -1.0])), ["-5e-324", "-1.0"]);
}

proptest! {
    #[test]
    fn every_double_but_minus_zero_reads_back_with_all_its_bits(
        number in POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO,
    ) {
        let text = &values(Float64Array::from(vec![number]))[0];
        let expected = if number == 0.0 { 0.0 } else { number };
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), f64::to_bits(expected));
        let digits = |text: &str| text.split('e').next().unwrap().replace(['.', '-'], "").trim_matches('0').len();
        prop_assert_eq!(digits(text), digits(&format!("{number:e}")), "{} is not the shortest", text);
    }
}

proptest! {
    #[test]
    fn texts_of_dates_and_moments_sort_as_their_values(
        mut micros in proptest::collection::vec(-719_162 * DAY..2_932_897 * DAY, 2..20),
    ) {
        micros.sort_unstable();
        let days = micros.iter().map(|micros| i32::try_from(micros.div_euclid(DAY)).unwrap());
        prop_assert!(values(Date32Array::from_iter_values(days)).is_sorted());
        prop_assert!(values(TimestampMicrosecondArray::from(micros.clone())).is_sorted());
        prop_assert!(values(TimestampMicrosecondArray::from(micros.clone()).with_timezone("UTC")).is_sorted());
        let mut times: Vec<i64> = micros.iter().map(|micros| micros.rem_euclid(DAY)).collect();
        times.sort_unstable();
        prop_assert!(values(Time64MicrosecondArray::from(times)).is_sorted());
    }
}

#[test]
fn a_bignumeric_keeps_every_digit_at_both_ends_of_its_range() {
    let largest = i256::from_string(&"9".repeat(76)).unwrap();
    let array = Decimal256Array::from(vec![largest, -largest, i256::from_i128(10_i128.pow(38)), i256::ZERO]);
    let ends = format!("{0}.{0}", "9".repeat(38));
    let expected = [format!("\"{ends}\""), format!("\"-{ends}\""), "\"1\"".into(), "\"0\"".into()];
    assert_eq!(values(array.with_precision_and_scale(76, 38).unwrap()), expected);
}

#[test]
fn a_string_is_escaped_only_where_json_demands_it() {
    let array = StringArray::from(vec!["\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}é語😀\u{2028}"]);
    assert_eq!(values(array), ["\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\u{7f}é語😀\u{2028}\""]);
}

#[test]
fn bytes_are_padded_standard_base64() {
    let array = BinaryArray::from(vec![b"".as_slice(), b"\xff", b"\xff\xfe", b"\xff\xfe\xfd"]);
    assert_eq!(values(array), [r#""""#, r#""/w==""#, r#""//4=""#, r#""//79""#]);
}

#[test]
fn json_is_embedded_wherever_its_mark_is() {
    let plain = column("plain", StringArray::from(vec!["{}"]));
    let on_list = marked("on_list", json_list(None), JSON_MARK);
    let on_item = column("on_item", json_list(Some(JSON_MARK)));
    let unmarked = column("unmarked", json_list(None));
    let expected = r#"{"plain":"{}","on_list":[{},1],"on_item":[{},1],"unmarked":["{}","1"]}"#;
    assert_eq!(rows(&batch([plain, on_list, on_item, unmarked]), &JsonOptions::default()), [expected]);
}

#[test]
fn rows_of_several_batches_come_in_any_order_and_always_the_same() {
    let (left, right) = (Int64Array::from(vec![10, 11, 12]), Int64Array::from(vec![20, 21, 22]));
    let (left, right) = (batch([column("n", left)]), batch([column("n", right.slice(1, 2))]));
    let format = RowFormat::new(&JsonOptions::default());
    let mut encoders = [RowEncoder::new(&left, &format).unwrap(), RowEncoder::new(&right, &format).unwrap()];
    let order = [(1, 1), (0, 2), (1, 0), (0, 0), (1, 1)];
    let found = order.map(|(of, row)| text(&mut encoders[of], row));
    assert_eq!(found, [r#"{"n":22}"#, r#"{"n":12}"#, r#"{"n":21}"#, r#"{"n":10}"#, r#"{"n":22}"#]);
}

#[test]
fn a_row_without_columns_is_an_empty_object() {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options).unwrap();
    assert_eq!(rows(&batch, &JsonOptions::default()), ["{}"]);
}
