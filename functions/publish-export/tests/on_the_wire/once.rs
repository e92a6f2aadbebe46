//! A date that no poll can mend is told once, until something about it changes.

use crate::cloud;

use cloud::{BUCKET, Cloud, DAILY, part, table};
use serde_json::json;

const NIGHT: &str = "2026-11-21T17:05:00Z";
const PART: &str = "prod-20261122/shop/shop.orders/1/part-00000-prod-20261122-c000.gz.parquet";
const MARKER: &str = "prod-20261122/problem.json";

async fn broken() -> Cloud {
    let mut cloud = Cloud::start().await;
    cloud.exported(DAILY, NIGHT, &[table("shop.orders", &[&[3]])]);
    cloud.store().put(BUCKET, PART, "");
    cloud
}

fn mend(cloud: &Cloud) {
    cloud.store().put(BUCKET, PART, part(&[("id", "bigint"), ("note", "text")], 3));
}

async fn word(cloud: &Cloud) -> Option<&'static str> {
    cloud.poll().await.err().map(|error| error.word())
}

#[tokio::test]
async fn without_a_topic_a_broken_date_fails_one_poll_and_each_invocation_by_hand() {
    let cloud = broken().await;
    assert_eq!(word(&cloud).await, Some("PartUnreadable"));
    for _ in 0..3 {
        assert_eq!(word(&cloud).await, None);
        assert_eq!(cloud.manifest("2026-11-22"), None);
    }
    for _ in 0..2 {
        let asked = cloud.handle(json!({"kind": "publish", "task_id": DAILY})).await;
        assert_eq!(asked.unwrap_err().word(), "PartUnreadable");
    }
}

#[tokio::test]
async fn with_a_topic_a_broken_date_is_one_message_and_no_failure() {
    let mut cloud = broken().await;
    cloud.topic = true;
    for _ in 0..3 {
        assert_eq!(word(&cloud).await, None);
    }
    let [(subject, text)] = cloud.messages().try_into().unwrap();
    assert_eq!(subject, "isthmus: 2026-11-22 cannot be published");
    assert!(text.contains(&format!("part {PART} cannot be read: it has 0 bytes")), "{text}");
    assert!(text.contains(r#"invoke start-export with {"kind":"manual","export_date":"2026-11-22","#), "{text}");
}

#[tokio::test]
async fn another_problem_is_told_and_so_is_the_same_after_a_publication() {
    let cloud = broken().await;
    assert_eq!(word(&cloud).await, Some("PartUnreadable"));
    cloud.store().put(BUCKET, PART, "not Parquet at all");
    assert_eq!(word(&cloud).await, Some("PartUnreadable"));
    assert_eq!(word(&cloud).await, None);

    mend(&cloud);
    assert_eq!(cloud.poll().await.unwrap().published.len(), 1);
    assert_eq!(cloud.store().get(BUCKET, MARKER).map(|_| ()), None);

    cloud.store().delete(BUCKET, "prod-20261122/manifest.json");
    cloud.store().put(BUCKET, PART, "not Parquet at all");
    assert_eq!(word(&cloud).await, Some("PartUnreadable"));
    assert_eq!(word(&cloud).await, None);
    mend(&cloud);
    assert_eq!(cloud.poll().await.unwrap().published.len(), 1);
    assert_eq!(cloud.store().get(BUCKET, MARKER).map(|_| ()), None, "also where the task was told of before");
}

#[tokio::test]
async fn a_problem_whose_marker_could_not_be_written_is_told_again_and_what_may_pass_each_time() {
    let mut cloud = broken().await;
    (cloud.topic, cloud.attempts) = (true, 1);
    cloud.wire.fault(1, local::wire::Effect::Reset, |r| r.path.ends_with(MARKER) && r.method == "PUT");
    assert_eq!(word(&cloud).await, Some("PartUnreadable"));
    assert_eq!(word(&cloud).await, None);
    assert_eq!(cloud.messages().len(), 2);

    let unreachable = |r: &local::wire::Recorded| r.path.ends_with("export_info_prod-20261122.json");
    cloud.wire.fault(2, local::wire::Effect::Reset, unreachable);
    for _ in 0..2 {
        assert_eq!(word(&cloud).await, Some("Unreachable"));
    }
}
