//! The traps of a transfer, end to end: how the usual config goes wrong without a word, and ours does not.

use std::time::Duration;

use google_cloud_bigquery_datatransfer_v1::client::DataTransferService;
use google_cloud_bigquery_datatransfer_v1::model::TransferState;
use handoff::TransferTable;
use local::bigquery::PROJECT;
use local::emulator_pool::PooledBigQuery;
use local::s3::Store;
use local::transfer::{NoFiles, Options, Transfer};
use serde_json::Value;

use crate::transfer_on;
use transfer_on::{client, config, log, rows, run};

/// 2026-11-22 00:00 in Tokyo.
const MIDNIGHT: &str = "2026-11-21T15:00:00Z";
const BUCKET: &str = "exports";

struct Cloud {
    store: Store,
    bigquery: PooledBigQuery,
    transfer: Transfer,
    client: DataTransferService,
    dataset: String,
}

impl Cloud {
    async fn start(dataset: &str) -> Self {
        Self::with(dataset, Options::default()).await
    }

    async fn with(dataset: &str, options: Options) -> Self {
        let (store, bigquery) = (Store::default(), PooledBigQuery::take().await.unwrap());
        bigquery.create_dataset(dataset).await.unwrap();
        let transfer = Transfer::start(store.clone(), &bigquery, options).await.unwrap();
        let client = client(&transfer).await;
        Self { store, bigquery, transfer, client, dataset: dataset.into() }
    }

    fn put(&self, key: &str, count: i64) {
        self.store.put(BUCKET, key, rows(count));
    }

    /// A config as people write it, for a table that is there.
    async fn naive(&self, table: &str, path: &str) -> String {
        self.with_config(table, config(&self.dataset, table, &format!("s3://{BUCKET}/{path}"))).await
    }

    async fn with_config(&self, table: &str, config: Value) -> String {
        self.bigquery.create_table(&self.dataset, table).await.unwrap();
        self.transfer.create(&config).unwrap()
    }

    /// The config that isthmus makes for `shop.{source}`.
    async fn ours(&self, source: &str, table: &str) -> String {
        self.bigquery.create_table(&self.dataset, table).await.unwrap();
        let table = TransferTable {
            source: format!("shop.{source}").parse().unwrap(),
            dataset: self.dataset.clone(),
            table: table.into(),
            pattern: "*.parquet".into(),
            proof: handoff::Proof::default(),
            on_missing: handoff::OnMissing::default(),
            display_name: format!("isthmus prod shop.{source}"),
        };
        self.transfer.create_config(&"prod".parse().unwrap(), BUCKET, &table, "*.parquet").unwrap()
    }

    /// The rows after a run that succeeded.
    async fn load(&self, config: &str, table: &str) -> u64 {
        let run = run(&self.client, config, MIDNIGHT).await;
        assert_eq!(run.state, TransferState::Succeeded, "{:?}", run.error_status);
        self.count(table).await
    }

    async fn count(&self, table: &str) -> u64 {
        self.bigquery.row_count(&self.dataset, table).await.unwrap()
    }
}

