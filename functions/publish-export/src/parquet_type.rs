//! A column's Parquet type: the logical type where there is one, else the physical type. Its text is the manifest's.

use std::fmt;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::schema::types::Type;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer {
        bits: u8,
        signed: bool,
    },
    Decimal {
        precision: i32,
        scale: i32,
    },
    Timestamp(Unit),
    Time(Unit),
    Date,
    /// In the order of its bytes: `STRING`, `ENUM`.
    Text(&'static str),
    /// Without a mark; the length is that of `FIXED_LEN_BYTE_ARRAY`.
    Physical(PhysicalType, i32),
    /// A group, or marked as something whose order is not known here.
    Other(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Millis,
    Micros,
    Nanos,
}

impl Kind {
    pub(crate) fn of(field: &Type) -> Self {
        let info = field.get_basic_info();
        if !field.is_primitive() {
            return Self::Other(group_text(info.converted_type()).into());
        }
        let logical = info.logical_type_ref().and_then(Self::of_logical);
        logical.or_else(|| Self::of_converted(field)).unwrap_or_else(|| {
            let length = match field {
                Type::PrimitiveType { type_length, .. } => *type_length,
                Type::GroupType { .. } => 0,
            };
            let unmarked = Self::Physical(field.get_physical_type(), length);
            let is_marked = info.logical_type_ref().is_some() || info.converted_type() != ConvertedType::NONE;
            if is_marked { Self::Other(unmarked.to_string()) } else { unmarked }
        })
    }

    fn of_logical(logical: &LogicalType) -> Option<Self> {
        Some(match logical {
            LogicalType::String => Self::Text("STRING"),
            LogicalType::Enum => Self::Text("ENUM"),
            LogicalType::Json => Self::Other("JSON".into()),
            LogicalType::Bson => Self::Other("BSON".into()),
            LogicalType::Uuid => Self::Other("UUID".into()),
            LogicalType::Float16 => Self::Other("FLOAT16".into()),
            LogicalType::Date => Self::Date,
            LogicalType::Decimal(decimal) => Self::Decimal { precision: decimal.precision, scale: decimal.scale },
            LogicalType::Time(time) => Self::Time(Unit::of(time.unit)),
            LogicalType::Timestamp(time) => Self::Timestamp(Unit::of(time.unit)),
            LogicalType::Integer(integer) => {
                Self::Integer { bits: u8::try_from(integer.bit_width).ok()?, signed: integer.is_signed }
            }
            _ => return None,
        })
    }

    /// Older writers, Spark's among them, mark a column with a converted type only.
    fn of_converted(field: &Type) -> Option<Self> {
        let integer = |bits, signed| Self::Integer { bits, signed };
        Some(match field.get_basic_info().converted_type() {
            ConvertedType::UTF8 => Self::Text("STRING"),
            ConvertedType::ENUM => Self::Text("ENUM"),
            ConvertedType::JSON => Self::Other("JSON".into()),
            ConvertedType::BSON => Self::Other("BSON".into()),
            ConvertedType::DATE => Self::Date,
            ConvertedType::DECIMAL => Self::Decimal { precision: field.get_precision(), scale: field.get_scale() },
            ConvertedType::TIME_MILLIS => Self::Time(Unit::Millis),
            ConvertedType::TIME_MICROS => Self::Time(Unit::Micros),
            ConvertedType::TIMESTAMP_MILLIS => Self::Timestamp(Unit::Millis),
            ConvertedType::TIMESTAMP_MICROS => Self::Timestamp(Unit::Micros),
            ConvertedType::INT_8 => integer(8, true),
            ConvertedType::INT_16 => integer(16, true),
            ConvertedType::INT_32 => integer(32, true),
            ConvertedType::INT_64 => integer(64, true),
            ConvertedType::UINT_8 => integer(8, false),
            ConvertedType::UINT_16 => integer(16, false),
            ConvertedType::UINT_32 => integer(32, false),
            ConvertedType::UINT_64 => integer(64, false),
            _ => return None,
        })
    }
}

impl Unit {
    fn of(unit: TimeUnit) -> Self {
        match unit {
            TimeUnit::MILLIS => Self::Millis,
            TimeUnit::MICROS => Self::Micros,
            TimeUnit::NANOS => Self::Nanos,
        }
    }
}

/// Nothing of MySQL becomes a group; it is named so that a reader sees what it cannot load.
fn group_text(converted: ConvertedType) -> &'static str {
    match converted {
        ConvertedType::LIST => "LIST",
        ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE => "MAP",
        _ => "GROUP",
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer { bits, signed: true } => write!(f, "INT{bits}"),
            Self::Integer { bits, signed: false } => write!(f, "UINT{bits}"),
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision},{scale})"),
            Self::Timestamp(unit) => write!(f, "TIMESTAMP({unit})"),
            Self::Time(unit) => write!(f, "TIME({unit})"),
            Self::Date => f.write_str("DATE"),
            Self::Text(word) => f.write_str(word),
            Self::Physical(PhysicalType::FIXED_LEN_BYTE_ARRAY, length) => write!(f, "FIXED_LEN_BYTE_ARRAY({length})"),
            Self::Physical(physical, _) => write!(f, "{physical}"),
            Self::Other(word) => f.write_str(word),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Millis => "MILLIS",
            Self::Micros => "MICROS",
            Self::Nanos => "NANOS",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::schema::parser::parse_message_type;

    #[test]
    fn each_type_that_rds_writes_has_its_word() {
        let message = "message schema {
            required int32 a; required int64 b; required binary c; required binary d (UTF8);
            required fixed_len_byte_array(9) e (DECIMAL(20,0)); required int64 f (TIMESTAMP_MICROS);
            required int64 g (TIMESTAMP(MILLIS,true)); required float h; required double i; required boolean j;
            required int32 k (INT_16); required int32 l (UINT_8); required int32 m (DATE);
            required fixed_len_byte_array(4) n; required int96 o; required binary p (JSON);
            required int64 q (TIME(MICROS,false)); required binary r (STRING); required int64 s (INTEGER(64,false));
            required group t (LIST) { repeated group list { required int32 element; } }
            required group u { required int32 v; } required fixed_len_byte_array(12) w (INTERVAL); }";
        let schema = parse_message_type(message).unwrap();
        let texts: Vec<String> = schema.get_fields().iter().map(|field| Kind::of(field).to_string()).collect();
        let expected = [
            "INT32",
            "INT64",
            "BYTE_ARRAY",
            "STRING",
            "DECIMAL(20,0)",
            "TIMESTAMP(MICROS)",
            "TIMESTAMP(MILLIS)",
            "FLOAT",
            "DOUBLE",
            "BOOLEAN",
            "INT16",
            "UINT8",
            "DATE",
            "FIXED_LEN_BYTE_ARRAY(4)",
            "INT96",
            "JSON",
            "TIME(MICROS)",
            "STRING",
            "UINT64",
            "LIST",
            "GROUP",
            "FIXED_LEN_BYTE_ARRAY(12)",
        ];
        assert_eq!(texts, expected);
    }
}
