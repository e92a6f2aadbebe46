//! What a caller gets.

use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::published::sha256;
use crate::running::{Cloud, GENERATION, OBJECTS, PACKED, problem};

#[tokio::test]
async fn every_row_comes_byte_for_byte_whatever_its_key_is() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    for sync in [PACKED, OBJECTS] {
        for (key, body) in &cloud.rows {
            let path = format!("/v1/{sync}/{}", utf8_percent_encode(key, NON_ALPHANUMERIC));
            let response = server.get(&path).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(response.body(), body.as_bytes(), "{path}");
            let headers = response.headers();
            assert_eq!(headers["content-type"], "application/json");
            assert_eq!(headers["etag"], format!("\"{}\"", sha256(body)));
            assert_eq!(headers["cache-control"], "private, max-age=1");
            assert_eq!(headers["x-isthmus-generation"], GENERATION);
        }
    }
}

#[tokio::test]
async fn the_second_answer_comes_from_memory_and_a_row_that_is_not_there_is_told_apart() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    let from = async |path: &str| server.get(path).await.headers()["x-isthmus-from"].to_str().unwrap().to_owned();
    assert_eq!(from(&format!("/v1/{OBJECTS}/user-1")).await, "s3");
    let reads = cloud.wire.passed();
    assert_eq!(from(&format!("/v1/{OBJECTS}/user-1")).await, "memory");
    let polls = cloud.wire.requests()[reads..].iter().filter(|request| request.path.ends_with("CURRENT")).count();
    assert_eq!(cloud.wire.passed() - reads, polls, "nothing but polls");

    for sync in [PACKED, OBJECTS] {
        let missing = server.get(&format!("/v1/{sync}/nobody")).await;
        assert_eq!((missing.status(), problem(&missing).as_str()), (StatusCode::NOT_FOUND, "unknown-key"));
        assert_eq!(missing.headers()["x-isthmus-generation"], GENERATION);
    }
    let unknown = server.get("/v1/orders/1").await;
    assert_eq!((unknown.status(), problem(&unknown).as_str()), (StatusCode::NOT_FOUND, "unknown-sync"));
}

#[tokio::test]
async fn a_caller_that_has_the_row_is_told_so() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    let path = format!("/v1/{PACKED}/user-7");
    let etag = server.get(&path).await.headers()["etag"].to_str().unwrap().to_owned();
    for asked in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
        for method in [Method::GET, Method::HEAD] {
            let response = server.ask(method, &path, &[("if-none-match", &asked)]).await;
            assert_eq!((response.status(), response.body().len()), (StatusCode::NOT_MODIFIED, 0), "{asked}");
            assert_eq!(response.headers()["etag"], etag);
            assert_eq!(response.headers()["cache-control"], "private, max-age=1");
            assert!(!response.headers().contains_key("content-type"));
        }
    }
    let other = server.ask(Method::GET, &path, &[("if-none-match", "\"x\"")]).await;
    assert_eq!(other.status(), StatusCode::OK);
    // A row that is not there is not modified by no tag.
    let missing = server.ask(Method::GET, &format!("/v1/{PACKED}/nobody"), &[("if-none-match", "*")]).await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn head_says_what_get_would() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    let row = format!("/v1/{PACKED}/user-7");
    for (path, status) in [(row.as_str(), 200), ("/v1/user-profiles", 200), ("/healthz", 200), ("/v1/orders/1", 404)] {
        let (get, head) = (server.get(path).await, server.ask(Method::HEAD, path, &[]).await);
        assert_eq!((head.status().as_u16(), head.body().len()), (status, 0), "{path}");
        assert_eq!(head.headers()["content-type"], get.headers()["content-type"], "{path}");
        if path == row {
            assert_eq!(head.headers()["content-length"], get.headers()["content-length"]);
            assert_eq!(head.headers()["etag"], get.headers()["etag"]);
        }
    }
}

#[tokio::test]
async fn a_request_has_the_name_that_its_caller_gave_it() {
    let cloud = Cloud::start().await;
    let server = cloud.serve_with(&[("RUST_LOG", "info,lookup=debug")]).await;
    let path = format!("/v1/{PACKED}/user-7");
    let kept = server.ask(Method::GET, &path, &[("x-request-id", "order-7.retry_2")]).await;
    assert_eq!(kept.headers()["x-request-id"], "order-7.retry_2");
    for asked in ["a b", "<script>", &"x".repeat(200)] {
        let made = server.ask(Method::GET, &path, &[("x-request-id", asked)]).await;
        assert_eq!(made.headers()["x-request-id"].len(), 36, "{asked}");
    }
    let lines = server.log();
    let of_request: Vec<_> = lines.iter().filter(|line| line["request_id"] == "order-7.retry_2").collect();
    let [line] = &of_request[..] else { panic!("{of_request:?}") };
    assert_eq!((&line["level"], &line["status"], &line["path"]), (&json!("DEBUG"), &json!(200), &json!(path)));
}

#[tokio::test]
async fn a_sync_says_what_is_published_and_a_publication_is_seen() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    for (sync, layout) in [(PACKED, "packed"), (OBJECTS, "objects")] {
        let response = server.get(&format!("/v1/{sync}")).await;
        let told: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!((&told["sync"], &told["layout"]), (&json!(sync), &json!(layout)));
        assert_eq!((&told["generation"], &told["rows"]), (&json!(GENERATION), &json!(cloud.rows.len())));
        assert_eq!(told["follows_newest"], json!(true));
        assert!(told["age_seconds"].as_u64().unwrap() < 60, "{told}");
        let published: chrono::DateTime<chrono::Utc> = told["published_at"].as_str().unwrap().parse().unwrap();
        assert!((chrono::Utc::now() - published).num_seconds() < 60, "{told}");
    }
    cloud.publish("20261126T190000Z");
    let began = std::time::Instant::now();
    let path = format!("/v1/{PACKED}/user-7");
    while server.get(&path).await.headers()["x-isthmus-generation"] != "20261126T190000Z" {
        assert!(began.elapsed().as_secs() < 5, "a publication is seen within the poll's second");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn health_is_that_of_every_sync() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    let well = server.get("/healthz").await;
    assert_eq!(well.status(), StatusCode::OK);
    let told: Value = serde_json::from_slice(well.body()).unwrap();
    assert_eq!(told, json!({"status": "ok", "syncs": [PACKED, OBJECTS]}));

    let syncs = format!("{PACKED}=s3://acme-app/{PACKED},orders=s3://acme-app/orders");
    let server = cloud.serve_with(&[("SYNCS", &syncs)]).await;
    let ill = server.get("/healthz").await;
    assert_eq!((ill.status(), problem(&ill).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "not-ready"));
    let told: Value = serde_json::from_slice(ill.body()).unwrap();
    assert_eq!(told["reasons"], json!(["orders: no generation of this sync has been published yet"]));
    let row = server.get("/v1/orders/1").await;
    assert_eq!((row.status(), problem(&row).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "not-published"));
    assert_eq!(server.get(&format!("/v1/{PACKED}/user-7")).await.status(), StatusCode::OK);
}
