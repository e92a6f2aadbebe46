use std::sync::Arc;
use std::time::{Duration, Instant};

use bigquery_to_s3::put::{Put, PutEngine, PutSettings};
use futures_util::future::join_all;
use local::sink::{Options, Sink};

use crate::cloud::{Cloud, any, key, put, put_all, refusal};

fn at(sink: &Sink, max_concurrency: usize, cloud: &Cloud) -> PutEngine {
    cloud.engine_with(PutSettings { endpoint: Some(sink.endpoint()), max_concurrency, ..cloud.settings() })
}

#[tokio::test]
async fn the_window_opens_while_s3_takes_all_halves_at_a_503_and_opens_again() {
    let cloud = Cloud::start().await;
    let engine = cloud.engine_with(PutSettings { max_concurrency: 60, ..cloud.settings() });
    assert_eq!(engine.window(), 20);
    put_all(&engine, 200).await;
    assert_eq!(engine.window(), 60);
    cloud.wire.fault(5, refusal(503, "SlowDown"), any);
    put_all(&engine, 30).await;
    let halved = engine.window();
    assert!((30..=31).contains(&halved), "{halved}: five answers of one moment count once");
    put_all(&engine, 400).await;
    assert!(engine.window() > halved + 5, "{}", engine.window());
}

#[tokio::test]
async fn there_are_never_more_connections_than_the_window_has_room() {
    let cloud = Cloud::start().await;
    let sink = Sink::start(Options { latency_ms: 5, ..Options::default() }).await.unwrap();
    let engine = at(&sink, 30, &cloud);
    assert!(put_all(&engine, 2000).await.iter().all(Result::is_ok));
    let seen = sink.seen();
    assert_eq!(seen.requests, 2000);
    assert!((20..=30).contains(&seen.connections), "{} connections", seen.connections);
}

#[tokio::test]
async fn connections_of_one_bucket_make_room_for_those_of_another() {
    let cloud = Cloud::start().await;
    let sink = Sink::start(Options::default()).await.unwrap();
    let engine = at(&sink, 10, &cloud);
    let to = |bucket: &str| {
        let (engine, bucket): (_, Arc<str>) = (engine.clone(), bucket.into());
        async move {
            let put = Put { bucket, ..put("k") };
            engine.put(engine.permit().await, put).await.unwrap();
        }
    };
    for bucket in ["one", "two", "one"] {
        join_all((0..10).map(|_| to(bucket))).await;
    }
    assert!(sink.open() <= 10, "{} connections", sink.open());
}

#[tokio::test]
async fn no_more_puts_are_held_than_the_ceiling_however_many_of_them_pause() {
    let cloud = Cloud::start().await;
    cloud.wire.fault(usize::MAX, refusal(503, "SlowDown"), any);
    let engine = cloud.engine_with(PutSettings { max_concurrency: 12, ..cloud.settings() });
    for n in 0..12 {
        let (engine, permit) = (engine.clone(), engine.permit().await);
        tokio::spawn(async move { engine.put(permit, put(&key(n))).await });
    }
    let thirteenth = tokio::time::timeout(Duration::from_millis(700), engine.permit()).await;
    assert!(thirteenth.is_err(), "the reader is held back");
    cloud.wire.heal();
    let began = Instant::now();
    let _permit = engine.permit().await;
    assert!(began.elapsed() < Duration::from_secs(6));
}
