//! What is to be done with each table: the table list beside the manifest. Pure.

use std::collections::BTreeSet;

use handoff::{Change, Drift, Manifest, TableName, TableState, TransferTable};

use crate::config::OnDrift;
use crate::outcome::State;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// One for each table of the list, in its order.
    pub steps: Vec<Step>,
    /// In the manifest but not in the list: told, and no error.
    pub unlisted: Vec<TableName>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub table: TransferTable,
    /// By the manifest; none where it does not have the table.
    pub rows_expected: Option<u64>,
    pub action: Action,
    /// What changed since the last export, in words; empty where nothing did.
    pub drift: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Load,
    /// The table was exported and has no rows: a transfer would find no file and leave yesterday's rows.
    Truncate,
    /// Nothing is done to the table, for this reason.
    Leave(State, String),
}

pub fn plan(tables: &[TransferTable], manifest: &Manifest, on_drift: OnDrift) -> Plan {
    let listed: BTreeSet<&TableName> = tables.iter().map(|table| &table.source).collect();
    let names = manifest.tables.iter().map(|table| &table.name);
    Plan {
        steps: tables.iter().map(|table| step(table, manifest, on_drift)).collect(),
        unlisted: names.filter(|name| !listed.contains(name)).cloned().collect(),
    }
}

fn step(table: &TransferTable, manifest: &Manifest, on_drift: OnDrift) -> Step {
    let drift: Vec<String> = column_drift(&table.source, manifest).map(ToString::to_string).collect();
    let exported = manifest.table(&table.source);
    let action = match exported.map(|exported| exported.state) {
        None => Action::Leave(State::Missing, "not in the manifest: was it dropped or renamed?".into()),
        Some(TableState::Skipped) => Action::Leave(State::Skipped, why_skipped(&table.source, manifest)),
        Some(_) if on_drift == OnDrift::Fail && !drift.is_empty() => Action::Leave(State::Drifted, drift.join(", ")),
        Some(TableState::Empty) => Action::Truncate,
        Some(TableState::Exported) => Action::Load,
    };
    let rows_expected = exported.filter(|table| table.state != TableState::Skipped).map(|table| table.rows);
    Step { table: table.clone(), rows_expected, action, drift }
}

/// A table that is new has no rows that could be lost, so only a change of columns is drift here.
fn column_drift<'a>(name: &TableName, manifest: &'a Manifest) -> impl Iterator<Item = &'a Drift> {
    let of_columns = |change| matches!(change, Change::ColumnAdded | Change::ColumnRemoved | Change::ColumnRetyped);
    manifest.drift.iter().filter(move |drift| drift.table == *name && of_columns(drift.change))
}

fn why_skipped(name: &TableName, manifest: &Manifest) -> String {
    let said = manifest.warnings.iter().filter(|warning| warning.contains(&name.to_string()));
    let said: Vec<&str> = said.map(String::as_str).collect();
    if said.is_empty() {
        return "RDS did not export it".to_owned();
    }
    format!("RDS did not export it: {}", said.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest() -> Manifest {
        let table = |name: &str, state: &str, rows: u64| json!({"name": name, "prefix": "", "state": state, "rows": rows, "bytes": rows, "parts": u64::from(rows > 0)});
        serde_json::from_value(json!({
            "version": 1, "env": "prod", "export_date": "2026-11-22", "task_id": "prod-20261122", "snapshot_arn": "",
            "snapshot_time": "2026-11-21T17:05:00Z", "published_at": "2026-11-21T19:40:00Z",
            "tables": [
                table("shop.cart", "empty", 0), table("shop.logs", "skipped", 0), table("shop.new", "exported", 4),
                table("shop.orders", "exported", 10), table("shop.users", "exported", 3),
            ],
            "drift": [
                {"table": "shop.orders", "change": "column_added", "column": "coupon"},
                {"table": "shop.cart", "change": "column_retyped", "column": "n", "from": "int", "to": "bigint"},
                {"table": "shop.new", "change": "table_added"},
                {"table": "shop.gone", "change": "table_removed"},
            ],
            "warnings": ["shop.logs: a column name holds a space"],
        }))
        .unwrap()
    }

    fn table(name: &str) -> TransferTable {
        let source: TableName = name.parse().unwrap();
        let (dataset, table) = (format!("raw_{}", source.database()), source.table().to_owned());
        TransferTable {
            dataset,
            table,
            pattern: "*.parquet".into(),
            display_name: format!("isthmus prod {source}"),
            source,
        }
    }

    fn actions(names: &[&str], on_drift: OnDrift) -> Vec<(Option<u64>, Action)> {
        let tables: Vec<TransferTable> = names.iter().map(|name| table(name)).collect();
        plan(&tables, &manifest(), on_drift).steps.into_iter().map(|step| (step.rows_expected, step.action)).collect()
    }

    #[test]
    fn each_state_of_the_manifest_leads_to_one_action() {
        let leave = |state, text: &str| Action::Leave(state, text.into());
        assert_eq!(
            actions(&["shop.orders", "shop.cart", "shop.logs", "shop.gone"], OnDrift::Warn),
            [
                (Some(10), Action::Load),
                (Some(0), Action::Truncate),
                (None, leave(State::Skipped, "RDS did not export it: shop.logs: a column name holds a space")),
                (None, leave(State::Missing, "not in the manifest: was it dropped or renamed?")),
            ]
        );
    }

    #[test]
    fn a_drifted_table_keeps_its_last_good_rows_when_drift_fails() {
        let drifted = |text: &str| Action::Leave(State::Drifted, text.into());
        assert_eq!(
            actions(&["shop.orders", "shop.cart", "shop.users", "shop.new"], OnDrift::Fail),
            [
                (Some(10), drifted("column shop.orders.coupon was added")),
                (Some(0), drifted("column shop.cart.n changed from int to bigint")),
                (Some(3), Action::Load),
                (Some(4), Action::Load),
            ]
        );
    }

    #[test]
    fn drift_is_told_whatever_the_policy() {
        let plan = plan(&[table("shop.orders"), table("shop.users")], &manifest(), OnDrift::Warn);
        assert_eq!(plan.steps[0].drift, ["column shop.orders.coupon was added"]);
        assert!(plan.steps[1].drift.is_empty());
    }

    #[test]
    fn tables_that_nobody_listed_are_named() {
        let plan = plan(&[table("shop.orders"), table("shop.gone")], &manifest(), OnDrift::Warn);
        let unlisted: Vec<String> = plan.unlisted.iter().map(ToString::to_string).collect();
        assert_eq!(unlisted, ["shop.cart", "shop.logs", "shop.new", "shop.users"]);
    }
}
