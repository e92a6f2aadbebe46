use std::time::{Duration, Instant};

use bigquery_to_s3::put::{PutError, PutSettings};
use lease::Moment;
use local::wire::Effect;

use crate::cloud::{Cloud, MOMENT, any, put_all, put_body, put_one};

#[tokio::test]
async fn while_the_gate_is_closed_no_attempt_begins_and_once_open_all_go_on() {
    let cloud = Cloud::start().await;
    cloud.close_the_gate();
    let engine = cloud.engine();
    let puts = tokio::spawn(async move { put_all(&engine, 30).await });
    tokio::time::sleep(MOMENT).await;
    assert_eq!(cloud.wire.requests().len(), 0);
    cloud.open_the_gate();
    assert!(puts.await.unwrap().iter().all(Result::is_ok));
    cloud.assert_stored(30);
}

#[tokio::test]
async fn a_lost_gate_ends_the_puts_that_wait_for_it() {
    let cloud = Cloud::start().await;
    cloud.close_the_gate();
    let engine = cloud.engine();
    let waiting = tokio::spawn(async move { put_one(&engine, "k").await });
    tokio::time::sleep(MOMENT).await;
    cloud.gate.lose("job-2 has it");
    assert!(matches!(waiting.await.unwrap(), Err(PutError::Lost { .. })));
    assert!(matches!(put_one(&cloud.engine(), "k").await, Err(PutError::Lost { .. })));
    assert_eq!(cloud.wire.requests().len(), 0);
}

#[tokio::test]
async fn a_lost_gate_ends_the_puts_that_pause_between_attempts() {
    let cloud = Cloud::start().await;
    cloud.wire.fault(usize::MAX, Effect::Reset, any);
    // So small a budget is soon spent: the puts stand in line for a repeat.
    let engine = cloud.engine_with(PutSettings { max_concurrency: 5, ..cloud.settings() });
    let puts = tokio::spawn(async move { put_all(&engine, 5).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let lost = Instant::now();
    cloud.gate.lose("job-2 has it");
    assert!(puts.await.unwrap().iter().all(|put| matches!(put, Err(PutError::Lost { .. }))));
    assert!(lost.elapsed() < Duration::from_secs(1), "{:?}", lost.elapsed());
}

#[tokio::test]
async fn a_gate_that_nobody_keeps_any_more_lets_nobody_through_once_closed() {
    let cloud = Cloud::start().await;
    cloud.close_the_gate();
    let engine = cloud.engine();
    drop(cloud.gate);
    assert!(matches!(put_one(&engine, "k").await, Err(PutError::Lost { .. })));
}

/// What was asked for at the beginning of a put is not what counts, but what is so when its next attempt begins.
#[tokio::test]
async fn an_attempt_begins_only_where_the_lease_lasts_longer_than_it_can_take() {
    let cloud = Cloud::start().await;
    let limit = PutSettings::of_region("ap-northeast-1").attempt;
    cloud.gate.hold(Moment::now(), limit.of(0).checked_sub(MOMENT).unwrap());
    let (small, large) = (cloud.engine(), cloud.engine());
    let waiting = tokio::spawn(async move { put_one(&small, "k").await });
    tokio::time::sleep(MOMENT).await;
    assert_eq!(cloud.wire.requests().len(), 0);
    cloud.gate.hold(Moment::now(), limit.of(0) + limit.each_mib);
    waiting.await.unwrap().unwrap();
    let waiting = tokio::spawn(async move { put_body(&large, "large", vec![b'x'; 5 << 20]).await });
    tokio::time::sleep(MOMENT).await;
    assert_eq!(cloud.wire.requests().len(), 1, "a body of 5 MiB may take five seconds more");
    cloud.open_the_gate();
    waiting.await.unwrap().unwrap();
}
