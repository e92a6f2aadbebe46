//! Rows as JSON: one object for each row of a record batch, as `docs/spec/json.md` promises.

mod beyond_json;
mod civil_time;
mod decimal;
mod digits;
mod interval;
mod schema;
mod types;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_json::EncoderOptions;
use arrow_json::writer::{NullableEncoder, make_encoder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use schema::supported;
use types::BigQueryTypes;

/// What a sync may choose about the form of its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JsonOptions {
    pub int64: Int64,
}

/// How an INT64 is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Int64 {
    /// `42`. Beyond 2^53 many readers, JavaScript first, lose digits.
    #[default]
    Number,
    /// `"42"`: exact for every reader.
    String,
}

/// A column whose type or name has no place in a JSON object. No row of such a schema can be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column} cannot be written as JSON: {reason}")]
pub struct Unsupported {
    /// With its path: `address.zip`.
    pub column: String,
    pub reason: String,
}

/// A value that JSON cannot hold. The row is to be rejected; the others are fine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column} holds {value}, which JSON cannot")]
pub struct NotRepresentable {
    /// With its path: `address.zip`.
    pub column: String,
    /// `NaN`, `Infinity`, `-Infinity`, or what else is wrong with it.
    pub value: &'static str,
}

/// The form of all rows of a sync. Make it once; the encoders of its batches borrow it.
#[derive(Debug, Clone)]
pub struct RowFormat(EncoderOptions);

impl RowFormat {
    pub fn new(options: &JsonOptions) -> Self {
        let types = Arc::new(BigQueryTypes { int64: options.int64 });
        Self(EncoderOptions::default().with_explicit_nulls(true).with_encoder_factory(types))
    }
}

/// Renders any row of one batch, in any order. It is cheap to make, so that the rows of many batches can be merged.
///
/// Not `Send`, as `arrow_json`'s encoders are not: make and use it between two `await`s.
pub struct RowEncoder<'a> {
    columns: Vec<Column<'a>>,
    /// Columns that can hold a value that JSON cannot.
    suspects: Vec<(&'a str, &'a ArrayRef)>,
}

struct Column<'a> {
    /// `{"first":` or `,"next":`.
    key: Vec<u8>,
    values: NullableEncoder<'a>,
}

impl<'a> RowEncoder<'a> {
    /// Every column of `batch` becomes a key, in this order.
    pub fn new(batch: &'a RecordBatch, format: &'a RowFormat) -> Result<Self, Unsupported> {
        let fields = batch.schema_ref().fields();
        supported(fields)?;
        let mut columns = Vec::with_capacity(fields.len());
        let mut suspects = Vec::new();
        for (field, array) in fields.iter().zip(batch.columns()) {
            let values = make_encoder(field, array, &format.0)
                .map_err(|error| Unsupported { column: field.name().clone(), reason: error.to_string() })?;
            columns.push(Column { key: key(field.name(), columns.is_empty()), values });
            if beyond_json::can_be_in(field.data_type()) {
                suspects.push((field.name().as_str(), array));
            }
        }
        Ok(Self { columns, suspects })
    }

    /// Appends `{...}`, without a newline. A refused row leaves `out` as it was.
    pub fn encode(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), NotRepresentable> {
        for (name, array) in &self.suspects {
            beyond_json::refuse(name, array, row)?;
        }
        if self.columns.is_empty() {
            out.push(b'{');
        }
        for column in &mut self.columns {
            out.extend_from_slice(&column.key);
            if column.values.is_null(row) {
                out.extend_from_slice(b"null");
            } else {
                column.values.encode(row, out);
            }
        }
        out.push(b'}');
        Ok(())
    }
}

fn key(name: &str, first: bool) -> Vec<u8> {
    let mark = if first { '{' } else { ',' };
    format!("{mark}{}:", serde_json::Value::from(name)).into_bytes()
}

#[cfg(test)]
mod tests;
