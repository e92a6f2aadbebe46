//! A table's schema in BigQuery: what the load job is told, and how it differs from what is there. Pure.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Existing;
use crate::columns::Column;

/// The table's fields. A load that replaces a table takes its schema from the job, so what people wrote on a column,
/// and who may see it, goes along. Source: measured by dlt-hub/dlt#4130 on BigQuery: the table's own description and
/// labels stay, those of columns go.
pub fn fields(columns: &[Column], existing: Option<&Existing>) -> Value {
    let field = |column: &Column| {
        let mut field = Map::new();
        field.insert("name".into(), column.name.clone().into());
        field.insert("type".into(), column.r#type.name().into());
        field.insert("mode".into(), "NULLABLE".into());
        let there = existing.and_then(|existing| find(existing, &column.name));
        for kept in ["description", "policyTags", "dataPolicies"] {
            if let Some(value) = there.and_then(|there| there.get(kept)).filter(|value| !is_nothing(value)) {
                field.insert(kept.into(), value.clone());
            }
        }
        Value::Object(field)
    };
    json!({"fields": columns.iter().map(field).collect::<Vec<_>>()})
}

fn find<'a>(existing: &'a Existing, name: &str) -> Option<&'a Value> {
    existing.fields().iter().find(|field| field["name"].as_str().is_some_and(|there| there.eq_ignore_ascii_case(name)))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_nothing),
        _ => false,
    }
}

/// A column that is another than in BigQuery's table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Drift {
    ColumnAdded { column: String },
    ColumnRemoved { column: String },
    ColumnRetyped { column: String, from: String, to: String },
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ColumnAdded { column } => write!(f, "column {column} was added"),
            Self::ColumnRemoved { column } => write!(f, "column {column} was removed"),
            Self::ColumnRetyped { column, from, to } => write!(f, "column {column} changed from {from} to {to}"),
        }
    }
}

/// In the order of the columns, those that went last.
pub fn drift(columns: &[Column], existing: &Existing) -> Vec<Drift> {
    let changed = |column: &Column| {
        let name = column.name.clone();
        let Some(there) = find(existing, &column.name) else { return Some(Drift::ColumnAdded { column: name }) };
        let from = there["type"].as_str().unwrap_or_default();
        let retyped =
            || Drift::ColumnRetyped { column: name, from: from.to_owned(), to: column.r#type.name().to_owned() };
        (!column.r#type.is_named(from)).then(retyped)
    };
    let gone = existing.fields().iter().filter_map(|field| field["name"].as_str());
    let gone = gone.filter(|name| !columns.iter().any(|column| column.name.eq_ignore_ascii_case(name)));
    let gone = gone.map(|name| Drift::ColumnRemoved { column: name.to_owned() });
    columns.iter().filter_map(changed).chain(gone).collect()
}

/// How the table is laid out; a load that replaces it must say so again.
pub fn layout(existing: &Existing) -> Map<String, Value> {
    let kept = ["timePartitioning", "rangePartitioning", "clustering"].into_iter();
    let kept = kept
        .filter_map(|name| Some((name.to_owned(), existing.0.get(name).filter(|value| !is_nothing(value))?.clone())));
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Read, Type};

    fn column(name: &str, r#type: Type) -> Column {
        let (source, source_type, name) = (name.into(), String::new(), name.into());
        Column { source, source_type, name, r#type, read: Read::Plain, hmac: false, nullable: true }
    }

    fn existing() -> Existing {
        Existing(json!({
            "schema": {"fields": [
                {"name": "id", "type": "INTEGER", "description": "ours", "policyTags": {"names": ["t"]}},
                {"name": "Total", "type": "FLOAT", "description": "", "policyTags": {"names": []}},
                {"name": "old", "type": "STRING"},
            ]},
            "timePartitioning": {"type": "DAY", "field": "at"},
            "clustering": null,
        }))
    }

    #[test]
    fn what_people_wrote_on_a_column_goes_along() {
        let columns = [column("id", Type::Int64), column("total", Type::Float64)];
        assert_eq!(
            fields(&columns, Some(&existing())),
            json!({"fields": [
                {"name": "id", "type": "INT64", "mode": "NULLABLE", "description": "ours", "policyTags": {"names": ["t"]}},
                {"name": "total", "type": "FLOAT64", "mode": "NULLABLE"},
            ]})
        );
    }

    #[test]
    fn columns_that_came_went_or_changed_are_named() {
        let columns = [column("id", Type::String), column("total", Type::Float64), column("new", Type::Date)];
        let told: Vec<_> = drift(&columns, &existing()).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["column id changed from INTEGER to STRING", "column new was added", "column old was removed"]
        );
    }

    #[test]
    fn the_layout_is_kept() {
        assert_eq!(Value::Object(layout(&existing())), json!({"timePartitioning": {"type": "DAY", "field": "at"}}));
    }
}
