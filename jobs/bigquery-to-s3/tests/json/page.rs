//! The example of the page is a test, and each promise names one.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::types::IntervalMonthDayNano;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array, Float64Array, Int64Array,
    IntervalMonthDayNanoArray, RecordBatch, StringArray, StructArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow_buffer::i256;
use arrow_schema::{DataType, Field};
use bigquery_to_s3::json::JsonOptions;

use crate::batch::{JSON_MARK, batch, column, marked, rows};

const PAGE: &str = include_str!("../../../../docs/spec/json.md");
/// 2026-11-25T04:05:06.123456Z
const MOMENT: i64 = 1_795_579_506_123_456;

/// The block marked `json`; its line breaks and indents are for people only.
fn example() -> String {
    let block = PAGE.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    block.lines().map(str::trim).collect()
}

fn strings(items: &[&str]) -> impl arrow_array::Array + 'static {
    let mut list = ListBuilder::new(StringBuilder::new());
    list.append_value(items.iter().map(Some));
    list.finish()
}

fn address() -> StructArray {
    let field = |name: &str| Arc::new(Field::new(name, DataType::Utf8, true));
    let zip: ArrayRef = Arc::new(StringArray::from(vec!["100-0001"]));
    let note: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
    StructArray::from(vec![(field("zip"), zip), (field("note"), note)])
}

fn booked() -> StructArray {
    let field = |name: &str| Arc::new(Field::new(name, DataType::Date32, true));
    let start: ArrayRef = Arc::new(Date32Array::from(vec![20_782]));
    let end: ArrayRef = Arc::new(Date32Array::from(vec![None]));
    StructArray::from(vec![(field("start"), start), (field("end"), end)])
}

fn one_of_each() -> RecordBatch {
    let numeric = Decimal128Array::from(vec![1_500_000_000]).with_precision_and_scale(38, 9).unwrap();
    let tiny = Decimal256Array::from(vec![i256::from_i128(-1)]).with_precision_and_scale(76, 38).unwrap();
    let interval = IntervalMonthDayNano::new(14, 3, 14_706_789_000_000);
    batch([
        column("int64", Int64Array::from(vec![42])),
        column("float64", Float64Array::from(vec![0.1])),
        column("numeric", numeric),
        column("bignumeric", tiny),
        column("bool", BooleanArray::from(vec![true])),
        column("string", StringArray::from(vec!["say \"hi\" / 今日は"])),
        column("bytes", BinaryArray::from(vec![b"\xfb\xff\x00\x01".as_slice()])),
        column("date", Date32Array::from(vec![20_782])),
        column("time", Time64MicrosecondArray::from(vec![14_706_123_456])),
        marked("datetime", TimestampMicrosecondArray::from(vec![MOMENT]), "google:sqlType:datetime"),
        column("timestamp", TimestampMicrosecondArray::from(vec![MOMENT]).with_timezone("UTC")),
        marked("geography", StringArray::from(vec!["POINT(139.7 35.6)"]), "google:sqlType:geography"),
        marked("json", StringArray::from(vec![r#"{"a":[1,null]}"#]), JSON_MARK),
        column("interval", IntervalMonthDayNanoArray::from(vec![interval])),
        column("range", booked()),
        column("struct", address()),
        column("array", strings(&["x", "y"])),
        column("empty_array", strings(&[])),
        column("null", StringArray::from(vec![None::<&str>])),
    ])
}

#[test]
fn the_example_of_the_page_is_what_is_written() {
    assert_eq!(rows(&one_of_each(), &JsonOptions::default()), [example()]);
}

#[test]
fn a_null_of_every_type_is_written_out() {
    let schema = one_of_each().schema();
    let nulls = schema.fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
    let batch = RecordBatch::try_new(schema.clone(), nulls).unwrap();
    let expected: Vec<String> = schema.fields().iter().map(|field| format!(r#""{}":null"#, field.name())).collect();
    assert_eq!(rows(&batch, &JsonOptions::default()), [format!("{{{}}}", expected.join(","))]);
}

#[test]
fn each_promise_of_the_page_names_a_test_that_exists() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["tests/json", "src/json"].map(|folder| here.join(folder).read_dir().unwrap());
    let files = files.into_iter().flatten().map(|entry| entry.unwrap().path());
    let code: String = files
        .filter(|file| file.extension().unwrap() == "rs")
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let promises = PAGE.split("| promise | test |").nth(1).unwrap().split("\n\n").next().unwrap();
    let promises: Vec<&str> = promises.lines().skip(2).map(|line| line.split('|').nth(2).unwrap()).collect();
    assert!(promises.len() > 5);
    for named in promises {
        for test in named.split(',') {
            let name = test.trim().trim_matches('`');
            assert!(code.contains(&format!("fn {name}(")), "the page names {test}, which is no test");
        }
    }
}
