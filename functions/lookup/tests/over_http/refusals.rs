//! What a caller does wrong, in the path or the method.

use http::Method;

use crate::running::{Cloud, PACKED, problem};

#[tokio::test]
async fn each_mistake_has_a_status_and_a_type_of_its_own() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    let long = "x".repeat(1025);
    let wide = "%E6%9C%AC".repeat(342); // 342 characters, 1,026 bytes
    for (key, status, word) in [
        ("", 400, "invalid-key"),
        (&long[..], 400, "invalid-key"),
        (&wide[..], 400, "invalid-key"),
        ("%zz", 400, "invalid-key"),
        ("%", 400, "invalid-key"),
        ("%FF%FE", 400, "invalid-key"),
        ("a/b", 404, "unknown-path"),
        (&long[..1024], 404, "unknown-key"),
    ] {
        let response = server.get(&format!("/v1/{PACKED}/{key}")).await;
        let shown = key.chars().take(20).collect::<String>();
        assert_eq!((response.status().as_u16(), problem(&response).as_str()), (status, word), "{shown}");
    }
    for (path, status, word) in [
        ("/", 404, "unknown-path"),
        ("/v1/", 404, "unknown-path"),
        ("/v2/user-profiles/1", 404, "unknown-path"),
        ("/v1/user-profiles:drop", 404, "unknown-path"),
        ("/metrics", 404, "unknown-path"),
        ("/v1/%GG", 400, "invalid-path"),
        ("/v1/orders", 404, "unknown-sync"),
    ] {
        let response = server.get(path).await;
        assert_eq!((response.status().as_u16(), problem(&response).as_str()), (status, word), "{path}");
    }
}

#[tokio::test]
async fn another_method_is_told_which_ones_there_are() {
    let cloud = Cloud::start().await;
    let server = cloud.serve().await;
    for (method, path, allow) in [
        (Method::PUT, "/v1/user-profiles/user-1", "GET, HEAD"),
        (Method::DELETE, "/v1/user-profiles/user-1", "GET, HEAD"),
        (Method::OPTIONS, "/v1/user-profiles", "GET, HEAD"),
        (Method::POST, "/healthz", "GET, HEAD"),
        (Method::GET, "/v1/user-profiles:batchGet", "POST"),
    ] {
        let response = server.ask(method.clone(), path, &[]).await;
        assert_eq!((response.status().as_u16(), problem(&response).as_str()), (405, "method-not-allowed"), "{method}");
        assert_eq!(response.headers()["allow"], allow, "{method} {path}");
    }
}
