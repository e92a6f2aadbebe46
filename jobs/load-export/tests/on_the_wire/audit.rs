//! The audit table: one row for each table and load.

use crate::cloud;

use cloud::{ARGUMENTS, Cloud, manifest};
use serde_json::json;

async fn day() -> Cloud {
    let cloud = Cloud::start().await;
    cloud.configure(&["orders"]).await;
    cloud.export("orders", 7);
    cloud.publish(&manifest(&[("orders", 7)]));
    cloud
}

#[tokio::test]
async fn every_load_stays_in_the_history_and_the_view_has_the_newest() {
    let cloud = day().await;
    cloud.transfer.fail_next("Access Denied: bad key", 1);
    cloud.run().await;
    cloud.run().await;
    cloud.again().with("CLOUD_RUN_TASK_ATTEMPT", "1").run(&ARGUMENTS).await.unwrap();
    // The same attempt once more, as after an answer that was lost.
    cloud.again().with("CLOUD_RUN_TASK_ATTEMPT", "1").run(&ARGUMENTS).await.unwrap();

    let history = cloud.history().await;
    let of = |name: &str| history.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("load_id"), ["load-export-1/0", "load-export-2/0", "load-export-2/1"]);
    assert_eq!(of("state"), ["failed", "loaded", "loaded"]);
    assert_eq!(of("task_id"), ["prod-20261120"; 3]);
    assert_eq!(of("proof"), [json!(null), json!("rows"), json!("rows")]);
    assert_eq!(cloud.audit().await, ["shop.orders loaded 7 7"]);
}

#[tokio::test]
async fn a_table_of_an_older_release_gets_the_columns_that_it_lacks_and_keeps_its_rows() {
    let cloud = day().await;
    let old = "CREATE TABLE isthmus_audit.loads (export_date DATE NOT NULL, table_name STRING NOT NULL, rows_expected INT64, \
               rows_loaded INT64, snapshot_time TIMESTAMP, run_name STRING, state STRING NOT NULL, message STRING, \
               loaded_at TIMESTAMP NOT NULL) PARTITION BY export_date";
    cloud.bigquery.query(old).await.unwrap();
    for day in [19, 20] {
        let row = format!(
            "INSERT INTO isthmus_audit.loads (export_date, table_name, rows_expected, state, loaded_at) \
             VALUES ('2026-11-{day}', 'shop.orders', 5, 'short', '2026-11-{day}T00:00:00Z')"
        );
        cloud.bigquery.query(&row).await.unwrap();
    }
    for _ in 0..2 {
        let finished = cloud.run().await;
        assert_eq!(finished.exit_code, Some(0), "{}", finished.log);
    }
    assert_eq!(cloud.history().await.len(), 4);
    assert_eq!(cloud.audit().await, ["shop.orders short 5 null", "shop.orders loaded 7 7"]);
}

#[tokio::test]
async fn a_proof_that_cannot_be_written_down_is_a_failure() {
    let cloud = day().await;
    let refuse =
        local::wire::Effect::Refuse(403, r#"{"error":{"code":403,"message":"no bigquery.tables.create"}}"#.into());
    cloud.bigquery_wire.fault(usize::MAX, refuse, |request| request.body_text().contains("CREATE TABLE"));
    let finished = cloud.run().await;
    assert_eq!(finished.exit_code, Some(1), "{}", finished.log);
    assert_eq!(cloud.rows("orders").await, 7);
    let error = cloud::report(&finished)["audit_error"].as_str().unwrap().to_owned();
    assert!(error.contains("isthmus_audit.loads") && error.contains("no bigquery.tables.create"), "{error}");
}
