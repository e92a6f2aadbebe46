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

/// Fewer bytes than the limit, and more once each quote in them is escaped.
#[tokio::test]
async fn an_answer_is_measured_as_lambda_sends_it() {
    let mut cloud = Cloud::empty().await;
    let large = serde_json::to_string(&vec![""; 30 * 1024]).unwrap();
    cloud.rows = (0..50).map(|n| (format!("user-{n}"), large.clone())).collect();
    cloud.publish(GENERATION);
    let headers = json!({"content-type": "application/json"});
    let path = format!("/v1/{PACKED}:batchGet");
    for (count, status) in [(30, 200), (50, 422)] {
        let keys: Vec<&String> = cloud.rows.keys().take(count).collect();
        let body = json!({"keys": keys}).to_string();
        let reply = answer(&cloud, &event("POST", &path, &headers, Some((&body, false)))).await;
        assert_eq!(reply["statusCode"], json!(status), "{count} rows of {} bytes", large.len());
    }
}

#[tokio::test]
async fn a_row_that_lambda_would_drop_has_its_own_words() {
    let mut cloud = Cloud::empty().await;
    cloud.rows = [("2".to_owned(), format!("{{\"text\":\"{}\"}}", "x".repeat(7_000_000)))].into();
    cloud.publish(GENERATION);
    let batch = (&json!({"keys": ["2"]}).to_string()[..], false);
    for sync in [PACKED, OBJECTS] {
        let path = format!("/v1/{sync}/2");
        let reply = answer(&cloud, &event("GET", &path, &json!({}), None)).await;
        let told = reply["body"].as_str().unwrap();
        assert_eq!(reply["statusCode"], json!(422), "{told}");
        assert!(told.contains("isthmus:row-too-large") && told.contains("this row has 7000011 bytes"), "{told}");
        let head = answer(&cloud, &event("HEAD", &path, &json!({}), None)).await;
        assert_eq!((&head["statusCode"], &head["body"]), (&json!(200), &json!("")));
        let reply = answer(&cloud, &event("POST", &format!("/v1/{sync}:batchGet"), &json!({}), Some(batch))).await;
        assert!(reply["body"].as_str().unwrap().contains("isthmus:row-too-large"), "{reply}");
    }
}

/// An HTTP API of API Gateway sends the path decoded: `#` and `?` in a key would end it, and name another row.
#[tokio::test]
async fn a_path_or_query_with_bad_bytes_is_a_400_and_never_another_row() {
    let mut cloud = Cloud::empty().await;
    let keys = ["hash", "hash#hash", "hash?x", "with space", "plain", "a/b", "a%2Fb"];
    cloud.rows = keys.map(|key| (key.to_owned(), json!({"key": key}).to_string())).into();
    cloud.publish(GENERATION);
    let refused = async |path: &str, query: &str, domain: &str| {
        let mut event = event("GET", &format!("/v1/{PACKED}/{path}"), &json!({"x-request-id": "r-1"}), None);
        event["rawQueryString"] = json!(query);
        event["requestContext"]["domainName"] = json!(domain);
        let reply = answer(&cloud, &event).await;
        assert_eq!(reply["headers"]["x-request-id"], "r-1");
        (reply["statusCode"].as_u64().unwrap(), reply["body"].as_str().unwrap().to_owned())
    };
    let (url, api) = ("a1.lambda-url.ap-northeast-1.on.aws", "a1.execute-api.ap-northeast-1.amazonaws.com");
    for (path, query, domain) in [
        ("with space", "", url),
        ("hash#hash", "", api),
        ("hash?x", "", api),
        ("plain", "scope=openid profile", url),
        ("plain", "q=日本|x\"<>", url),
        // Which of two keys it is cannot be told any more.
        ("a%2Fb", "", api),
    ] {
        let (status, body) = refused(path, query, domain).await;
        assert!(status == 400 && body.contains("isthmus:invalid-path"), "{path} {query}: {status} {body}");
    }
    for (path, domain, key) in
        [("hash%23hash", url, "hash#hash"), ("a%2Fb", url, "a/b"), ("a%252Fb", url, "a%2Fb"), ("hash", api, "hash")]
    {
        assert_eq!(refused(path, "", domain).await, (200, json!({"key": key}).to_string()), "{path}");
    }
}

#[tokio::test]
async fn what_is_no_request_of_a_function_url_is_an_invalid_event() {
    let cloud = Cloud::start().await;
    let rest = json!({
        "resource": "/{proxy+}", "path": "/v1/user-profiles/user-7", "httpMethod": "GET", "headers": {"Host": "x"},
        "queryStringParameters": null, "body": null, "isBase64Encoded": false,
        "requestContext": {"httpMethod": "GET", "path": "/prod/v1/user-profiles/user-7"},
    });
    let target_group = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/x/1";
    let balancer = json!({
        "requestContext": {"elb": {"targetGroupArn": target_group}}, "httpMethod": "GET", "body": "",
        "path": "/v1/user-profiles/user-7", "queryStringParameters": {}, "headers": {"host": "x"},
        "isBase64Encoded": false,
    });
    for (event, whose) in [
        (rest, "this is an event of an API Gateway in payload format 1.0"),
        (balancer, "this is an event of a load balancer"),
        (json!({"source": "serverless-plugin-warmup"}), "this is no HTTP request"),
        (json!("ping"), "this is no HTTP request"),
        (json!({"requestContext": {"http": {}}}), "this is no request of a function URL"),
    ] {
        let error = lambda(&cloud).invoke(&event).await.unwrap().answer.unwrap_err();
        assert_eq!(error.error_type, "InvalidEvent", "{error}");
        assert!(error.message.starts_with(whose), "{error}");
    }
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
