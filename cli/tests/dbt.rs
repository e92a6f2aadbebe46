//! `isthmus dbt` and `isthmus lineage`, as a user runs them, on this repository's own project and on small ones.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

const LIST: &str = "databases: {shop: {tables: {orders: {}, legacy: {destination: old}}}}";

fn isthmus(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_isthmus")).args(arguments).current_dir(folder).output().unwrap()
}

fn good(folder: &Path, arguments: &[&str]) -> String {
    let output = isthmus(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = isthmus(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// A folder with lists, and a manifest whose drift is given.
fn folder(drift: &serde_json::Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("config")).unwrap();
    fs::create_dir_all(folder.path().join("warehouse/models/mart")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("config/tables.yaml", LIST);
    write("warehouse/models/mart/profiles.sql", "SELECT 1");
    write(
        "config/syncs.yaml",
        "syncs: {profiles: {query: SELECT id FROM mart.profiles, key: id, layout: objects, destination: {prefix: p}}}",
    );
    let columns = json!([
        {"name": "id", "source_type": "bigint unsigned", "parquet_type": "DECIMAL(20,0)"},
        {"name": "paid", "source_type": "tinyint(1)", "parquet_type": "INT32"},
        {"name": "created_at", "source_type": "datetime", "parquet_type": "TIMESTAMP(MICROS)"},
    ]);
    let manifest = json!({"version": 1, "env": "prod", "export_date": "2026-11-22", "task_id": "prod-20261122",
        "snapshot_arn": "arn", "snapshot_time": "2026-11-21T18:10:00Z", "published_at": "2026-11-21T19:40:00Z",
        "tables": [{"name": "shop.orders", "prefix": "p/", "state": "exported", "rows": 1, "bytes": 1, "parts": 1,
                    "columns": columns}], "drift": drift});
    write("manifest.json", &manifest.to_string());
    folder
}

const SOURCES: &str = "\
# Made by `isthmus dbt sources` out of the lists in config/ and a manifest. Do not edit it: a check compares.
sources:
  - name: shop
    schema: raw_shop
    config:
      freshness:
        warn_after: {count: 30, period: hour}
        error_after: {count: 50, period: hour}
    tables:
      - name: old
        config:
          meta: {isthmus_table: shop.legacy}
          loaded_at_query: \"{{ proven_at('shop.legacy') }}\"
      - name: orders
        config:
          meta: {isthmus_table: shop.orders}
          loaded_at_query: \"{{ proven_at('shop.orders') }}\"
        columns:
          - {name: id, data_type: numeric}
          - {name: paid, data_type: int64}
          - {name: created_at, data_type: timestamp}
";

#[test]
fn sources_are_those_of_the_list_with_the_columns_of_the_export() {
    let folder = folder(&json!([]));
    let path = "warehouse/models/staging/shop/_shop__sources.yml";
    assert_eq!(good(folder.path(), &["dbt", "sources", "--manifest", "manifest.json"]), format!("{path}\n"));
    assert_eq!(fs::read_to_string(folder.path().join(path)).unwrap(), SOURCES);
    // On the second day nothing changes, and what the list does not say stays: columns.
    good(folder.path(), &["dbt", "sources"]);
    assert_eq!(fs::read_to_string(folder.path().join(path)).unwrap(), SOURCES);
    good(folder.path(), &["dbt", "sources", "--check"]);
}

#[test]
fn sources_out_of_step_with_the_list_are_told_with_the_place() {
    let folder = folder(&json!([]));
    let check = ["dbt", "sources", "--check"];
    assert!(refused(folder.path(), &check).contains("_shop__sources.yml is not there"));
    good(folder.path(), &["dbt", "sources", "--manifest", "manifest.json"]);
    fs::write(folder.path().join("config/tables.yaml"), "databases: {shop: {tables: {orders: {}}}}").unwrap();
    let told = refused(folder.path(), &check);
    assert!(
        told.contains("_shop__sources.yml:10: found \"      - name: old\", expected \"      - name: orders\""),
        "{told}"
    );
    assert!(told.ends_with("`isthmus dbt sources` writes them as they should be\n"), "{told}");
}

#[test]
fn a_federated_table_is_a_source_by_the_name_that_its_audit_has() {
    let folder = folder(&json!([]));
    let list = "connections: {pharmacy: {engine: postgres, dataset: raw_pharmacy, tables: {public.events: {mode: incremental, key: id}}}}";
    fs::write(folder.path().join("config/federated.yaml"), list).unwrap();
    good(folder.path(), &["dbt", "sources"]);
    let text =
        fs::read_to_string(folder.path().join("warehouse/models/staging/pharmacy/_pharmacy__sources.yml")).unwrap();
    let table = "\
      - name: events
        config:
          meta: {isthmus_table: pharmacy.public.events}
          loaded_at_query: \"{{ proven_at('pharmacy.public.events') }}\"
";
    assert!(text.contains("  - name: pharmacy\n    schema: raw_pharmacy\n") && text.ends_with(table), "{text}");
}

#[test]
fn tables_of_database_to_bigquery_are_sources_and_another_dataset_is_another_source() {
    let folder = folder(&json!([]));
    let list = "databases: {
        shop: {engine: mysql, dataset: direct_shop, tables: {carts: {destination: shop_carts}}},
        app: {engine: postgres, tables: {users: {}, sales.orders: {}}}}";
    fs::write(folder.path().join("config/extracts.yaml"), list).unwrap();
    good(folder.path(), &["dbt", "sources"]);
    let read = |name: &str| {
        let file = format!("warehouse/models/staging/{name}/_{name}__sources.yml");
        fs::read_to_string(folder.path().join(file)).unwrap()
    };
    assert!(read("shop").contains("schema: raw_shop\n") && !read("shop").contains("carts"));
    let carts = "      - name: shop_carts\n        config:\n          meta: {isthmus_table: direct_shop.shop_carts}\n";
    assert!(read("direct_shop").contains("schema: direct_shop\n") && read("direct_shop").contains(carts));
    let app = read("app");
    assert!(app.contains("schema: raw_app\n"), "{app}");
    for (name, table) in [("users", "raw_app.users"), ("sales_orders", "raw_app.sales_orders")] {
        assert!(
            app.contains(&format!("- name: {name}\n        config:\n          meta: {{isthmus_table: {table}}}\n")),
            "{app}"
        );
    }
}

#[test]
fn a_staging_model_is_written_once_with_the_cast_that_each_column_needs() {
    let folder = folder(&json!([]));
    let scaffold = ["dbt", "scaffold", "shop.orders", "--manifest", "manifest.json"];
    good(folder.path(), &scaffold);
    let path = folder.path().join("warehouse/models/staging/shop/stg_shop__orders.sql");
    let expected = "\
SELECT
    CAST(id AS INT64) AS id, -- bigint unsigned comes as NUMERIC
    paid = 1 AS paid, -- tinyint(1) comes as INT64
    {{ wall_clock('created_at') }} AS created_at
FROM {{ source('shop', 'orders') }}
";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    fs::write(&path, "mine").unwrap();
    assert!(refused(folder.path(), &scaffold).contains("is there already, and is not written over"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    let unlisted = ["dbt", "scaffold", "shop.carts", "--manifest", "manifest.json"];
    assert!(refused(folder.path(), &unlisted).contains("shop.carts is not in the list of tables"));
}

#[test]
fn a_sync_is_an_exposure_of_what_its_query_reads() {
    let folder = folder(&json!([]));
    good(folder.path(), &["dbt", "exposures"]);
    let text = fs::read_to_string(folder.path().join("warehouse/models/_syncs.yml")).unwrap();
    assert!(
        text.contains("- name: sync_profiles\n") && text.ends_with("depends_on:\n      - ref('profiles')\n"),
        "{text}"
    );
    good(folder.path(), &["dbt", "exposures", "--check"]);
    fs::remove_file(folder.path().join("warehouse/models/mart/profiles.sql")).unwrap();
    let told = refused(folder.path(), &["dbt", "exposures"]);
    assert_eq!(told, "profiles: reads mart.profiles, which no model makes and the list of tables does not load\n");
}

#[test]
fn this_repositorys_project_is_in_step_with_its_lists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    good(root, &["dbt", "sources", "--check"]);
    good(root, &["dbt", "exposures", "--check"]);
}

/// shop.orders → staging.orders → mart.profiles → the sync profiles.
fn compiled(folder: &Path) {
    let model = |schema: &str, alias: &str, sql: &str, parent: &str| {
        json!({"resource_type": "model", "schema": schema, "alias": alias, "compiled_code": sql,
               "depends_on": {"nodes": [parent]}})
    };
    let manifest = json!({
        "sources": {"source.o": {"schema": "raw_shop", "identifier": "orders", "meta": {"isthmus_table": "shop.orders"},
                                 "columns": {"id": {"name": "id"}, "paid": {"name": "paid"}}}},
        "nodes": {"model.o": model("staging", "orders", "SELECT id, paid FROM raw_shop.orders", "source.o"),
                  "model.p": model("mart", "profiles", "SELECT id FROM staging.orders WHERE paid = 1", "model.o")},
    });
    fs::create_dir_all(folder.join("warehouse/target")).unwrap();
    fs::write(folder.join("warehouse/target/manifest.json"), manifest.to_string()).unwrap();
}

#[test]
fn lineage_leads_from_a_column_to_the_application_and_from_a_sync_back() {
    let folder = folder(&json!([]));
    compiled(folder.path());
    let down = good(folder.path(), &["lineage", "--table", "shop.orders", "--column", "paid"]);
    let steps: Vec<_> = down.lines().map(|line| line.split("  ←").next().unwrap().trim_end()).collect();
    assert_eq!(
        steps,
        [
            "database   shop.orders      [paid]",
            "raw        raw_shop.orders  [paid]",
            "staging    staging.orders   [paid]",
            "mart       mart.profiles    [decides]",
            "sync       sync profiles    [decides]",
            "           s3://{application bucket}/p/{bits}/{key}.json",
            "           GET /v1/profiles/{id}",
        ]
    );
    let up = good(folder.path(), &["lineage", "--sync", "profiles", "--format", "json"]);
    let up: serde_json::Value = serde_json::from_str(&up).unwrap();
    assert_eq!(up["nodes"][0]["id"], json!({"kind": "table", "name": "shop.orders"}));
    assert_eq!(up["edges"].as_array().unwrap().len(), 4);
}

#[test]
fn a_name_that_is_not_there_is_answered_with_those_that_are() {
    let folder = folder(&json!([]));
    assert!(refused(folder.path(), &["lineage", "--sync", "x"]).contains("`dbt compile` or the job dbt makes it"));
    compiled(folder.path());
    let told = refused(folder.path(), &["lineage", "--table", "shop.carts"]);
    assert_eq!(told, "error: no source is shop.carts; there are: shop.orders\n");
    let told = refused(folder.path(), &["lineage", "--table", "shop.orders", "--column", "total"]);
    assert_eq!(told, "error: shop.orders has no column total; it has: id, paid\n");
    let told = refused(folder.path(), &["lineage", "--sync", "users"]);
    assert_eq!(told, "error: there is no sync users; there are: sync profiles\n");
}

#[test]
fn impact_tells_for_each_drift_what_breaks_and_fails_where_something_does() {
    let drift = |change: &str, column: &str| json!([{"table": "shop.orders", "change": change, "column": column}]);
    let harmless = folder(&drift("column_added", "coupon"));
    compiled(harmless.path());
    let told = good(harmless.path(), &["lineage", "--impact", "manifest.json"]);
    assert_eq!(told, "column shop.orders.coupon was added: nothing needs it\n");
    let harmful = folder(&drift("column_removed", "paid"));
    compiled(harmful.path());
    let output = isthmus(harmful.path(), &["lineage", "--impact", "manifest.json"]);
    assert_eq!(output.status.code(), Some(1));
    let expected =
        "column shop.orders.paid was removed: breaks staging.orders; stale then: mart.profiles, sync profiles\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
