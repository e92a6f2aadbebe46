//! A column's BigQuery type, decided from the database's catalog and never from rows: the same table has the same schema
//! on the day when it is empty. See `docs/spec/database-to-bigquery.md`.

pub mod mysql;
pub mod postgres;

use arrow_schema::{DataType, TimeUnit};
use serde::Serialize;

use crate::extracts::Retype;

/// What a BigQuery column is, and how exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "UPPERCASE")]
pub enum Type {
    Bool,
    Int64,
    Float64,
    Numeric { precision: u8, scale: i8 },
    BigNumeric { precision: u8, scale: i8 },
    String,
    Bytes,
    Date,
    Datetime,
    Timestamp,
    Json,
}

/// How the database is asked for a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    Plain,
    /// As the database itself writes the value.
    Text,
    /// Whether it is another number than 0.
    NotZero,
    /// Money as the number that it is.
    Money,
    /// A list or a record as JSON.
    Json,
    /// Not at all: the column is null.
    Nothing,
}

/// What a column is by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Natural {
    pub r#type: Type,
    pub read: Read,
    /// Of any size, so that its type is text unless somebody knows better.
    pub unbounded_number: bool,
}

impl Natural {
    pub const fn plain(r#type: Type) -> Self {
        Self { r#type, read: Read::Plain, unbounded_number: false }
    }

    pub const fn text(read: Read) -> Self {
        Self { r#type: Type::String, read, unbounded_number: false }
    }

    /// With another type than its own, or why that cannot be.
    #[allow(clippy::match_same_arms)] // a line for each wish
    pub fn retyped(self, to: Retype) -> Result<Self, String> {
        let number = matches!(self.r#type, Type::Int64 | Type::Numeric { .. } | Type::BigNumeric { .. });
        let whole = matches!(self.r#type, Type::Int64 | Type::Numeric { scale: 0, .. });
        let plain = |r#type| Ok(Self::plain(r#type));
        match (to, self.r#type) {
            (Retype::Bool, Type::Bool) | (Retype::Int64, Type::Int64) | (Retype::Json, Type::Json) => Ok(self),
            (Retype::Bool, _) if number => Ok(Self { r#type: Type::Bool, read: Read::NotZero, ..self }),
            (Retype::Int64, _) if whole => plain(Type::Int64),
            (Retype::Numeric, _) if number || self.unbounded_number => plain(NUMERIC),
            (Retype::BigNumeric, _) if number || self.unbounded_number => plain(BIGNUMERIC),
            (Retype::Json, Type::String) => Ok(Self { r#type: Type::Json, ..self }),
            // Bytes are text where they are UTF-8; a cast would replace those that are none.
            (Retype::String, Type::Bytes) => plain(Type::String),
            (Retype::String, Type::String) => Ok(self),
            (Retype::String, _) => Ok(Self::text(Read::Text)),
            _ => Err(format!("{} cannot be read as {}", self.r#type.name(), retype_name(to))),
        }
    }
}

/// As much as the types hold. Source: GoogleSQL, "Data types", decimal types.
const NUMERIC: Type = Type::Numeric { precision: 38, scale: 9 };
const BIGNUMERIC: Type = Type::BigNumeric { precision: 76, scale: 38 };

impl Type {
    /// The smallest type that holds each number of that precision.
    pub fn decimal(precision: u32, scale: u32) -> Self {
        let whole = precision.saturating_sub(scale);
        let (Ok(p), Ok(s)) = (u8::try_from(precision), i8::try_from(scale)) else { return Self::String };
        match (whole, scale) {
            (..=29, ..=9) => Self::Numeric { precision: p, scale: s },
            (..=38, ..=38) => Self::BigNumeric { precision: p, scale: s },
            _ => Self::String,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Int64 => "INT64",
            Self::Float64 => "FLOAT64",
            Self::Numeric { .. } => "NUMERIC",
            Self::BigNumeric { .. } => "BIGNUMERIC",
            Self::String => "STRING",
            Self::Bytes => "BYTES",
            Self::Date => "DATE",
            Self::Datetime => "DATETIME",
            Self::Timestamp => "TIMESTAMP",
            Self::Json => "JSON",
        }
    }

    /// BigQuery's API answers with the names of its first dialect.
    pub fn is_named(self, name: &str) -> bool {
        let current = match name {
            "BOOLEAN" => "BOOL",
            "INTEGER" => "INT64",
            "FLOAT" => "FLOAT64",
            other => other,
        };
        current == self.name()
    }

    /// In the Parquet file. A time without a zone is BigQuery's DATETIME, one in UTC its TIMESTAMP.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Numeric { precision, scale } | Self::BigNumeric { precision, scale } if precision <= 38 => {
                DataType::Decimal128(precision, scale)
            }
            Self::Numeric { precision, scale } | Self::BigNumeric { precision, scale } => {
                DataType::Decimal256(precision, scale)
            }
            Self::String | Self::Json => DataType::Utf8,
            Self::Bytes => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Datetime => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        }
    }

    /// Whether a column of it can be a cursor, and whether its lookback is a time.
    pub fn as_cursor(self) -> Option<Cursor> {
        match self {
            Self::Int64 | Self::Numeric { scale: 0, .. } => Some(Cursor::Number),
            Self::Date | Self::Datetime | Self::Timestamp => Some(Cursor::Time),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    Number,
    Time,
}

fn retype_name(to: Retype) -> &'static str {
    match to {
        Retype::Bool => "BOOL",
        Retype::Int64 => "INT64",
        Retype::Numeric => "NUMERIC",
        Retype::BigNumeric => "BIGNUMERIC",
        Retype::String => "STRING",
        Retype::Json => "JSON",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_gets_the_smallest_type_that_holds_all_of_it() {
        let name = |precision, scale| Type::decimal(precision, scale).name();
        assert_eq!([name(12, 2), name(38, 9), name(29, 0)], ["NUMERIC"; 3]);
        assert_eq!([name(38, 10), name(30, 0), name(39, 9), name(65, 30), name(76, 38)], ["BIGNUMERIC"; 5]);
        assert_eq!([name(65, 0), name(65, 20), name(60, 39), name(1000, 500)], ["STRING"; 4]);
    }

    #[test]
    fn a_type_can_be_another_where_no_value_is_lost() {
        let to = |from: Type, to| Natural::plain(from).retyped(to).map(|natural| (natural.r#type.name(), natural.read));
        assert_eq!(to(Type::Int64, Retype::Bool), Ok(("BOOL", Read::NotZero)));
        assert_eq!(to(Type::decimal(20, 0), Retype::Int64), Ok(("INT64", Read::Plain)));
        assert_eq!(to(Type::Datetime, Retype::String), Ok(("STRING", Read::Text)));
        assert_eq!(to(Type::Bytes, Retype::String), Ok(("STRING", Read::Plain)));
        assert_eq!(to(Type::String, Retype::Json), Ok(("JSON", Read::Plain)));
        assert_eq!(to(Type::decimal(12, 2), Retype::Int64), Err("NUMERIC cannot be read as INT64".into()));
        assert_eq!(to(Type::Bytes, Retype::Json), Err("BYTES cannot be read as JSON".into()));
        assert_eq!(to(Type::Float64, Retype::Numeric), Err("FLOAT64 cannot be read as NUMERIC".into()));
        let numeric = Natural { unbounded_number: true, ..Natural::text(Read::Text) };
        assert_eq!(numeric.retyped(Retype::BigNumeric).map(|natural| natural.r#type), Ok(BIGNUMERIC));
    }

    #[test]
    fn the_names_of_both_dialects_are_known() {
        assert!(Type::Int64.is_named("INTEGER") && Type::Int64.is_named("INT64") && !Type::Int64.is_named("FLOAT"));
        assert!(Type::Bool.is_named("BOOLEAN") && Type::Float64.is_named("FLOAT"));
    }
}
