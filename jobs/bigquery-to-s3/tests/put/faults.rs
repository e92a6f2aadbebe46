use std::time::{Duration, Instant};

use bigquery_to_s3::put::{AttemptLimit, PutError, PutSettings};
use local::wire::Effect;

use crate::cloud::{Cloud, any, each, key, put, put_all, put_one, refusal};

#[tokio::test]
async fn a_tenth_of_all_puts_answered_503_costs_repeats_and_nothing_else() {
    let cloud = Cloud::start().await;
    cloud.wire.fault(usize::MAX, refusal(503, "SlowDown"), each(10));
    let all = put_all(&cloud.engine(), 500).await;
    assert!(all.iter().all(Result::is_ok));
    cloud.assert_stored(500);
    let slow_downs = cloud.counters.slow_downs.get();
    assert!((50..=60).contains(&slow_downs), "{slow_downs}");
    assert_eq!((cloud.counters.puts.get(), cloud.counters.put_retries.get()), (500, slow_downs));
    assert_eq!(cloud.counters.put_bytes.get(), 500 * put(&key(0)).body.len() as u64);
}

#[tokio::test]
async fn resets_before_and_after_the_request_are_outlived() {
    let cloud = Cloud::start().await;
    cloud.wire.fault(usize::MAX, Effect::Reset, each(7));
    cloud.wire.fault(usize::MAX, Effect::LoseAnswer, each(5));
    let all = put_all(&cloud.engine(), 300).await;
    assert!(all.iter().all(Result::is_ok));
    cloud.assert_stored(300);
    assert!(cloud.counters.put_retries.get() > 60, "{}", cloud.counters.put_retries.get());
}

#[tokio::test]
async fn other_answers_that_pass_are_outlived() {
    let cloud = Cloud::start().await;
    for (status, code) in
        [(500, "InternalError"), (502, ""), (409, "OperationAborted"), (400, "RequestTimeout"), (429, "")]
    {
        cloud.wire.fault(1, refusal(status, code), any);
    }
    put_one(&cloud.engine(), "users/00000.json").await.unwrap();
    assert_eq!(cloud.wire.requests().len(), 6);
    cloud.assert_stored(1);
}

#[tokio::test]
async fn an_s3_that_is_down_is_only_probed_and_all_goes_on_once_it_is_back() {
    let cloud = Cloud::start().await;
    let engine = cloud.engine_with(PutSettings { max_concurrency: 40, ..cloud.settings() });
    put_one(&engine, "users/00000.json").await.unwrap();
    cloud.wire.fault(usize::MAX, Effect::Reset, any);
    let puts = tokio::spawn({
        let engine = engine.clone();
        async move { put_all(&engine, 100).await }
    });
    tokio::time::sleep(Duration::from_secs(4)).await;
    // 40 puts, as many repeats from the budget, one more for a connection that was kept, five probes a second.
    let asked = cloud.counters.put_retries.get();
    assert!((40..=80).contains(&asked), "{asked} repeats during the outage");
    cloud.wire.heal();
    let healed = Instant::now();
    assert!(puts.await.unwrap().iter().all(Result::is_ok));
    assert!(healed.elapsed() < Duration::from_secs(2), "{:?} after the outage", healed.elapsed());
    cloud.assert_stored(100);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_waited_for_as_long_as_set_and_asked_again() {
    let cloud = Cloud::start().await;
    cloud.wire.fault(1, Effect::HoldAnswer, any);
    let attempt = AttemptLimit { least: Duration::from_millis(300), each_mib: Duration::ZERO, longest: Duration::MAX };
    let engine = cloud.engine_with(PutSettings { attempt, ..cloud.settings() });
    let began = Instant::now();
    put_one(&engine, "users/00000.json").await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(engine.window(), 10, "an answer that is late is a sign of too many requests");
    cloud.assert_stored(1);
}

#[tokio::test]
async fn a_put_that_never_succeeds_is_given_up_in_time_with_the_reason() {
    let cloud = Cloud::start().await;
    cloud.wire.fault(usize::MAX, refusal(503, "SlowDown"), any);
    let engine = cloud.engine_with(PutSettings { give_up_after: Duration::from_secs(1), ..cloud.settings() });
    cloud.keyless.credentials().await.unwrap(); // on a busy machine the first ones take most of that second
    let began = Instant::now();
    let error = put_one(&engine, "k").await.unwrap_err();
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
    let PutError::GaveUp { attempts, .. } = &error else { panic!("{error}") };
    assert!(*attempts > 2, "{attempts} attempts");
    assert!(error.to_string().ends_with("the last one: 503 SlowDown so it is"), "{error}");
    assert!(error.to_string().starts_with("put s3://acme-app-data/k: gave up after "), "{error}");
}

#[tokio::test]
async fn nobody_listens_and_the_endpoint_is_named() {
    let cloud = Cloud::start().await;
    let free = local::process::free_port().unwrap();
    let endpoint = Some(format!("http://127.0.0.1:{free}"));
    let settings = PutSettings { endpoint, give_up_after: Duration::from_millis(500), ..cloud.settings() };
    let error = put_one(&cloud.engine_with(settings), "k").await.unwrap_err();
    assert!(error.to_string().contains("onnection refused"), "{error}");
}

#[tokio::test]
async fn an_sts_that_is_down_at_the_start_is_waited_for() {
    let cloud = Cloud::start().await;
    let credentials = cloud.keyless.credentials().await.unwrap();
    cloud.sts.fault(3, Effect::Refuse(503, String::new()), any);
    cloud.keyless.reject(credentials.access_key_id());
    put_one(&cloud.engine(), "users/00000.json").await.unwrap();
    cloud.assert_stored(1);
}