#[tokio::test]
async fn t1_a_path_by_utc_loads_yesterdays_export_in_silence() {
    let cloud = Cloud::start("t1").await;
    cloud.put("prod-20261121/shop/shop.orders/1/part-00000-a-c000.gz.parquet", 3);
    cloud.put("prod-20261122/shop/shop.orders/1/part-00000-b-c000.gz.parquet", 5);
    let naive = cloud.naive("naive", r#"prod-{run_time|"%Y%m%d"}/shop/shop.orders/*.parquet"#).await;
    assert_eq!(cloud.load(&naive, "naive").await, 3);
    let ours = cloud.ours("orders", "ours").await;
    assert_eq!(cloud.load(&ours, "ours").await, 5);
}

#[tokio::test]
async fn t2_a_path_with_batch_one_loses_the_rows_of_the_other_batches() {
    let cloud = Cloud::start("t2").await;
    cloud.put("prod-20261122/shop/shop.orders/1/part-00000-a-c000.gz.parquet", 2);
    cloud.put("prod-20261122/shop/shop.orders/2/part-00000-b-c000.gz.parquet", 3);
    let naive = cloud.naive("naive", r#"prod-{run_time+9h|"%Y%m%d"}/shop/shop.orders/1/*.parquet"#).await;
    assert_eq!(cloud.load(&naive, "naive").await, 2);
    let ours = cloud.ours("orders", "ours").await;
    assert_eq!(cloud.load(&ours, "ours").await, 5);
    let other = cloud.naive("other", r#"prod-{run_time+9h|"%Y%m%d"}/shop/shop.orders/*/*.parquet"#).await;
    assert_eq!(cloud.load(&other, "other").await, 5);
}

#[tokio::test]
async fn t3_a_star_without_a_slash_before_it_loads_other_tables_too() {
    let cloud = Cloud::start("t3").await;
    cloud.put("prod-20261122/shop/shop.user/1/part-00000-a-c000.gz.parquet", 2);
    cloud.put("prod-20261122/shop/shop.users/1/part-00000-b-c000.gz.parquet", 4);
    let naive = cloud.naive("naive", r#"prod-{run_time+9h|"%Y%m%d"}/shop/shop.user*"#).await;
    assert_eq!(cloud.load(&naive, "naive").await, 6);
    let ours = cloud.ours("user", "ours").await;
    assert_eq!(cloud.load(&ours, "ours").await, 2);
}

#[tokio::test]
async fn t3_two_stars_do_not_cross_a_slash_and_so_find_nothing() {
    let cloud = Cloud::start("t3_levels").await;
    cloud.put("prod-20261122/shop/shop.user/1/part-00000-a-c000.gz.parquet", 2);
    let naive = cloud.naive("naive", r#"prod-{run_time+9h|"%Y%m%d"}/*/shop.user/*.parquet"#).await;
    assert_eq!(cloud.load(&naive, "naive").await, 0);
}

#[tokio::test]
async fn t4_a_second_export_into_the_same_prefix_doubles_the_rows() {
    let cloud = Cloud::start("t4").await;
    let first = "prod-20261122/shop/shop.orders/1/part-00000-a-c000.gz.parquet";
    cloud.put(first, 5);
    let ours = cloud.ours("orders", "orders").await;
    assert_eq!(cloud.load(&ours, "orders").await, 5);
    cloud.put("prod-20261122/shop/shop.orders/1/part-00000-b-c000.gz.parquet", 5);
    assert_eq!(cloud.load(&ours, "orders").await, 10);
    // What staging a spot export does: the prefix is made equal to one export.
    cloud.store.delete(BUCKET, first);
    assert_eq!(cloud.load(&ours, "orders").await, 5);
}

#[tokio::test]
async fn t6_an_emptied_table_keeps_yesterdays_rows_until_it_is_truncated() {
    let cloud = Cloud::start("t6").await;
    cloud.put("prod-20261121/shop/shop.orders/1/part-00000-a-c000.gz.parquet", 5);
    cloud.store.put(BUCKET, "prod-20261122/shop/shop.orders/1/_SUCCESS", Vec::new());
    let ours = cloud.ours("orders", "orders").await;
    let yesterday = run(&cloud.client, &ours, "2026-11-20T15:00:00Z").await;
    assert_eq!((yesterday.state, cloud.count("orders").await), (TransferState::Succeeded, 5));

    let today = run(&cloud.client, &ours, MIDNIGHT).await;
    assert_eq!((&today.state, cloud.count("orders").await), (&TransferState::Succeeded, 5));
    let path = "s3://exports/prod-20261122/shop/shop.orders/*.parquet";
    assert!(log(&cloud.client, &today).await.contains(&format!("No new files found matching \"{path}\".")));
    // What load-export does for a table whose state is empty.
    cloud.bigquery.query("TRUNCATE TABLE t6.orders").await.unwrap();
    assert_eq!(cloud.count("orders").await, 0);
}

#[tokio::test]
async fn t6_a_run_without_files_may_also_end_failed() {
    let options = Options { no_files: NoFiles::Fails, ..Options::default() };
    let cloud = Cloud::with("t6_fails", options).await;
    cloud.store.create_bucket(BUCKET);
    let ours = cloud.ours("orders", "orders").await;
    let today = run(&cloud.client, &ours, MIDNIGHT).await;
    assert_eq!(today.state, TransferState::Failed);
    assert!(today.error_status.unwrap().message.starts_with("No new files found matching"));
}

#[tokio::test]
async fn files_younger_than_the_service_sees_are_not_loaded() {
    let options = Options { min_file_age: Duration::from_mins(5), ..Options::default() };
    let cloud = Cloud::with("young", options).await;
    let key = "prod-20261122/shop/shop.orders/1/part-00000-a-c000.gz.parquet";
    cloud.put(key, 5);
    let ours = cloud.ours("orders", "orders").await;
    assert_eq!(cloud.load(&ours, "orders").await, 0);
    cloud.store.set_last_modified(BUCKET, key, std::time::SystemTime::now() - Duration::from_mins(5));
    assert_eq!(cloud.load(&ours, "orders").await, 5);
}

#[tokio::test]
async fn append_loads_each_file_once() {
    let cloud = Cloud::start("append").await;
    let path = "s3://exports/d/*.parquet";
    let mut naive = config("append", "orders", path);
    naive["params"].as_object_mut().unwrap().remove("write_disposition");
    let naive = cloud.with_config("orders", naive).await;
    cloud.put("d/a.parquet", 2);
    assert_eq!(cloud.load(&naive, "orders").await, 2);
    assert_eq!(cloud.load(&naive, "orders").await, 2);
    cloud.put("d/b.parquet", 3);
    assert_eq!(cloud.load(&naive, "orders").await, 5);
}

#[tokio::test]
async fn a_parquet_file_is_no_csv_though_csv_is_the_default() {
    let cloud = Cloud::start("format").await;
    let mut naive = config("format", "orders", "s3://exports/d/*.parquet");
    naive["params"].as_object_mut().unwrap().remove("file_format");
    let naive = cloud.with_config("orders", naive).await;
    cloud.put("d/a.parquet", 100);
    let run = run(&cloud.client, &naive, MIDNIGHT).await;
    let right = run.state == TransferState::Succeeded && cloud.count("orders").await == 100;
    assert!(!right, "{run:?}");
}

#[tokio::test]
async fn a_failed_load_leaves_the_last_good_rows() {
    let cloud = Cloud::start("broken").await;
    cloud.put("prod-20261122/shop/shop.orders/1/part-00000-a-c000.gz.parquet", 5);
    let ours = cloud.ours("orders", "orders").await;
    assert_eq!(cloud.load(&ours, "orders").await, 5);
    let half = rows(7)[..20].to_vec();
    cloud.store.put(BUCKET, "prod-20261122/shop/shop.orders/1/part-00001-a-c000.gz.parquet", half);
    let run = run(&cloud.client, &ours, MIDNIGHT).await;
    assert_eq!((&run.state, cloud.count("orders").await), (&TransferState::Failed, 5));
    assert!(run.error_status.as_ref().unwrap().message.starts_with("Error while reading data, error message:"));
    let id = run.name.rsplit('/').next().unwrap();
    assert!(!cloud.bigquery.gcs_dir().join("transfer").join(id).exists());
}

#[tokio::test]
async fn a_transfer_does_not_make_its_destination_table() {
    let cloud = Cloud::start("missing").await;
    cloud.put("d/a.parquet", 1);
    let naive = cloud.transfer.create(&config("missing", "orders", "s3://exports/d/*.parquet")).unwrap();
    let run = run(&cloud.client, &naive, MIDNIGHT).await;
    let error = run.error_status.unwrap();
    assert_eq!((run.state, error.code), (TransferState::Failed, 5));
    assert_eq!(error.message, format!("Not found: Table {PROJECT}:missing.orders"));
}
