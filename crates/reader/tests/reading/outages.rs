//! S3 away, and back.

use std::time::{Duration, Instant};

use local::wire::Effect;
use reader::{Layout, Origin, ReadError, Reader, Settings, Source};

use crate::cloud::press::{Press, key, numbered};
use crate::cloud::{BUCKET, Cloud, body, connected, follows, settings, until};

#[tokio::test]
async fn while_s3_is_away_what_is_cached_is_served_and_the_rest_is_unavailable() {
    let cloud = Cloud::start().await;
    let redis = cloud.redis().await;
    for (sync, layout) in [("packed", Layout::Packed), ("objects", Layout::Objects)] {
        let mut press = Press::new(&cloud, sync, layout, 64);
        let first = press.publish(&numbered(100, 1));
        let short = || Settings { s3_timeout: Duration::from_millis(300), ..settings() };
        let reader = cloud.reader_with(&[sync], Some(connected(&redis).await), short()).await;
        let other = cloud.reader_with(&[sync], Some(connected(&redis).await), short()).await;
        body(&reader, sync, &key(1)).await.unwrap();
        until("it is written", async || reader.counters().redis_writes == 1).await;

        cloud.wire.outage();
        until("it is told", async || reader.generation(sync).unwrap().problem.is_some()).await;
        assert_eq!(reader.get(sync, &key(1)).await.unwrap().from, Origin::Memory);
        assert_eq!(other.get(sync, &key(1)).await.unwrap().from, Origin::Redis);
        let began = Instant::now();
        let refused = reader.get(sync, &key(50)).await.unwrap_err();
        assert!(
            matches!(refused, ReadError::Unavailable { .. }) && refused.to_string().ends_with("cannot be read now")
        );
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert!(matches!(reader.get_many(sync, &[&key(1), &key(51)]).await, Err(ReadError::Unavailable { .. })));
        assert_eq!(reader.generation(sync).unwrap().generation, first);

        cloud.wire.restore();
        let next = press.publish(&numbered(100, 2));
        follows(&reader, sync, &next).await;
        assert_eq!(body(&reader, sync, &key(50)).await.unwrap(), numbered(100, 2)[&key(50)]);
        assert_eq!(reader.generation(sync).unwrap().problem, None);
    }
}

#[tokio::test]
async fn a_reader_that_cannot_read_anything_is_not_opened() {
    let cloud = Cloud::start().await;
    let source = || Source { sync: "packed".into(), bucket: BUCKET.into(), prefix: "packed".into() };
    let open = async || {
        let settings = Settings { s3_timeout: Duration::from_millis(300), ..settings() };
        Reader::open(cloud.client().await, None, vec![source()], settings).await
    };
    cloud.wire.outage();
    assert!(
        matches!(open().await, Err(ReadError::Unavailable { object, .. }) if object == "s3://acme-app-data/packed/CURRENT")
    );
    cloud.wire.restore();
    let refusal = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    cloud.wire.fault(100, Effect::Refuse(403, refusal.into()), |_| true);
    let Err(denied) = open().await else { panic!("it opened") };
    assert!(matches!(denied, ReadError::Denied { .. }) && denied.to_string().contains("s3:ListBucket"), "{denied}");
}

#[tokio::test]
async fn a_request_that_is_slow_once_is_repeated_by_the_client_and_succeeds() {
    let cloud = Cloud::start().await;
    Press::new(&cloud, "packed", Layout::Packed, 1).publish(&numbered(10, 1));
    let reader = cloud.reader(&["packed"]).await;
    cloud.wire.fault(1, Effect::Refuse(503, "<Error><Code>SlowDown</Code></Error>".into()), crate::cloud::is_row);
    cloud.wire.fault(1, Effect::Reset, crate::cloud::is_row);
    assert!(body(&reader, "packed", &key(1)).await.is_some());
}
