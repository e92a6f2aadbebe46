//! The Lambda: the built binary under a runtime endpoint, with events as a function URL sends them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use local::lambda::Lambda;
use serde_json::{Value, json};

use crate::published::sha256;
use crate::running::{Cloud, GENERATION, OBJECTS, PACKED, PROGRAM};

/// A request as a function URL hands it on, payload format 2.0.
fn event(method: &str, path: &str, headers: &Value, body: Option<(&str, bool)>) -> Value {
    let mut event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {
            "accept": "*/*", "host": "abcd1234.lambda-url.ap-northeast-1.on.aws", "x-forwarded-port": "443",
            "x-forwarded-proto": "https", "x-amzn-trace-id": "Root=1-6a1fe380-ad49b0e87f6ef6c87fc2e700",
            "x-amz-date": "20261125T083010Z", "x-forwarded-for": "192.0.2.1", "user-agent": "curl/8.9.1",
        },
        "requestContext": {
            "accountId": "123456789012", "apiId": "abcd1234", "domainName": "abcd1234.lambda-url.ap-northeast-1.on.aws",
            "domainPrefix": "abcd1234", "requestId": "1d2c3b4a-0000-4000-8000-000000000000", "routeKey": "$default",
            "authentication": null, "authorizer": {"iam": {"accountId": "123456789012", "callerId": "AIDA:x"}},
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "curl"},
            "stage": "$default", "time": "25/Nov/2026:08:30:10 +0000", "timeEpoch": 1_795_595_410_250_i64,
        },
        "isBase64Encoded": body.is_some_and(|(_, base64)| base64),
    });
    if let Some((body, _)) = body {
        event["body"] = json!(body);
    }
    for (name, value) in headers.as_object().unwrap() {
        event["headers"][name] = value.clone();
    }
    event
}

fn lambda(cloud: &Cloud) -> Lambda {
    Lambda::new(PROGRAM.as_ref(), cloud.dir.path(), cloud.variables())
}

async fn answer(cloud: &Cloud, event: &Value) -> Value {
    let invocation = lambda(cloud).invoke(event).await.unwrap();
    invocation.answer.unwrap_or_else(|error| panic!("{error}\n{}", invocation.log))
}

#[tokio::test]
async fn a_row_is_answered_as_the_server_answers_it() {
    let cloud = Cloud::start().await;
    for sync in [PACKED, OBJECTS] {
        let reply = answer(&cloud, &event("GET", &format!("/v1/{sync}/a%2Fb"), &json!({}), None)).await;
        let body = &cloud.rows["a/b"];
        assert_eq!((&reply["statusCode"], &reply["body"]), (&json!(200), &json!(body)), "{sync}");
        let headers = &reply["headers"];
        assert_eq!(headers["etag"], json!(format!("\"{}\"", sha256(body))));
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!((&headers["x-isthmus-generation"], &headers["x-isthmus-from"]), (&json!(GENERATION), &json!("s3")));
        assert_eq!(reply["isBase64Encoded"], json!(false));
    }
}

#[tokio::test]
async fn conditions_head_and_request_ids_work_there_too() {
    let cloud = Cloud::start().await;
    let path = format!("/v1/{PACKED}/user-7");
    let etag = format!("\"{}\"", sha256(&cloud.rows["user-7"]));
    let known =
        answer(&cloud, &event("GET", &path, &json!({"if-none-match": etag, "x-request-id": "r-1"}), None)).await;
    assert_eq!((&known["statusCode"], &known["body"]), (&json!(304), &json!("")));
    assert_eq!(known["headers"]["x-request-id"], "r-1");
    let head = answer(&cloud, &event("HEAD", &path, &json!({}), None)).await;
    assert_eq!((&head["statusCode"], &head["body"]), (&json!(200), &json!("")));
    assert_eq!(head["headers"]["etag"], json!(etag));
}

#[tokio::test]
async fn a_batch_comes_as_text_or_as_base64() {
    let cloud = Cloud::start().await;
    let path = format!("/v1/{PACKED}:batchGet");
    let body = "{\"keys\":[\"user-7\",\"nobody\"]}";
    let headers = json!({"content-type": "application/json"});
    for (body, base64) in [(body.to_owned(), false), (STANDARD.encode(body), true)] {
        let reply = answer(&cloud, &event("POST", &path, &headers, Some((&body, base64)))).await;
        let told: Value = serde_json::from_str(reply["body"].as_str().unwrap()).unwrap();
        assert_eq!(told["rows"][1], json!({"key": "nobody", "body": null}), "{reply}");
        assert_eq!(told["rows"][0]["body"]["id"], json!(7));
    }
}

#[tokio::test]
async fn problems_are_answers_and_not_failures_of_the_function() {
    let cloud = Cloud::start().await;
    for (method, path, status, word) in [
        ("GET", "/v1/user-profiles/nobody", 404, "unknown-key"),
        ("GET", "/v1/user-profiles/%zz", 400, "invalid-key"),
        ("DELETE", "/v1/user-profiles/user-7", 405, "method-not-allowed"),
        ("GET", "/", 404, "unknown-path"),
    ] {
        let reply = answer(&cloud, &event(method, path, &json!({}), None)).await;
        assert_eq!(reply["statusCode"], json!(status), "{reply}");
        assert_eq!(reply["headers"]["content-type"], "application/problem+json");
        let told: Value = serde_json::from_str(reply["body"].as_str().unwrap()).unwrap();
        assert_eq!(told["type"], json!(format!("urn:problem-type:isthmus:{word}")));
    }
}

#[tokio::test]
async fn an_answer_that_lambda_would_drop_is_told_instead() {
    let mut cloud = Cloud::empty().await;
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(100 * 1024));
    cloud.rows = (0..100).map(|n| (format!("user-{n}"), large.clone())).collect();
    cloud.publish(GENERATION);
    let keys: Vec<&String> = cloud.rows.keys().collect();
    let body = json!({"keys": keys}).to_string();
    let headers = json!({"content-type": "application/json", "x-request-id": "big"});
    let path = format!("/v1/{PACKED}:batchGet");
    let reply = answer(&cloud, &event("POST", &path, &headers, Some((&body, false)))).await;
    assert_eq!((&reply["statusCode"], &reply["headers"]["x-request-id"]), (&json!(422), &json!("big")));
    assert!(reply["body"].as_str().unwrap().contains("answer-too-large"), "{reply}");
}

#[tokio::test]
async fn settings_that_are_wrong_are_the_answer_to_every_event() {
    let cloud = Cloud::empty().await;
    let wrong = lambda(&cloud).with("SYNCS", "users").with("POLL_SECONDS", "0");
    let invocation = wrong.invoke(&event("GET", "/healthz", &json!({}), None)).await.unwrap();
    let error = invocation.answer.unwrap_err();
    assert_eq!(error.error_type, "InvalidEnvironment");
    assert!(error.message.contains("SYNCS: ") && error.message.contains("POLL_SECONDS: "), "{error}");
}

#[tokio::test]
async fn without_s3_it_says_so_to_the_first_event() {
    let cloud = Cloud::start().await;
    cloud.wire.outage();
    let invocation = lambda(&cloud).invoke(&event("GET", "/healthz", &json!({}), None)).await.unwrap();
    let error = invocation.answer.unwrap_err();
    assert_eq!(error.error_type, "CannotStart", "{error}");
    assert!(error.message.contains("CURRENT"), "{error}");
}
