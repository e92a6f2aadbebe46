//! The many tries of a day: the first that can makes the task, the others find it, and only the last one fails.

use local::wire::Effect;
use serde_json::json;
use start_export::answer::Answer;

use crate::scripted::{NEWER, OTHER, Rds, SNAPSHOT, answer_of, at, page, refusal, task, tasks, told};

#[tokio::test]
async fn what_a_later_try_may_find_gone_is_no_error_before_the_last_try() {
    let stale = page("", &[(SNAPSHOT, "2026-11-20T18:10:00Z")]);
    let cases = [
        ("NoSnapshot", "DescribeDBClusterSnapshots", Effect::Refuse(200, answer_of("DescribeDBClusterSnapshots", ""))),
        (
            "StaleSnapshot",
            "DescribeDBClusterSnapshots",
            Effect::Refuse(200, answer_of("DescribeDBClusterSnapshots", &stale)),
        ),
        ("SnapshotNotReady", "StartExportTask", Effect::Refuse(400, refusal("InvalidExportSourceState"))),
        ("TooManyExports", "StartExportTask", Effect::Refuse(400, refusal("ExportTaskLimitReachedFault"))),
    ];
    for (reason, action, effect) in cases {
        let rds = async || {
            let rds = Rds::new().await.meets(1, action, effect.clone());
            rds.lists_the_snapshot()
        };
        let (word, error) = told(rds().await.scheduled_last().await);
        assert_eq!(word, reason);
        let waiting = rds().await.answered(at("2026-11-21T19:00:00Z")).await;
        assert_eq!(
            waiting,
            json!({
                "state": "waiting", "task_id": "prod-20261122", "export_date": "2026-11-22", "reason": reason,
                "message": error, "next_try": "2026-11-21T20:00:00Z", "started": false
            })
        );
        // By hand nobody tries again.
        let rds = Rds::new().await.meets(1, action, effect.clone()).lists_the_snapshot();
        assert_eq!(told(rds.invoked(json!({"kind": "manual"})).await).0, reason);
    }
    let rds = Rds::new().await.lists_the_snapshot().refuses("StartExportTask", "KMSKeyNotAccessibleFault");
    assert_eq!(told(rds.scheduled().await).0, "KeyRefused", "which waiting does not mend");
}

#[tokio::test]
async fn the_task_of_the_day_is_the_answer_to_every_later_try_whatever_snapshot_is_the_newest() {
    for (source, status) in [(SNAPSHOT, "IN_PROGRESS"), (NEWER, "COMPLETE")] {
        let held = tasks(&[task("prod-20261122", source, status)]);
        let rds = Rds::new().await.answers("DescribeExportTasks", &held);
        let answer = rds.answered(at("2026-11-21T20:00:00Z")).await;
        assert_eq!((&answer["state"], &answer["started"]), (&json!("found"), &json!(false)));
        assert_eq!((&answer["task_id"], &answer["snapshot_arn"]), (&json!("prod-20261122"), &json!(source)));
        assert_eq!(answer["warnings"], json!([]));
        let asked = ("ExportTaskIdentifier".to_owned(), "prod-20261122".to_owned());
        assert!(rds.sent("DescribeExportTasks")[0].contains(&asked));
        assert_eq!(rds.wire.requests().len(), 1, "nothing else is asked");
    }
}

#[tokio::test]
async fn a_task_of_the_day_that_failed_is_told_and_is_no_error_of_a_later_try() {
    let held = tasks(&[task("prod-20261122", SNAPSHOT, "FAILED")]);
    let answer = Rds::new().await.answers("DescribeExportTasks", &held).answered(at("2026-11-22T03:00:00Z")).await;
    let warning = answer["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("the task is FAILED (RDS names no cause), and RDS never frees an id: "), "{warning}");
    assert!(warning.ends_with(&format!("\"spot\": true, \"snapshot_arn\": \"{SNAPSHOT}\"}}")), "{warning}");
}

#[tokio::test]
async fn the_id_of_the_day_that_exports_another_cluster_or_some_tables_is_an_error_of_every_try() {
    let partial = task("prod-20261122", SNAPSHOT, "COMPLETE") + "<ExportOnly><member>shop.orders</member></ExportOnly>";
    let rds = Rds::new().await.answers("DescribeExportTasks", &tasks(&[partial]));
    assert_eq!(told(rds.scheduled().await).0, "IdTaken");
    // Somebody's export of another snapshot is the day's where it is of our cluster.
    for (cluster, word) in [("hr", Some("IdTaken")), ("shop", None)] {
        let held = tasks(&[task("prod-20261122", OTHER, "COMPLETE")]);
        let rds = Rds::new().await.answers("DescribeExportTasks", &held).describes_the_other(cluster);
        assert_eq!(rds.scheduled().await.err().map(|error| error.word()), word, "{cluster}");
    }
}

#[tokio::test]
async fn a_try_at_the_same_moment_finds_the_task_of_the_other() {
    let rds = Rds::new().await.lists_the_snapshot().refuses("StartExportTask", "ExportTaskAlreadyExists");
    let rds = rds.answers("DescribeExportTasks", &tasks(&[task("prod-20261122", SNAPSHOT, "STARTING")]));
    assert!(matches!(rds.scheduled().await.unwrap(), Answer::Found(_)));
    let rds = Rds::new().await.lists_the_snapshot().refuses("StartExportTask", "ExportTaskAlreadyExists");
    let rds = rds.finds_no_task();
    assert_eq!(told(rds.scheduled().await).0, "RdsFailed", "a task that is there and is not told");
}
