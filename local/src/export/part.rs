//! One Parquet part: rows in, the bytes of a file out.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Decimal128Builder, Float32Builder, Float64Builder, Int16Builder, Int32Builder,
    Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use bytes::Bytes;
use mysql_async::Value;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, GzipLevel};
use parquet::file::properties::WriterProperties;

use super::types::Exported;
use super::{Row, TableSchema, value};

/// RDS's files are Spark's: optional columns under this root, gzip, no Arrow schema beside Parquet's.
const ROOT: &str = "spark_schema";

/// A laptop has better things to do than to compress well.
const GZIP_LEVEL: u32 = 2;

/// The columns of a part under construction.
pub(super) struct Part {
    schema: Arc<Schema>,
    columns: Vec<Column>,
    pub(super) rows: usize,
}

enum Column {
    Boolean(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal(Decimal128Builder, i8),
    Micros(TimestampMicrosecondBuilder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
}

impl Part {
    pub(super) fn new(table: &TableSchema) -> Self {
        let field = |(name, kind): &(String, super::ColumnType)| Field::new(name, kind.exported.arrow(), true);
        Self {
            schema: Arc::new(Schema::new(table.columns.iter().map(field).collect::<Vec<_>>())),
            columns: table.columns.iter().map(|(_, kind)| Column::new(kind.exported)).collect(),
            rows: 0,
        }
    }

    pub(super) fn push(&mut self, row: &Row) -> Result<()> {
        for ((column, value), field) in self.columns.iter_mut().zip(row).zip(self.schema.fields()) {
            column.push(value).with_context(|| format!("export a value of column {}", field.name()))?;
        }
        self.rows += 1;
        Ok(())
    }

    pub(super) fn encode(mut self) -> Result<Bytes> {
        let arrays = self.columns.iter_mut().map(Column::finish).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays)?;
        let properties =
            WriterProperties::builder().set_compression(Compression::GZIP(GzipLevel::try_new(GZIP_LEVEL)?)).build();
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true)
            .with_schema_root(ROOT.into());
        let mut writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&self.schema), options)?;
        writer.write(&batch)?;
        Ok(writer.into_inner().context("finish a Parquet file")?.into())
    }
}

impl Column {
    fn new(exported: Exported) -> Self {
        match exported {
            Exported::Boolean => Self::Boolean(BooleanBuilder::new()),
            Exported::Int16 => Self::Int16(Int16Builder::new()),
            Exported::Int32 => Self::Int32(Int32Builder::new()),
            Exported::Int64 => Self::Int64(Int64Builder::new()),
            Exported::Float => Self::Float(Float32Builder::new()),
            Exported::Double => Self::Double(Float64Builder::new()),
            Exported::Decimal(_, scale) => {
                Self::Decimal(Decimal128Builder::new().with_data_type(exported.arrow()), scale)
            }
            Exported::TimestampMicros => {
                Self::Micros(TimestampMicrosecondBuilder::new().with_data_type(exported.arrow()))
            }
            Exported::Text => Self::Text(StringBuilder::new()),
            Exported::Bytes => Self::Bytes(BinaryBuilder::new()),
        }
    }

    fn push(&mut self, value: &Value) -> Result<()> {
        match self {
            Self::Boolean(column) => column.append_option(value::integer(value)?.map(|bit| bit != 0)),
            Self::Int16(column) => column.append_option(value::integer(value)?.map(i16::try_from).transpose()?),
            Self::Int32(column) => column.append_option(value::integer(value)?.map(i32::try_from).transpose()?),
            Self::Int64(column) => column.append_option(value::integer(value)?.map(i64::try_from).transpose()?),
            Self::Float(column) => column.append_option(value::float(value)?),
            Self::Double(column) => column.append_option(value::double(value)?),
            Self::Decimal(column, scale) => column.append_option(value::decimal(value, *scale)?),
            Self::Micros(column) => column.append_option(value::micros(value)?),
            Self::Text(column) => column.append_option(value::text(value)),
            Self::Bytes(column) => match value {
                Value::Bytes(bytes) => column.append_value(bytes),
                Value::NULL => column.append_null(),
                other => bail!("{other:?} is not bytes"),
            },
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(column) => Arc::new(column.finish()),
            Self::Int16(column) => Arc::new(column.finish()),
            Self::Int32(column) => Arc::new(column.finish()),
            Self::Int64(column) => Arc::new(column.finish()),
            Self::Float(column) => Arc::new(column.finish()),
            Self::Double(column) => Arc::new(column.finish()),
            Self::Decimal(column, _) => Arc::new(column.finish()),
            Self::Micros(column) => Arc::new(column.finish()),
            Self::Text(column) => Arc::new(column.finish()),
            Self::Bytes(column) => Arc::new(column.finish()),
        }
    }
}
