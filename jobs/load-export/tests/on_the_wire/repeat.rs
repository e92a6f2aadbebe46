//! The job under faults: whatever breaks, and wherever it is killed, it comes to the same end.

use crate::cloud;

use std::time::Duration;

use cloud::{ARGUMENTS, Cloud, manifest, states};
use local::transfer::Options;
use local::wire::{Effect, Recorded};

fn start(request: &Recorded) -> bool {
    request.path.ends_with(":startManualRuns")
}

fn lease(request: &Recorded) -> bool {
    request.method == "PUT" && request.path.ends_with("/leases/prod.json")
}

fn merge(request: &Recorded) -> bool {
    request.body_text().contains("MERGE")
}

async fn day() -> Cloud {
    let cloud = Cloud::start().await;
    cloud.configure(&["cart", "orders"]).await;
    cloud.bigquery.query("CREATE OR REPLACE TABLE raw_shop.cart AS SELECT 1 AS n").await.unwrap();
    cloud.export("orders", 7);
    cloud.publish(&manifest(&[("cart", 0), ("orders", 7)]));
    cloud
}

/// Another attempt of an execution, or the first one.
async fn assert_good_end(cloud: &Cloud) {
    let finished = cloud.again().run(&ARGUMENTS).await.unwrap();
    assert_eq!(finished.exit_code, Some(0), "{}", finished.log);
    assert_eq!(states(&finished), ["shop.cart truncated", "shop.orders loaded"]);
    assert_eq!((cloud.rows("cart").await, cloud.rows("orders").await), (0, 7));
    assert_eq!(cloud.audit().await, ["shop.cart truncated 0 0", "shop.orders loaded 7 7"]);
}

#[tokio::test]
async fn a_bad_moment_of_any_service_is_outlived() {
    let cloud = day().await;
    for wire in [&cloud.s3_wire, &cloud.transfer_wire, &cloud.bigquery_wire] {
        wire.fault(1, Effect::Refuse(503, String::new()), |_| true);
        wire.fault(1, Effect::Reset, |_| true);
        wire.fault(1, Effect::LoseAnswer, |request| !start(request));
    }
    assert_good_end(&cloud).await;
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_is_found_and_not_repeated() {
    let cloud = day().await;
    cloud.transfer_wire.fault(1, Effect::LoseAnswer, start);
    cloud.bigquery_wire.fault(1, Effect::LoseAnswer, merge);
    assert_good_end(&cloud).await;
    assert_eq!(cloud.starts(), 1);
}

#[tokio::test]
async fn a_start_that_never_arrived_is_made_again() {
    let cloud = day().await;
    cloud.transfer_wire.fault(1, Effect::Reset, start);
    let quota = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"slow down"}}"#;
    cloud.transfer_wire.fault(1, Effect::Refuse(429, quota.into()), start);
    assert_good_end(&cloud).await;
    assert_eq!(cloud.starts(), 3);
}

#[tokio::test]
async fn killed_anywhere_a_second_start_comes_to_the_same_end() {
    type Moment = (&'static str, fn(&Recorded) -> bool, Effect);
    let cloud = day().await;
    let moments: [Moment; 8] = [
        ("before the lease", lease, Effect::HoldRequest),
        ("after the lease", lease, Effect::HoldAnswer),
        ("before the start of a run", start, Effect::HoldRequest),
        ("after the start of a run", start, Effect::HoldAnswer),
        ("before the truncation", |request| request.body_text().contains("TRUNCATE TABLE"), Effect::HoldRequest),
        ("while a run is looked at", |request| request.path.contains("/runs/"), Effect::HoldAnswer),
        ("before the audit", merge, Effect::HoldRequest),
        ("after the audit", merge, Effect::HoldAnswer),
    ];
    for (moment, matches, effect) in moments.clone() {
        cloud.bigquery.query("CREATE OR REPLACE TABLE raw_shop.cart AS SELECT 1 AS n").await.unwrap();
        cloud.publish(&manifest(&[("cart", 0), ("orders", 7)]));
        cloud.transfer_wire.forget();
        let wires = [&cloud.transfer_wire, &cloud.bigquery_wire, &cloud.s3_wire];
        for wire in wires {
            wire.fault(1, effect.clone(), matches);
        }
        let task = cloud.job().start(&ARGUMENTS).unwrap();
        let held = async {
            tokio::select! { () = wires[0].held() => {}, () = wires[1].held() => {}, () = wires[2].held() => {} }
        };
        tokio::time::timeout(Duration::from_mins(1), held).await.unwrap_or_else(|_| panic!("{moment}: never came"));
        drop(task);
        for wire in wires {
            wire.heal();
        }
        assert_good_end(&cloud).await;
        let first_was_lost = usize::from(moment == "before the start of a run");
        assert_eq!(cloud.starts(), 1 + first_was_lost, "{moment}");
    }
    let loads = cloud.history().await;
    assert_eq!(loads.len(), 2 * moments.len(), "one load of each table for each execution: {loads:#?}");
}

#[tokio::test]
async fn told_to_stop_it_says_what_is_unfinished_and_the_next_start_takes_the_run_over() {
    let cloud = Cloud::start_with(Options { running: Duration::from_secs(8), ..Options::default() }).await;
    cloud.configure(&["cart", "orders"]).await;
    cloud.export("orders", 7);
    cloud.publish(&manifest(&[("cart", 0), ("orders", 7)]));
    let task = cloud.job().start(&ARGUMENTS).unwrap();
    while cloud.starts() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    task.signal(15);
    let finished = task.finish().await.unwrap();
    assert_eq!(finished.exit_code, Some(143), "{}", finished.log);
    assert_eq!(cloud::report(&finished)["unfinished"], serde_json::json!(["shop.orders"]));
    assert_eq!(cloud.audit().await, ["shop.cart truncated 0 0"]);

    assert_good_end(&cloud).await;
    assert_eq!(cloud.starts(), 1);
}
