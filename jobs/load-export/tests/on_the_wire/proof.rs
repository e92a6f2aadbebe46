//! What a load is compared with, and loads that only look like one.

use crate::cloud;

use cloud::{Cloud, manifest, message, parquet, report, states};
use handoff::Manifest;
use local::wire::Effect;
use serde_json::{Value, json};

/// Seven rows from `first`, as publish-export describes them.
fn with_statistics(first: u32) -> Manifest {
    let mut day = manifest(&[("orders", 7)]);
    let time = |n: u32| format!("1970-01-01T00:00:00.{n:06}Z");
    let (min, max) = (first.to_string(), (first + 6).to_string());
    day.tables[0].columns = serde_json::from_value(json!([
        {"name": "n", "source_type": "bigint", "parquet_type": "INT64", "nulls": 0, "min": min, "max": max},
        {"name": "at", "source_type": "datetime", "parquet_type": "TIMESTAMP(MICROS)", "nulls": 0, "min": time(first),
            "max": time(first + 6)},
    ]))
    .unwrap();
    day
}

fn proof_of(finished: &local::job::Finished) -> Value {
    report(finished)["tables"][0]["proof"].clone()
}

#[tokio::test]
async fn a_time_is_compared_by_default_and_all_columns_where_it_is_asked_for() {
    let cloud = Cloud::start().await;
    cloud.configure(&["orders"]).await;
    cloud.put_parts("orders", Some(parquet(7, 0)));
    cloud.publish(&with_statistics(0));
    let finished = cloud.run().await;
    assert_eq!(states(&finished), ["shop.orders loaded"], "{}", finished.log);
    assert_eq!(proof_of(&finished), "rows and the newest at");
    assert!(finished.log.contains("loaded shop.orders: 7 rows, proven by rows and the newest at"), "{}", finished.log);

    // What a proof reads is asked before it is read, and written down.
    let dry = json!({"kind": "bigquery#queryResponse", "jobComplete": true, "totalBytesProcessed": "112"});
    let is_dry = |request: &local::wire::Recorded| request.body_text().contains("\"dryRun\":true");
    cloud.bigquery_wire.fault(1, Effect::Refuse(200, dry.to_string()), is_dry);
    cloud.list_tables_with("proof: statistics", &["orders"]);
    let finished = cloud.run().await;
    assert_eq!(proof_of(&finished), "rows, nulls and extremes of 2 columns");
    let proofs: Vec<_> =
        cloud.history().await.into_iter().map(|row| (row["proof"].clone(), row["proof_bytes"].clone())).collect();
    let written = [("rows and the newest at", 0), ("rows, nulls and extremes of 2 columns", 112)];
    assert_eq!(proofs, written.map(|(proof, bytes)| (json!(proof), json!(bytes))));
}

#[tokio::test]
async fn as_many_rows_that_are_others_are_no_load() {
    let cloud = Cloud::start().await;
    cloud.configure(&["orders"]).await;
    // Yesterday's parts lie where today's should.
    cloud.put_parts("orders", Some(parquet(7, 0)));
    cloud.publish(&with_statistics(100));
    let finished = cloud.run().await;
    assert_eq!((finished.exit_code, states(&finished)), (Some(1), vec!["shop.orders different".to_owned()]));
    assert_eq!(
        message(&finished, "orders"),
        "as many rows as the export, and not the same: the largest at is 1970-01-01T00:00:00.000006Z, in the export \
         1970-01-01T00:00:00.000106Z"
    );

    // Without its time, the table is only counted, unless more is asked for.
    let mut day = with_statistics(100);
    day.tables[0].columns.pop();
    cloud.publish(&day);
    let finished = cloud.run().await;
    assert_eq!((states(&finished), proof_of(&finished)), (vec!["shop.orders loaded".to_owned()], json!("rows")));
    cloud.list_tables_with("proof: statistics", &["orders"]);
    let finished = cloud.run().await;
    assert_eq!((finished.exit_code, states(&finished)), (Some(1), vec!["shop.orders different".to_owned()]));
    assert_eq!(
        message(&finished, "orders"),
        "as many rows as the export, and not the same: the smallest n is 0, in the export 100; the largest n is 6, in the \
         export 106"
    );
}

#[tokio::test]
async fn a_run_that_ends_well_and_found_no_file_is_told_as_such() {
    let cloud = Cloud::start().await;
    cloud.configure(&["orders"]).await;
    // As many rows as there should be, of another day.
    cloud.bigquery.query("CREATE OR REPLACE TABLE raw_shop.orders AS SELECT 1 AS n").await.unwrap();
    cloud.publish(&manifest(&[("orders", 1)]));
    let finished = cloud.run().await;
    assert_eq!((finished.exit_code, states(&finished)), (Some(1), vec!["shop.orders failed".to_owned()]));
    let said = message(&finished, "orders");
    assert!(
        said.starts_with("the transfer run ended well and loaded nothing: raw_shop.orders is as it was at "),
        "{said}"
    );
    assert!(
        said.contains("No new files found matching \"s3://exports/prod-20261120/shop/shop.orders/*.parquet\""),
        "{said}"
    );
}

#[tokio::test]
async fn a_config_that_reads_another_path_is_refused_before_it_is_started() {
    let cloud = Cloud::start().await;
    cloud.list_tables(&["orders"]);
    cloud.export("orders", 7);
    cloud.publish(&manifest(&[("orders", 7)]));
    let table = &cloud::transfer_tables(&["orders"])[0];
    cloud.bigquery.create_table("raw_shop", "orders").await.unwrap();
    cloud.transfer.create_config(&cloud::env(), cloud::BUCKET, table, "1/*.parquet").unwrap();
    let finished = cloud.run().await;
    assert_eq!(finished.exit_code, Some(1), "{}", finished.log);
    let said = message(&finished, "orders");
    assert!(
        said.contains(
            "1/*.parquet\", not \"s3://exports/prod-{run_time+9h|\\\"%Y%m%d\\\"}/shop/shop.orders/*.parquet\""
        ),
        "{said}"
    );
    assert_eq!(cloud.starts(), 0);
}

#[tokio::test]
async fn a_table_that_is_yet_to_come_is_a_warning_where_the_list_says_so() {
    let cloud = Cloud::start().await;
    cloud.configure(&["coupons", "orders"]).await;
    cloud.list_tables_with("on_missing: warn", &["coupons", "orders"]);
    cloud.export("orders", 7);
    cloud.publish(&manifest(&[("orders", 7)]));
    let finished = cloud.run().await;
    assert_eq!(finished.exit_code, Some(0), "{}", finished.log);
    assert_eq!(cloud.audit().await, ["shop.coupons awaited null null", "shop.orders loaded 7 7"]);
    cloud.list_tables(&["coupons", "orders"]);
    assert_eq!(cloud.run().await.exit_code, Some(1));
}
