//! Dying, refusals and lost answers between the function and S3. Whatever happened, the next run ends where an
//! undisturbed one ends, and a manifest never stands for parts that are not there.

use crate::cloud;

use cloud::{BUCKET, Cloud, DAILY, SPOT, mutates, table, task_of};
use local::wire::Effect;

const NIGHT: &str = "2026-11-21T17:05:00Z";
const MORNING: &str = "2026-11-22T01:00:00Z";

/// A daily export that is published, and then a spot export that replaces some of it and empties the rest.
async fn spot_over_daily() -> Cloud {
    let mut cloud = Cloud::start().await;
    cloud.exported(DAILY, NIGHT, &[table("shop.a", &[&[3, 4]]), table("shop.b", &[&[1]])]);
    cloud.poll().await.unwrap();
    cloud.exported(SPOT, MORNING, &[table("shop.a", &[&[5], &[6]]), table("shop.b", &[&[]])]);
    cloud
}

/// The same with a spot export of one table.
async fn layer_over_daily() -> Cloud {
    let mut cloud = spot_over_daily().await;
    cloud.exported("prod-20261122-s111500", "2026-11-22T02:00:00Z", &[table("shop.b", &[&[7, 8]])]);
    let task = cloud.tasks.pop().unwrap();
    cloud.tasks[1] = cloud::partial(task);
    cloud
}

async fn fresh_daily() -> Cloud {
    let mut cloud = Cloud::start().await;
    cloud.exported(DAILY, NIGHT, &[table("shop.a", &[&[3, 4]]), table("shop.b", &[&[]])]);
    cloud
}

/// Runs once to count the effects, and then dies before and after each of them.
async fn dies_everywhere(scene: impl AsyncFn() -> Cloud, least: usize) {
    let undisturbed = scene().await;
    undisturbed.wire.forget();
    undisturbed.poll().await.unwrap();
    let effects = undisturbed.wire.requests().iter().filter(|request| mutates(request)).count();
    assert!(effects >= least, "{effects} effects");
    for last in 0..effects {
        for effect in [Effect::Reset, Effect::LoseAnswer] {
            let mut cloud = scene().await;
            cloud.attempts = 1;
            // The first fault is the moment of death, the second says that the dead make no more calls.
            cloud.wire.fault_after(last, 1, effect.clone(), mutates);
            cloud.wire.fault(usize::MAX, Effect::Reset, |_| true);
            let _ = cloud.poll().await;
            cloud.wire.heal();
            cloud.assert_consistent();
            cloud.poll().await.unwrap();
            assert_eq!(cloud.timeless_state(), undisturbed.timeless_state(), "died at effect {last} ({effect:?})");
        }
    }
}

#[tokio::test]
async fn a_daily_publication_survives_death_at_every_effect() {
    dies_everywhere(fresh_daily, 3).await;
}

#[tokio::test]
async fn staging_survives_death_at_every_effect() {
    dies_everywhere(spot_over_daily, 8).await;
}

#[tokio::test]
async fn staging_some_tables_survives_death_at_every_effect() {
    dies_everywhere(layer_over_daily, 8).await;
}

#[tokio::test]
async fn an_answer_that_is_lost_is_no_failure() {
    for scene in [fresh_daily().await, spot_over_daily().await] {
        scene.wire.fault(1, Effect::LoseAnswer, |r| r.method == "PUT" && r.path.ends_with("/manifest.json"));
        scene.wire.fault(1, Effect::LoseAnswer, |r| r.headers.contains_key("x-amz-copy-source"));
        scene.wire.fault(1, Effect::LoseAnswer, |r| r.method == "POST");
        let answer = scene.poll().await.unwrap();
        assert_eq!(answer.published.len(), 1);
        scene.assert_consistent();
        assert!(scene.poll().await.unwrap().published.is_empty());
    }
}

#[tokio::test]
async fn a_busy_s3_is_asked_again() {
    let slow_down = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
    let cloud = spot_over_daily().await;
    cloud.wire.fault(1, Effect::Refuse(503, slow_down.into()), |r| r.path.ends_with(".parquet") && r.method == "GET");
    cloud.wire.fault(1, Effect::Refuse(503, slow_down.into()), |r| r.headers.contains_key("x-amz-copy-source"));
    cloud.wire.fault(1, Effect::Refuse(503, slow_down.into()), |r| r.query.contains("list-type"));
    cloud.wire.fault(1, Effect::Reset, |r| r.path.ends_with("/manifest.json") && r.method == "PUT");
    assert_eq!(cloud.poll().await.unwrap().published.len(), 1);
    cloud.assert_consistent();

    let cloud = fresh_daily().await;
    cloud.wire.fault(9, Effect::Refuse(503, slow_down.into()), |r| r.query.contains("list-type"));
    let error = cloud.poll().await.unwrap_err();
    let text = "s3:ListBucket on s3://exports/prod-20261122/ was throttled: try again, as the next poll does for the last \
                three dates";
    assert_eq!((error.word(), error.to_string().as_str()), ("Throttled", text));
}

