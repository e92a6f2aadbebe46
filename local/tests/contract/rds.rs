//! The local RDS against the facts, asked by the real SDK.

use std::time::Duration;

use aws_sdk_rds::Client;
use aws_sdk_rds::config::{Credentials, Region};
use aws_sdk_rds::error::ProvideErrorMetadata;
use aws_sdk_rds::operation::start_export_task::StartExportTaskError as Refused;
use aws_sdk_rds::operation::start_export_task::builders::StartExportTaskFluentBuilder as Start;
use aws_sdk_rds::types::{ExportSourceType, Filter};
use chrono::{DateTime, TimeDelta, Utc};
use local::export::{Table, TableSchema};
use local::rds::{Options, Rds, Snapshot, Status};
use local::s3::Store;

const BUCKET: &str = "acme-exports";

struct Cloud {
    rds: Rds,
    store: Store,
    client: Client,
}

async fn cloud(options: Options) -> Cloud {
    let store = Store::default();
    store.create_bucket(BUCKET);
    let rds = Rds::start(None, store.clone(), options).await.unwrap();
    let config = startup::aws_config()
        .region(Region::new("ap-northeast-1"))
        .credentials_provider(Credentials::new("local", "secret", None, None, "test"))
        .endpoint_url(rds.endpoint())
        .load()
        .await;
    Cloud { rds, store, client: Client::new(&config) }
}

/// Exports that stay STARTING.
fn slow() -> Options {
    Options { starting: Duration::from_mins(10), ..Options::default() }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

impl Cloud {
    fn start(&self, task: &str, source_arn: &str) -> Start {
        let start = self.client.start_export_task().export_task_identifier(task).source_arn(source_arn);
        let start = start.s3_bucket_name(BUCKET).kms_key_id("arn:aws:kms:ap-northeast-1:123456789012:key/k");
        start.iam_role_arn("arn:aws:iam::123456789012:role/export")
    }

    async fn status(&self, task: &str) -> String {
        let answer = self.client.describe_export_tasks().export_task_identifier(task).send().await.unwrap();
        answer.export_tasks()[0].status().unwrap().to_owned()
    }
}

async fn refused(start: Start) -> Refused {
    start.send().await.unwrap_err().into_service_error()
}

async fn code(start: Start) -> String {
    refused(start).await.code().unwrap().to_owned()
}

#[tokio::test]
async fn snapshots_come_in_pages_and_not_in_the_order_of_time() {
    let cloud = cloud(Options::default()).await;
    for day in 0..45 {
        let created = at("2026-10-01T17:05:00Z") + TimeDelta::days(day);
        cloud.rds.snapshot("shop", created).await.unwrap();
    }
    cloud.rds.add_snapshot(Snapshot::new("by-hand", "shop", "manual", at("2026-11-01T00:00:00Z")));
    cloud.rds.add_snapshot(Snapshot::new("of-others", "shop", "shared", at("2026-11-01T00:00:00Z")));
    cloud.rds.add_snapshot(Snapshot::new("other", "hr", "manual", at("2026-11-01T00:00:00Z")));
    let describe = || cloud.client.describe_db_cluster_snapshots().db_cluster_identifier("shop");
    let mut pages = describe().max_records(20).into_paginator().send();
    let (mut sizes, mut found) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        sizes.push(page.db_cluster_snapshots().len());
        found.extend(page.db_cluster_snapshots.unwrap_or_default());
    }
    assert_eq!(sizes, [20, 20, 6], "automated and manual ones, and no others");
    let times: Vec<i64> = found.iter().map(|snapshot| snapshot.snapshot_create_time().unwrap().secs()).collect();
    assert!(!times.is_sorted() && !times.iter().rev().is_sorted());
    let automated = describe().snapshot_type("automated").send().await.unwrap();
    let first = &automated.db_cluster_snapshots()[0];
    assert!(first.db_cluster_snapshot_identifier().unwrap().starts_with("rds:shop-2026-1"));
    assert_eq!((first.status(), first.snapshot_type()), (Some("available"), Some("automated")));
    let too_few = describe().max_records(19).send().await.unwrap_err().into_service_error();
    assert_eq!(too_few.code(), Some("InvalidParameterValue"));
    let none = cloud.client.describe_db_cluster_snapshots().db_cluster_snapshot_identifier("none").send().await;
    assert!(none.unwrap_err().into_service_error().is_db_cluster_snapshot_not_found_fault());
}

