//! What is around it fails: S3 away, an object damaged, Redis gone.

use handoff::sync::{KeyHash, SyncKey};
use http::StatusCode;
use local::wire::Effect;
use serde_json::json;

use crate::published::{BUCKET, destination, publish_of_another};
use crate::running::{Cloud, GENERATION, OBJECTS, PACKED, Server, problem};

#[tokio::test]
async fn without_s3_what_is_in_memory_is_served_and_the_rest_says_when_to_ask_again() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    let (known, unknown) = (format!("/v1/{OBJECTS}/user-1"), format!("/v1/{OBJECTS}/user-2"));
    assert_eq!(server.get(&known).await.status(), StatusCode::OK);
    cloud.wire.outage();
    let response = server.get(&unknown).await;
    assert_eq!((response.status(), problem(&response).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    assert_eq!(response.headers()["retry-after"], "2");
    let batch = server.batch(OBJECTS, "{\"keys\":[\"user-1\",\"user-3\"]}").await;
    assert_eq!((batch.status(), problem(&batch).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    assert_eq!(server.get(&known).await.status(), StatusCode::OK);
    assert_eq!(server.get("/healthz").await.status(), StatusCode::OK, "what is served is still whole");
    cloud.wire.restore();
    assert_eq!(server.get(&unknown).await.status(), StatusCode::OK);

    let id = response.headers()["x-request-id"].to_str().unwrap();
    let lines = server.log();
    let line = lines.iter().find(|line| line["request_id"] == id).unwrap();
    assert_eq!(
        (&line["level"], &line["problem"], &line["sync"]),
        (&json!("ERROR"), &json!("unavailable"), &json!(OBJECTS))
    );
    assert!(line["message"].as_str().unwrap().contains("item-prices/"), "the log names the object: {line}");
}

#[tokio::test]
async fn an_s3_that_refuses_once_is_asked_again() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    let row = |path: &str| path.ends_with("user-1.json");
    cloud.wire.fault(1, Effect::Refuse(503, String::new()), move |request| row(&request.path));
    assert_eq!(server.get(&format!("/v1/{OBJECTS}/user-1")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_damaged_shard_is_never_served_and_only_the_log_names_it() {
    let cloud = Cloud::start().await;
    let generation = GENERATION.parse().unwrap();
    let shard = KeyHash::of("user-7").shard(8);
    let key = destination(PACKED).key(&SyncKey::Shard(&generation, shard));
    let whole = cloud.s3.store().get(BUCKET, &key).unwrap().bytes;
    let damaged: Vec<u8> = whole.iter().map(|byte| byte ^ 0xff).collect();
    cloud.s3.store().put(BUCKET, &key, damaged);
    let server = cloud.serve().await;
    let response = server.get(&format!("/v1/{PACKED}/user-7")).await;
    assert_eq!((response.status(), problem(&response).as_str()), (StatusCode::BAD_GATEWAY, "damaged"));
    let log = server.process.log();
    assert!(log.contains(&key), "{log}");
    let healthy = cloud.rows.keys().find(|key| KeyHash::of(key).shard(8) != shard && key.starts_with("user")).unwrap();
    assert_eq!(server.get(&format!("/v1/{PACKED}/{healthy}")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_place_where_another_sync_publishes_is_told_by_healthz_and_no_row_of_it_is_served() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    let path = format!("/v1/{OBJECTS}/user-1");
    assert_eq!(server.get(&path).await.status(), StatusCode::OK);
    let (store, next) = (cloud.s3.store(), "20261126T190000Z");
    publish_of_another(store, OBJECTS, next, &cloud.rows);
    until_status(&server, "/healthz", StatusCode::SERVICE_UNAVAILABLE).await;
    let healthz = server.get("/healthz").await;
    let told: serde_json::Value = serde_json::from_slice(healthz.body()).unwrap();
    let reasons = told["reasons"].as_array().unwrap();
    assert!(reasons.len() == 1 && reasons[0].as_str().unwrap().starts_with("item-prices: another sync"), "{told}");
    let response = server.get(&path).await;
    assert_eq!((response.status(), problem(&response).as_str()), (StatusCode::BAD_GATEWAY, "damaged"));
    assert_eq!(server.get(&format!("/v1/{PACKED}/user-1")).await.status(), StatusCode::OK, "the other sync goes on");
    assert!(
        server.process.log().contains("is of sync \\\"orders\\\", not of \\\"item-prices\\\""),
        "{}",
        server.process.log()
    );
    cloud.publish("20261127T190000Z");
    until_status(&server, "/healthz", StatusCode::OK).await;
    assert_eq!(server.get(&path).await.status(), StatusCode::OK);
}

async fn until_status(server: &Server, path: &str, status: StatusCode) {
    let began = std::time::Instant::now();
    while server.get(path).await.status() != status {
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{path} never answered {status}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
