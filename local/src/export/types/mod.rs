//! From a database's types to Parquet's, as RDS maps them.

mod mysql;
mod postgres;

use arrow_schema::{DataType, TimeUnit};

/// A column as the source declares it and as the export writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnType {
    /// As `originalType` words it: `bigint unsigned`, `character varying`.
    pub original: String,
    pub exported: Exported,
    pub char_max_length: u64,
    pub num_precision: u64,
    pub datetime_precision: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exported {
    Boolean,
    /// Four bytes with a mark.
    Int16,
    Int32,
    Int64,
    Float,
    Double,
    Decimal(u8, i8),
    TimestampMicros,
    Text,
    /// A byte array without the mark that makes it text; MySQL's `char` is one of these.
    Bytes,
}

impl Exported {
    pub(super) fn arrow(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
            // Adjusted to UTC: Parquet's old mark TIMESTAMP_MICROS, the one that RDS writes, has no other kind.
            Self::TimestampMicros => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Text => DataType::Utf8,
            Self::Bytes => DataType::Binary,
        }
    }

    /// As `export_tables_info` words it. The words for `Int16` and `Float` are [unverified]: no file with them was found.
    pub(super) fn expected(self) -> String {
        match self {
            Self::Boolean => "boolean".into(),
            Self::Int16 => "int32 (INT_16)".into(),
            Self::Int32 => "int32".into(),
            Self::Int64 => "int64".into(),
            Self::Float => "float".into(),
            Self::Double => "double".into(),
            Self::Decimal(precision @ ..=9, scale) => format!("int32 (DECIMAL({precision},{scale}))"),
            Self::Decimal(precision @ ..=18, scale) => format!("int64 (DECIMAL({precision},{scale}))"),
            Self::Decimal(precision, scale) => format!("fixed_len_byte_array (DECIMAL({precision},{scale}))"),
            Self::TimestampMicros => "int64 (TIMESTAMP_MICROS)".into(),
            Self::Text => "binary (UTF8)".into(),
            Self::Bytes => "binary".into(),
        }
    }
}
