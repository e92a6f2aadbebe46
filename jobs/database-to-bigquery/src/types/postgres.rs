//! The types of Aurora PostgreSQL and PostgreSQL, by `pg_catalog`: a domain is the type below it.

use super::{Natural, Read, Type};
use crate::catalog::SourceColumn;

/// What is no type of the table is carried as PostgreSQL itself writes it, so every column can be carried.
pub fn natural(column: &SourceColumn) -> Natural {
    let plain = Natural::plain;
    match column.data_type.as_str() {
        "int2" | "int4" | "int8" => plain(Type::Int64),
        "float4" | "float8" => plain(Type::Float64),
        "bool" => plain(Type::Bool),
        "numeric" => match column.precision.zip(column.scale) {
            Some((precision, scale)) => match Type::decimal(precision, scale) {
                Type::String => Natural::text(Read::Text),
                number => plain(number),
            },
            None => Natural { unbounded_number: true, ..Natural::text(Read::Text) },
        },
        "money" => Natural { read: Read::Money, ..plain(Type::Numeric { precision: 38, scale: 9 }) },
        "text" | "varchar" | "bpchar" | "name" | "json" => plain(Type::String),
        // An extension's type is written as well-known binary with its reference system.
        "bytea" | "geometry" | "geography" => plain(Type::Bytes),
        "date" => plain(Type::Date),
        "timestamp" => plain(Type::Datetime),
        "timestamptz" => plain(Type::Timestamp),
        // A list's type begins so; a record is marked by the catalog.
        other if other.starts_with('_') || other == "record" => Natural::text(Read::Json),
        _ => Natural::text(Read::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(data_type: &str, digits: Option<(u32, u32)>) -> (&'static str, Read) {
        let (precision, scale) = (digits.map(|digits| digits.0), digits.map(|digits| digits.1));
        let (name, data_type, full_type) = ("x".into(), data_type.to_owned(), data_type.to_owned());
        let natural = natural(&SourceColumn { name, data_type, full_type, precision, scale, nullable: true });
        (natural.r#type.name(), natural.read)
    }

    #[test]
    fn every_type_of_the_table_has_its_own() {
        let cases = [
            ("int2", None, "INT64", Read::Plain),
            ("float4", None, "FLOAT64", Read::Plain),
            ("bool", None, "BOOL", Read::Plain),
            ("numeric", Some((12, 2)), "NUMERIC", Read::Plain),
            ("numeric", Some((50, 20)), "BIGNUMERIC", Read::Plain),
            ("numeric", Some((1000, 2)), "STRING", Read::Text),
            ("numeric", None, "STRING", Read::Text),
            ("money", None, "NUMERIC", Read::Money),
            ("uuid", None, "STRING", Read::Text),
            ("jsonb", None, "STRING", Read::Text),
            ("timetz", None, "STRING", Read::Text),
            ("interval", None, "STRING", Read::Text),
            ("bytea", None, "BYTES", Read::Plain),
            ("timestamp", None, "DATETIME", Read::Plain),
            ("timestamptz", None, "TIMESTAMP", Read::Plain),
            ("date", None, "DATE", Read::Plain),
            ("_int4", None, "STRING", Read::Json),
            ("mood", None, "STRING", Read::Text),
        ];
        for (data_type, digits, r#type, read) in cases {
            assert_eq!(of(data_type, digits), (r#type, read), "{data_type}");
        }
    }
}
