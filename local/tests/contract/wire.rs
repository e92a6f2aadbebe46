//! The wire's own contract: what it says it does to a request, it does, and it writes down what passed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::any;
use local::wire::{Effect, Keep, Wire};

/// An endpoint that counts what reaches it.
async fn endpoint() -> (String, Arc<AtomicUsize>) {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let answer = move || {
        let count = Arc::clone(&count);
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            "done"
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(answer))).await });
    (address, seen)
}

#[tokio::test]
async fn a_healthy_wire_passes_everything_and_writes_it_down() {
    let (target, seen) = endpoint().await;
    let wire = Wire::start(&target).await.unwrap();
    let client = reqwest::Client::new();
    let request = client.post(format!("{}/a/b?c=d", wire.endpoint())).header("range", "bytes=-8").body("hello");
    let answer = request.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, "done"));
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    let [record] = &wire.requests()[..] else { panic!("one request passed") };
    assert_eq!((record.method.as_str(), record.path.as_str(), record.query.as_str()), ("POST", "/a/b", "c=d"));
    assert_eq!((record.range(), record.body_text().as_str()), (Some("bytes=-8"), "hello"));
    assert_eq!((record.status, record.answered_bytes), (Some(200), 4));
}

#[tokio::test]
async fn a_refused_or_reset_request_never_reaches_the_endpoint_and_a_lost_answer_does() {
    let (target, seen) = endpoint().await;
    let wire = Wire::start(&target).await.unwrap();
    let get = async |path: &str| reqwest::get(format!("{}{path}", wire.endpoint())).await;

    wire.fault(1, Effect::Refuse(503, "SlowDown".into()), |request| request.path == "/x");
    assert_eq!(get("/x").await.unwrap().status().as_u16(), 503);
    wire.fault(1, Effect::Reset, |_| true);
    get("/x").await.unwrap_err();
    assert_eq!(seen.load(Ordering::SeqCst), 0);

    wire.fault(1, Effect::LoseAnswer, |_| true);
    get("/x").await.unwrap_err();
    assert_eq!(seen.load(Ordering::SeqCst), 1);

    assert_eq!(get("/x").await.unwrap().status().as_u16(), 200, "each fault came as often as it was asked for");
    let told: Vec<Option<u16>> = wire.requests().iter().map(|record| record.status).collect();
    assert_eq!(told, [Some(503), None, None, Some(200)]);
}

#[tokio::test]
async fn a_fault_can_wait_for_a_later_request_and_hold_its_answer() {
    let (target, seen) = endpoint().await;
    let wire = Wire::start(&target).await.unwrap();
    let url = wire.endpoint();
    wire.fault_after(1, 1, Effect::HoldAnswer, |_| true);
    assert!(reqwest::get(&url).await.is_ok());
    let held = tokio::spawn(async move { reqwest::get(&url).await });
    wire.held().await;
    assert_eq!(seen.load(Ordering::SeqCst), 2, "the endpoint has done its work, only the answer is missing");
    assert!(!held.is_finished());
    held.abort();
}

#[tokio::test]
async fn latency_is_added_to_each_answer() {
    let (target, _) = endpoint().await;
    let wire = Wire::start(&target).await.unwrap();
    wire.delay(Duration::from_millis(50));
    let began = Instant::now();
    reqwest::get(wire.endpoint()).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_share_of_the_requests_meets_a_fault_until_the_wire_is_healed() {
    let (target, seen) = endpoint().await;
    let wire = Wire::start(&target).await.unwrap();
    wire.fault_share(0.25, Effect::Refuse(503, "SlowDown".into()), |request| request.path == "/x");
    let mut answers = Vec::new();
    for path in ["/x", "/x", "/y", "/x", "/x", "/x"] {
        answers.push(reqwest::get(format!("{}{path}", wire.endpoint())).await.unwrap().status().as_u16());
    }
    assert_eq!(answers, [200, 200, 200, 200, 503, 200]);
    assert_eq!(seen.load(Ordering::SeqCst), 5);
    wire.heal();
    for _ in 0..8 {
        assert_eq!(reqwest::get(format!("{}/x", wire.endpoint())).await.unwrap().status().as_u16(), 200);
    }
}

#[tokio::test]
async fn in_an_outage_open_connections_close_and_new_ones_are_reset() {
    let (target, seen) = endpoint().await;
    let wire = Wire::start(&target).await.unwrap();
    let url = wire.endpoint();
    wire.fault(1, Effect::HoldRequest, |_| true);
    let open = tokio::spawn(reqwest::get(url.clone()));
    wire.held().await;
    wire.outage();
    open.await.unwrap().unwrap_err();
    reqwest::get(&url).await.unwrap_err();
    assert_eq!(seen.load(Ordering::SeqCst), 0);
    wire.restore();
    assert!(reqwest::get(&url).await.is_ok());
}

#[tokio::test]
async fn a_request_can_be_delayed_alone() {
    let (target, _) = endpoint().await;
    let wire = Wire::start(&target).await.unwrap();
    wire.fault(1, Effect::Delay(Duration::from_millis(50)), |_| true);
    let began = Instant::now();
    assert_eq!(reqwest::get(wire.endpoint()).await.unwrap().text().await.unwrap(), "done");
    assert!(began.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn bodies_or_whole_requests_need_not_be_kept() {
    let (target, _) = endpoint().await;
    let wire = Wire::start(&target).await.unwrap();
    let client = reqwest::Client::new();
    let put = async || client.put(format!("{}/a", wire.endpoint())).body("hello").send().await.unwrap();
    for keep in [Keep::Everything, Keep::Heads, Keep::Nothing] {
        wire.keep(keep);
        put().await;
    }
    let kept: Vec<String> =
        wire.requests().iter().map(|request| format!("{} {}", request.path, request.body_text())).collect();
    assert_eq!(kept, ["/a hello", "/a "]);
    assert_eq!(wire.passed(), 3);
}
