//! Exports and manifests that cannot be used, each with its exact error.

use crate::cloud;

use cloud::{BUCKET, Cloud, DAILY, Exported, part, table, task_of};
use serde_json::{Value, json};
use startup::with_causes;

const NIGHT: &str = "2026-11-21T17:05:00Z";
const PART: &str = "prod-20261122/shop/shop.orders/1/part-00000-prod-20261122-c000.gz.parquet";
const INFO: &str = "prod-20261122/export_info_prod-20261122.json";
const TABLES_INFO: &str = "prod-20261122/export_tables_info_prod-20261122_from_1_to_1.json";
const COLUMNS: &[(&str, &str)] = &[("id", "bigint"), ("note", "text")];

/// What makes the same export again, on whatever day it is read.
const AGAIN: &str = r#"; invoke start-export with {"kind":"manual","export_date":"2026-11-22","spot":true,"snapshot_arn":"arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:2026-11-21T17:05:00Z"}"#;

async fn export() -> Cloud {
    let mut cloud = Cloud::start().await;
    cloud.exported(DAILY, NIGHT, &[table("shop.orders", &[&[3, 4]])]);
    cloud
}

fn delete(cloud: &Cloud, key: &str) {
    assert!(cloud.store().delete(BUCKET, key), "{key}");
}

/// The one word and the whole text.
async fn refused(cloud: &Cloud, event: Value) -> (&'static str, String) {
    let error = cloud.handle(event).await.unwrap_err();
    (error.word(), with_causes(&error))
}

async fn poll(cloud: &Cloud) -> (&'static str, String) {
    let refused = refused(cloud, json!({"kind": "poll"})).await;
    assert_eq!(cloud.manifest("2026-11-22"), None);
    refused
}

#[tokio::test]
async fn a_part_that_is_not_parquet_is_named_with_what_was_found() {
    let whole = part(COLUMNS, 3);
    let (size, end) = (whole.len(), whole.len() - 8);
    let footer = usize::try_from(u32::from_le_bytes(whole[end..end + 4].try_into().unwrap())).unwrap();
    let cut = |length: usize| whole[..length].to_vec();
    let with = |at: usize, bytes: &[u8]| [&whole[..at], bytes, &whole[at + bytes.len()..]].concat();
    let garbage = [&whole[..end - footer], &vec![0xff; footer], &whole[end..]].concat();
    let table = [
        (cut(0), "it has 0 bytes and a Parquet file has at least 12".to_owned()),
        (cut(4), "it has 4 bytes and a Parquet file has at least 12".into()),
        (cut(11), "it has 11 bytes and a Parquet file has at least 12".into()),
        (with(size - 4, b"PAR2"), "it ends with \"PAR2\", not with \"PAR1\"".into()),
        (with(size - 4, b"PARE"), "its footer is encrypted".into()),
        (b"id,note\n1,first\n".to_vec(), "it ends with \"rst\\n\", not with \"PAR1\"".into()),
        (with(end, &[0xff, 0xff, 0xff, 0x7f]), format!("its footer would have 2147483647 of its {size} bytes")),
        (with(end, &[0; 4]), format!("its footer would have 0 of its {size} bytes")),
        (garbage, format!("its footer of {footer} bytes is not Parquet metadata: ")),
    ];
    for (bytes, expected) in table {
        let cloud = export().await;
        cloud.store().put(BUCKET, PART, bytes);
        let (word, told) = poll(&cloud).await;
        assert_eq!(word, "PartUnreadable");
        assert!(told.starts_with(&format!("part {PART} cannot be read: {expected}")), "{told}\n{expected}");
        let told = told.strip_suffix(AGAIN).unwrap();
        assert!(told.ends_with(&expected) || expected.ends_with(": "), "{told}\n{expected}");
    }
}

#[tokio::test]
async fn a_part_cut_in_its_footer_is_named_too() {
    let whole = part(COLUMNS, 3);
    let cloud = export().await;
    cloud.store().put(BUCKET, PART, whole[..whole.len() - 20].to_vec());
    let (word, told) = poll(&cloud).await;
    assert_eq!(word, "PartUnreadable");
    let told = told.strip_suffix(AGAIN).unwrap();
    assert!(told.contains("it ends with \"") && told.ends_with("not with \"PAR1\""), "{told}");
}

#[tokio::test]
async fn parts_of_one_table_with_other_columns_are_named() {
    let cloud = export().await;
    let second = PART.replace("00000", "00002");
    cloud.store().put(BUCKET, &second, part(&[("id", "text"), ("note", "text")], 3));
    let told = format!("part {second} has other columns than {PART}: id is STRING and not INT64{AGAIN}");
    assert_eq!(poll(&cloud).await, ("PartMismatch", told));
}

