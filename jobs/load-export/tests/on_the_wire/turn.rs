//! Two executions at once, the export date of an execution, and the export task that is waited for.

use crate::cloud;

use std::time::Duration;

use chrono::Utc;
use cloud::{ARGUMENTS, BUCKET, Cloud, DATE, manifest, report};
use handoff::{ExportDate, ExportKey};
use local::transfer::Options;
use serde_json::{Value, json};

async fn slow_day() -> Cloud {
    let cloud = Cloud::start_with(Options { running: Duration::from_secs(4), ..Options::default() }).await;
    cloud.configure(&["orders"]).await;
    cloud.export("orders", 7);
    cloud.publish(&manifest(&[("orders", 7)]));
    cloud
}

async fn started(cloud: &Cloud, runs: usize) {
    while cloud.starts() < runs {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_second_execution_waits_for_the_first_or_is_refused_by_its_name() {
    let cloud = slow_day().await;
    let first = cloud.job().start(&ARGUMENTS).unwrap();
    started(&cloud, 1).await;
    let refused = cloud.job().with("WAIT_MINUTES", "0.01").run(&ARGUMENTS).await.unwrap();
    assert_eq!(refused.exit_code, Some(4), "{}", refused.log);
    let error = report(&refused)["error"].as_str().unwrap().to_owned();
    assert!(error.starts_with(&format!("load-export-1 has loaded {DATE} since ")), "{error}");
    assert_eq!(cloud.starts(), 1, "the refused one has started nothing");

    let waiting = cloud.job().run(&ARGUMENTS).await.unwrap();
    assert_eq!(waiting.exit_code, Some(0), "{}", waiting.log);
    let first = first.finish().await.unwrap();
    assert_eq!(first.exit_code, Some(0), "{}", first.log);
    assert!(waiting.log.contains(&format!("waiting for load-export-1, which loads {DATE}")), "{}", waiting.log);
    assert_eq!(cloud.starts(), 1, "the second took over what the first had loaded");
}

#[tokio::test]
async fn an_execution_that_loses_its_lease_starts_nothing_more_and_writes_no_proof() {
    let cloud = slow_day().await;
    let first = cloud.job().start(&ARGUMENTS).unwrap();
    started(&cloud, 1).await;
    let lease = ExportKey::LoadLease(&cloud::env()).to_string();
    let mut document: Value = serde_json::from_slice(&cloud.store().get(BUCKET, &lease).unwrap().bytes).unwrap();
    assert_eq!(document["payload"], json!({"export_date": DATE}));
    document["holder"] = "somebody-else".into();
    cloud.store().put(BUCKET, &lease, document.to_string());
    let first = first.finish().await.unwrap();
    assert_eq!(first.exit_code, Some(4), "{}", first.log);
    assert!(report(&first)["error"].as_str().unwrap().contains("somebody-else"), "{}", first.log);
    assert_eq!(cloud.history().await, [] as [Value; 0]);
}

#[tokio::test]
async fn an_attempt_after_midnight_loads_the_day_of_the_first_attempt() {
    let mut cloud = Cloud::start().await;
    cloud.configure(&["orders"]).await;
    cloud.export("orders", 7);
    cloud.publish(&manifest(&[("orders", 7)]));
    cloud.variables.insert("WAIT_MINUTES".into(), "0".into());
    // The first attempt, this morning: it fixes today.
    let first = cloud.job().run(&["--json"]).await.unwrap();
    assert_eq!(first.exit_code, Some(3), "{}", first.log);
    let key = ExportKey::Execution("load-export-1").to_string();
    let fixed: Value = serde_json::from_slice(&cloud.store().get(BUCKET, &key).unwrap().bytes).unwrap();
    let today = ExportDate::of(Utc::now(), chrono_tz::Asia::Tokyo);
    assert_eq!(fixed, json!({"export_date": today}));
    assert_eq!(cloud.again().run(&["--json"]).await.unwrap().exit_code, Some(3));

    // Midnights pass; to the next attempt it is an older day that was fixed.
    cloud.store().put(BUCKET, &key, json!({"export_date": DATE}).to_string());
    let again = cloud.again().with("CLOUD_RUN_TASK_ATTEMPT", "1").run(&["--json"]).await.unwrap();
    assert_eq!(again.exit_code, Some(0), "{}", again.log);
    assert_eq!((report(&again)["export_date"].clone(), cloud.rows("orders").await), (json!(DATE), 7));
    // Another execution is of today.
    assert_eq!(cloud.job().run(&["--json"]).await.unwrap().exit_code, Some(3));
}

#[tokio::test]
async fn a_task_that_is_named_is_waited_for() {
    let cloud = Cloud::start().await;
    cloud.configure(&["orders"]).await;
    cloud.export("orders", 7);
    cloud.publish(&manifest(&[("orders", 7)]));
    let spot = ["--task-id", "prod-20261120-s101500", "--json"];
    let late = cloud.job().with("WAIT_MINUTES", "0").run(&spot).await.unwrap();
    assert_eq!(late.exit_code, Some(3), "{}", late.log);
    let error = "waited 0 minutes for prod-20261120-s101500 in s3://exports/prod-20261120/manifest.json, and it shows \
                 prod-20261120: look at the export task and at publish-export";
    assert_eq!(report(&late)["error"], error);

    let task = cloud.job().start(&spot).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(cloud.starts(), 0, "nothing is loaded before the task is published");
    cloud.export("orders", 9);
    let mut day = manifest(&[("orders", 9)]);
    // Another spot export was laid over it already.
    day.task_id = "prod-20261120-s111500".parse().unwrap();
    day.tasks =
        ["prod-20261120", "prod-20261120-s101500", "prod-20261120-s111500"].map(|id| id.parse().unwrap()).into();
    cloud.publish(&day);
    let finished = task.finish().await.unwrap();
    assert_eq!((finished.exit_code, cloud.rows("orders").await), (Some(0), 9), "{}", finished.log);
}

#[tokio::test]
async fn a_task_of_another_day_or_environment_is_refused() {
    let cloud = Cloud::start().await;
    cloud.list_tables(&["orders"]);
    for (arguments, said) in [
        (
            ["--task-id", "prod-20261121", "--export-date", DATE],
            "--task-id: prod-20261121 is not of --export-date 2026-11-20",
        ),
        (["--task-id", "stg-20261120", "--export-date", DATE], "--task-id: stg-20261120 is not of environment prod"),
    ] {
        let finished = cloud.job().run(&arguments).await.unwrap();
        assert_eq!(finished.exit_code, Some(2), "{}", finished.log);
        assert!(finished.log.contains(said), "{}", finished.log);
    }
}
