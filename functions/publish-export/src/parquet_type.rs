//! A column's Parquet type as the manifest tells it: the logical type where there is one, else the physical type.

use parquet::basic::{ConvertedType, LogicalType, Type as PhysicalType};
use parquet::schema::types::Type;

pub(crate) fn type_text(field: &Type) -> String {
    if !field.is_primitive() {
        return group_text(field);
    }
    let info = field.get_basic_info();
    let logical = info.logical_type_ref().and_then(logical_text);
    logical.or_else(|| converted_text(field)).unwrap_or_else(|| physical_text(field))
}

/// Nothing of MySQL becomes a group; it is named so that a reader sees what it cannot load.
fn group_text(field: &Type) -> String {
    match field.get_basic_info().converted_type() {
        ConvertedType::LIST => "LIST".into(),
        ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE => "MAP".into(),
        _ => "GROUP".into(),
    }
}

/// `None` for what has no word here: then the physical type is told.
fn logical_text(logical: &LogicalType) -> Option<String> {
    Some(match logical {
        LogicalType::String => "STRING".into(),
        LogicalType::Enum => "ENUM".into(),
        LogicalType::Json => "JSON".into(),
        LogicalType::Bson => "BSON".into(),
        LogicalType::Uuid => "UUID".into(),
        LogicalType::Date => "DATE".into(),
        LogicalType::Float16 => "FLOAT16".into(),
        LogicalType::Decimal(decimal) => format!("DECIMAL({},{})", decimal.precision, decimal.scale),
        LogicalType::Time(time) => format!("TIME({:?})", time.unit),
        LogicalType::Timestamp(time) => format!("TIMESTAMP({:?})", time.unit),
        LogicalType::Integer(integer) => integer_text(integer.bit_width, integer.is_signed),
        _ => return None,
    })
}

fn integer_text(bits: impl std::fmt::Display, signed: bool) -> String {
    if signed { format!("INT{bits}") } else { format!("UINT{bits}") }
}

/// Older writers, Spark's among them, mark a column with a converted type only.
fn converted_text(field: &Type) -> Option<String> {
    Some(match field.get_basic_info().converted_type() {
        ConvertedType::UTF8 => "STRING".into(),
        ConvertedType::ENUM => "ENUM".into(),
        ConvertedType::JSON => "JSON".into(),
        ConvertedType::BSON => "BSON".into(),
        ConvertedType::DATE => "DATE".into(),
        ConvertedType::DECIMAL => format!("DECIMAL({},{})", field.get_precision(), field.get_scale()),
        ConvertedType::TIME_MILLIS => "TIME(MILLIS)".into(),
        ConvertedType::TIME_MICROS => "TIME(MICROS)".into(),
        ConvertedType::TIMESTAMP_MILLIS => "TIMESTAMP(MILLIS)".into(),
        ConvertedType::TIMESTAMP_MICROS => "TIMESTAMP(MICROS)".into(),
        ConvertedType::INT_8 => integer_text(8, true),
        ConvertedType::INT_16 => integer_text(16, true),
        ConvertedType::INT_32 => integer_text(32, true),
        ConvertedType::INT_64 => integer_text(64, true),
        ConvertedType::UINT_8 => integer_text(8, false),
        ConvertedType::UINT_16 => integer_text(16, false),
        ConvertedType::UINT_32 => integer_text(32, false),
        ConvertedType::UINT_64 => integer_text(64, false),
        _ => return None,
    })
}

fn physical_text(field: &Type) -> String {
    match (field.get_physical_type(), field) {
        (PhysicalType::FIXED_LEN_BYTE_ARRAY, Type::PrimitiveType { type_length, .. }) => {
            format!("FIXED_LEN_BYTE_ARRAY({type_length})")
        }
        (physical, _) => physical.to_string(),
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
            required group u { required int32 v; } }";
        let schema = parse_message_type(message).unwrap();
        let texts: Vec<String> = schema.get_fields().iter().map(|field| type_text(field)).collect();
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
        ];
        assert_eq!(texts, expected);
    }
}
