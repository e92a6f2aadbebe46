//! Exports become manifests.

use crate::cloud;

use cloud::{BUCKET, Cloud, DAILY, Exported, SPOT, at, part, table, task_of};
use handoff::TableState;
use local::wire::Effect;
use serde_json::json;

const NIGHT: &str = "2026-11-21T17:05:00Z";
const MORNING: &str = "2026-11-22T01:00:00Z";

fn ids(ids: &[handoff::ExportTaskId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_complete_export_is_verified_and_published() {
    let mut cloud = Cloud::start().await;
    let wide = Exported { status: "SKIPPED", ..table("shop.wide", &[]) };
    let tables = [table("shop.orders", &[&[3, 4], &[5]]), table("shop.empty", &[&[]]), wide];
    cloud.exported(DAILY, NIGHT, &tables);
    let answer = cloud.poll().await.unwrap();
    assert_eq!(ids(&answer.published), [DAILY]);

    let manifest = cloud.manifest("2026-11-22").unwrap();
    assert_eq!((manifest.task_id.to_string(), manifest.snapshot_time), (DAILY.into(), at(NIGHT)));
    assert_eq!(manifest.tasks, std::slice::from_ref(&manifest.task_id));
    let shape = |table: &handoff::Table| (table.name.to_string(), table.state, table.rows, table.parts);
    let expected = [
        ("shop.empty".to_owned(), TableState::Empty, 0, 0),
        ("shop.orders".to_owned(), TableState::Exported, 12, 3),
        ("shop.wide".to_owned(), TableState::Skipped, 0, 0),
    ];
    assert_eq!(manifest.tables.iter().map(shape).collect::<Vec<_>>(), expected);
    let orders = &manifest.tables[1];
    assert_eq!(orders.prefix, "prod-20261122/shop/shop.orders/");
    let columns: Vec<_> = orders.columns.iter().map(|c| [&*c.name, &*c.source_type, &*c.parquet_type]).collect();
    assert_eq!(columns, [["id", "bigint", "INT64"], ["note", "text", "STRING"]]);
    let told = |name: &str| {
        let told = orders.columns.iter().find(|column| column.name == name).unwrap().statistics.clone();
        (told.nulls.unwrap(), told.min.unwrap(), told.max.unwrap())
    };
    assert_eq!((told("id"), told("note")), ((0, "0".into(), "4".into()), (0, "0".into(), "4".into())));
    assert_eq!(manifest.warnings, ["shop.wide: status \"SKIPPED\""]);
    cloud.assert_consistent();
}

#[tokio::test]
async fn a_manifest_is_published_when_it_is_put_and_each_table_tells_when_its_newest_part_came() {
    let mut cloud = Cloud::start().await;
    cloud.exported(DAILY, NIGHT, &[table("shop.a", &[&[3, 4]]), table("shop.b", &[&[1]]), table("shop.c", &[&[]])]);
    for (minute, part) in cloud.store().keys(BUCKET, "prod-20261122/shop/").iter().enumerate() {
        let came = at("2026-11-21T18:00:00Z") + chrono::TimeDelta::minutes(i64::try_from(minute).unwrap());
        let object = cloud.store().get(BUCKET, part).unwrap();
        let object = local::s3::Object { last_modified: came.into(), ..object };
        cloud.store().put_if(BUCKET, part, &local::s3::Condition::None, object).unwrap();
    }
    let pause = std::time::Duration::from_millis(150);
    cloud.wire.fault(1, Effect::Delay(pause), |request| request.path.ends_with(".parquet"));
    cloud.poll().await.unwrap();
    let manifest = cloud.manifest("2026-11-22").unwrap();
    assert!(manifest.published_at >= cloud.now + pause, "{}", manifest.published_at);
    let newest =
        |manifest: &handoff::Manifest| manifest.tables.iter().map(|table| table.newest_part_at).collect::<Vec<_>>();
    // `_SUCCESS` and, in the order of keys, two parts; the same and one; and no part at all.
    let (a, b) = (at("2026-11-21T18:02:00Z"), at("2026-11-21T18:04:00Z"));
    assert_eq!(newest(&manifest), [Some(a), Some(b), None]);

    let before = chrono::Utc::now() - chrono::TimeDelta::seconds(1);
    write_partial(&mut cloud, SPOT, MORNING, &[table("shop.b", &[&[20]])]);
    cloud.poll().await.unwrap();
    let manifest = cloud.manifest("2026-11-22").unwrap();
    let ages: Vec<_> = manifest.tables.iter().map(|table| table.snapshot_time.unwrap()).collect();
    assert_eq!(ages, [at(NIGHT), at(MORNING), at(NIGHT)]);
    let [of_a, of_b, of_c] = newest(&manifest).try_into().unwrap();
    assert_eq!((of_a, of_c), (Some(a), None));
    assert!(of_b.unwrap() >= before, "the copy is what BigQuery reads: {of_b:?}");
}

#[tokio::test]
async fn the_second_time_changes_nothing_by_whatever_way_it_comes() {
    let mut cloud = Cloud::start().await;
    cloud.exported(DAILY, NIGHT, &[table("shop.orders", &[&[3]])]);
    cloud.poll().await.unwrap();
    let state = cloud.state();
    cloud.now = at("2026-11-21T21:00:00Z");
    let rds = json!({"source": "aws.rds", "detail-type": "RDS DB Cluster Snapshot Event", "detail": {
        "EventID": "RDS-EVENT-0164", "SourceArn": cloud.tasks[0].source_arn()}});
    for event in [json!({"kind": "poll"}), rds, json!({"kind": "publish", "task_id": DAILY})] {
        let answer = cloud.handle(event).await.unwrap();
        assert_eq!((ids(&answer.published), ids(&answer.unchanged)), (vec![], vec![DAILY.to_owned()]));
        assert_eq!(cloud.state(), state);
    }
}

#[tokio::test]
async fn a_steady_day_is_polled_without_listing_or_reading_parts() {
    let mut cloud = Cloud::start().await;
    cloud.exported(DAILY, NIGHT, &[table("shop.orders", &[&[3]])]);
    cloud.poll().await.unwrap();
    cloud.wire.forget();
    cloud.poll().await.unwrap();
    let requests: Vec<String> = cloud.wire.requests().iter().map(|r| format!("{} {}", r.method, r.path)).collect();
    let expected = [
        "GET /exports/prod-20261120/manifest.json",
        "GET /exports/prod-20261120/manifest.withdrawn.json",
        "GET /exports/prod-20261121/manifest.json",
        "GET /exports/prod-20261121/manifest.withdrawn.json",
        "GET /exports/prod-20261122/manifest.json",
        "GET /exports/reports/prod-20261122.json",
    ];
    assert_eq!(requests, expected);
}

#[tokio::test]
async fn no_part_is_ever_read_beyond_its_footer() {
    let mut cloud = Cloud::start().await;
    let columns = &[("id", "bigint"), ("amount", "bigint")];
    let big = Exported { columns, ..table("shop.big", &[&[80_000, 90_000, 70_000], &[100_000]]) };
    cloud.exported(DAILY, NIGHT, &[big]);
    cloud.poll().await.unwrap();
    let manifest = cloud.manifest("2026-11-22").unwrap();
    assert_eq!((manifest.tables[0].rows, manifest.tables[0].parts), (340_000, 4));

    let requests = cloud.wire.requests();
    let reads: Vec<_> = requests.iter().filter(|r| r.method == "GET" && r.path.ends_with(".parquet")).collect();
    assert_eq!(reads.len(), 8, "two for each part");
    for part in cloud.store().list(BUCKET, "").iter().filter(|object| object.key.ends_with(".parquet")) {
        assert!(part.size > 1_000_000);
        let own: Vec<_> = reads.iter().filter(|read| read.path.ends_with(&part.key)).collect();
        assert!(own.iter().all(|read| read.range().is_some() && read.status == Some(206)));
        let answered: usize = own.iter().map(|read| read.answered_bytes).sum();
        assert!(answered < 2_000, "{answered} bytes of {}", part.key);
    }
}

#[tokio::test]
async fn a_spot_export_replaces_the_day_and_no_row_is_there_twice() {
    let mut cloud = Cloud::start().await;
    cloud.exported(DAILY, NIGHT, &[table("shop.orders", &[&[3, 4]]), table("shop.gone", &[&[1]])]);
    cloud.poll().await.unwrap();
    cloud.exported(SPOT, MORNING, &[table("shop.orders", &[&[3, 4, 2]]), table("shop.new", &[&[6]])]);
    let answer = cloud.poll().await.unwrap();
    assert_eq!((ids(&answer.published), ids(&answer.unchanged)), (vec![SPOT.to_owned()], vec![DAILY.to_owned()]));

    let manifest = cloud.manifest("2026-11-22").unwrap();
    let rows: Vec<_> = manifest.tables.iter().map(|table| (table.name.to_string(), table.rows)).collect();
    assert_eq!(
        (manifest.task_id.to_string(), rows),
        (SPOT.into(), vec![("shop.new".into(), 6), ("shop.orders".into(), 9)])
    );
    assert_eq!(manifest.tables[1].prefix, "prod-20261122/shop/shop.orders/");
    cloud.assert_consistent();
    assert_eq!(cloud.store().get(BUCKET, "prod-20261122/manifest.withdrawn.json").map(|_| ()), None);
    let copies: Vec<_> =
        cloud.wire.requests().into_iter().filter(|r| r.headers.contains_key("x-amz-copy-source")).collect();
    let key = |name: &str| copies.iter().filter(|r| r.headers.get(name).is_some()).count();
    assert_eq!((copies.len(), key("x-amz-server-side-encryption-aws-kms-key-id")), (5, 4), "four parts, one manifest");
    assert_eq!(ids(&cloud.poll().await.unwrap().published), [] as [&str; 0]);
}

#[tokio::test]
async fn older_data_never_replace_newer() {
    let mut cloud = Cloud::start().await;
    cloud.exported(SPOT, MORNING, &[table("shop.orders", &[&[9]])]);
    cloud.poll().await.unwrap();
    cloud.exported(DAILY, NIGHT, &[table("shop.orders", &[&[3]])]);
    let answer = cloud.poll().await.unwrap();
    assert_eq!(ids(&answer.published), [] as [&str; 0]);
    assert_eq!(cloud.manifest("2026-11-22").unwrap().tables[0].rows, 9);
}

#[tokio::test]
async fn a_spot_export_of_some_tables_replaces_only_these() {
    let mut cloud = Cloud::start().await;
    cloud.exported(DAILY, NIGHT, &[table("shop.a", &[&[1]]), table("shop.b", &[&[2]]), table("shop.c", &[&[3]])]);
    write_partial(&mut cloud, SPOT, MORNING, &[table("shop.b", &[&[20]]), table("shop.d", &[&[40]])]);
    write_partial(&mut cloud, "prod-20261122-s111500", "2026-11-22T02:00:00Z", &[table("shop.c", &[&[]])]);
    let answer = cloud.poll().await.unwrap();
    assert_eq!(ids(&answer.published), [DAILY, SPOT, "prod-20261122-s111500"]);
    let manifest = cloud.manifest("2026-11-22").unwrap();
    let rows: Vec<_> = manifest.tables.iter().map(|table| (table.name.table().to_owned(), table.rows)).collect();
    assert_eq!(rows, [("a".into(), 1), ("b".into(), 20), ("c".into(), 0), ("d".into(), 40)]);
    cloud.assert_consistent();
}

fn write_partial(cloud: &mut Cloud, task: &str, snapshot_time: &str, tables: &[Exported]) {
    cloud.exported(task, snapshot_time, tables);
    let task = cloud.tasks.pop().unwrap();
    cloud.tasks.push(cloud::partial(task));
}

#[tokio::test]
async fn while_rds_writes_the_daily_export_the_days_spot_export_is_not_shown() {
    let mut cloud = Cloud::start().await;
    cloud.exported(SPOT, NIGHT, &[table("shop.orders", &[&[3]])]);
    cloud.poll().await.unwrap();
    cloud.tasks.push(task_of(DAILY, MORNING, "STARTING"));
    cloud.poll().await.unwrap();
    assert_eq!(cloud.manifest("2026-11-22"), None);

    // RDS wrote half and gave up: the spot export is back, the leftovers are gone.
    cloud.store().put(
        BUCKET,
        "prod-20261122/shop/shop.orders/1/part-00000-x-c000.gz.parquet",
        part(&[("id", "bigint")], 5),
    );
    cloud.topic = true;
    cloud.tasks[1] = task_of(DAILY, MORNING, "FAILED");
    cloud.poll().await.unwrap();
    assert_eq!(cloud.manifest("2026-11-22").unwrap().task_id.to_string(), SPOT);
    cloud.assert_consistent();
    assert_eq!(cloud.store().keys(BUCKET, "prod-20261122/manifest").len(), 1);
}

#[tokio::test]
async fn a_daily_export_that_comes_after_a_spot_export_clears_its_copies() {
    let mut cloud = Cloud::start().await;
    cloud.exported(SPOT, NIGHT, &[table("shop.orders", &[&[3]])]);
    cloud.poll().await.unwrap();
    cloud.exported(DAILY, MORNING, &[table("shop.orders", &[&[4]])]);
    cloud.poll().await.unwrap();
    assert_eq!(cloud.manifest("2026-11-22").unwrap().tables[0].rows, 4);
    cloud.assert_consistent();
}

#[tokio::test]
async fn only_the_last_three_days_are_polled_and_any_day_can_be_asked_for() {
    let mut cloud = Cloud::start().await;
    let old = "prod-20261119";
    cloud.exported(old, "2026-11-18T17:05:00Z", &[table("shop.orders", &[&[3]])]);
    assert_eq!(ids(&cloud.poll().await.unwrap().published), [] as [&str; 0]);
    let answer = cloud.handle(json!({"kind": "publish", "task_id": old})).await.unwrap();
    assert_eq!(ids(&answer.published), [old]);
}

#[tokio::test]
async fn two_runs_at_once_end_as_one() {
    let mut alone = Cloud::start().await;
    let mut cloud = Cloud::start().await;
    for cloud in [&mut alone, &mut cloud] {
        cloud.exported(DAILY, NIGHT, &[table("shop.orders", &[&[3, 4]]), table("shop.b", &[&[1]])]);
    }
    alone.poll().await.unwrap();
    let (one, two) = tokio::join!(cloud.poll(), cloud.poll());
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(cloud.timeless_state(), alone.timeless_state());
}