#[tokio::test]
async fn a_snapshot_is_found_by_its_name_and_an_automated_one_only_with_its_type() {
    let cloud = cloud(Options::default()).await;
    let automated = cloud.rds.snapshot("shop", at("2026-11-21T17:05:00Z")).await.unwrap();
    cloud.rds.add_snapshot(Snapshot::new("by-hand", "shop", "manual", at("2026-11-01T00:00:00Z")));
    let describe = |id: &str| cloud.client.describe_db_cluster_snapshots().db_cluster_snapshot_identifier(id);
    let by_hand = describe("by-hand").send().await.unwrap();
    assert_eq!(by_hand.db_cluster_snapshots()[0].db_cluster_identifier(), Some("shop"));
    let id = "rds:shop-2026-11-21-17-05";
    let found = describe(id).snapshot_type("automated").send().await.unwrap();
    assert_eq!(found.db_cluster_snapshots()[0].db_cluster_snapshot_arn(), Some(automated.as_str()));
    let untyped = describe(id).send().await.unwrap_err().into_service_error();
    assert!(untyped.is_db_cluster_snapshot_not_found_fault());
    let both = describe("by-hand").db_cluster_identifier("shop").send().await.unwrap_err().into_service_error();
    assert_eq!(both.code(), Some("InvalidParameterCombination"));
}

#[tokio::test]
async fn a_cluster_is_described_by_its_name_or_its_arn() {
    let cloud = cloud(Options::default()).await;
    let arn = cloud.rds.add_cluster("shop");
    cloud.rds.add_cluster("hr");
    let describe = || cloud.client.describe_db_clusters();
    for name in ["shop", "SHOP", &arn] {
        let found = describe().db_cluster_identifier(name).send().await.unwrap();
        let [cluster] = found.db_clusters() else { panic!("{found:?}") };
        assert_eq!((cluster.db_cluster_arn(), cluster.engine()), (Some(arn.as_str()), Some("aurora-mysql")));
    }
    assert_eq!(describe().send().await.unwrap().db_clusters().len(), 2);
    let none = describe().db_cluster_identifier("none").send().await.unwrap_err().into_service_error();
    assert!(none.is_db_cluster_not_found_fault());
}

#[tokio::test]
async fn a_cluster_and_its_snapshots_tell_the_engine_of_what_they_hold() {
    let cloud = cloud(Options::default()).await;
    let users = TableSchema::of_postgres("app", "public", "users", Vec::new());
    cloud.rds.set_tables(vec![Table { schema: users, rows: Vec::new() }]);
    cloud.rds.snapshot("app", at("2026-11-21T17:05:00Z")).await.unwrap();
    let clusters = cloud.client.describe_db_clusters().send().await.unwrap();
    assert_eq!(clusters.db_clusters()[0].engine(), Some("aurora-postgresql"));
    let snapshots = cloud.client.describe_db_cluster_snapshots().send().await.unwrap();
    assert_eq!(snapshots.db_cluster_snapshots()[0].engine(), Some("aurora-postgresql"));
}

