//! From what stands in a raw table to the type that the column means. The types are those of `docs/spec/types.md`.

use handoff::Column;

/// The type that BigQuery's load gives a column of the export, where it is known.
pub(super) fn raw_type(parquet: &str) -> Option<String> {
    let (word, arguments) = parquet.split_once('(').unwrap_or((parquet, ""));
    let found = match word {
        "STRING" | "ENUM" | "JSON" => "string",
        "BYTE_ARRAY" | "FIXED_LEN_BYTE_ARRAY" => "bytes",
        "INT8" | "INT16" | "INT32" | "INT64" | "UINT8" | "UINT16" | "UINT32" => "int64",
        "BOOLEAN" => "bool",
        "FLOAT" | "DOUBLE" => "float64",
        "TIMESTAMP" => "timestamp",
        "DATE" => "date",
        "TIME" => "time",
        "DECIMAL" => decimal(arguments.trim_end_matches(')'))?,
        _ => return None,
    };
    Some(found.to_owned())
}

/// As the transfers ask for it: NUMERIC, else BIGNUMERIC, else STRING.
fn decimal(arguments: &str) -> Option<&'static str> {
    let (precision, scale) = arguments.split_once(',')?;
    let (precision, scale): (u32, u32) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    let whole = precision.saturating_sub(scale);
    Some(match (whole, scale) {
        (0..=29, 0..=9) => "numeric",
        (0..=38, 0..=38) => "bignumeric",
        _ => "string",
    })
}

/// The column in a staging model, and why it is cast.
pub(super) fn cast(column: &Column) -> (String, Option<&'static str>) {
    let name = quoted(&column.name);
    let source = column.source_type.to_lowercase();
    let word = source.split(['(', ' ']).next().unwrap_or_default();
    let Some(raw) = raw_type(&column.parquet_type) else {
        return (name, Some("the table had no rows: look at its type"));
    };
    match (raw.as_str(), word) {
        ("numeric", "bigint") => (format!("CAST({name} AS INT64) AS {name}"), Some("bigint unsigned comes as NUMERIC")),
        ("int64", "tinyint") if source.starts_with("tinyint(1)") => {
            (format!("{name} = 1 AS {name}"), Some("tinyint(1) comes as INT64"))
        }
        ("bytes", "char") => (format!("SAFE_CONVERT_BYTES_TO_STRING({name}) AS {name}"), Some("char comes as bytes")),
        ("timestamp", "datetime") => (format!("{{{{ wall_clock('{name}') }}}} AS {name}"), None),
        ("string", "json" | "jsonb") => (format!("SAFE.PARSE_JSON({name}) AS {name}"), Some("json comes as text")),
        ("string", "date") => (format!("SAFE_CAST({name} AS DATE) AS {name}"), Some("date comes as text")),
        ("string", "time") => {
            (format!("SAFE_CAST({name} AS TIME) AS {name}"), Some("time comes as text; over 24 hours is NULL"))
        }
        ("string", "numeric" | "decimal") => {
            (format!("SAFE_CAST({name} AS NUMERIC) AS {name}"), Some("comes as text; NaN becomes NULL"))
        }
        ("string", "timestamp" | "timestamptz") if zoned(&source) => {
            (format!("SAFE_CAST({name} AS TIMESTAMP) AS {name}"), Some("timestamp with time zone comes as text"))
        }
        ("string", "timestamp") => {
            let clock = format!("TIMESTAMP(SAFE_CAST({name} AS DATETIME), '{{{{ var(\"time_zone\") }}}}') AS {name}");
            (clock, Some("a wall clock, as text"))
        }
        _ => (name, None),
    }
}

fn zoned(source: &str) -> bool {
    source.starts_with("timestamptz") || source.contains("with time zone")
}

/// In backticks where it is no plain word, or one that BigQuery keeps for itself.
fn quoted(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let begins = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let reserved = RESERVED.contains(&name.to_ascii_uppercase().as_str());
    if begins && !reserved && name.bytes().all(plain) { name.to_owned() } else { format!("`{name}`") }
}

