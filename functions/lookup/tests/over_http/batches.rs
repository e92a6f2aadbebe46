//! Many rows in one answer.

use http::StatusCode;
use serde_json::{Value, json};

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
