//! Source: Amazon RDS user guide, "MySQL and MariaDB data type mapping to Parquet".

use super::{ColumnType, Exported};

/// Parquet's decimals end here; RDS writes longer ones as text.
const MAX_DECIMAL_PRECISION: u8 = 38;

impl ColumnType {
    /// Reads a type as `information_schema.columns.column_type` writes it: `bigint(20) unsigned`, `decimal(10,2)`.
    pub fn of_mysql(column_type: &str) -> Self {
        let lower = column_type.to_ascii_lowercase();
        let base = lower.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let unsigned = lower.contains(" unsigned") || lower.contains(" zerofill");
        let sizes = sizes(&lower);
        let size = sizes.first().copied().unwrap_or(0);
        let numeric = ["tinyint", "smallint", "mediumint", "int", "bigint"].contains(&base);
        Self {
            original: if numeric && unsigned { format!("{base} unsigned") } else { base.to_owned() },
            exported: exported(base, unsigned, &sizes),
            char_max_length: if base.ends_with("char") || base.ends_with("binary") { size } else { 0 },
            num_precision: if numeric { digits(base, unsigned) } else { u64::from(base == "decimal") * size },
            datetime_precision: if ["datetime", "timestamp", "time"].contains(&base) { size } else { 0 },
        }
    }
}

fn exported(base: &str, unsigned: bool, sizes: &[u64]) -> Exported {
    match base {
        "bigint" if unsigned => Exported::Decimal(20, 0),
        "bigint" => Exported::Int64,
        "int" | "integer" | "mediumint" if unsigned => Exported::Int64,
        "int" | "integer" | "mediumint" | "smallint" | "tinyint" | "year" => Exported::Int32,
        "float" | "double" | "real" => Exported::Double,
        "decimal" | "numeric" => decimal(sizes),
        "datetime" | "timestamp" => Exported::TimestampMicros,
        "char" | "binary" | "varbinary" | "bit" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "geometry"
        | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon"
        | "geometrycollection" => Exported::Bytes,
        // date, time, varchar, the texts, enum, set, json
        _ => Exported::Text,
    }
}

fn decimal(sizes: &[u64]) -> Exported {
    // MySQL's own defaults.
    let precision = u8::try_from(sizes.first().copied().unwrap_or(10)).unwrap_or(u8::MAX);
    let scale = i8::try_from(sizes.get(1).copied().unwrap_or(0)).unwrap_or(0);
    if precision > MAX_DECIMAL_PRECISION { Exported::Text } else { Exported::Decimal(precision, scale) }
}

/// The numbers in brackets: `decimal(10,2)`.
fn sizes(column_type: &str) -> Vec<u64> {
    let inside = column_type.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    inside.map_or_else(Vec::new, |(sizes, _)| sizes.split(',').filter_map(|size| size.trim().parse().ok()).collect())
}

/// What MySQL's information schema calls the numeric precision of an integer.
fn digits(base: &str, unsigned: bool) -> u64 {
    match base {
        "tinyint" => 3,
        "smallint" => 5,
        "mediumint" => 7,
        "int" => 10,
        _ => 19 + u64::from(unsigned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_mysql_has_the_parquet_type_that_rds_gives_it() {
        for (column_type, expected) in [
            ("bigint(20)", "int64"),
            ("bigint(20) unsigned", "fixed_len_byte_array (DECIMAL(20,0))"),
            ("int(11)", "int32"),
            ("int(10) unsigned", "int64"),
            ("int(10) unsigned zerofill", "int64"),
            ("mediumint(8) unsigned", "int64"),
            ("smallint(5) unsigned", "int32"),
            ("tinyint(1)", "int32"),
            ("tinyint(3) unsigned", "int32"),
            ("year(4)", "int32"),
            ("float", "double"),
            ("double", "double"),
            ("decimal(9,2)", "int32 (DECIMAL(9,2))"),
            ("decimal(18,4)", "int64 (DECIMAL(18,4))"),
            ("decimal(38,10)", "fixed_len_byte_array (DECIMAL(38,10))"),
            ("decimal(39,0)", "binary (UTF8)"),
            ("decimal(65,30)", "binary (UTF8)"),
            ("datetime(6)", "int64 (TIMESTAMP_MICROS)"),
            ("timestamp", "int64 (TIMESTAMP_MICROS)"),
            ("date", "binary (UTF8)"),
            ("time(3)", "binary (UTF8)"),
            ("char(10)", "binary"),
            ("binary(16)", "binary"),
            ("varbinary(16)", "binary"),
            ("bit(8)", "binary"),
            ("longblob", "binary"),
            ("point", "binary"),
            ("varchar(255)", "binary (UTF8)"),
            ("longtext", "binary (UTF8)"),
            ("json", "binary (UTF8)"),
            ("enum('a(1)','b')", "binary (UTF8)"),
            ("set('a','b')", "binary (UTF8)"),
        ] {
            assert_eq!(ColumnType::of_mysql(column_type).exported.expected(), expected, "{column_type}");
        }
    }

    #[test]
    fn the_source_type_is_named_without_its_width() {
        let original = |column_type: &str| ColumnType::of_mysql(column_type).original;
        assert_eq!(original("bigint(20) unsigned"), "bigint unsigned");
        assert_eq!(original("varchar(255)"), "varchar");
        assert_eq!(original("enum('a','b')"), "enum");
        assert_eq!(ColumnType::of_mysql("varchar(255)").char_max_length, 255);
        assert_eq!(ColumnType::of_mysql("bigint(20) unsigned").num_precision, 20);
        assert_eq!(ColumnType::of_mysql("datetime(6)").datetime_precision, 6);
    }
}
