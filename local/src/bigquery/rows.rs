//! BigQuery's rows, `{"f": [{"v": "1"}]}` beside a schema, as plain objects.

use serde_json::{Map, Value};

pub(super) fn objects(fields: &Value, rows: &Value) -> Vec<Value> {
    rows.as_array().into_iter().flatten().map(|row| object(fields, row)).collect()
}

fn object(fields: &Value, row: &Value) -> Value {
    let fields = fields.as_array().into_iter().flatten();
    let cells = row["f"].as_array().into_iter().flatten();
    let named = fields.zip(cells).map(|(field, cell)| {
        let name = field["name"].as_str().unwrap_or_default().to_owned();
        (name, value(field, &cell["v"]))
    });
    Value::Object(named.collect::<Map<_, _>>())
}

fn value(field: &Value, cell: &Value) -> Value {
    match cell {
        Value::Null => Value::Null,
        Value::Array(items) => Value::Array(items.iter().map(|item| value(field, &item["v"])).collect()),
        Value::Object(_) => object(&field["fields"], cell),
        _ => scalar(field["type"].as_str().unwrap_or_default(), cell),
    }
}

/// Numbers and booleans come as text. What JSON cannot hold exactly (NUMERIC) stays text.
fn scalar(kind: &str, cell: &Value) -> Value {
    let Some(text) = cell.as_str() else { return cell.clone() };
    let parsed = match kind {
        "INTEGER" | "INT64" => text.parse::<i64>().ok().map(Value::from),
        "FLOAT" | "FLOAT64" => text.parse::<f64>().ok().map(Value::from).filter(|number| !number.is_null()),
        "BOOLEAN" | "BOOL" => text.parse::<bool>().ok().map(Value::from),
        _ => None,
    };
    parsed.unwrap_or_else(|| cell.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_become_values_by_their_type() {
        let fields = json!([
            {"name": "n", "type": "INTEGER"}, {"name": "x", "type": "FLOAT"}, {"name": "ok", "type": "BOOLEAN"},
            {"name": "price", "type": "NUMERIC"}, {"name": "note", "type": "STRING"},
            {"name": "tags", "type": "INTEGER", "mode": "REPEATED"},
            {"name": "at", "type": "RECORD", "fields": [{"name": "y", "type": "INTEGER"}]},
        ]);
        let rows = json!([{"f": [
            {"v": "1"}, {"v": "1.5"}, {"v": "true"}, {"v": "20.10"}, {"v": null},
            {"v": [{"v": "7"}, {"v": "8"}]}, {"v": {"f": [{"v": "2026"}]}},
        ]}]);
        let expected = json!({
            "n": 1, "x": 1.5, "ok": true, "price": "20.10", "note": null, "tags": [7, 8], "at": {"y": 2026}
        });
        assert_eq!(objects(&fields, &rows), [expected]);
    }

    #[test]
    fn a_statement_without_an_answer_has_no_rows() {
        assert!(objects(&Value::Null, &Value::Null).is_empty());
    }
}