#[tokio::test]
async fn a_live_cluster_is_exported_as_it_is_at_the_call_without_a_time_and_without_an_event() {
    let cloud = cloud(Options::default()).await;
    let cluster = cloud.rds.add_cluster("shop");
    cloud.rds.set_tables(vec![Table::numbered("shop", "orders", 1), Table::numbered("shop", "items", 1)]);
    cloud.rds.snapshot("shop", at("2026-11-21T17:05:00Z")).await.unwrap();
    cloud.rds.set_tables(vec![Table::numbered("shop", "orders", 100_001), Table::numbered("shop", "items", 1)]);
    let mut events = cloud.rds.events();
    let started = cloud.start("spot", &cluster).export_only("shop.orders").send().await.unwrap();
    cloud.rds.set_tables(Vec::new());
    assert_eq!(started.source_type(), Some(&ExportSourceType::Cluster));
    cloud.rds.ended("spot").await.unwrap();
    let answer = cloud.client.describe_export_tasks().source_arn(&cluster).send().await.unwrap();
    let task = &answer.export_tasks()[0];
    assert_eq!((task.status(), task.snapshot_time()), (Some("COMPLETE"), None));
    assert!(task.task_start_time().is_some());
    assert!(events.try_recv().is_err(), "no event of it is documented");
    assert_eq!(cloud.store.list(BUCKET, "spot/shop/shop.orders/2/part-").len(), 1, "the rows of now");
    assert!(cloud.store.list(BUCKET, "spot/shop/shop.items/").is_empty());
    let refused = cloud.start("other", &cluster).export_only("shop.none");
    assert_eq!(code(refused).await, "InvalidExportOnly");
}

#[tokio::test]
async fn t7_an_export_passes_through_its_statuses_and_tells_of_its_end() {
    let options =
        Options { starting: Duration::from_millis(300), exporting: Duration::from_millis(300), ..Options::default() };
    let cloud = cloud(options).await;
    cloud.rds.set_tables(vec![Table::numbered("shop", "orders", 10)]);
    let snapshot = cloud.rds.snapshot("shop", at("2026-11-21T17:05:00Z")).await.unwrap();
    let mut events = cloud.rds.events();
    let started = cloud.start("prod-20261122", &snapshot).send().await.unwrap();
    assert_eq!((started.status(), started.percent_progress()), (Some("STARTING"), Some(0)));
    assert!(started.task_start_time().is_none());
    assert_eq!(cloud.status("prod-20261122").await, "STARTING");
    tokio::time::sleep(Duration::from_millis(450)).await;
    assert_eq!(cloud.status("prod-20261122").await, "IN_PROGRESS");
    let event = events.recv().await.unwrap();
    assert_eq!((&event["source"], &event["detail"]["EventID"]), (&"aws.rds".into(), &"RDS-EVENT-0164".into()));
    assert_eq!(event["detail-type"], "RDS DB Cluster Snapshot Event");
    assert_eq!(event["detail"]["SourceArn"], snapshot.as_str());
    assert_eq!(event["detail"]["SourceIdentifier"], "rds:shop-2026-11-21-17-05");
    let answer = cloud.client.describe_export_tasks().source_arn(&snapshot).send().await.unwrap();
    let task = &answer.export_tasks()[0];
    assert_eq!((task.status(), task.percent_progress()), (Some("COMPLETE"), Some(100)));
    assert_eq!(task.snapshot_time().unwrap().secs(), at("2026-11-21T17:05:00Z").timestamp());
    assert!(task.task_end_time().unwrap() >= task.task_start_time().unwrap());
    assert!(cloud.store.head(BUCKET, "prod-20261122/export_info_prod-20261122.json").is_some());
}

