//! What the generated table answers to a query, which is known by its words.

use arrow_schema::{DataType, Field};
use serde_json::{Value, json};

use super::table::Table;

#[derive(Default)]
pub(super) struct Rows {
    pub(super) fields: Vec<Value>,
    pub(super) rows: Vec<Value>,
}

/// The table that a query creates: ``CREATE TABLE IF NOT EXISTS `project.dataset.table` …``
pub(super) fn created(sql: &str) -> Option<(&str, &str)> {
    let rest = sql.trim_start().strip_prefix("CREATE ")?;
    let name = rest.split('`').nth(1)?;
    let mut parts = name.rsplit('.');
    let table = parts.next()?;
    Some((parts.next()?, table))
}

/// The rows of a query that counts: all of them, or those of each shard.
pub(super) fn rows(sql: &str, table: &Table) -> Option<Rows> {
    let (before, after) = sql.split_once("COUNT(*)")?;
    let alias = after.trim_start().strip_prefix("AS ").and_then(|after| after.split_whitespace().next());
    let count = integer(alias.map_or("f0_", |alias| alias.trim_end_matches(',')));
    if !before.contains("isthmus_shard") {
        return Some(Rows { fields: vec![count], rows: vec![row(&[table.rows()])] });
    }
    let mut counts = table.order.shard_rows();
    counts[0] += table.order.null_keys;
    // GROUP BY promises no order, and has no row for what is empty. Each key is there once.
    let rows = counts.iter().enumerate().rev().filter(|(_, rows)| **rows > 0);
    let names = ["isthmus_shard", "shard_rows", "null_keys", "repeated_keys"];
    let a_repeated_key = json!({"name": "a_repeated_key", "type": "STRING", "mode": "NULLABLE"});
    let shard = |(shard, rows): (usize, &usize)| {
        let mut row = row(&[shard, *rows, if shard == 0 { table.order.null_keys } else { 0 }, 0]);
        row["f"].as_array_mut().into_iter().for_each(|cells| cells.push(json!({"v": null})));
        row
    };
    Some(Rows {
        fields: names.map(integer).into_iter().chain([a_repeated_key]).collect(),
        rows: rows.map(shard).collect(),
    })
}

pub(super) fn field(field: &Field) -> Value {
    let kind = match field.data_type() {
        DataType::Int64 => "INTEGER",
        DataType::Float64 => "FLOAT",
        DataType::Decimal128(..) => "NUMERIC",
        DataType::Boolean => "BOOLEAN",
        DataType::Timestamp(..) => "TIMESTAMP",
        _ => "STRING",
    };
    json!({"name": field.name(), "type": kind, "mode": "NULLABLE"})
}

fn integer(name: &str) -> Value {
    json!({"name": name, "type": "INTEGER", "mode": "NULLABLE"})
}

fn row(cells: &[usize]) -> Value {
    json!({"f": cells.iter().map(|cell| json!({"v": cell.to_string()})).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_created_table_is_known_by_its_quoted_name() {
        assert_eq!(
            created("CREATE TABLE IF NOT EXISTS `p.scratch.users__1`\nAS SELECT 1"),
            Some(("scratch", "users__1"))
        );
        assert_eq!(created("CREATE OR REPLACE TABLE `scratch.t` AS SELECT `x` FROM `y.z`"), Some(("scratch", "t")));
        assert_eq!(created("SELECT COUNT(*) FROM `p.d.t`"), None);
    }
}