/// <https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#reserved_keywords>
const RESERVED: [&str; 97] = [
    "ALL",
    "AND",
    "ANY",
    "ARRAY",
    "AS",
    "ASC",
    "ASSERT_ROWS_MODIFIED",
    "AT",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COLLATE",
    "CONTAINS",
    "CREATE",
    "CROSS",
    "CUBE",
    "CURRENT",
    "DEFAULT",
    "DEFINE",
    "DESC",
    "DISTINCT",
    "ELSE",
    "END",
    "ENUM",
    "ESCAPE",
    "EXCEPT",
    "EXCLUDE",
    "EXISTS",
    "EXTRACT",
    "FALSE",
    "FETCH",
    "FOLLOWING",
    "FOR",
    "FROM",
    "FULL",
    "GROUP",
    "GROUPING",
    "GROUPS",
    "HASH",
    "HAVING",
    "IF",
    "IGNORE",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOOKUP",
    "MERGE",
    "NATURAL",
    "NEW",
    "NO",
    "NOT",
    "NULL",
    "NULLS",
    "OF",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PRECEDING",
    "PROTO",
    "QUALIFY",
    "RANGE",
    "RECURSIVE",
    "RESPECT",
    "RIGHT",
    "ROLLUP",
    "ROWS",
    "SELECT",
    "SET",
    "SOME",
    "STRUCT",
    "TABLESAMPLE",
    "THEN",
    "TO",
    "TREAT",
    "TRUE",
    "UNBOUNDED",
    "UNION",
    "UNNEST",
    "USING",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
    "WITHIN",
    "GRAPH_TABLE",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, source_type: &str, parquet_type: &str) -> Column {
        serde_json::from_value(
            serde_json::json!({"name": name, "source_type": source_type, "parquet_type": parquet_type}),
        )
        .unwrap()
    }

    #[test]
    fn each_type_that_an_export_changes_is_changed_back() {
        for (source, parquet, expected) in [
            ("bigint unsigned", "DECIMAL(20,0)", "CAST(x AS INT64) AS x"),
            ("bigint", "INT64", "x"),
            ("tinyint(1)", "INT32", "x = 1 AS x"),
            ("tinyint(4)", "INT32", "x"),
            ("char(3)", "BYTE_ARRAY", "SAFE_CONVERT_BYTES_TO_STRING(x) AS x"),
            ("varbinary(16)", "BYTE_ARRAY", "x"),
            ("datetime(6)", "TIMESTAMP(MICROS)", "{{ wall_clock('x') }} AS x"),
            ("timestamp", "TIMESTAMP(MICROS)", "x"),
            ("json", "STRING", "SAFE.PARSE_JSON(x) AS x"),
            ("date", "STRING", "SAFE_CAST(x AS DATE) AS x"),
            ("decimal(12,2)", "DECIMAL(12,2)", "x"),
            ("numeric(12,2)", "STRING", "SAFE_CAST(x AS NUMERIC) AS x"),
            ("timestamp with time zone", "STRING", "SAFE_CAST(x AS TIMESTAMP) AS x"),
            (
                "timestamp without time zone",
                "STRING",
                "TIMESTAMP(SAFE_CAST(x AS DATETIME), '{{ var(\"time_zone\") }}') AS x",
            ),
            ("jsonb", "STRING", "SAFE.PARSE_JSON(x) AS x"),
            ("varchar(20)", "STRING", "x"),
        ] {
            assert_eq!(cast(&column("x", source, parquet)).0, expected, "{source}");
        }
    }

    #[test]
    fn a_raw_type_is_the_one_that_the_load_gives() {
        let types = [
            "DECIMAL(20,0)",
            "DECIMAL(38,9)",
            "DECIMAL(38,20)",
            "DECIMAL(60,30)",
            "INT16",
            "BYTE_ARRAY",
            "binary (UTF8)",
        ];
        let expected =
            ["numeric", "numeric", "bignumeric", "bignumeric", "int64", "bytes"].map(|word| Some(word.to_owned()));
        let found: Vec<_> = types.iter().map(|parquet| raw_type(parquet)).collect();
        assert_eq!((&found[..6], &found[6]), (&expected[..], &None));
        assert_eq!(raw_type("DECIMAL(65,2)").as_deref(), Some("string"));
    }

    #[test]
    fn a_word_that_bigquery_keeps_for_itself_stands_in_backticks() {
        assert_eq!(cast(&column("Order", "bigint", "INT64")).0, "`Order`");
        assert_eq!(cast(&column("2nd", "date", "STRING")).0, "SAFE_CAST(`2nd` AS DATE) AS `2nd`");
    }
}
