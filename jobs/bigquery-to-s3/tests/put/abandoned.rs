//! A caller that drops its puts half-way, as a job does when one of them has failed for good.

use std::time::Duration;

use bigquery_to_s3::put::{PutEngine, PutSettings};
use futures_util::future::join_all;
use local::sink::{Options, Sink};
use local::wire::Effect;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::cloud::{Cloud, MOMENT, any, key, put, put_all, refusal, until};

const SOON: Duration = Duration::from_secs(2);

async fn spawn(engine: &PutEngine, n: usize) -> JoinSet<()> {
    let mut puts = JoinSet::new();
    for n in 0..n {
        let (engine, permit) = (engine.clone(), engine.permit().await);
        puts.spawn(async move { _ = engine.put(permit, put(&key(n))).await });
    }
    puts
}

/// As many permits as the window has room for, and not one more.
async fn assert_nothing_leaked(engine: &PutEngine) {
    let permits = join_all((0..engine.window()).map(|_| engine.permit()));
    let permits = timeout(SOON, permits).await.expect("all permits have come back");
    assert!(timeout(MOMENT, engine.permit()).await.is_err(), "{} permits and one more", permits.len());
}

#[tokio::test]
async fn puts_dropped_while_s3_has_not_answered_leave_neither_permits_nor_connections() {
    let cloud = Cloud::start().await;
    let sink = Sink::start(Options { latency_ms: 60_000, ..Options::default() }).await.unwrap();
    let settings = PutSettings { endpoint: Some(sink.endpoint()), max_concurrency: 15, ..cloud.settings() };
    let engine = cloud.engine_with(settings);
    for round in 1..=3 {
        let mut puts = spawn(&engine, 15).await;
        until(|| sink.seen().requests == 15 * round).await;
        assert_eq!(sink.open(), 15);
        puts.shutdown().await;
        assert_nothing_leaked(&engine).await;
        until(|| sink.open() == 0).await;
    }
}

#[tokio::test]
async fn puts_dropped_while_they_pause_or_wait_leave_nothing_and_the_next_ones_succeed() {
    let cloud = Cloud::start().await;
    let engine = cloud.engine_with(PutSettings { max_concurrency: 15, ..cloud.settings() });
    cloud.wire.fault(usize::MAX, refusal(503, "SlowDown"), any);
    let mut pausing = spawn(&engine, 15).await;
    until(|| cloud.counters.put_retries.get() > 15).await;
    pausing.shutdown().await;
    assert_nothing_leaked(&engine).await;

    cloud.close_the_gate();
    let mut waiting = spawn(&engine, engine.window()).await;
    waiting.shutdown().await;
    assert_nothing_leaked(&engine).await;

    cloud.open_the_gate();
    cloud.wire.heal();
    let all = timeout(Duration::from_secs(10), put_all(&engine, 100)).await.unwrap();
    assert!(all.iter().all(Result::is_ok));
    cloud.assert_stored(100);
}

#[tokio::test]
async fn a_put_dropped_after_s3_took_the_object_is_neither_counted_nor_undone() {
    let cloud = Cloud::start().await;
    let engine = cloud.engine();
    cloud.wire.fault(1, Effect::HoldAnswer, any);
    let mut puts = spawn(&engine, 1).await;
    until(|| cloud.object(&key(0)).is_some()).await;
    puts.shutdown().await;
    assert_eq!((cloud.counters.puts.get(), cloud.s3.store().keys(crate::cloud::BUCKET, "").len()), (0, 1));
    assert_nothing_leaked(&engine).await;
}
