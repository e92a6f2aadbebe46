//! One Parquet part: rows in, the bytes of a file out.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow_array::builder::{
    BinaryBuilder, Decimal128Builder, Float64Builder, Int32Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use bytes::Bytes;
use chrono::NaiveDate;
use mysql_async::Value;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, GzipLevel};
use parquet::file::properties::WriterProperties;

use super::types::Exported;
use super::{Row, TableSchema};

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
    Int32(Int32Builder),
    Int64(Int64Builder),
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
            Exported::Int32 => Self::Int32(Int32Builder::new()),
            Exported::Int64 => Self::Int64(Int64Builder::new()),
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
            Self::Int32(column) => column.append_option(integer(value)?.map(i32::try_from).transpose()?),
            Self::Int64(column) => column.append_option(integer(value)?.map(i64::try_from).transpose()?),
            Self::Double(column) => column.append_option(double(value)?),
            Self::Decimal(column, scale) => column.append_option(decimal(value, *scale)?),
            Self::Micros(column) => column.append_option(micros(value)?),
            Self::Text(column) => column.append_option(text(value)),
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
            Self::Int32(column) => Arc::new(column.finish()),
            Self::Int64(column) => Arc::new(column.finish()),
            Self::Double(column) => Arc::new(column.finish()),
            Self::Decimal(column, _) => Arc::new(column.finish()),
            Self::Micros(column) => Arc::new(column.finish()),
            Self::Text(column) => Arc::new(column.finish()),
            Self::Bytes(column) => Arc::new(column.finish()),
        }
    }
}

fn integer(value: &Value) -> Result<Option<i128>> {
    match value {
        Value::NULL => Ok(None),
        Value::Int(number) => Ok(Some((*number).into())),
        Value::UInt(number) => Ok(Some((*number).into())),
        other => bail!("{other:?} is not an integer"),
    }
}

fn double(value: &Value) -> Result<Option<f64>> {
    match value {
        Value::NULL => Ok(None),
        Value::Float(number) => Ok(Some((*number).into())),
        Value::Double(number) => Ok(Some(*number)),
        other => bail!("{other:?} is not a floating-point number"),
    }
}

/// MySQL sends a decimal as text with exactly `scale` digits behind the point.
fn decimal(value: &Value, scale: i8) -> Result<Option<i128>> {
    let Value::Bytes(bytes) = value else { return integer(value) };
    let text = std::str::from_utf8(bytes)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() != usize::try_from(scale)? {
        bail!("{text:?} has not {scale} digits behind the point");
    }
    Ok(Some(format!("{whole}{fraction}").parse()?))
}

/// The wall clock read as if it were UTC; a day that does not exist (0000-00-00) is null.
fn micros(value: &Value) -> Result<Option<i64>> {
    match *value {
        Value::NULL => Ok(None),
        Value::Date(year, month, day, hour, minute, second, micro) => {
            let date = NaiveDate::from_ymd_opt(year.into(), month.into(), day.into());
            let time = |date: NaiveDate| date.and_hms_micro_opt(hour.into(), minute.into(), second.into(), micro);
            Ok(date.and_then(time).map(|time| time.and_utc().timestamp_micros()))
        }
        ref other => bail!("{other:?} is not a time"),
    }
}

fn text(value: &Value) -> Option<String> {
    match *value {
        Value::NULL => None,
        Value::Bytes(ref bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Date(year, month, day, ..) => Some(format!("{year:04}-{month:02}-{day:02}")),
        Value::Time(negative, days, hours, minutes, seconds, micros) => {
            let (sign, hours) = (if negative { "-" } else { "" }, days * 24 + u32::from(hours));
            let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
            Some(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{fraction}"))
        }
        ref other => Some(other.as_sql(true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_every_digit() {
        let decimal = |text: &str, scale| decimal(&Value::from(text), scale).ok().flatten();
        assert_eq!(decimal("-12.50", 2), Some(-1250));
        assert_eq!(decimal("-0.05", 2), Some(-5));
        assert_eq!(decimal("18446744073709551615", 0), Some(18_446_744_073_709_551_615));
        assert_eq!(decimal("1.5", 2), None);
    }

    #[test]
    fn a_wall_clock_is_read_as_utc_and_a_day_that_is_none_is_null() {
        assert_eq!(micros(&Value::Date(1970, 1, 2, 0, 0, 1, 5)).unwrap(), Some(86_401_000_005));
        assert_eq!(micros(&Value::Date(0, 0, 0, 0, 0, 0, 0)).unwrap(), None);
    }

    #[test]
    fn days_and_times_are_text() {
        assert_eq!(text(&Value::Date(2026, 11, 22, 0, 0, 0, 0)).unwrap(), "2026-11-22");
        assert_eq!(text(&Value::Time(true, 1, 2, 3, 4, 0)).unwrap(), "-26:03:04");
        assert_eq!(text(&Value::Time(false, 0, 2, 3, 4, 500_000)).unwrap(), "02:03:04.500000");
    }
}
