//! Reading an export back: rows, values as the database shows them, and the types as the files declare them.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use chrono::Utc;
use local::export::{Export, Sizes};
use local::s3::Store;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

pub const BUCKET: &str = "acme-exports";

pub fn export(task: &str) -> Export {
    Export {
        task: task.into(),
        source_arn: "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:s".into(),
        snapshot_time: Some(Utc::now()),
        bucket: BUCKET.into(),
        prefix: String::new(),
        role_arn: "arn:aws:iam::123456789012:role/export".into(),
        kms_key_id: "arn:aws:kms:ap-northeast-1:123456789012:key/k".into(),
        only: Vec::new(),
        sizes: Sizes::default(),
    }
}

pub fn read(store: &Store, key: &str) -> Vec<RecordBatch> {
    let bytes = store.get(BUCKET, key).unwrap().bytes;
    ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap().map(Result::unwrap).collect()
}

pub fn rows(store: &Store, prefix: &str) -> usize {
    let parts = store.keys(BUCKET, prefix).into_iter().filter(|key| key.ends_with(".parquet"));
    parts.flat_map(|key| read(store, &key)).map(|batch| batch.num_rows()).sum()
}

pub fn json(store: &Store, key: &str) -> Value {
    serde_json::from_slice(&store.get(BUCKET, key).unwrap().bytes).unwrap()
}

pub fn value(column: &dyn Array, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Some(match column.data_type() {
        DataType::Boolean => if column.as_boolean().value(row) { "t" } else { "f" }.to_owned(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float32 => column.as_primitive::<Float32Type>().value(row).to_string(),
        DataType::Float64 => {
            let number = column.as_primitive::<Float64Type>().value(row);
            if number.abs() > 1e15 { format!("{number:e}") } else { number.to_string() }
        }
        DataType::Decimal128(..) => column.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Timestamp(..) => {
            let time = column.as_primitive::<TimestampMicrosecondType>().value_as_datetime(row).unwrap();
            time.format("%Y-%m-%d %H:%M:%S.%6f").to_string()
        }
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        _ => hex(column.as_binary::<i32>().value(row)),
    })
}

/// The types as the file itself declares them, without Arrow's view of them.
pub fn types(store: &Store, key: &str) -> BTreeMap<String, String> {
    use parquet::basic::{ConvertedType, LogicalType, Type};
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let reader = SerializedFileReader::new(store.get(BUCKET, key).unwrap().bytes).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let compression = reader.metadata().row_group(0).column(0).compression();
    assert!(matches!(compression, parquet::basic::Compression::GZIP(_)));
    let describe = |column: &parquet::schema::types::ColumnDescPtr| {
        assert!(column.self_type().is_optional());
        let physical = match column.physical_type() {
            Type::FIXED_LEN_BYTE_ARRAY => format!("FIXED_LEN_BYTE_ARRAY({})", column.type_length()),
            other => other.to_string(),
        };
        let logical = match (column.logical_type_ref(), column.converted_type()) {
            (_, ConvertedType::TIMESTAMP_MICROS) => " TIMESTAMP_MICROS".to_owned(),
            (_, ConvertedType::INT_16) => " INT_16".to_owned(),
            (_, ConvertedType::DECIMAL) => format!(" DECIMAL({},{})", column.type_precision(), column.type_scale()),
            (Some(LogicalType::String), ConvertedType::UTF8) => " String".to_owned(),
            (None, ConvertedType::NONE) => String::new(),
            other => format!(" {other:?}"),
        };
        (column.name().to_owned(), format!("{physical}{logical}"))
    };
    schema.columns().iter().map(describe).collect()
}