#[tokio::test]
async fn a_refused_call_names_the_action_and_the_object() {
    let denied = "<Error><Code>AccessDenied</Code><Message>User is not authorized</Message></Error>";
    let cloud = fresh_daily().await;
    cloud.wire.fault(1, Effect::Refuse(403, denied.into()), |r| r.path.ends_with(".parquet"));
    let error = cloud.poll().await.unwrap_err();
    let start = "s3:GetObject on s3://exports/prod-20261122/shop/shop.a/1/part-00000-prod-20261122-c000.gz.parquet was \
                 denied: allow it in the function's policy (what RDS exported also needs kms:Decrypt on the export's key)";
    assert_eq!((error.word(), error.to_string().as_str()), ("Denied", start));
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "AccessDenied: User is not authorized");

    cloud.wire.fault(9, Effect::Reset, |r| r.path.ends_with("export_info_prod-20261122.json"));
    let error = cloud.poll().await.unwrap_err();
    let text = "s3:GetObject on s3://exports/prod-20261122/export_info_prod-20261122.json got no answer: try again, as \
                the next poll does for the last three dates";
    assert_eq!((error.word(), error.to_string().as_str()), ("Unreachable", text));
}

#[tokio::test]
async fn a_failed_export_is_told_once_to_the_topic() {
    let mut cloud = Cloud::start().await;
    cloud.topic = true;
    cloud.tasks.push(task_of(DAILY, NIGHT, "FAILED"));
    cloud.tasks.push(task_of("prod-20261121", NIGHT, "CANCELED"));
    let answer = cloud.poll().await.unwrap();
    assert_eq!(answer.reported.len(), 2);
    assert!(cloud.poll().await.unwrap().reported.is_empty());
    let subjects: Vec<String> = cloud.messages().into_iter().map(|(subject, _)| subject).collect();
    assert_eq!(subjects, ["isthmus: export prod-20261121 was canceled", "isthmus: export prod-20261122 failed"]);
    assert_eq!(cloud.store().keys(BUCKET, "reports/").len(), 2);
}

#[tokio::test]
async fn a_report_whose_marker_was_not_written_is_told_again() {
    let mut cloud = Cloud::start().await;
    (cloud.topic, cloud.attempts) = (true, 1);
    cloud.tasks.push(task_of(DAILY, NIGHT, "FAILED"));
    cloud.wire.fault(1, Effect::Reset, |r| r.path.contains("/reports/") && r.method == "PUT");
    assert_eq!(cloud.poll().await.unwrap_err().word(), "Unreachable");
    assert_eq!(cloud.poll().await.unwrap().reported.len(), 1);
    assert_eq!(cloud.messages().len(), 2);
}

#[tokio::test]
async fn without_a_topic_a_failed_export_fails_the_function_once() {
    let mut cloud = Cloud::start().await;
    cloud.tasks.push(task_of(DAILY, NIGHT, "FAILED"));
    let error = cloud.poll().await.unwrap_err();
    let text = r#"export prod-20261122 failed: RDS gave no cause; when that is removed, invoke start-export with {"kind":"manual","export_date":"2026-11-22","spot":true,"snapshot_arn":"arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:2026-11-21T17:05:00Z"}"#;
    assert_eq!((error.word(), error.to_string().as_str()), ("ExportFailed", text));
    assert!(cloud.poll().await.unwrap().reported.is_empty());
    cloud.tasks[0] = task_of(DAILY, NIGHT, "CANCELED");
    cloud.store().delete(BUCKET, "reports/prod-20261122.json");
    assert_eq!(cloud.poll().await.unwrap_err().word(), "ExportCanceled");
}

#[tokio::test]
async fn drift_and_emptied_tables_are_told_against_the_day_before() {
    let mut cloud = Cloud::start().await;
    cloud.topic = true;
    let wide = cloud::Exported { columns: &[("id", "bigint"), ("gone", "text")], ..table("shop.a", &[&[3]]) };
    cloud.exported("prod-20261120", "2026-11-19T17:05:00Z", &[wide, table("shop.b", &[&[3]])]);
    cloud.exported(DAILY, NIGHT, &[table("shop.a", &[&[3]]), table("shop.b", &[&[]])]);
    cloud.poll().await.unwrap();
    let drift: Vec<String> = cloud.manifest("2026-11-22").unwrap().drift.iter().map(ToString::to_string).collect();
    let expected = ["column shop.a.gone was removed", "column shop.a.note was added"];
    assert_eq!(drift, expected);
    let messages = cloud.messages();
    assert_eq!(messages.len(), 1);
    assert!(messages[0].1.contains("emptied:\n- shop.b\n"), "{}", messages[0].1);
    assert!(messages[0].1.contains("- column shop.a.note was added\n"));

    // A second publication of the day does not hide what changed overnight.
    cloud.exported(SPOT, MORNING, &[table("shop.a", &[&[3]]), table("shop.b", &[&[]])]);
    cloud.poll().await.unwrap();
    assert_eq!(cloud.manifest("2026-11-22").unwrap().drift.len(), 2);
}