#[tokio::test]
async fn an_export_that_is_not_whole_is_not_published() {
    type Change = fn(&Cloud);
    let table: [(Change, &str); 9] = [
        (|c| delete(c, INFO), "there is no prod-20261122/export_info_prod-20261122.json"),
        (
            |c| drop(c.store().put(BUCKET, INFO, "{")),
            "export_info is not JSON: EOF while parsing an object at line 1 column 1",
        ),
        (|c| drop(c.store().put(BUCKET, INFO, r#"{"status":"IN_PROGRESS"}"#)), "export_info says IN_PROGRESS"),
        (|c| delete(c, TABLES_INFO), "there is no export_tables_info"),
        (
            |c| drop(c.store().put(BUCKET, &TABLES_INFO.replace("1_to_1", "3_to_4"), r#"{"perTableStatus":[]}"#)),
            "no export_tables_info names tables 2 to 2",
        ),
        (
            |c| drop(c.store().put(BUCKET, TABLES_INFO, r#"{"perTableStatus":7}"#)),
            "prod-20261122/export_tables_info_prod-20261122_from_1_to_1.json: no list perTableStatus",
        ),
        (
            |c| drop(c.store().put(BUCKET, TABLES_INFO, r#"{"perTableStatus":[]}"#)),
            "prod-20261122/shop/shop.orders/1/part-00000-prod-20261122-c000.gz.parquet is in the folder of no known table",
        ),
        (
            |c| delete(c, "prod-20261122/shop/shop.orders/1/_SUCCESS"),
            "prod-20261122/shop/shop.orders/1/ has no _SUCCESS",
        ),
        (
            |c| drop(c.store().put(BUCKET, "prod-20261122/shop/shop.other/1/part-0.parquet", "x")),
            "prod-20261122/shop/shop.other/1/part-0.parquet is in the folder of no known table",
        ),
    ];
    for (change, expected) in table {
        let cloud = export().await;
        change(&cloud);
        let told = format!("export prod-20261122 is not whole: {expected}{AGAIN}");
        assert_eq!(poll(&cloud).await, ("ExportIncomplete", told));
    }
}

#[tokio::test]
async fn a_manifest_of_the_day_that_cannot_be_read_is_named() {
    for (name, found, cause) in [
        (
            "manifest.json",
            r#"{"version":2}"#,
            "manifest version 2 is not 1: deploy the same release of isthmus on both clouds",
        ),
        ("manifest.withdrawn.json", "[]", "not a manifest: "),
    ] {
        let cloud = export().await;
        let key = format!("prod-20261122/{name}");
        cloud.store().put(BUCKET, &key, found);
        let (word, told) = refused(&cloud, json!({"kind": "poll"})).await;
        let helps =
            r#"; repair or delete it, then invoke publish-export with {"kind":"publish","task_id":"prod-20261122"}"#;
        assert_eq!(word, "ManifestInvalid");
        assert!(told.starts_with(&format!("{key} cannot be used: {cause}")) && told.ends_with(helps), "{told}");

        cloud.store().delete(BUCKET, &key);
        cloud.handle(json!({"kind": "publish", "task_id": DAILY})).await.unwrap();
        assert_eq!(cloud.manifest("2026-11-22").unwrap().tables[0].rows, 7, "what the text says helps");
    }
}

#[tokio::test]
async fn an_older_manifest_that_cannot_be_read_costs_the_drift_and_not_the_publication() {
    let mut cloud = export().await;
    cloud.topic = true;
    cloud.store().put(BUCKET, "prod-20261118/manifest.json", r#"{"version":2}"#);
    cloud.poll().await.unwrap();
    let manifest = cloud.manifest("2026-11-22").unwrap();
    let told = "prod-20261118/manifest.json cannot be read, so no drift is known: manifest version 2 is not 1: deploy \
                the same release of isthmus on both clouds";
    assert_eq!((manifest.drift, manifest.warnings), (vec![], vec![told.to_owned()]));
    assert!(cloud.messages()[0].1.contains(told), "a human hears of it too");
}

#[tokio::test]
async fn one_bad_day_does_not_hold_up_the_others() {
    let mut cloud = Cloud::start().await;
    for (task, rows) in [("prod-20261121", 3), (DAILY, 4)] {
        cloud.exported(task, NIGHT, &[table("shop.orders", &[&[rows]])]);
    }
    cloud.store().put(BUCKET, &PART.replace("20261122", "20261121"), "");
    let (word, _) = refused(&cloud, json!({"kind": "poll"})).await;
    assert_eq!(word, "PartUnreadable");
    assert_eq!(cloud.manifest("2026-11-22").unwrap().tables[0].rows, 4);
    assert_eq!(cloud.manifest("2026-11-21"), None);
}

#[tokio::test]
async fn a_task_asked_for_by_hand_says_why_it_is_not_published() {
    let mut cloud = Cloud::start().await;
    let event = json!({"kind": "publish", "task_id": DAILY});
    let told = "no export task prod-20261122 into bucket exports is known to RDS: check the id, and that ENV is its \
                first word";
    assert_eq!(refused(&cloud, event.clone()).await, ("UnknownTask", told.into()));
    for (status, word) in [("IN_PROGRESS", "NotComplete"), ("FAILED", "ExportFailed"), ("CANCELED", "ExportCanceled")] {
        cloud.tasks = vec![task_of(DAILY, NIGHT, status)];
        for _ in 0..2 {
            assert_eq!(refused(&cloud, event.clone()).await.0, word, "each time it is asked for");
        }
    }
}

#[tokio::test]
async fn a_part_without_rows_makes_no_table_exported() {
    let mut cloud = Cloud::start().await;
    cloud.exported(DAILY, NIGHT, &[Exported { columns: COLUMNS, ..table("shop.orders", &[&[0]]) }]);
    cloud.poll().await.unwrap();
    let manifest = cloud.manifest("2026-11-22").unwrap();
    assert_eq!((manifest.tables[0].state, manifest.tables[0].parts), (handoff::TableState::Empty, 0));
}
