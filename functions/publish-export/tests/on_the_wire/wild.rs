//! Names and files as they are in the wild, each of which once stopped a publication or loaded something else.

use crate::cloud;

use aws_sdk_rds::types::ExportTask;
use cloud::{BUCKET, Cloud, DAILY, SPOT, part, partial, task_of};
use handoff::{Manifest, TableState};
use serde_json::{Value, json};

const NIGHT: &str = "2026-11-21T17:05:00Z";
const MORNING: &str = "2026-11-22T01:00:00Z";
const COLUMNS: &[(&str, &str)] = &[("id", "bigint"), ("note", "text")];

/// What RDS wrote below a task's prefix: entries of `perTableStatus`, and objects: parts of three rows, or marks.
fn exported(cloud: &mut Cloud, task: ExportTask, entries: &str, objects: &[&str]) {
    let id = task.export_task_identifier().unwrap().to_owned();
    let put = |key: &str, body: &str| drop(cloud.store().put(BUCKET, &format!("{id}/{key}"), body.to_owned()));
    put(&format!("export_tables_info_{id}_from_1_to_1.json"), &format!(r#"{{"perTableStatus":[{entries}]}}"#));
    // As RDS writes it, with much that is not needed.
    let info = json!({"exportTaskIdentifier": id, "sourceArn": task.source_arn(), "exportOnly": [],
        "snapshotTime": "Nov 21, 2026 5:05:00 PM", "taskEndTime": "Nov 21, 2026 7:31:40 PM", "s3Bucket": BUCKET,
        "s3Prefix": "", "exportedFilesPath": id, "status": "COMPLETE", "percentProgress": 100.0,
        "totalExportedDataInGB": 2.6317});
    put(&format!("export_info_{id}.json"), &info.to_string());
    for object in objects {
        let body = if object.ends_with(".parquet") { part(COLUMNS, 3) } else { Vec::new() };
        cloud.store().put(BUCKET, &format!("{id}/{object}"), body);
    }
    cloud.tasks.push(task);
}

async fn published(entries: &str, objects: &[&str]) -> (Cloud, Manifest) {
    let mut cloud = Cloud::start().await;
    exported(&mut cloud, task_of(DAILY, NIGHT, "COMPLETE"), entries, objects);
    cloud.poll().await.unwrap();
    cloud.assert_consistent();
    let manifest = cloud.manifest("2026-11-22").unwrap();
    (cloud, manifest)
}

/// Name, state, rows and folder of each table.
fn shape(manifest: &Manifest) -> Vec<(String, TableState, u64, &str)> {
    let prefix = |prefix| str::strip_prefix(prefix, "prod-20261122/").unwrap();
    manifest.tables.iter().map(|t| (t.name.to_string(), t.state, t.rows, prefix(&t.prefix))).collect()
}

fn entry(target: &str, status: &str) -> String {
    json!({"target": target, "status": status, "sizeGB": 0.1}).to_string()
}

#[tokio::test]
async fn an_export_without_batch_folders_is_read_and_what_spark_left_behind_is_cleared() {
    let objects = [
        "shop/shop.orders/_SUCCESS",
        "shop/shop.orders/part-00000-6d2f8b10-3c9e-4b6f-9a55-0f3c1f7e2a01-c000.gz.parquet",
        "shop/shop.orders/extra/0.snappy.parquet",
        "shop/shop.orders/_temporary/0/_temporary/attempt_1/part-00000-6d2f8b10-c000.gz.parquet",
    ];
    let (cloud, manifest) = published(&entry("shop.shop.orders", "COMPLETE"), &objects).await;
    assert_eq!(shape(&manifest), [("shop.orders".into(), TableState::Exported, 6, "shop/shop.orders/")]);
    // One `*` in a transfer's path crosses slashes: it would load the leftover too.
    let left: Vec<String> = cloud.store().keys(BUCKET, "prod-20261122/shop/");
    assert!(!left.iter().any(|key| key.contains("_temporary")), "{left:?}");
}

#[tokio::test]
async fn a_spot_export_without_batch_folders_is_staged_as_it_is() {
    let mut cloud = Cloud::start().await;
    let objects = ["shop/shop.orders/_SUCCESS", "shop/shop.orders/part-00000-a-c000.gz.parquet"];
    for (id, at) in [(DAILY, NIGHT), (SPOT, MORNING)] {
        exported(&mut cloud, task_of(id, at, "COMPLETE"), &entry("shop.shop.orders", "COMPLETE"), &objects);
    }
    cloud.poll().await.unwrap();
    cloud.assert_consistent();
    assert_eq!(cloud.manifest("2026-11-22").unwrap().task_id.to_string(), SPOT);
    let copy = "prod-20261122/shop/shop.orders/part-00000-a-c000.gz.s101500.parquet";
    assert!(cloud.store().get(BUCKET, copy).is_some());
}

#[tokio::test]
async fn an_entry_that_names_a_database_only_is_a_warning_whatever_its_status() {
    for status in ["COMPLETE", "FAILED"] {
        let postgres = json!({"warningMessage": "FAILED_TO_EXTRACT_TABLES_LIST_FOR_DATABASE", "status": status,
            "target": "postgres"});
        let orders = json!({"tableStatistics": {"pretime": 1, "processTime": 2}, "schemaMetadata":
            {"originalTypeMappings": [{"columnName": "id", "originalType": "bigint", "expectedExportedType": "int64",
                "originalCharMaxLength": 0, "originalNumPrecision": 64, "originalDateTimePrecision": 0}]},
            "status": "COMPLETE", "sizeGB": 7.6e-06, "target": "app.public.orders"});
        let objects = ["app/public.orders/1/_SUCCESS", "app/public.orders/1/part-00000-a-c000.gz.parquet"];
        let (_, manifest) = published(&format!("{orders},{postgres}"), &objects).await;
        assert_eq!(shape(&manifest), [("app.public.orders".into(), TableState::Exported, 3, "app/public.orders/")]);
        assert_eq!(manifest.warnings, ["postgres: FAILED_TO_EXTRACT_TABLES_LIST_FOR_DATABASE"]);
    }
}

#[tokio::test]
async fn keys_in_either_case_numbers_as_text_and_a_byte_order_mark_are_read() {
    let mapping = |name: &str, original: &str, expected: &str| {
        json!({"columnName": name, "originalType": original, "expectedExportedType": expected,
            "originalCharMaxLength": "0", "originalNumPrecision": "64", "originalDateTimePrecision": "0"})
    };
    let entry = json!({"TableStatistics": {"partitioningInfo": {"numberOfPartitions": "1"}},
        "schemaMetadata": {"OriginalTypeMappings": [mapping("id", "bigint", "int64"),
            mapping("note", "USER-DEFINED", "binary (UTF8)")]},
        "status": "COMPLETE", "sizeGB": "9.5367431640625E-7", "target": "shop.shop.orders"});
    let mut cloud = Cloud::start().await;
    let objects = ["shop/shop.orders/1/_SUCCESS", "shop/shop.orders/1/part-00000-a-c000.gz.parquet"];
    exported(&mut cloud, task_of(DAILY, NIGHT, "COMPLETE"), &entry.to_string(), &objects);
    for key in cloud.store().keys(BUCKET, "prod-20261122/export_") {
        let marked = [b"\xef\xbb\xbf", cloud.store().get(BUCKET, &key).unwrap().bytes.as_ref()].concat();
        cloud.store().put(BUCKET, &key, marked);
    }
    cloud.poll().await.unwrap();
    let manifest = cloud.manifest("2026-11-22").unwrap();
    let columns: Vec<_> = manifest.tables[0].columns.iter().map(|c| [&*c.name, &*c.source_type]).collect();
    assert_eq!(columns, [["id", "bigint"], ["note", "USER-DEFINED"]]);
}

#[tokio::test]
async fn a_warning_or_a_missing_schema_does_not_unmake_a_complete_table() {
    let told = "Some characters of column note were converted to UTF-8";
    let warned = json!({"status": "COMPLETE", "target": "shop.shop.orders", "warningMessage": told, "sizeGB": 0.1,
        "schemaMetadata": {"originalTypeMappings": [{"columnName": "id", "originalType": "bigint"}]}});
    let bare = entry("shop.shop.bare", "COMPLETE");
    let folder = |table: &str| {
        [format!("shop/shop.{table}/1/_SUCCESS"), format!("shop/shop.{table}/1/part-00000-a-c000.gz.parquet")]
    };
    let objects = [folder("orders"), folder("bare")].concat();
    let objects: Vec<&str> = objects.iter().map(String::as_str).collect();
    let (_, manifest) = published(&format!("{warned},{bare}"), &objects).await;
    let expected = [
        ("shop.bare".to_owned(), TableState::Exported, 3, "shop/shop.bare/"),
        ("shop.orders".into(), TableState::Exported, 3, "shop/shop.orders/"),
    ];
    assert_eq!(shape(&manifest), expected);
    assert_eq!(manifest.warnings, [format!("shop.orders: {told}")]);
    let types = |table: usize| manifest.tables[table].columns.iter().map(|c| &*c.source_type).collect::<Vec<_>>();
    assert_eq!((types(0), types(1)), (vec!["unknown"; 2], vec!["bigint", "unknown"]));
}

#[tokio::test]
async fn a_table_with_a_dot_has_its_own_prefix_and_holds_up_no_spot_export_of_others() {
    let names = ["shop.shop.core.user", "shop.shop.orders"];
    let entries: Vec<String> = names.iter().map(|target| entry(target, "COMPLETE")).collect();
    let objects = [
        "shop/shop.core.user/1/_SUCCESS",
        "shop/shop.core.user/1/part-00000-a-c000.gz.parquet",
        "shop/shop.orders/1/_SUCCESS",
        "shop/shop.orders/1/part-00000-b-c000.gz.parquet",
    ];
    let (mut cloud, manifest) = published(&entries.join(","), &objects).await;
    let user = || ("shop.`core.user`".to_owned(), TableState::Exported, 3, "shop/shop.core.user/");
    let orders = || ("shop.orders".to_owned(), TableState::Exported, 3, "shop/shop.orders/");
    assert_eq!(shape(&manifest), [user(), orders()]);
    let name = &manifest.tables[0].name;
    assert_eq!((name.database(), name.schema(), name.table()), ("shop", "shop", "core.user"));

    exported(&mut cloud, partial(task_of(SPOT, MORNING, "COMPLETE")), &entries[1], &objects[2..]);
    cloud.poll().await.unwrap();
    cloud.assert_consistent();
    let manifest = cloud.manifest("2026-11-22").unwrap();
    assert_eq!(shape(&manifest), [user(), orders()]);
    let written: Vec<String> = manifest.tables.iter().map(|t| t.task_id.as_ref().unwrap().to_string()).collect();
    assert_eq!(written, [DAILY, SPOT]);
}

#[tokio::test]
async fn a_postgresql_schema_may_be_named_like_its_database() {
    let entries = [entry("app.app.users", "COMPLETE"), entry("app.public.users", "COMPLETE")].join(",");
    let objects = [
        "app/app.users/1/_SUCCESS",
        "app/app.users/1/part-00000-a-c000.gz.parquet",
        "app/public.users/1/_SUCCESS",
        "app/public.users/1/part-00000-b-c000.gz.parquet",
        "app/public.users/1/part-00001-b-c000.gz.parquet",
    ];
    let (_, manifest) = published(&entries, &objects).await;
    let expected = [
        ("app.users".to_owned(), TableState::Exported, 3, "app/app.users/"),
        ("app.public.users".into(), TableState::Exported, 6, "app/public.users/"),
    ];
    assert_eq!(shape(&manifest), expected);
    let read_back: Value = serde_json::from_slice(&manifest.to_json()).unwrap();
    assert_eq!(read_back["tables"][0]["name"], "app.users");
}

#[tokio::test]
async fn a_snapshot_that_was_old_when_its_export_began_is_told_and_no_error() {
    let mut cloud = Cloud::start().await;
    cloud.topic = true;
    let began = aws_sdk_rds::primitives::DateTime::from_secs(cloud::at("2026-11-22T00:35:00Z").timestamp());
    let task = ExportTask::builder()
        .export_task_identifier(DAILY)
        .source_arn("arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:late")
        .s3_bucket(BUCKET)
        .snapshot_time(*task_of(DAILY, NIGHT, "COMPLETE").snapshot_time().unwrap())
        .task_start_time(began)
        .status("COMPLETE")
        .build();
    let objects = ["shop/shop.orders/1/_SUCCESS", "shop/shop.orders/1/part-00000-a-c000.gz.parquet"];
    exported(&mut cloud, task, &entry("shop.shop.orders", "COMPLETE"), &objects);
    cloud.poll().await.unwrap();
    let told = "prod-20261122: its snapshot of 2026-11-21 17:05 UTC was 7 hours old when the export began";
    assert_eq!(cloud.manifest("2026-11-22").unwrap().warnings, [told]);
    assert!(cloud.messages()[0].1.contains(told));
}
