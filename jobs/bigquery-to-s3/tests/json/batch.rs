//! Batches as the Storage Read API sends them.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use bigquery_to_s3::json::{JsonOptions, RowEncoder, RowFormat};

pub const JSON_MARK: &str = "google:sqlType:json";

pub fn column(name: &str, array: impl Array + 'static) -> (Field, ArrayRef) {
    (Field::new(name, array.data_type().clone(), true), Arc::new(array))
}

pub fn marked(name: &str, array: impl Array + 'static, extension: &str) -> (Field, ArrayRef) {
    let (field, array) = column(name, array);
    (with_extension(field, extension), array)
}

pub fn with_extension(field: Field, extension: &str) -> Field {
    field.with_metadata([("ARROW:extension:name".to_owned(), extension.to_owned())])
}

pub fn batch<const N: usize>(columns: [(Field, ArrayRef); N]) -> RecordBatch {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

/// Every row, in order.
pub fn rows(batch: &RecordBatch, options: &JsonOptions) -> Vec<String> {
    let format = RowFormat::new(options);
    let mut encoder = RowEncoder::new(batch, &format).unwrap();
    (0..batch.num_rows()).map(|row| text(&mut encoder, row)).collect()
}

pub fn text(encoder: &mut RowEncoder<'_>, row: usize) -> String {
    let mut out = Vec::new();
    encoder.encode(row, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Rows of one column named `v`, without the object around the value.
pub fn values(array: impl Array + 'static) -> Vec<String> {
    let rows = rows(&batch([column("v", array)]), &JsonOptions::default());
    rows.iter().map(|row| row.strip_prefix(r#"{"v":"#).unwrap().strip_suffix('}').unwrap().to_owned()).collect()
}
