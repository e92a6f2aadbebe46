use std::time::{Duration, Instant};

use bigquery_to_s3::put::{AttemptLimit, Put, PutError, PutSettings};
use local::wire::Effect;

use crate::cloud::{BUCKET, Cloud, any, put, put_all, put_body, put_one, refusal};

#[tokio::test]
async fn a_missing_right_is_told_at_once_with_the_right_that_is_missing() {
    let cloud = Cloud::start().await;
    cloud.wire.fault(1, refusal(403, "AccessDenied"), any);
    let error = put_one(&cloud.engine(), "users/1.json").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "put s3://acme-app-data/users/1.json: S3 answered 403 AccessDenied: so it is; the role needs s3:PutObject on \
         arn:aws:s3:::acme-app-data/users/1.json, and the bucket's policy must not deny it"
    );
    assert_eq!(cloud.wire.requests().len(), 1);
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_told_at_once() {
    let cloud = Cloud::start().await;
    let engine = cloud.engine();
    let nowhere = Put { bucket: "acme-nowhere".into(), ..put("k") };
    let error = engine.put(engine.permit().await, nowhere).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("put s3://acme-nowhere/k: S3 answered 404 NoSuchBucket: "), "{text}");
    assert_eq!(cloud.wire.requests().len(), 1);
}

#[tokio::test]
async fn a_key_that_is_too_long_or_empty_is_told_and_an_empty_one_reaches_no_bucket() {
    let cloud = Cloud::start().await;
    let engine = cloud.engine();
    cloud.wire.fault(1, refusal(400, "KeyTooLongError"), any);
    let error = put_one(&engine, &"k".repeat(1025)).await.unwrap_err();
    assert!(error.to_string().contains("S3 answered 400 KeyTooLongError"), "{error}");
    let error = put_one(&engine, "").await.unwrap_err();
    assert!(matches!(error, PutError::Unsendable { .. }), "{error}");
    assert_eq!(cloud.wire.requests().len(), 1);
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_is_told_at_once() {
    let cloud = Cloud::start().await;
    let credentials = cloud.keyless.credentials().await.unwrap();
    let denied = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
    cloud.sts.fault(10, Effect::Refuse(403, denied.into()), any);
    cloud.keyless.reject(credentials.access_key_id());
    let began = Instant::now();
    let error = put_one(&cloud.engine(), "k").await.unwrap_err();
    let PutError::NoCredentials { source, .. } = &error else { panic!("{error}") };
    assert!(source.to_string().contains("the role's trust policy must allow"), "{source}");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(cloud.object("k"), None);
}

#[tokio::test]
async fn one_refused_put_takes_nothing_from_the_others() {
    let cloud = Cloud::start().await;
    cloud.wire.fault(1, refusal(403, "AccessDenied"), |request| request.path.ends_with("/00017.json"));
    let all = put_all(&cloud.engine(), 50).await;
    let failed: Vec<usize> = (0..50).filter(|n| all[*n].is_err()).collect();
    assert_eq!(failed, [17]);
    assert_eq!(cloud.s3.store().keys(BUCKET, "").len(), 49);
}

#[tokio::test]
async fn settings_that_cannot_work_are_told_before_the_first_put() {
    let cloud = Cloud::start().await;
    let make = |settings| {
        let gate = cloud.gate.gate();
        bigquery_to_s3::put::PutEngine::new(settings, cloud.keyless.clone(), gate, cloud.counters.clone())
    };
    for max_concurrency in [0, 1001] {
        let error = make(PutSettings { max_concurrency, ..cloud.settings() }).err().unwrap();
        assert!(error.to_string().contains("must be 1 to 1000"), "{error}");
    }
    let error = make(PutSettings { endpoint: Some("localhost".into()), ..cloud.settings() }).err().unwrap();
    assert!(error.to_string().contains("S3 endpoint \"localhost\""), "{error}");
}

#[tokio::test]
async fn a_body_for_which_no_lease_is_long_enough_is_told_and_not_waited_for() {
    let cloud = Cloud::start().await;
    let attempt = AttemptLimit::within(Duration::from_secs(4));
    let engine = cloud.engine_with(PutSettings { attempt, ..cloud.settings() });
    put_body(&engine, "k", vec![0; 30 << 20]).await.unwrap();
    let error = put_body(&engine, "k", vec![0; 31 << 20]).await.unwrap_err();
    let told = startup::with_causes(&error);
    assert!(
        told.ends_with("its 32505856 bytes need LEASE_SECONDS to be 43 at least; or more shards, where it is a shard"),
        "{told}"
    );
    assert_eq!(cloud.wire.requests().len(), 1);
}
