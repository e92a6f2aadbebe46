//! The types of Aurora MySQL, MySQL and MariaDB, by `information_schema`: on the wire, MariaDB's JSON is a blob.

use super::{Natural, Read, Type};
use crate::catalog::SourceColumn;

/// By itself, or why it cannot be carried.
#[allow(clippy::match_same_arms)] // in the order of the document's table
pub fn natural(column: &SourceColumn) -> Result<Natural, String> {
    let unsigned = column.full_type.contains("unsigned");
    let plain = |r#type| Ok(Natural::plain(r#type));
    match column.data_type.as_str() {
        "bigint" if unsigned => plain(Type::Numeric { precision: 20, scale: 0 }),
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => plain(Type::Int64),
        "float" | "double" => plain(Type::Float64),
        "decimal" => {
            let (precision, scale) = column.precision.zip(column.scale).ok_or("has no precision")?;
            plain(Type::decimal(precision, scale))
        }
        // One bit is a truth; more are bits.
        "bit" if column.precision == Some(1) => plain(Type::Bool),
        "bit" => plain(Type::Bytes),
        "date" => plain(Type::Date),
        "datetime" => plain(Type::Datetime),
        "timestamp" => plain(Type::Timestamp),
        // From -838:59:59 to 838:59:59: a span as well as a time of day.
        "time" => Ok(Natural::text(Read::Text)),
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set" | "json" => {
            plain(Type::String)
        }
        "uuid" | "inet4" | "inet6" => Ok(Natural::text(Read::Text)),
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "vector" => plain(Type::Bytes),
        // Four bytes with the reference system, then well-known binary.
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon"
        | "geometrycollection" | "geomcollection" => plain(Type::Bytes),
        other => Err(format!("type {other} is not known: exclude the column, or read it as STRING")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(data_type: &str, full_type: &str, digits: Option<(u32, u32)>) -> Result<&'static str, String> {
        let (precision, scale) = (digits.map(|digits| digits.0), digits.map(|digits| digits.1));
        let (data_type, full_type) = (data_type.to_owned(), full_type.to_owned());
        let column = SourceColumn { name: "x".into(), data_type, full_type, precision, scale, nullable: true };
        natural(&column).map(|natural| natural.r#type.name())
    }

    #[test]
    fn every_type_of_the_table_has_its_own() {
        let cases = [
            ("tinyint", "tinyint(1)", None, "INT64"),
            ("int", "int(10) unsigned", None, "INT64"),
            ("bigint", "bigint(20)", None, "INT64"),
            ("bigint", "bigint(20) unsigned", None, "NUMERIC"),
            ("year", "year(4)", None, "INT64"),
            ("float", "float", None, "FLOAT64"),
            ("decimal", "decimal(38,9)", Some((38, 9)), "NUMERIC"),
            ("decimal", "decimal(65,30)", Some((65, 30)), "BIGNUMERIC"),
            ("decimal", "decimal(65,0)", Some((65, 0)), "STRING"),
            ("bit", "bit(1)", Some((1, 0)), "BOOL"),
            ("bit", "bit(64)", Some((64, 0)), "BYTES"),
            ("datetime", "datetime(6)", None, "DATETIME"),
            ("timestamp", "timestamp", None, "TIMESTAMP"),
            ("date", "date", None, "DATE"),
            ("time", "time(3)", None, "STRING"),
            ("json", "json", None, "STRING"),
            ("enum", "enum('a','b')", None, "STRING"),
            ("varbinary", "varbinary(16)", None, "BYTES"),
            ("point", "point", None, "BYTES"),
        ];
        for (data_type, full_type, digits, expected) in cases {
            assert_eq!(of(data_type, full_type, digits), Ok(expected), "{full_type}");
        }
    }

    #[test]
    fn a_type_that_nobody_knows_is_told_with_what_helps() {
        let told = of("xmltype", "xmltype", None).unwrap_err();
        assert_eq!(told, "type xmltype is not known: exclude the column, or read it as STRING");
    }
}
