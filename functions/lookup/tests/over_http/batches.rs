//! Many rows in one answer.

use handoff::sync::KeyHash;
use http::StatusCode;
use serde_json::{Value, json};

use crate::published::{BUCKET, destination};
use crate::running::{Cloud, GENERATION, OBJECTS, PACKED, problem};

#[tokio::test]
async fn a_hundred_rows_come_in_the_order_of_their_keys_each_byte_for_byte() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    let mut keys: Vec<&str> = cloud.rows.keys().rev().take(95).map(String::as_str).collect();
    keys.extend(["nobody", "..", "a/b", "user-7", "nobody"]);
    for sync in [PACKED, OBJECTS] {
        let response = server.batch(sync, json!({"keys": keys}).to_string()).await;
        assert_eq!(response.status(), StatusCode::OK, "{sync}");
        assert_eq!(response.headers()["x-isthmus-generation"], GENERATION);
        let told: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(told["generation"], GENERATION);
        let rows = told["rows"].as_array().unwrap();
        assert_eq!(rows.iter().map(|row| row["key"].as_str().unwrap()).collect::<Vec<_>>(), keys, "{sync}");
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        for (key, row) in keys.iter().zip(rows) {
            match cloud.rows.get(*key) {
                Some(body) => assert!(text.contains(&format!("\"body\":{body}}}")), "{sync} {key}"),
                None => assert_eq!(row["body"], Value::Null, "{sync} {key}"),
            }
        }
    }
}

#[tokio::test]
async fn no_key_is_an_answer_without_rows() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    for sync in [PACKED, OBJECTS] {
        let response = server.batch(sync, "{\"keys\":[]}").await;
        let told: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!((response.status(), told), (StatusCode::OK, json!({"generation": GENERATION, "rows": []})));
    }
}

#[tokio::test]
async fn a_body_that_is_not_the_one_that_is_asked_for_is_refused() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    let keys = |count: usize| json!({"keys": vec!["user-1"; count]}).to_string();
    for (body, status, word) in [
        (keys(101), 400, "too-many-keys"),
        ("{\"keys\":[\"a\"],\"fields\":[]}".to_owned(), 400, "invalid-body"),
        ("[\"a\"]".to_owned(), 400, "invalid-body"),
        ("{\"keys\":".to_owned(), 400, "invalid-body"),
        (String::new(), 400, "invalid-body"),
        ("{\"keys\":[\"a\",\"\"]}".to_owned(), 400, "invalid-key"),
        (json!({"keys": ["x".repeat(1025)]}).to_string(), 400, "invalid-key"),
        (json!({"keys": ["x".repeat(1024 * 1024)]}).to_string(), 413, "body-too-large"),
    ] {
        let shown = body.chars().take(40).collect::<String>();
        let response = server.batch(PACKED, body).await;
        assert_eq!((response.status().as_u16(), problem(&response).as_str()), (status, word), "{shown}");
    }
    assert_eq!(server.batch(PACKED, keys(100)).await.status(), StatusCode::OK);
    assert_eq!(problem(&server.batch("orders", keys(1)).await), "unknown-sync");
    let request = http::Request::post("/").header("content-type", "text/plain");
    let response = server.send(request, &format!("/v1/{PACKED}:batchGet"), keys(1)).await;
    assert_eq!((response.status().as_u16(), problem(&response).as_str()), (415, "unsupported-media-type"));
}

/// A hundred rows of 4 MB, as large as S3 may hold them and a batch may ask for.
#[tokio::test]
async fn a_batch_that_is_too_large_is_refused_before_it_takes_memory() {
    let mut cloud = Cloud::empty().await;
    cloud.rows = (0..100).map(|n| (format!("user-{n}"), "{}".to_owned())).collect();
    cloud.publish(GENERATION);
    let large = bytes::Bytes::from(format!("{{\"note\":\"{}\"}}", "x".repeat(4_000_000)));
    for key in cloud.rows.keys() {
        let object = destination(OBJECTS).object_key(key, KeyHash::of(key));
        cloud.s3.store().put(BUCKET, &object, large.clone());
    }
    let server = cloud.serve().await;
    let keys: Vec<&String> = cloud.rows.keys().collect();
    let ask = || server.batch(OBJECTS, json!({"keys": keys}).to_string());
    for response in [ask().await].into_iter().chain(futures_util::future::join_all((0..4).map(|_| ask())).await) {
        assert_eq!((response.status().as_u16(), problem(&response).as_str()), (422, "answer-too-large"));
    }
    let few = server.batch(OBJECTS, json!({"keys": keys[..1]}).to_string()).await;
    assert_eq!((few.status().as_u16(), few.body().len() > 4_000_000), (200, true));
    let peak = server.process.peak_memory_kib().unwrap() / 1024;
    assert!(peak < 120, "{peak} MB");
}

#[tokio::test]
async fn rows_of_large_shards_are_counted_as_they_are_unpacked() {
    let mut cloud = Cloud::empty().await;
    // Five kilobytes each, as they are stored.
    let large = format!("{{\"note\":\"{}\"}}", "x".repeat(2_000_000));
    cloud.rows = (0..60).map(|n| (format!("user-{n}"), large.clone())).collect();
    crate::published::publish(cloud.s3.store(), PACKED, handoff::sync::Layout::Packed, GENERATION, &cloud.rows);
    let keys: Vec<String> = std::mem::take(&mut cloud.rows).into_keys().collect();
    let server = cloud.serve().await;
    let refused = server.batch(PACKED, json!({"keys": keys}).to_string()).await;
    assert_eq!((refused.status().as_u16(), problem(&refused).as_str()), (422, "answer-too-large"));
    assert_eq!(server.batch(PACKED, json!({"keys": keys[..2]}).to_string()).await.status(), StatusCode::OK);
    let peak = server.process.peak_memory_kib().unwrap() / 1024;
    assert!(peak < 120, "{peak} MB");
}
