use handoff::{Proof, TableList};
use serde_json::json;

use super::*;

fn manifest() -> Manifest {
    let table = |name: &str, state: &str, rows: u64| {
        let folder = TablePrefix::folder(&name.parse().unwrap());
        json!({"name": name, "prefix": format!("prod-20261122/{folder}"), "state": state, "rows": rows, "bytes": rows,
            "parts": u64::from(rows > 0)})
    };
    let mut users = table("shop.users", "exported", 3);
    users["snapshot_time"] = "2026-11-22T03:00:00Z".into();
    users["newest_part_at"] = "2026-11-22T03:30:00Z".into();
    let mut moved = table("shop.moved", "exported", 3);
    moved["prefix"] = "prod-20261122/shop/other.moved/".into();
    serde_json::from_value(json!({
        "version": 1, "env": "prod", "export_date": "2026-11-22", "task_id": "prod-20261122", "snapshot_arn": "",
        "snapshot_time": "2026-11-21T17:05:00Z", "published_at": "2026-11-21T19:40:00Z",
        "tables": [
            table("shop.`core.user`", "exported", 9), table("shop.cart", "empty", 0), table("shop.logs", "skipped", 0),
            moved, table("shop.new", "exported", 4), table("shop.orders", "exported", 10), users,
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

fn list(database: &serde_json::Value) -> Vec<TransferTable> {
    let list: TableList = serde_json::from_value(json!({"databases": {"shop": database}})).unwrap();
    list.transfers(&"prod".parse().unwrap()).unwrap()
}

fn tables(names: &[&str]) -> Vec<TransferTable> {
    let all = list(
        &json!({"tables": names.iter().map(|name| (*name, json!({}))).collect::<std::collections::BTreeMap<_, _>>()}),
    );
    names.iter().map(|name| all.iter().find(|table| table.source.table() == *name).unwrap().clone()).collect()
}

fn actions(names: &[&str], on_drift: OnDrift) -> Vec<(Option<u64>, Action)> {
    plan(&tables(names), &manifest(), on_drift)
        .steps
        .into_iter()
        .map(|step| (step.rows_expected, step.action))
        .collect()
}

fn load(rows: u64) -> Action {
    let complete_at = "2026-11-21T19:40:00Z".parse().unwrap();
    Action::Load(Expected { rows, columns: Vec::new(), complete_at })
}

fn leave(state: State, text: &str) -> Action {
    Action::Leave(state, text.into())
}

#[test]
fn each_state_of_the_manifest_leads_to_one_action() {
    assert_eq!(
        actions(&["orders", "cart", "logs", "gone"], OnDrift::Warn),
        [
            (Some(10), load(10)),
            (Some(0), Action::Truncate),
            (None, leave(State::Skipped, "RDS did not export it: shop.logs: a column name holds a space")),
            (None, leave(State::Missing, "not in the manifest: was it dropped or renamed?")),
        ]
    );
}

#[test]
fn a_drifted_table_keeps_its_last_good_rows_when_drift_fails() {
    assert_eq!(
        actions(&["orders", "cart", "new"], OnDrift::Fail),
        [
            (Some(10), leave(State::Drifted, "column shop.orders.coupon was added")),
            (Some(0), leave(State::Drifted, "column shop.cart.n changed from int to bigint")),
            (Some(4), load(4)),
        ]
    );
}

#[test]
fn drift_is_told_whatever_the_policy() {
    let plan = plan(&tables(&["orders", "users"]), &manifest(), OnDrift::Warn);
    assert_eq!(plan.steps[0].drift, ["column shop.orders.coupon was added"]);
    assert!(plan.steps[1].drift.is_empty());
}

#[test]
fn a_table_has_its_own_age_and_its_own_newest_part() {
    let plan = plan(&tables(&["orders", "users"]), &manifest(), OnDrift::Warn);
    let ages: Vec<String> = plan.steps.iter().map(|step| step.snapshot_time.to_rfc3339()).collect();
    assert_eq!(ages, ["2026-11-21T17:05:00+00:00", "2026-11-22T03:00:00+00:00"]);
    let Action::Load(users) = &plan.steps[1].action else { panic!("{:?}", plan.steps[1]) };
    assert_eq!(users.complete_at.to_rfc3339(), "2026-11-22T03:30:00+00:00");
}

#[test]
fn a_table_that_is_yet_to_come_is_an_error_or_a_warning() {
    let settings = json!({"on_missing": "warn", "tables": {"gone": {}, "lost": {"on_missing": "fail"}}});
    let plan = plan(&list(&settings), &manifest(), OnDrift::Warn);
    let actions: Vec<_> = plan.steps.into_iter().map(|step| step.action).collect();
    let missing = "not in the manifest: was it dropped or renamed?";
    assert_eq!(actions, [leave(State::Awaited, "not in the manifest yet"), leave(State::Missing, missing)]);
}

#[test]
fn a_dot_that_the_list_means_otherwise_is_told_with_the_setting() {
    let told = "not in the manifest, but shop.`core.user` is: set engine for its database in tables.yaml";
    for on_missing in ["fail", "warn"] {
        let wrong =
            plan(&list(&json!({"on_missing": on_missing, "tables": {"core.user": {}}})), &manifest(), OnDrift::Warn);
        assert_eq!(wrong.steps[0].action, leave(State::Missing, told));
    }
    let right = plan(&list(&json!({"engine": "mysql", "tables": {"core.user": {}}})), &manifest(), OnDrift::Warn);
    assert_eq!(right.steps[0].action, load(9));
    assert_eq!(right.steps[0].table.proof, Proof::Counts);
}

#[test]
fn parts_that_the_transfer_would_not_read_are_told() {
    let told = "its parts are in prod-20261122/shop/other.moved/, and its transfer reads prod-20261122/shop/shop.moved/: \
                look at engine in tables.yaml";
    assert_eq!(actions(&["moved"], OnDrift::Warn), [(Some(3), leave(State::Failed, told))]);
}

#[test]
fn tables_that_nobody_listed_are_named() {
    let plan = plan(&tables(&["orders", "gone"]), &manifest(), OnDrift::Warn);
    let unlisted: Vec<String> = plan.unlisted.iter().map(ToString::to_string).collect();
    assert_eq!(unlisted, ["shop.`core.user`", "shop.cart", "shop.logs", "shop.moved", "shop.new", "shop.users"]);
}
