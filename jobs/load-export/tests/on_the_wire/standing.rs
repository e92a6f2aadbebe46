//! A finished run counts only while its rows stand.

use crate::cloud;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use cloud::{Cloud, manifest, report, states};
use serde_json::{Value, json};

async fn loaded() -> Cloud {
    let cloud = Cloud::start().await;
    cloud.configure(&["items", "orders"]).await;
    cloud.export("items", 3);
    cloud.export("orders", 7);
    cloud.publish(&manifest(&[("items", 3), ("orders", 7)]));
    let finished = cloud.run().await;
    assert_eq!((finished.exit_code, cloud.starts()), (Some(0), 2), "{}", finished.log);
    cloud
}

/// What was changed by hand is loaded again, and nothing else.
async fn loaded_again(cloud: &Cloud, runs: usize) {
    let finished = cloud.run().await;
    assert_eq!(finished.exit_code, Some(0), "{}", finished.log);
    assert_eq!(states(&finished), ["shop.items loaded", "shop.orders loaded"]);
    assert_eq!((cloud.rows("items").await, cloud.rows("orders").await), (3, 7));
    assert_eq!(report(&finished)["runs_started"], runs);
    let sum = cloud.bigquery.query("SELECT SUM(n) AS sum FROM raw_shop.orders").await.unwrap();
    assert_eq!(sum, [json!({"sum": 21})], "the rows are the export's");
}

/// Past the moment within which a change may be the run's own.
async fn after_its_commit() {
    tokio::time::sleep(Duration::from_millis(1100)).await;
}

#[tokio::test]
async fn a_row_that_was_deleted_or_changed_by_hand_is_back_after_the_next_start() {
    let cloud = loaded().await;
    loaded_again(&cloud, 0).await;
    // At once: the table's time does not tell yet, the count does.
    cloud.bigquery.query("DELETE FROM raw_shop.orders WHERE n = 0").await.unwrap();
    loaded_again(&cloud, 1).await;
    after_its_commit().await;
    cloud.bigquery.query("UPDATE raw_shop.orders SET n = 99 WHERE n = 0").await.unwrap();
    loaded_again(&cloud, 1).await;
    after_its_commit().await;
    cloud.bigquery.query("TRUNCATE TABLE raw_shop.orders").await.unwrap();
    loaded_again(&cloud, 1).await;
    loaded_again(&cloud, 0).await;
}

#[tokio::test]
async fn a_run_of_another_day_that_came_later_takes_the_rows_with_it() {
    let cloud = loaded().await;
    // The day before, by hand: as many rows, and others.
    let other = cloud::prefix("orders").replace("20261120", "20261119");
    cloud.store().put(cloud::BUCKET, &format!("{other}1/part-0.parquet"), cloud::parquet(7, 50));
    let configs: Value = get(&cloud, "projects/p/locations/asia-northeast1/transferConfigs").await;
    let config = configs["transferConfigs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|config| config["displayName"] == "isthmus prod shop.orders");
    let config = config.unwrap()["name"].as_str().unwrap().to_owned();
    let url = format!("{}/v1/{config}:startManualRuns", cloud.transfer.endpoint());
    let body = json!({"requestedRunTime": "2026-11-18T15:00:00Z"}).to_string();
    reqwest::Client::new().post(url).body(body).send().await.unwrap();
    loaded_again(&cloud, 1).await;
}

async fn get(cloud: &Cloud, path: &str) -> Value {
    let answer = reqwest::get(format!("{}/v1/{path}", cloud.transfer.endpoint())).await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_spot_export_of_one_table_transfers_one_table() {
    let cloud = loaded().await;
    let first = Utc::now() - TimeDelta::hours(1);
    let publish = |orders: i64, orders_at, task: &str| {
        let mut day = manifest(&[("items", 3), ("orders", orders)]);
        day.tables[0].newest_part_at = Some(first);
        day.tables[1].newest_part_at = Some(orders_at);
        day.task_id = task.parse().unwrap();
        cloud.publish(&day);
    };
    // A publication alone makes no part newer.
    publish(7, first, "prod-20261120");
    loaded_again(&cloud, 0).await;
    cloud.export("orders", 9);
    publish(9, Utc::now(), "prod-20261120-s101500");
    let finished = cloud.run().await;
    assert_eq!(finished.exit_code, Some(0), "{}", finished.log);
    assert_eq!((report(&finished)["runs_started"].clone(), cloud.rows("orders").await), (json!(1), 9));
}

#[tokio::test]
async fn each_table_waits_for_its_own_newest_part() {
    let mut cloud = Cloud::start().await;
    cloud.variables.insert("MIN_FILE_AGE_SECONDS".into(), "30".into());
    cloud.configure(&["items", "orders"]).await;
    cloud.export("items", 3);
    cloud.export("orders", 7);
    // 20 seconds are left for one of them, and none for the other.
    let ready = Utc::now() + TimeDelta::seconds(20);
    let mut day = manifest(&[("items", 3), ("orders", 7)]);
    day.tables[0].newest_part_at = Some(ready - TimeDelta::hours(1));
    day.tables[1].newest_part_at = Some(ready - TimeDelta::seconds(30));
    cloud.publish(&day);
    let finished = cloud.run().await;
    assert_eq!(finished.exit_code, Some(0), "{}", finished.log);
    let ended = |table: &str| {
        let is_it = |line: &&str| line.contains(&format!("loaded shop.{table}"));
        let line: Value = serde_json::from_str(finished.log.lines().find(is_it).unwrap()).unwrap();
        line["timestamp"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap()
    };
    assert!(ended("items") < ready && ended("orders") > ready, "{} {} {ready}", ended("items"), ended("orders"));
}
