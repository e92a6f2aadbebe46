//! What parts say together is what their values say, or nothing.

use std::sync::Arc;

use arrow_array::types::Decimal128Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int64Array, PrimitiveArray,
    RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use parquet::arrow::ArrowWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescriptor;
use proptest::prelude::*;

use super::*;
use crate::footer::{self, PartColumn};

type Told = (Option<u64>, Option<String>, Option<String>);

fn part(columns: &[ArrayRef], properties: WriterProperties) -> Vec<PartColumn> {
    let names = (0_u8..).map(|place| char::from(b'a' + place).to_string());
    let batch = RecordBatch::try_from_iter_with_nullable(
        names.zip(columns).map(|(name, column)| (name, Arc::clone(column), true)),
    );
    let batch = batch.unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    footer::of_file(&writer.into_inner().unwrap()).columns
}

fn together(parts: Vec<Vec<PartColumn>>) -> Vec<Told> {
    let mut parts = parts.into_iter();
    let mut columns = parts.next().unwrap();
    for part in parts {
        for (column, more) in columns.iter_mut().zip(part) {
            column.statistics.add(more.statistics);
        }
    }
    let told = columns.iter().map(|column| column.statistics.told(&column.kind));
    told.map(|told| (told.nulls, told.min, told.max)).collect()
}

/// One row, a value for each type; the second `f64` may be NaN.
type Row = (
    (Option<i64>, Option<u32>, Option<u64>, Option<i128>, Option<bool>),
    (Option<f64>, Option<f32>, Option<f64>, Option<String>, Option<Vec<u8>>),
    (Option<i64>, Option<i32>),
);

fn row() -> impl Strategy<Value = Row> {
    let opt = |s: BoxedStrategy<i64>| proptest::option::weighted(0.8, s);
    let some = 0.8;
    let finite = proptest::num::f64::NORMAL | proptest::num::f64::ZERO;
    (
        (
            opt(any::<i64>().boxed()),
            proptest::option::weighted(some, any::<u32>()),
            proptest::option::weighted(some, any::<u64>()),
            proptest::option::weighted(some, -10_i128.pow(20) + 1..10_i128.pow(20)),
            proptest::option::weighted(some, any::<bool>()),
        ),
        (
            proptest::option::weighted(some, finite),
            proptest::option::weighted(some, proptest::num::f32::NORMAL | proptest::num::f32::ZERO),
            proptest::option::weighted(some, prop_oneof![9 => -1e9..1e9, 1 => Just(f64::NAN)]),
            proptest::option::weighted(some, "\\PC{0,12}"),
            proptest::option::weighted(some, proptest::collection::vec(any::<u8>(), 0..12)),
        ),
        (
            opt((-62_135_596_800_000_000..253_402_300_800_000_000_i64).boxed()),
            proptest::option::weighted(some, -719_162..2_932_897),
        ),
    )
}

fn arrays(rows: &[Row]) -> Vec<ArrayRef> {
    let decimals: PrimitiveArray<Decimal128Type> = rows.iter().map(|row| row.0.3).collect();
    vec![
        Arc::new(rows.iter().map(|row| row.0.0).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.0.1).collect::<UInt32Array>()),
        Arc::new(rows.iter().map(|row| row.0.2).collect::<UInt64Array>()),
        Arc::new(decimals.with_precision_and_scale(20, 2).unwrap()),
        Arc::new(rows.iter().map(|row| row.0.4).collect::<BooleanArray>()),
        Arc::new(rows.iter().map(|row| row.1.0).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|row| row.1.1).collect::<Float32Array>()),
        Arc::new(rows.iter().map(|row| row.1.2).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|row| row.1.3.as_deref()).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.1.4.as_deref()).collect::<BinaryArray>()),
        Arc::new(rows.iter().map(|row| row.2.0).collect::<TimestampMicrosecondArray>()),
        Arc::new(rows.iter().map(|row| row.2.1).collect::<Date32Array>()),
    ]
}

