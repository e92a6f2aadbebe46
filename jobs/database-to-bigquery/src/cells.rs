//! Values on their way into a column of a Parquet file: what the database sent becomes what BigQuery holds, or null where
//! BigQuery has no such value (counted), or is refused (the row is rejected).

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Decimal256Builder, Float64Builder,
    Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_buffer::i256;
use arrow_schema::DataType;
use aws_lc_rs::hmac;

use crate::civil_time::{Civil, days, micros};
use crate::columns::Column;
use crate::decimal;
use crate::types::Type;

/// Why a value is not carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    NotUtf8,
    OutOfRange,
    /// The database sent something that the catalog did not announce: the table changed, or we are wrong.
    Unexpected(String),
}

/// One column of the batch that is being filled.
pub struct Cells {
    array: Array,
    hmac: Option<hmac::Key>,
    /// Values that BigQuery cannot hold.
    pub nulled: u64,
}

enum Array {
    Bool(BooleanBuilder),
    Int64(Int64Builder),
    Float64(Float64Builder),
    Decimal128(Decimal128Builder, u8, i8),
    Decimal256(Decimal256Builder, u8, i8),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Date(Date32Builder),
    Micros(TimestampMicrosecondBuilder),
}

type Appended = Result<usize, Refused>;

impl Cells {
    /// `key` is for columns that are masked by HMAC.
    pub fn new(column: &Column, key: Option<&hmac::Key>) -> Self {
        let hmac = if column.hmac { key.cloned() } else { None };
        Self { array: Array::new(column.r#type), hmac, nulled: 0 }
    }

    pub fn null(&mut self) -> usize {
        match &mut self.array {
            Array::Bool(array) => array.append_null(),
            Array::Int64(array) => array.append_null(),
            Array::Float64(array) => array.append_null(),
            Array::Decimal128(array, ..) => array.append_null(),
            Array::Decimal256(array, ..) => array.append_null(),
            Array::Text(array) => array.append_null(),
            Array::Bytes(array) => array.append_null(),
            Array::Date(array) => array.append_null(),
            Array::Micros(array) => array.append_null(),
        }
        0
    }

    pub fn bool(&mut self, value: bool) -> Appended {
        let Array::Bool(array) = &mut self.array else { return self.unexpected("a truth") };
        array.append_value(value);
        Ok(1)
    }

    pub fn int(&mut self, value: i64) -> Appended {
        match &mut self.array {
            Array::Int64(array) => array.append_value(value),
            Array::Bool(array) => array.append_value(value != 0),
            Array::Float64(_) => return self.unexpected("a whole number"),
            _ => return self.number(value.into()),
        }
        Ok(8)
    }

    pub fn unsigned(&mut self, value: u64) -> Appended {
        match (i64::try_from(value), &mut self.array) {
            (Ok(value), _) => self.int(value),
            (Err(_), Array::Int64(_)) => Err(Refused::OutOfRange),
            (Err(_), _) => self.number(value.into()),
        }
    }

    /// A whole number into a decimal.
    fn number(&mut self, value: i128) -> Appended {
        match &mut self.array {
            Array::Decimal128(array, precision, scale) => {
                array.append_value(decimal::of_whole(value, *precision, *scale).ok_or(Refused::OutOfRange)?);
            }
            Array::Decimal256(array, precision, scale) => {
                let value = decimal::scaled(i256::from_i128(value), *scale, *precision).ok_or(Refused::OutOfRange)?;
                array.append_value(value);
            }
            _ => return self.unexpected("a whole number"),
        }
        Ok(16)
    }

    pub fn float(&mut self, value: f64) -> Appended {
        let Array::Float64(array) = &mut self.array else { return self.unexpected("a floating-point number") };
        array.append_value(value);
        Ok(8)
    }

    /// `-12.50`
    pub fn decimal_text(&mut self, text: &[u8]) -> Appended {
        match &mut self.array {
            Array::Decimal128(array, precision, scale) => {
                array.append_value(decimal::of_text(text, *precision, *scale).ok_or(Refused::OutOfRange)?);
            }
            Array::Decimal256(array, precision, scale) => {
                array.append_value(decimal::of_long_text(text, *precision, *scale).ok_or(Refused::OutOfRange)?);
            }
            Array::Int64(array) => {
                let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                array.append_value(number.ok_or(Refused::OutOfRange)?);
            }
            _ => return self.unexpected("a decimal"),
        }
        Ok(16)
    }

    /// `PostgreSQL`'s binary number; not-a-number and the infinities have no place in a decimal.
    pub fn decimal_wire(&mut self, wire: &[u8]) -> Appended {
        let Some(number) = decimal::Wire::read(wire) else { return self.unexpected("a malformed number") };
        let Some(number) = number.finite() else { return Ok(self.beyond()) };
        match &mut self.array {
            Array::Decimal128(array, precision, scale) => {
                array.append_value(number.to_i128(*precision, *scale).ok_or(Refused::OutOfRange)?);
            }
            Array::Decimal256(array, precision, scale) => {
                array.append_value(number.to_i256(*precision, *scale).ok_or(Refused::OutOfRange)?);
            }
            Array::Int64(array) => {
                let whole = number.to_i128(38, 0).and_then(|number| number.try_into().ok());
                array.append_value(whole.ok_or(Refused::OutOfRange)?);
            }
            _ => return self.unexpected("a decimal"),
        }
        Ok(16)
    }

    /// Text, bytes, and what is masked.
    pub fn bytes(&mut self, value: &[u8]) -> Appended {
        match (&mut self.array, &self.hmac) {
            (Array::Text(array), Some(key)) => array.append_value(hex(hmac::sign(key, value).as_ref())),
            (Array::Text(array), None) => array.append_value(std::str::from_utf8(value).map_err(|_| Refused::NotUtf8)?),
            (Array::Bytes(array), _) => array.append_value(value),
            (Array::Decimal128(..) | Array::Decimal256(..) | Array::Int64(_), _) => return self.decimal_text(value),
            // A single bit comes as a byte.
            (Array::Bool(array), _) => array.append_value(value.iter().any(|byte| *byte != 0)),
            _ => return self.unexpected("bytes"),
        }
        Ok(value.len())
    }

    pub fn civil(&mut self, value: Civil) -> Appended {
        if !value.exists() {
            return Ok(self.beyond());
        }
        match &mut self.array {
            Array::Date(array) => array.append_value(days(value)),
            Array::Micros(array) => array.append_value(micros(value)),
            _ => return self.unexpected("a date"),
        }
        Ok(8)
    }

    /// Days since 1970.
    pub fn epoch_days(&mut self, value: i64) -> Appended {
        let Array::Date(array) = &mut self.array else { return self.unexpected("a date") };
        match i32::try_from(value).ok().filter(|days| crate::civil_time::DAYS.contains(&i64::from(*days))) {
            Some(days) => array.append_value(days),
            None => return Ok(self.beyond()),
        }
        Ok(4)
    }

    /// Microseconds since 1970.
    pub fn epoch_micros(&mut self, value: i64) -> Appended {
        let Array::Micros(array) = &mut self.array else { return self.unexpected("a time") };
        if !crate::civil_time::MICROS.contains(&value) {
            return Ok(self.beyond());
        }
        array.append_value(value);
        Ok(8)
    }

    /// There is such a value in the database and none in BigQuery.
    fn beyond(&mut self) -> usize {
        self.nulled += 1;
        self.null()
    }

    fn unexpected(&self, found: &str) -> Appended {
        Err(Refused::Unexpected(format!("the database sent {found}, the catalog says {}", self.array.expects())))
    }

    pub fn finish(&mut self) -> ArrayRef {
        match &mut self.array {
            Array::Bool(array) => Arc::new(array.finish()),
            Array::Int64(array) => Arc::new(array.finish()),
            Array::Float64(array) => Arc::new(array.finish()),
            Array::Decimal128(array, ..) => Arc::new(array.finish()),
            Array::Decimal256(array, ..) => Arc::new(array.finish()),
            Array::Text(array) => Arc::new(array.finish()),
            Array::Bytes(array) => Arc::new(array.finish()),
            Array::Date(array) => Arc::new(array.finish()),
            Array::Micros(array) => Arc::new(array.finish()),
        }
    }
}

impl Array {
    fn new(r#type: Type) -> Self {
        match (r#type, r#type.arrow()) {
            (Type::Bool, _) => Self::Bool(BooleanBuilder::new()),
            (Type::Int64, _) => Self::Int64(Int64Builder::new()),
            (Type::Float64, _) => Self::Float64(Float64Builder::new()),
            (_, DataType::Decimal128(precision, scale)) => {
                let array = Decimal128Builder::new().with_data_type(DataType::Decimal128(precision, scale));
                Self::Decimal128(array, precision, scale)
            }
            (_, DataType::Decimal256(precision, scale)) => {
                let array = Decimal256Builder::new().with_data_type(DataType::Decimal256(precision, scale));
                Self::Decimal256(array, precision, scale)
            }
            (Type::Bytes, _) => Self::Bytes(BinaryBuilder::new()),
            (Type::Date, _) => Self::Date(Date32Builder::new()),
            (Type::Datetime | Type::Timestamp, time) => {
                Self::Micros(TimestampMicrosecondBuilder::new().with_data_type(time))
            }
            _ => Self::Text(StringBuilder::new()),
        }
    }

    fn expects(&self) -> &'static str {
        match self {
            Self::Bool(_) => "a truth",
            Self::Int64(_) => "a whole number",
            Self::Float64(_) => "a floating-point number",
            Self::Decimal128(..) | Self::Decimal256(..) => "a decimal",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Date(_) => "a date",
            Self::Micros(_) => "a time",
        }
    }

    fn as_builder(&self) -> &dyn ArrayBuilder {
        match self {
            Self::Bool(array) => array,
            Self::Int64(array) => array,
            Self::Float64(array) => array,
            Self::Decimal128(array, ..) => array,
            Self::Decimal256(array, ..) => array,
            Self::Text(array) => array,
            Self::Bytes(array) => array,
            Self::Date(array) => array,
            Self::Micros(array) => array,
        }
    }
}

impl Cells {
    pub fn len(&self) -> usize {
        self.array.as_builder().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}
