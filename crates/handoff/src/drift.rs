//! Drift: what changed in the shape of the tables since the last manifest that was published.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Column, Manifest, Table, TableName};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Drift {
    pub table: TableName,
    pub change: Change,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// For `column_retyped`: the type before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    TableAdded,
    TableRemoved,
    ColumnAdded,
    ColumnRemoved,
    ColumnRetyped,
}

impl Drift {
    fn table(name: &TableName, change: Change) -> Self {
        Self { table: name.clone(), change, column: None, from: None, to: None }
    }

    fn column(name: &TableName, change: Change, column: &str) -> Self {
        Self { column: Some(column.to_owned()), ..Self::table(name, change) }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, column) = (&self.table, self.column.as_deref().unwrap_or_default());
        let (from, to) = (self.from.as_deref().unwrap_or_default(), self.to.as_deref().unwrap_or_default());
        match self.change {
            Change::TableAdded => write!(f, "table {table} was added"),
            Change::TableRemoved => write!(f, "table {table} was removed"),
            Change::ColumnAdded => write!(f, "column {table}.{column} was added"),
            Change::ColumnRemoved => write!(f, "column {table}.{column} was removed"),
            Change::ColumnRetyped => write!(f, "column {table}.{column} changed from {from} to {to}"),
        }
    }
}

/// In the order of table and column names. Tables whose columns one side does not know (a skipped table) are compared
/// by presence only.
pub fn drift_between(previous: &Manifest, current: &Manifest) -> Vec<Drift> {
    let (old, new) = (tables_by_name(previous), tables_by_name(current));
    let names: BTreeSet<&TableName> = old.keys().chain(new.keys()).copied().collect();
    let of = |name: &TableName| match (old.get(name), new.get(name)) {
        (None, Some(_)) => vec![Drift::table(name, Change::TableAdded)],
        (Some(_), None) => vec![Drift::table(name, Change::TableRemoved)],
        (Some(old), Some(new)) => columns_between(name, &old.columns, &new.columns),
        (None, None) => Vec::new(),
    };
    names.into_iter().flat_map(of).collect()
}

fn tables_by_name(manifest: &Manifest) -> BTreeMap<&TableName, &Table> {
    manifest.tables.iter().map(|table| (&table.name, table)).collect()
}

fn columns_by_name(columns: &[Column]) -> BTreeMap<&str, &Column> {
    columns.iter().map(|column| (column.name.as_str(), column)).collect()
}

fn columns_between(table: &TableName, old: &[Column], new: &[Column]) -> Vec<Drift> {
    if old.is_empty() || new.is_empty() {
        return Vec::new();
    }
    let (old, new) = (columns_by_name(old), columns_by_name(new));
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let of = |name: &str| match (old.get(name), new.get(name)) {
        (None, Some(_)) => Some(Drift::column(table, Change::ColumnAdded, name)),
        (Some(_), None) => Some(Drift::column(table, Change::ColumnRemoved, name)),
        (Some(old), Some(new)) => retyped(table, old, new),
        (None, None) => None,
    };
    names.into_iter().filter_map(of).collect()
}

/// The source's type decides: the Parquet type of an empty table is only RDS's announcement.
fn retyped(table: &TableName, old: &Column, new: &Column) -> Option<Drift> {
    (old.source_type != new.source_type).then(|| Drift {
        from: Some(old.source_type.clone()),
        to: Some(new.source_type.clone()),
        ..Drift::column(table, Change::ColumnRetyped, &new.name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MANIFEST_VERSION, TableState};

    fn manifest(tables: &[(&str, &[(&str, &str)])]) -> Manifest {
        let column = |(name, source_type): &(&str, &str)| Column {
            name: (*name).into(),
            source_type: (*source_type).into(),
            parquet_type: "INT64".into(),
            statistics: crate::Statistics::default(),
        };
        let table = |(name, columns): &(&str, &[(&str, &str)])| Table {
            name: name.parse().unwrap(),
            prefix: String::new(),
            state: TableState::Empty,
            rows: 0,
            bytes: 0,
            parts: 0,
            task_id: None,
            snapshot_time: None,
            newest_part_at: None,
            columns: columns.iter().map(column).collect(),
        };
        Manifest {
            version: MANIFEST_VERSION,
            env: "prod".parse().unwrap(),
            export_date: "2026-11-22".parse().unwrap(),
            task_id: "prod-20261122".parse().unwrap(),
            tasks: Vec::new(),
            snapshot_arn: String::new(),
            snapshot_time: chrono::DateTime::UNIX_EPOCH,
            published_at: chrono::DateTime::UNIX_EPOCH,
            tables: tables.iter().map(table).collect(),
            drift: Vec::new(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn each_change_of_shape_is_named_once() {
        let old =
            manifest(&[("shop.orders", &[("id", "int"), ("note", "text"), ("at", "datetime")]), ("shop.gone", &[])]);
        let new = manifest(&[
            ("shop.orders", &[("at", "datetime"), ("coupon", "text"), ("id", "bigint")]),
            ("shop.new", &[]),
        ]);
        let told: Vec<String> = drift_between(&old, &new).iter().map(ToString::to_string).collect();
        let expected = [
            "table shop.gone was removed",
            "table shop.new was added",
            "column shop.orders.coupon was added",
            "column shop.orders.id changed from int to bigint",
            "column shop.orders.note was removed",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn the_same_shape_in_another_order_is_no_drift() {
        let old = manifest(&[("shop.a", &[("x", "int"), ("y", "int")]), ("shop.b", &[])]);
        let new = manifest(&[("shop.b", &[]), ("shop.a", &[("y", "int"), ("x", "int")])]);
        assert_eq!(drift_between(&old, &new), []);
    }

    #[test]
    fn a_skipped_table_has_no_known_columns_and_so_lost_none() {
        let old = manifest(&[("shop.a", &[("x", "int")])]);
        let new = manifest(&[("shop.a", &[])]);
        assert_eq!(drift_between(&old, &new), []);
    }
}