/// Found in the values themselves, with text made here: none of the code that is tested.
fn expected(rows: &[Row]) -> Vec<Told> {
    fn ends<T: PartialOrd>(rows: &[Row], of: impl Fn(&Row) -> &Option<T>, text: impl Fn(&T) -> String) -> Told {
        let some = || rows.iter().filter_map(|row| of(row).as_ref());
        let min = some().reduce(|best, value| if value < best { value } else { best });
        let max = some().reduce(|best, value| if value > best { value } else { best });
        (Some((rows.len() - some().count()) as u64), min.map(&text), max.map(&text))
    }
    let hundredths = |unscaled: &i128| {
        let sign = if *unscaled < 0 { "-" } else { "" };
        format!("{sign}{}.{:02}", unscaled.abs() / 100, unscaled.abs() % 100)
    };
    let number = |number: f64| if number == 0.0 { "0.0".to_owned() } else { format!("{number:?}") };
    let since_epoch = |micros: &i64| {
        let at = chrono::DateTime::from_timestamp_micros(*micros).unwrap();
        at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
    };
    let day = |days: &i32| (chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days((*days).into())).date_naive();
    let mut with_nan = ends(rows, |row| &row.1.2, |x| number(*x));
    if rows.iter().any(|row| row.1.2.is_some_and(f64::is_nan)) {
        with_nan = (with_nan.0, None, None);
    }
    vec![
        ends(rows, |row| &row.0.0, ToString::to_string),
        ends(rows, |row| &row.0.1, ToString::to_string),
        ends(rows, |row| &row.0.2, ToString::to_string),
        ends(rows, |row| &row.0.3, hundredths),
        ends(rows, |row| &row.0.4, ToString::to_string),
        ends(rows, |row| &row.1.0, |x| number(*x)),
        ends(rows, |row| &row.1.1, |x| number(f64::from(*x))),
        with_nan,
        ends(rows, |row| &row.1.3, Clone::clone),
        ends(rows, |row| &row.1.4, |bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        ends(rows, |row| &row.2.0, since_epoch),
        ends(rows, |row| &row.2.1, |days| day(days).to_string()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn parts_say_together_what_their_values_say(
        parts in proptest::collection::vec(proptest::collection::vec(row(), 0..9), 1..4),
    ) {
        let small_groups = || WriterProperties::builder().set_max_row_group_row_count(Some(3)).build();
        let footers = parts.iter().map(|rows| part(&arrays(rows), small_groups())).collect();
        prop_assert_eq!(together(footers), expected(&parts.concat()));
    }
}

#[test]
fn one_part_that_says_nothing_silences_the_column_but_not_its_neighbours() {
    let column = || Arc::new(Int64Array::from(vec![Some(1), None])) as ArrayRef;
    let silent = WriterProperties::builder().set_column_statistics_enabled("a".into(), EnabledStatistics::None);
    let parts = vec![
        part(&[column(), column()], WriterProperties::default()),
        part(&[column(), column()], silent.build()),
        part(&[column(), column()], WriterProperties::default()),
    ];
    let one = || Some("1".to_owned());
    assert_eq!(together(parts), [(None, None, None), (Some(3), one(), one())]);
}

#[test]
fn a_text_that_the_writer_cut_or_that_is_too_long_is_left_out() {
    let told = |longest: &str, cut_at| {
        let column = Arc::new(StringArray::from(vec!["b", longest])) as ArrayRef;
        let properties = WriterProperties::builder().set_statistics_truncate_length(cut_at).build();
        let (_, min, max) = together(vec![part(&[column], properties)]).remove(0);
        (min, max.map(|max| max.len()))
    };
    let smallest = || Some("b".to_owned());
    assert_eq!(told(&"z".repeat(65), Some(64)), (smallest(), None));
    assert_eq!(told(&"z".repeat(64), Some(64)), (smallest(), Some(64)));
    assert_eq!(told(&"z".repeat(LONGEST_VALUE), None), (smallest(), Some(LONGEST_VALUE)));
    assert_eq!(told(&"z".repeat(LONGEST_VALUE + 1), None), (smallest(), None));
}

/// What one chunk of ten rows tells, whose writer said this.
fn of_chunk(field: &str, order: Option<ColumnOrder>, said: Statistics) -> Told {
    let schema = parse_message_type(&format!("message m {{ optional {field}; }}")).unwrap();
    let schema = SchemaDescriptor::new(Arc::new(schema));
    let kind = Kind::of(&schema.root_schema().get_fields()[0]);
    let order = order.unwrap_or(ColumnOrder::TYPE_DEFINED_ORDER(schema.column(0).sort_order()));
    let chunk = ColumnChunkMetaData::builder(schema.column(0)).set_statistics(said).build().unwrap();
    let told = ColumnStatistics::of_chunk(&kind, order, &chunk, 10).told(&kind);
    (told.nulls, told.min, told.max)
}

fn told(nulls: u64, min: &str, max: &str) -> Told {
    (Some(nulls), Some(min.into()), Some(max.into()))
}

const OLD: bool = true;
const NEW: bool = false;
const UNDEFINED: Option<ColumnOrder> = Some(ColumnOrder::UNDEFINED);

#[test]
fn old_statistics_are_right_for_signed_numbers_only() {
    let int = |old| Statistics::int32(Some(-5), Some(7), None, Some(1), old);
    assert_eq!(of_chunk("int32 a", UNDEFINED, int(OLD)), told(1, "-5", "7"));
    assert_eq!(of_chunk("int32 a", None, int(OLD)), told(1, "-5", "7"));
    assert_eq!(of_chunk("int32 a (DECIMAL(9,1))", UNDEFINED, int(OLD)), told(1, "-0.5", "0.7"));
    assert_eq!(of_chunk("int32 a (UINT_32)", UNDEFINED, int(OLD)), (Some(1), None, None));
    let bytes = |text: &str| Some(ByteArray::from(text));
    let text = |old| Statistics::byte_array(bytes("a"), bytes("b"), None, Some(0), old);
    assert_eq!(of_chunk("binary a (UTF8)", UNDEFINED, text(OLD)), (Some(0), None, None));
    assert_eq!(of_chunk("binary a (UTF8)", None, text(OLD)), (Some(0), None, None));
    assert_eq!(of_chunk("binary a (UTF8)", None, text(NEW)), told(0, "a", "b"));
}

#[test]
fn new_statistics_mean_nothing_without_the_order_that_they_are_in() {
    let int = || Statistics::int64(Some(-5), Some(7), None, Some(1), NEW);
    assert_eq!(of_chunk("int64 a", None, int()), told(1, "-5", "7"));
    assert_eq!(of_chunk("int64 a", UNDEFINED, int()), (Some(1), None, None));
    assert_eq!(of_chunk("int64 a", Some(ColumnOrder::UNKNOWN), int()), (Some(1), None, None));
    let fixed = |byte: u8| Some(FixedLenByteArray::from(vec![byte; 12]));
    let interval = Statistics::fixed_len_byte_array(fixed(1), fixed(2), None, Some(1), NEW);
    assert_eq!(of_chunk("fixed_len_byte_array(12) a (INTERVAL)", None, interval), (Some(1), None, None));
}

#[test]
fn unsigned_numbers_and_decimals_of_bytes_are_read_as_what_they_are() {
    let said = Statistics::int64(Some(7), Some(-1), None, Some(0), NEW);
    assert_eq!(of_chunk("int64 a (UINT_64)", None, said), told(0, "7", "18446744073709551615"));
    let said = Statistics::int32(Some(-1), Some(7), None, Some(0), NEW);
    assert_eq!(of_chunk("int32 a (UINT_32)", None, said), (Some(0), None, None), "compared as signed");

    let fixed = |bytes: &[u8]| Some(FixedLenByteArray::from(bytes.to_vec()));
    let said = |min, max| Statistics::fixed_len_byte_array(fixed(min), fixed(max), None, Some(0), NEW);
    let field = "fixed_len_byte_array(9) a (DECIMAL(20,0))";
    let largest = [0, 255, 255, 255, 255, 255, 255, 255, 255];
    assert_eq!(of_chunk(field, None, said(&[255; 9], &largest)), told(0, "-1", "18446744073709551615"));
}

#[test]
fn a_value_of_a_fixed_length_was_cut_where_it_is_shorter() {
    let fixed = |length| Some(FixedLenByteArray::from(vec![1_u8; length]));
    let unmarked = |min, max| {
        let said = ValueStatistics::new(fixed(min), fixed(max), None, Some(0), NEW);
        Statistics::FixedLenByteArray(said.with_min_is_exact(false).with_max_is_exact(false))
    };
    assert_eq!(of_chunk("fixed_len_byte_array(2) a", None, unmarked(2, 1)), (Some(0), Some("0101".into()), None));
    let text = ValueStatistics::new(Some(ByteArray::from("a")), None, None, Some(0), NEW).with_min_is_exact(false);
    assert_eq!(of_chunk("binary a (UTF8)", None, Statistics::ByteArray(text)), (Some(0), None, None));
}

#[test]
fn a_float_is_told_only_where_no_nan_can_hide() {
    let said = |nans| {
        let said = ValueStatistics::new(Some(-0.0), Some(0.1_f32), None, Some(0), NEW);
        Statistics::Float(said.with_nan_count(nans))
    };
    assert_eq!(of_chunk("float a", None, said(Some(0))), told(0, "0.0", "0.10000000149011612"));
    assert_eq!(of_chunk("float a", None, said(Some(1))), (Some(0), None, None));
    assert_eq!(of_chunk("float a", None, said(None)), (Some(0), None, None));
}

#[test]
fn what_cannot_be_is_left_out() {
    let said = |nulls| Statistics::int64(None, None, None, nulls, NEW);
    assert_eq!(of_chunk("int64 a", None, said(Some(10))), (Some(10), None, None));
    assert_eq!(of_chunk("int64 a", None, said(Some(11))), (None, None, None));
    let crossed = Statistics::int64(Some(2), Some(1), None, Some(0), NEW);
    assert_eq!(of_chunk("int64 a", None, crossed), (Some(0), None, None));
    let json = Statistics::byte_array(Some("1".into()), Some("2".into()), None, Some(0), NEW);
    assert_eq!(of_chunk("binary a (JSON)", None, json), (Some(0), None, None));
}
