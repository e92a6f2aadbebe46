use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::cloud::{BUCKET, Cloud, any, put, put_one, refusal};
use bigquery_to_s3::put::PutError;

#[tokio::test]
async fn whatever_the_key_s3_accepts_the_signature_and_stores_the_object_under_just_that_key() {
    let cloud = Cloud::start().await;
    cloud.verify_signatures().await;
    let engine = cloud.engine();
    let longest = "長".repeat(341) + "x";
    assert_eq!(longest.len(), 1024);
    let keys = [
        "plain.json",
        "🔑/鍵 with spaces.json",
        "100%",
        "%41%2F",
        "a+b&c=d?e#f;g:h@i,j$k!l*m'n(o)p[q]",
        "/leading",
        "a//b///c/",
        "tab\there\"quote\\back",
        "~user/-_.!",
        &longest,
    ];
    for key in keys {
        put_one(&engine, key).await.unwrap();
    }
    let mut stored = cloud.s3.store().keys(BUCKET, "");
    let mut wanted = keys.map(str::to_owned).to_vec();
    (stored.sort(), wanted.sort());
    assert_eq!(stored, wanted);
    let object = cloud.s3.store().get(BUCKET, "100%").unwrap();
    assert_eq!(object.content_type.as_deref(), Some("application/json"));
    assert_eq!(object.bytes, put("100%").body);
}

#[tokio::test]
async fn the_hash_of_the_body_goes_along_as_the_objects_checksum() {
    let cloud = Cloud::start().await;
    put_one(&cloud.engine(), "k").await.unwrap();
    let [request] = &cloud.wire.requests()[..] else { panic!("one request") };
    let hash = Sha256::digest(&put("k").body);
    assert_eq!(request.headers["x-amz-checksum-sha256"], STANDARD.encode(hash));
    assert_eq!(request.headers["content-length"], put("k").body.len().to_string());
    assert!(!request.headers.contains_key("transfer-encoding"));
}

#[tokio::test]
async fn a_hash_of_another_body_is_refused() {
    let cloud = Cloud::start().await;
    cloud.verify_signatures().await;
    let engine = cloud.engine();
    let wrong = bigquery_to_s3::put::Put { body: "another".into(), ..put("k") };
    let error = engine.put(engine.permit().await, wrong).await.unwrap_err();
    assert!(matches!(error, PutError::Refused { .. }), "{error}");
    assert_eq!(cloud.object("k"), None);
}

#[tokio::test]
async fn a_signature_with_another_secret_is_refused_at_once() {
    let cloud = Cloud::start().await;
    let credentials = cloud.keyless.credentials().await.unwrap();
    cloud.s3.allow(credentials.access_key_id(), "another secret");
    let error = put_one(&cloud.engine(), "k").await.unwrap_err();
    assert!(error.to_string().contains("403 SignatureDoesNotMatch"), "{error}");
    assert_eq!(cloud.wire.requests().len(), 1);
}

#[tokio::test]
async fn expired_credentials_are_replaced_once_for_all_puts_and_the_puts_are_repeated() {
    let cloud = Cloud::start().await;
    let old = cloud.keyless.credentials().await.unwrap().access_key_id().to_owned();
    cloud.s3.expire(&old);
    let engine = cloud.engine();
    let all = crate::cloud::put_all(&engine, 60).await;
    assert!(all.iter().all(Result::is_ok));
    cloud.assert_stored(60);
    let exchanges = cloud.sts.requests().len();
    assert_eq!(exchanges, 2, "one at the start, one after the refusal");
}

#[tokio::test]
async fn credentials_that_are_refused_again_and_again_are_told() {
    let cloud = Cloud::start().await;
    cloud.wire.fault(100, refusal(400, "InvalidToken"), any);
    let error = put_one(&cloud.engine(), "k").await.unwrap_err();
    assert!(
        error.to_string().starts_with("put s3://acme-app-data/k: S3 answered 400 InvalidToken: so it is"),
        "{error}"
    );
    assert_eq!(cloud.wire.requests().len(), 4);
}

#[tokio::test]
async fn a_request_that_s3_finds_too_old_is_signed_again() {
    let cloud = Cloud::start().await;
    cloud.wire.fault(1, refusal(403, "RequestTimeTooSkewed"), any);
    put_one(&cloud.engine(), "k").await.unwrap();
    assert_eq!(cloud.wire.requests().len(), 2);
}
