//! What a row takes in memory beside the bytes that BigQuery counts. BigQuery counts values, and a null is none; here it has
//! its place in an Arrow column, and its name and `null` in the JSON.

use google_cloud_bigquery_v2::model::TableFieldSchema;

/// Quotes, colon and comma around a name, and `null`.
const AROUND_A_NAME: usize = 8;

/// Of one row of these columns, however many of them are filled.
pub fn frame_bytes(columns: &[TableFieldSchema]) -> u64 {
    columns.iter().map(frame).sum()
}

fn frame(column: &TableFieldSchema) -> u64 {
    let name = (column.name.len() + AROUND_A_NAME) as u64;
    // An array that is null has no elements; those of others are among their values.
    if column.mode == "REPEATED" {
        return name + OFFSET;
    }
    name + match column.r#type.as_str() {
        // A null record has a place in each of its own columns.
        "RECORD" | "STRUCT" => frame_bytes(&column.fields),
        "BOOLEAN" | "BOOL" => 1,
        "NUMERIC" | "DECIMAL" | "INTERVAL" | "RANGE" => 16,
        "BIGNUMERIC" | "BIGDECIMAL" => 32,
        "STRING" | "BYTES" | "JSON" | "GEOGRAPHY" => OFFSET,
        _ => 8,
    }
}

/// Where a text or an array ends.
const OFFSET: u64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: &str) -> TableFieldSchema {
        TableFieldSchema::new().set_name(name).set_type(kind)
    }

    #[test]
    fn a_null_takes_the_room_of_its_type_and_its_name() {
        let record = column("address", "RECORD").set_fields([column("zip", "STRING"), column("floor", "INTEGER")]);
        for (column, bytes) in [
            (column("id", "INTEGER"), 2 + 8 + 8),
            (column("name", "STRING"), 4 + 8 + 4),
            (column("paid", "BOOLEAN"), 4 + 8 + 1),
            (column("price", "BIGNUMERIC"), 5 + 8 + 32),
            (record.clone(), 7 + 8 + (3 + 8 + 4) + (5 + 8 + 8)),
            (record.set_mode("REPEATED"), 7 + 8 + 4),
        ] {
            assert_eq!(frame_bytes(std::slice::from_ref(&column)), bytes, "{column:?}");
        }
        let sparse: Vec<_> = (0..1000).map(|n| column(&format!("column_{n:03}"), "INTEGER")).collect();
        assert_eq!(frame_bytes(&sparse), 26_000);
    }
}
