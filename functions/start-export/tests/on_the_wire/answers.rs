//! What is asked of RDS, and what each of its refusals becomes.

use local::wire::Effect;
use serde_json::json;
use start_export::answer::Answer;

use crate::laptop::{BUCKET, KEY, ROLE};
use crate::scripted::{OTHER, Rds, SNAPSHOT, at, page, task, tasks, told};

#[tokio::test]
async fn the_newest_snapshot_is_found_on_whichever_page_it_is() {
    let rds = Rds::new()
        .await
        .finds_no_task()
        .answers("DescribeDBClusterSnapshots", &page("m1", &[("arn:a", "2026-11-20T20:00:00Z")]))
        .answers("DescribeDBClusterSnapshots", &page("m2", &[(SNAPSHOT, "2026-11-21T18:10:00Z")]))
        .answers("DescribeDBClusterSnapshots", &page("", &[("arn:c", "2026-11-21T02:00:00Z")]))
        .answers("StartExportTask", &task("prod-20261122", SNAPSHOT, "STARTING"));
    let answer = rds.answered(at("2026-11-21T19:00:00Z")).await;
    let expected = json!({
        "state": "started", "task_id": "prod-20261122", "snapshot_arn": SNAPSHOT,
        "snapshot_time": "2026-11-21T18:10:00.500Z", "snapshot_age_hours": 0, "export_date": "2026-11-22",
        "started": true, "warnings": []
    });
    assert_eq!(answer, expected);
    let listed = rds.sent("DescribeDBClusterSnapshots");
    let markers: Vec<_> = listed.iter().map(|form| form.iter().find(|(name, _)| name == "Marker")).collect();
    assert_eq!(markers, [None, Some(&("Marker".into(), "m1".into())), Some(&("Marker".into(), "m2".into()))]);
    for form in listed {
        assert!(form.contains(&("DBClusterIdentifier".into(), "shop".into())), "{form:?}");
        assert!(form.contains(&("SnapshotType".into(), "automated".into())), "{form:?}");
    }
}

#[tokio::test]
async fn the_request_carries_the_settings_and_nothing_else() {
    let rds = Rds::new().await.lists_the_snapshot();
    let rds = rds.answers("StartExportTask", &task("prod-20261122", SNAPSHOT, "STARTING"));
    rds.scheduled().await.unwrap();
    let expected = [
        ("Action", "StartExportTask"),
        ("Version", "2014-10-31"),
        ("ExportTaskIdentifier", "prod-20261122"),
        ("SourceArn", SNAPSHOT),
        ("S3BucketName", BUCKET),
        ("IamRoleArn", ROLE),
        ("KmsKeyId", KEY),
    ];
    assert_eq!(rds.sent("StartExportTask"), [expected.map(|(name, value)| (name.to_owned(), value.to_owned()))]);
}

#[tokio::test]
async fn every_refusal_has_its_word_and_says_what_was_attempted_and_what_rds_said() {
    for (code, word, advice) in [
        ("DBClusterSnapshotNotFoundFault", "SnapshotNotFound", "--db-cluster-identifier shop"),
        ("DBSnapshotNotFound", "SnapshotNotFound", "no such cluster snapshot or cluster"),
        ("DBClusterNotFoundFault", "SnapshotNotFound", "no such cluster snapshot or cluster"),
        ("InvalidExportSourceState", "SnapshotNotReady", "another export of it is running"),
        ("InvalidExportOnly", "InvalidTables", "database.table for MySQL"),
        ("InvalidS3BucketFault", "BucketRefused", "bucket acme-export (S3_BUCKET_NAME)"),
        ("IamRoleNotFound", "RoleNotFound", "trust export.rds.amazonaws.com"),
        ("IamRoleMissingPermissions", "RoleRefused", "s3:GetBucketLocation on acme-export"),
        ("KMSKeyNotAccessibleFault", "KeyRefused", "kms:CreateGrant"),
        ("InvalidParameterValue", "InvalidName", "check S3_BUCKET_NAME acme-export"),
        ("AccessDenied", "Denied", "iam:PassRole on arn:aws:iam::123456789012:role/export"),
        ("ExportTaskQuotaExceeded", "TooManyExports", "five export tasks at once"),
        ("NeverHeardOf", "RdsFailed", "look up the code"),
    ] {
        let rds = Rds::new().await.lists_the_snapshot().refuses("StartExportTask", code);
        let (said, text) = told(rds.scheduled_last().await);
        assert_eq!(said, word, "{text}");
        let attempt = format!("could not start export task prod-20261122 of {SNAPSHOT} into acme-export: ");
        assert!(text.starts_with(&attempt), "{text}");
        assert!(text.contains(advice), "{text}");
        assert!(text.ends_with(&format!(": RDS answered 400 {code}, RDS's own words.")), "{text}");
    }
}

#[tokio::test]
async fn a_refused_listing_is_told_as_such() {
    let rds = Rds::new().await.finds_no_task().refuses("DescribeDBClusterSnapshots", "AccessDenied");
    let (word, text) = told(rds.scheduled().await);
    assert_eq!(word, "Denied");
    assert!(text.starts_with("could not list the automated snapshots of cluster shop: grant this function "), "{text}");
    let rds = Rds::new().await.describes_the_other("shop").refuses("DescribeExportTasks", "AccessDenied");
    let (word, text) = told(rds.invoked(json!({"kind": "manual", "spot": true, "snapshot_arn": OTHER})).await);
    assert_eq!(word, "Denied");
    assert!(text.starts_with(&format!("could not list the export tasks of {OTHER}: ")), "{text}");
}

#[tokio::test]
async fn by_hand_a_task_of_another_source_and_a_failed_one_are_errors() {
    for (described, word) in [
        (tasks(&[task("prod-20261122", OTHER, "COMPLETE")]), "IdTaken"),
        (tasks(&[task("prod-20261122", SNAPSHOT, "FAILED")]), "TaskFailed"),
        ("<ExportTasks/>".to_owned(), "RdsFailed"),
    ] {
        let rds = Rds::new().await.refuses("StartExportTask", "ExportTaskAlreadyExists");
        let rds = rds.answers("DescribeExportTasks", &described).lists_the_snapshot();
        assert_eq!(told(rds.invoked(json!({"kind": "manual"})).await).0, word);
    }
}

#[tokio::test]
async fn what_passes_is_waited_out_and_what_does_not_is_told() {
    let unavailable = Effect::Refuse(503, "<html>busy</html>".into());
    let rds = Rds::new().await.lists_the_snapshot().meets(2, "StartExportTask", unavailable.clone());
    let rds = rds.answers("StartExportTask", &task("prod-20261122", SNAPSHOT, "STARTING"));
    assert!(matches!(rds.scheduled().await.unwrap(), Answer::Started(_)));

    let rds = Rds::new().await.lists_the_snapshot().meets(5, "StartExportTask", unavailable);
    let (word, text) = told(rds.scheduled().await);
    assert_eq!(word, "RdsFailed");
    assert!(text.ends_with(": RDS answered 503 without a code"), "{text}");

    let rds = Rds::new().await.lists_the_snapshot().refuses("StartExportTask", "Throttling");
    assert_eq!(told(rds.scheduled().await).0, "Throttled");
    assert_eq!(rds.sent("StartExportTask").len(), 5);

    let (word, text) = told(Rds::new().await.scheduled().await);
    assert_eq!(word, "Unreachable");
    assert!(text.starts_with("could not describe export task prod-20261122: no answer came: "), "{text}");
}
