//! `isthmus tables`, as a user runs it.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use handoff::TableList;
use serde_json::{Value, json};

const LIST: &str = "\
databases:
  shop:
    exclude: [tmp_*]
    tables:
      orders: {}
      old_orders: {}
";

fn manifest(tables: &[(&str, &str, u64)]) -> String {
    let tables = tables.iter().map(|(name, state, rows)| {
        let parts = u64::from(*state == "exported");
        let columns = json!([{"name": "id", "source_type": "bigint", "parquet_type": "INT64"}]);
        json!({"name": name, "prefix": format!("prod-20261122/shop/{name}/"), "state": state, "rows": rows,
               "bytes": rows, "parts": parts, "columns": columns})
    });
    json!({"version": 1, "env": "prod", "export_date": "2026-11-22", "task_id": "prod-20261122",
           "snapshot_arn": "arn:aws:rds:ap-northeast-1:111111111111:cluster-snapshot:rds:prod-2026-11-22-03-10",
           "snapshot_time": "2026-11-21T18:10:00Z", "published_at": "2026-11-21T19:40:00Z",
           "tables": tables.collect::<Vec<_>>()})
    .to_string()
}

/// Runs in a folder with a `config/tables.yaml`; the manifest is on standard input.
fn isthmus(list: Option<&str>, manifest: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("config")).unwrap();
    if let Some(list) = list {
        std::fs::write(folder.path().join("config/tables.yaml"), list).unwrap();
    }
    run(folder.path(), manifest, arguments)
}

fn run(folder: &Path, input: &str, arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_isthmus"))
        .arg("tables")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that fails early does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn drifted() -> String {
    manifest(&[
        ("shop.orders", "exported", 7),
        ("shop.on", "empty", 0),
        ("shop.coupons", "exported", 12),
        ("shop.tmp_x", "exported", 1),
        ("shop.odd", "skipped", 0),
        ("crm.public.leads", "exported", 3),
    ])
}

#[test]
fn a_proposal_is_a_list_of_what_is_new_with_the_rest_as_comments() {
    let output = isthmus(Some(LIST), &drifted(), &["discover", "--manifest", "-"]);
    let said = text(&output.stdout);
    let expected = "\
# config/tables.yaml beside prod-20261122: 3 to add, 1 to remove, 1 excluded
databases:
  crm:
    tables:
      public.leads: {}  # add: 3 rows, 1 columns
  shop:
    tables:
      coupons: {}  # add: 12 rows, 1 columns
      # odd: {}  not to add: RDS skipped it, the manifest's warnings say why
      # old_orders: {}  remove: it is not in the export
      \"on\": {}  # add: 0 rows, 1 columns
";
    assert_eq!((said, output.status.code()), (expected, Some(0)), "{}", text(&output.stderr));
    let proposed: TableList = serde_saphyr::from_str(said).unwrap();
    assert_eq!(proposed.databases["shop"].tables.len(), 2);
}

#[test]
fn what_was_proposed_and_pasted_is_not_proposed_again() {
    let first = isthmus(None, &drifted(), &["discover", "--manifest", "-"]);
    let pasted = text(&first.stdout);
    assert!(pasted.contains("\n      tmp_x: {}  # add"), "without a list nothing is excluded: {pasted}");
    let again = isthmus(Some(pasted), &drifted(), &["discover", "--manifest", "-"]);
    assert!(!text(&again.stdout).contains("# add"), "{}", text(&again.stdout));
    let all = manifest(&[("shop.orders", "exported", 7), ("shop.old_orders", "exported", 7)]);
    let agreed = isthmus(Some(LIST), &all, &["discover", "--manifest", "-"]);
    assert_eq!(text(&agreed.stdout), "# config/tables.yaml and prod-20261122 agree (0 excluded)\n");
}

#[test]
fn a_table_with_a_dot_is_proposed_with_what_the_dot_means() {
    let dotted = manifest(&[("shop.`core.user`", "exported", 7)]);
    let first = isthmus(None, &dotted, &["discover", "--manifest", "-"]);
    let pasted = text(&first.stdout);
    assert!(
        pasted.contains("  shop:\n    engine: mysql  # a dot is a part of the name\n    tables:\n      core.user: {}")
    );
    let agreed = isthmus(Some(pasted), &dotted, &["check", "--manifest", "-"]);
    assert_eq!(text(&agreed.stdout), "1 tables agree with prod-20261122\n", "{}", text(&agreed.stderr));
}

#[test]
fn only_removals_are_a_proposal_of_comments() {
    let one = manifest(&[("shop.orders", "exported", 7)]);
    let said = isthmus(Some(LIST), &one, &["discover", "--manifest", "-"]).stdout;
    assert!(text(&said).lines().all(|line| line.trim_start().starts_with('#')), "{}", text(&said));
}

#[test]
fn a_check_names_each_difference_and_fails() {
    let output = isthmus(Some(LIST), &drifted(), &["check", "--manifest", "-"]);
    let said: Vec<_> = text(&output.stderr).lines().collect();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said.len(), 5, "{said:?}");
    assert!(said.contains(&"shop.coupons is in prod-20261122 and not in the list: add it, or exclude it"), "{said:?}");
    assert!(said.contains(&"shop.old_orders is in the list and not in prod-20261122: remove it"), "{said:?}");
    let json = isthmus(Some(LIST), &drifted(), &["check", "--manifest", "-", "--json"]);
    let value: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&value["ok"], value["problems"].as_array().unwrap().len()), (&json!(false), 5));
}