#[tokio::test]
async fn t5_an_id_is_never_free_again() {
    let cloud = cloud(Options::default()).await;
    let snapshot = cloud.rds.snapshot("shop", at("2026-11-21T17:05:00Z")).await.unwrap();
    cloud.rds.fail_next("The S3 bucket acme-exports isn't valid.");
    cloud.start("prod-20261122", &snapshot).send().await.unwrap();
    let task = cloud.rds.ended("prod-20261122").await.unwrap();
    assert_eq!(
        (task.status, task.failure.as_deref()),
        (Status::Failed, Some("The S3 bucket acme-exports isn't valid."))
    );
    let again = refused(cloud.start("prod-20261122", &snapshot)).await;
    assert!(again.is_export_task_already_exists_fault());
    assert_eq!(again.code(), Some("ExportTaskAlreadyExists"));
    cloud.start("prod-20261122-s101500", &snapshot).send().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused_with_the_code_of_rds() {
    let cloud = cloud(slow()).await;
    cloud.rds.set_tables(vec![Table::numbered("shop", "orders", 1)]);
    let snapshot = cloud.rds.snapshot("shop", at("2026-11-21T17:05:00Z")).await.unwrap();
    let creating = Snapshot::new("young", "shop", "manual", Utc::now()).with_status("creating");
    let creating = cloud.rds.add_snapshot(creating);
    let arn = |kind: &str| format!("arn:aws:rds:ap-northeast-1:123456789012:{kind}:none");
    for (start, wanted) in [
        (cloud.start("prod--1", &snapshot), "InvalidParameterValue"),
        (cloud.start("a", &arn("cluster-snapshot")), "DBClusterSnapshotNotFoundFault"),
        (cloud.start("a", &arn("snapshot")), "DBSnapshotNotFound"),
        (cloud.start("a", &arn("cluster")), "DBClusterNotFoundFault"),
        (cloud.start("a", "nonsense"), "InvalidParameterValue"),
        (cloud.start("a", &creating), "InvalidExportSourceState"),
        (cloud.start("a", &snapshot).s3_bucket_name("no-such"), "InvalidS3BucketFault"),
        (cloud.start("a", &snapshot).s3_prefix("a:b"), "InvalidParameterValue"),
        (cloud.start("a", &snapshot).export_only("shop.none"), "InvalidExportOnly"),
        (cloud.start("a", &snapshot).export_only("shop.or-ders"), "InvalidExportOnly"),
    ] {
        assert_eq!(code(start).await, wanted);
    }
    for wanted in ["IamRoleNotFound", "IamRoleMissingPermissions", "KMSKeyNotAccessibleFault"] {
        cloud.rds.refuse_exports(Some(wanted));
        assert_eq!(code(cloud.start("a", &snapshot)).await, wanted);
    }
    cloud.rds.refuse_exports(None);
    assert!(cloud.rds.tasks().is_empty(), "a refused call takes no id");
    cloud.start("a", &snapshot).send().await.unwrap();
}

#[tokio::test]
async fn five_exports_run_at_once_and_one_for_each_snapshot() {
    let cloud = cloud(slow()).await;
    let mut snapshots = Vec::new();
    for day in 1..=6 {
        let created = at(&format!("2026-11-0{day}T17:05:00Z"));
        snapshots.push(cloud.rds.snapshot("shop", created).await.unwrap());
    }
    for (index, snapshot) in snapshots[..4].iter().enumerate() {
        cloud.start(&format!("task-{index}"), snapshot).send().await.unwrap();
    }
    assert_eq!(code(cloud.start("again", &snapshots[0])).await, "InvalidExportSourceState");
    cloud.start("fifth", &snapshots[4]).send().await.unwrap();
    let sixth = refused(cloud.start("sixth", &snapshots[5])).await;
    assert!(sixth.code().unwrap().contains("Limit"), "{sixth:?}");
    cloud.client.cancel_export_task().export_task_identifier("fifth").send().await.unwrap();
    cloud.rds.ended("fifth").await.unwrap();
    cloud.start("sixth", &snapshots[5]).send().await.unwrap();
}

#[tokio::test]
async fn a_cancelled_export_is_canceling_and_then_canceled() {
    let cloud = cloud(slow()).await;
    let snapshot = cloud.rds.snapshot("shop", at("2026-11-21T17:05:00Z")).await.unwrap();
    let mut events = cloud.rds.events();
    cloud.start("prod-20261122", &snapshot).send().await.unwrap();
    let cancel = || cloud.client.cancel_export_task().export_task_identifier("prod-20261122");
    assert_eq!(cancel().send().await.unwrap().status(), Some("CANCELING"));
    assert_eq!(events.recv().await.unwrap()["detail"]["EventID"], "RDS-EVENT-0163");
    assert_eq!(cloud.status("prod-20261122").await, "CANCELED");
    let again = cancel().send().await.unwrap_err().into_service_error();
    assert!(again.is_invalid_export_task_state_fault());
    let none = cloud.client.cancel_export_task().export_task_identifier("none").send().await;
    assert!(none.unwrap_err().into_service_error().is_export_task_not_found_fault());
}

#[tokio::test]
async fn tasks_are_found_by_their_filters_in_lower_case() {
    let cloud = cloud(Options::default()).await;
    let snapshot = cloud.rds.snapshot("shop", at("2026-11-21T17:05:00Z")).await.unwrap();
    for index in 0..25 {
        let task = format!("task-{index}");
        cloud.start(&task, &snapshot).send().await.unwrap();
        cloud.rds.ended(&task).await.unwrap();
    }
    let found = async |name: &str, value: &str| {
        let filter = Filter::builder().name(name).values(value).build();
        let tasks = cloud.client.describe_export_tasks().filters(filter).send().await?;
        Ok::<_, aws_sdk_rds::Error>(tasks.export_tasks().len())
    };
    assert_eq!(found("export-task-identifier", "task-3").await.unwrap(), 1);
    assert_eq!(found("source-arn", &snapshot).await.unwrap(), 25);
    assert_eq!(found("s3-bucket", "other").await.unwrap(), 0);
    assert_eq!(found("status", "complete").await.unwrap(), 25);
    assert_eq!(found("status", "COMPLETE").await.unwrap(), 0);
    assert!(found("name", "x").await.is_err());
    let pages: Vec<_> = cloud.client.describe_export_tasks().max_records(20).into_paginator().send().collect().await;
    assert_eq!(pages.iter().map(|page| page.as_ref().unwrap().export_tasks().len()).collect::<Vec<_>>(), [20, 5]);
    let none = cloud.client.describe_export_tasks().export_task_identifier("none").send().await;
    assert!(none.unwrap_err().into_service_error().is_export_task_not_found_fault());
}

#[tokio::test]
async fn a_skipped_table_leaves_a_warning_on_a_complete_task() {
    let cloud = cloud(Options::default()).await;
    let bad = Table::new("shop", "bad", &[("two words", "int")], Vec::new());
    cloud.rds.set_tables(vec![Table::numbered("shop", "orders", 1), bad, Table::numbered("shop", "a/b", 1)]);
    let snapshot = cloud.rds.snapshot("shop", at("2026-11-21T17:05:00Z")).await.unwrap();
    cloud.start("prod-20261122", &snapshot).send().await.unwrap();
    let task = cloud.rds.ended("prod-20261122").await.unwrap();
    assert_eq!(task.status, Status::Complete);
    let warning: serde_json::Value = serde_json::from_str(task.warning.as_deref().unwrap()).unwrap();
    assert_eq!(warning["skippedTables"][0]["target"], "shop.shop.bad");
    assert_eq!(warning["skippedTables"][1]["target"], "shop.shop.a/b");
}

#[tokio::test]
async fn a_snapshot_by_hand_is_of_the_moment() {
    let cloud = cloud(Options::default()).await;
    cloud.rds.set_tables(vec![Table::numbered("shop", "orders", 3)]);
    let nobody = cloud.client.create_db_cluster_snapshot().db_cluster_identifier("shop");
    let nobody = nobody.db_cluster_snapshot_identifier("early").send().await.unwrap_err().into_service_error();
    assert!(nobody.is_db_cluster_not_found_fault());
    cloud.rds.add_cluster("shop");
    let create = || {
        let create = cloud.client.create_db_cluster_snapshot().db_cluster_identifier("shop");
        create.db_cluster_snapshot_identifier("by-hand")
    };
    let created = create().send().await.unwrap();
    let created = created.db_cluster_snapshot().unwrap();
    assert_eq!((created.status(), created.snapshot_type()), (Some("creating"), Some("manual")));
    assert!(create().send().await.unwrap_err().into_service_error().is_db_cluster_snapshot_already_exists_fault());
    cloud.rds.set_tables(Vec::new());
    cloud.start("spot", created.db_cluster_snapshot_arn().unwrap()).send().await.unwrap();
    cloud.rds.ended("spot").await.unwrap();
    assert_eq!(cloud.store.list(BUCKET, "spot/shop/shop.orders/1/part-").len(), 1);
}
