use std::time::{Duration, Instant};

use bigquery_to_s3::put::{Gate, PutError, PutSettings};
use local::wire::Effect;

use crate::cloud::{Cloud, MOMENT, any, put_all, put_one};

#[tokio::test]
async fn while_the_gate_is_closed_no_attempt_begins_and_once_open_all_go_on() {
    let cloud = Cloud::start().await;
    cloud.gate.send_replace(Gate::Closed);
    let engine = cloud.engine();
    let puts = tokio::spawn(async move { put_all(&engine, 30).await });
    tokio::time::sleep(MOMENT).await;
    assert_eq!(cloud.wire.requests().len(), 0);
    cloud.gate.send_replace(Gate::Open);
    assert!(puts.await.unwrap().iter().all(Result::is_ok));
    cloud.assert_stored(30);
}

#[tokio::test]
async fn a_lost_gate_ends_the_puts_that_wait_for_it() {
    let cloud = Cloud::start().await;
    cloud.gate.send_replace(Gate::Closed);
    let engine = cloud.engine();
    let waiting = tokio::spawn(async move { put_one(&engine, "k").await });
    tokio::time::sleep(MOMENT).await;
    cloud.gate.send_replace(Gate::Lost);
    assert!(matches!(waiting.await.unwrap(), Err(PutError::Lost(_))));
    assert!(matches!(put_one(&cloud.engine(), "k").await, Err(PutError::Lost(_))));
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
    cloud.gate.send_replace(Gate::Lost);
    assert!(puts.await.unwrap().iter().all(|put| matches!(put, Err(PutError::Lost(_)))));
    assert!(lost.elapsed() < Duration::from_secs(1), "{:?}", lost.elapsed());
}

#[tokio::test]
async fn a_gate_that_nobody_keeps_any_more_lets_nobody_through_once_closed() {
    let cloud = Cloud::start().await;
    cloud.gate.send_replace(Gate::Closed);
    let engine = cloud.engine();
    drop(cloud.gate);
    assert!(matches!(put_one(&engine, "k").await, Err(PutError::Lost(_))));
}
