//! Source: Aurora user guide, "PostgreSQL data type mapping to Parquet".

use super::{ColumnType, Exported};

impl ColumnType {
    /// From `information_schema.columns`: `data_type`, and whether the column's type is a domain. The words of
    /// `originalType` are those, as files of real exports show.
    pub fn of_postgres(data_type: &str, is_domain: bool) -> Self {
        let exported = if is_domain { Exported::Text } else { exported(data_type) };
        Self { original: data_type.to_owned(), exported, char_max_length: 0, num_precision: 0, datetime_precision: 0 }
    }
}

/// Text wherever Parquet's own type could not hold every value: a `numeric` may be NaN, a `date` infinity.
fn exported(data_type: &str) -> Exported {
    match data_type {
        "boolean" => Exported::Boolean,
        "smallint" => Exported::Int16,
        "integer" => Exported::Int32,
        "bigint" => Exported::Int64,
        "real" => Exported::Float,
        "double precision" => Exported::Double,
        "bytea" => Exported::Bytes,
        // The guide says "N/A" of object identifiers; that they are text is [unverified].
        _ => Exported::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_postgresql_has_the_parquet_type_that_rds_gives_it() {
        for (data_type, expected) in [
            ("bigint", "int64"),
            ("integer", "int32"),
            ("smallint", "int32 (INT_16)"),
            ("double precision", "double"),
            ("real", "float"),
            ("boolean", "boolean"),
            ("bytea", "binary"),
        ] {
            assert_eq!(ColumnType::of_postgres(data_type, false).exported.expected(), expected, "{data_type}");
        }
        for text in [
            "numeric",
            "money",
            "ARRAY",
            "bit",
            "bit varying",
            "character",
            "character varying",
            "text",
            "name",
            "USER-DEFINED",
            "tsvector",
            "xml",
            "date",
            "interval",
            "time without time zone",
            "time with time zone",
            "timestamp without time zone",
            "timestamp with time zone",
            "point",
            "json",
            "jsonb",
            "cidr",
            "inet",
            "macaddr",
            "pg_lsn",
            "int4range",
            "uuid",
        ] {
            assert_eq!(ColumnType::of_postgres(text, false).exported.expected(), "binary (UTF8)", "{text}");
        }
    }

    #[test]
    fn a_domain_is_text_whatever_is_under_it() {
        assert_eq!(ColumnType::of_postgres("integer", true).exported, Exported::Text);
        assert_eq!(ColumnType::of_postgres("integer", true).original, "integer");
    }
}
