//! A field of a binary COPY into a column. Source: `PostgreSQL`, the `*_send` functions of each type.

use crate::cells::{Cells, Refused};
use crate::columns::Column;
use crate::types::Read;

/// What the server sends of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    Bool,
    Int,
    Float,
    Numeric,
    Date,
    Time,
    Bytes,
}

/// PostgreSQL counts from 2000-01-01.
const EPOCH_DAYS: i64 = 10_957;
const EPOCH_MICROS: i64 = EPOCH_DAYS * 86_400_000_000;

impl Wire {
    #[allow(clippy::match_same_arms)] // each way of reading by itself
    pub fn of(column: &Column) -> Self {
        match (column.read, column.source_type.as_str()) {
            (Read::NotZero, _) => Self::Bool,
            (Read::Money, _) => Self::Numeric,
            (Read::Text | Read::Json | Read::Nothing, _) => Self::Bytes,
            (Read::Plain, "bool") => Self::Bool,
            (Read::Plain, "int2" | "int4" | "int8") => Self::Int,
            (Read::Plain, "float4" | "float8") => Self::Float,
            (Read::Plain, "numeric") => Self::Numeric,
            (Read::Plain, "date") => Self::Date,
            (Read::Plain, "timestamp" | "timestamptz") => Self::Time,
            (Read::Plain, _) => Self::Bytes,
        }
    }

    pub fn append(self, cells: &mut Cells, field: Option<&[u8]>) -> Result<usize, Refused> {
        let Some(field) = field else { return Ok(cells.null()) };
        let read = match self {
            Self::Bytes => return cells.bytes(field),
            Self::Numeric => return cells.decimal_wire(field),
            Self::Bool => one(field).map(|[byte]| cells.bool(byte != 0)),
            Self::Int => int(field).map(|value| cells.int(value)),
            Self::Float => float(field).map(|value| cells.float(value)),
            // The largest and the smallest number are the infinities, and as far from any year as they look.
            Self::Date => one(field).map(|days| cells.epoch_days(i64::from(i32::from_be_bytes(days)) + EPOCH_DAYS)),
            Self::Time => {
                one(field).map(|micros| cells.epoch_micros(i64::from_be_bytes(micros).saturating_add(EPOCH_MICROS)))
            }
        };
        read.unwrap_or_else(|| Err(Refused::Unexpected(format!("the database sent {} bytes", field.len()))))
    }
}

fn one<const N: usize>(field: &[u8]) -> Option<[u8; N]> {
    field.try_into().ok()
}

fn int(field: &[u8]) -> Option<i64> {
    match field.len() {
        2 => one(field).map(i16::from_be_bytes).map(i64::from),
        4 => one(field).map(i32::from_be_bytes).map(i64::from),
        _ => one(field).map(i64::from_be_bytes),
    }
}

fn float(field: &[u8]) -> Option<f64> {
    match field.len() {
        4 => one(field).map(f32::from_be_bytes).map(f64::from),
        _ => one(field).map(f64::from_be_bytes),
    }
}