#[test]
fn a_check_of_a_list_that_agrees_succeeds() {
    let all = manifest(&[("shop.orders", "exported", 7), ("shop.old_orders", "empty", 0), ("shop.tmp_a", "empty", 0)]);
    let output = isthmus(Some(LIST), &all, &["check", "--manifest", "-"]);
    assert_eq!((text(&output.stdout), output.status.code()), ("2 tables agree with prod-20261122\n", Some(0)));
    let skipped = manifest(&[("shop.orders", "skipped", 0), ("shop.old_orders", "empty", 0)]);
    let output = isthmus(Some(LIST), &skipped, &["check", "--manifest", "-"]);
    assert!(text(&output.stderr).contains("RDS skipped it in prod-20261122"), "{}", text(&output.stderr));
}

#[test]
fn without_a_manifest_the_list_itself_is_checked() {
    let good = isthmus(Some(LIST), "", &["check"]);
    assert_eq!((text(&good.stdout), good.status.code()), ("2 tables, nothing wrong with the list itself\n", Some(0)));
    for (list, said) in [
        ("databases: {shop: {tabels: {}}}\n", "error: config/tables.yaml:1:20: unknown field `tabels`"),
        ("databases: {shop: {tables: {a: {}, b: {destination: a}}}}\n", "error: tables.yaml: raw_shop.a is the"),
        ("databases: {}\n", "error: tables.yaml names no table"),
        (
            "databases: {shop: {tables: {on: {}, 010: {}}}}\n",
            "error: config/tables.yaml:1:29: on is a truth for Terraform, which reads YAML 1.1: put it in quotes, \"on\"; \
             config/tables.yaml:1:37: 010 is a number",
        ),
    ] {
        let output = isthmus(Some(list), "", &["check"]);
        assert!(text(&output.stderr).starts_with(said), "{}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn a_manifest_that_does_not_hold_is_named() {
    let cases = [
        ("{", "error: the manifest -: not a manifest: "),
        (r#"{"version": 2}"#, "error: the manifest -: manifest version 2 is not 1: "),
    ];
    for (manifest, said) in cases {
        let output = isthmus(Some(LIST), manifest, &["discover", "--manifest", "-"]);
        assert!(text(&output.stderr).starts_with(said), "{}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(1));
    }
    let output = isthmus(Some(LIST), "", &["discover", "--manifest", "no.json"]);
    assert!(text(&output.stderr).starts_with("error: read the manifest no.json: No such file"));
}

#[test]
fn json_says_the_same() {
    let output = isthmus(Some(LIST), &drifted(), &["discover", "--manifest", "-", "--json"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["add"][0], json!({"table": "shop.on", "rows": 0, "columns": 1, "skipped": false}));
    assert_eq!(value["remove"], json!([{"table": "shop.old_orders", "why": "not_in_export"}]));
    assert_eq!(value["excluded"], json!(["shop.tmp_x"]));
}

#[test]
fn a_table_that_both_lists_load_is_told_with_both_lines() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("config")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join("config").join(name), text).unwrap();
    write("tables.yaml", LIST);
    write(
        "extracts.yaml",
        "databases:\n  shop:\n    engine: mysql\n    dataset: direct_shop\n    tables:\n      orders: {}\n",
    );
    assert!(run(folder.path(), "", &["check"]).status.success(), "another dataset");
    let extracts = "databases:\n  app:\n    engine: mysql\n    dataset: raw_shop\n    tables:\n      orders: {}\n      \
                    items: {}\n      archive: {destination: old_orders}\n";
    write("extracts.yaml", extracts);
    let checked = run(folder.path(), "", &["check"]);
    assert_eq!(checked.status.code(), Some(1));
    assert_eq!(
        text(&checked.stderr),
        "config/extracts.yaml:6:7: app.orders: raw_shop.orders is the destination of shop.orders too (config/tables.yaml:5:7): \
         each load would replace the other's rows\n\
         config/extracts.yaml:8:7: app.archive: raw_shop.old_orders is the destination of shop.old_orders too \
         (config/tables.yaml:6:7): each load would replace the other's rows\n"
    );
    for list in ["--extracts", "--federated"] {
        let missing = run(folder.path(), "", &["check", list, "other.yaml"]);
        assert!(text(&missing.stderr).contains("other.yaml"), "{}", text(&missing.stderr));
    }
}

/// Each list names its tables in its own way, and all of them are in one audit.
#[test]
fn one_name_in_the_audit_or_one_destination_of_any_two_lists_is_told_with_both_lines() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("config")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join("config").join(name), text).unwrap();
    write(
        "tables.yaml",
        "databases:\n  shop: {tables: {orders: {}}}\n  direct: {tables: {items: {}}}\n  geo: {engine: mysql, tables: {a.b: {}}}\n",
    );
    write("extracts.yaml", "databases:\n  app: {engine: mysql, dataset: direct, tables: {items: {}, users: {}}}\n");
    let federated = "connections:\n  shop: {engine: mysql, dataset: raw_other, tables: {orders: {}}}\n  \
                     geo: {engine: postgres, dataset: direct, tables: {public.users: {}, a.b: {}}}\n";
    write("federated.yaml", federated);
    let checked = run(folder.path(), "", &["check"]);
    assert_eq!(checked.status.code(), Some(1));
    assert_eq!(
        text(&checked.stderr),
        "config/extracts.yaml:2:50: app.items: direct.items is the name in the audit of direct.items too \
         (config/tables.yaml:3:21): each would hide what became of the other\n\
         config/federated.yaml:2:54: shop.orders: shop.orders is the name in the audit of shop.orders too \
         (config/tables.yaml:2:19): each would hide what became of the other\n\
         config/federated.yaml:3:53: geo.public.users: direct.users is the destination of app.users too \
         (config/extracts.yaml:2:61): each load would replace the other's rows\n"
    );
}
