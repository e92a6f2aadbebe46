//! Data Transfer's API with Google's own client; nothing here loads a file.

use std::path::Path;
use std::time::Duration;

use chrono::Utc;
use google_cloud_bigquery_datatransfer_v1::model::list_transfer_runs_request::RunAttempt;
use google_cloud_bigquery_datatransfer_v1::model::{TransferConfig, TransferState};
use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::paginator::ItemPaginator as _;
use google_cloud_wkt::{FieldMask, Timestamp};
use local::bigquery::BigQuery;
use local::s3::Store;
use local::transfer::{Options, Transfer};
use serde_json::Value;

use crate::transfer_on;
use transfer_on::{client, config, log, parent, run, start};

const MIDNIGHT: &str = "2026-11-21T15:00:00Z";
const PATH: &str = r#"s3://exports/prod-{run_time+9h|"%Y%m%d"}/shop/shop.orders/*.parquet"#;

async fn transfer(options: Options) -> Transfer {
    let nowhere = BigQuery::at("http://127.0.0.1:9", "http://127.0.0.1:9", Path::new("/nonexistent"));
    Transfer::start(Store::default(), &nowhere, options).await.unwrap()
}

#[tokio::test]
async fn every_config_is_found_however_small_the_pages_are() {
    let transfer = transfer(Options { page_size: 2, ..Options::default() }).await;
    for n in 0..5 {
        transfer.create(&config("raw_shop", &format!("t{n}"), PATH)).unwrap();
    }
    let client = client(&transfer).await;
    let page = client.list_transfer_configs().set_parent(parent()).set_page_size(100).send().await.unwrap();
    assert_eq!(page.transfer_configs.len(), 2);
    assert!(!page.next_page_token.is_empty());

    let mut items = client.list_transfer_configs().set_parent(parent()).by_item();
    let mut names = Vec::new();
    while let Some(item) = items.next().await {
        names.push(item.unwrap().display_name);
    }
    names.sort();
    assert_eq!(names, ["raw_shop.t0", "raw_shop.t1", "raw_shop.t2", "raw_shop.t3", "raw_shop.t4"]);

    let elsewhere = client.list_transfer_configs().set_parent("projects/local/locations/us").send().await.unwrap();
    assert!(elsewhere.transfer_configs.is_empty());
}

#[tokio::test]
async fn a_config_is_made_read_changed_and_deleted_by_the_client() {
    let transfer = transfer(Options::default()).await;
    let client = client(&transfer).await;
    let given: TransferConfig = serde_json::from_value(config("raw_shop", "orders", PATH)).unwrap();
    let request = client.create_transfer_config().set_parent(parent()).set_transfer_config(given);
    let made = request.send().await.unwrap();
    assert!(made.name.starts_with("projects/123456789012/locations/asia-northeast1/transferConfigs/"), "{}", made.name);

    let read = client.get_transfer_config().set_name(&made.name).send().await.unwrap();
    assert_eq!(read.destination_dataset_id().unwrap(), "raw_shop");
    assert_eq!(read.params.as_ref().unwrap()["data_path"], PATH);
    assert!(!read.params.as_ref().unwrap().contains_key("secret_access_key"));

    let mask = |path: &str| FieldMask::default().set_paths([path]);
    let renamed = read.clone().set_display_name("isthmus prod shop.orders");
    let update = client.update_transfer_config().set_transfer_config(renamed).set_update_mask(mask("display_name"));
    assert_eq!(update.send().await.unwrap().display_name, "isthmus prod shop.orders");

    let mut moved = read.clone();
    moved.params.as_mut().unwrap().insert("data_path".into(), Value::from("s3://exports/x/*.parquet"));
    let update = client.update_transfer_config().set_transfer_config(moved).set_update_mask(mask("params"));
    let status = update.send().await.unwrap_err().status().unwrap().clone();
    assert_eq!(status.code, Code::InvalidArgument);
    assert_eq!(status.message, "data_path cannot be updated: create another transfer config");

    client.delete_transfer_config().set_name(&made.name).send().await.unwrap();
    let gone = client.get_transfer_config().set_name(&made.name).send().await.unwrap_err();
    assert_eq!(gone.status().unwrap().code, Code::NotFound);
}

#[tokio::test]
async fn a_bad_config_is_refused_with_its_reason() {
    let transfer = transfer(Options::default()).await;
    let client = client(&transfer).await;
    let mut bad = config("raw_shop", "orders", PATH);
    bad["params"]["file_format"] = "Parquet".into();
    let bad: TransferConfig = serde_json::from_value(bad).unwrap();
    let refused = client.create_transfer_config().set_parent(parent()).set_transfer_config(bad).send().await;
    let status = refused.unwrap_err().status().unwrap().clone();
    assert_eq!(status.code, Code::InvalidArgument);
    assert_eq!(status.message, "file_format \"Parquet\" is not CSV, JSON, AVRO, PARQUET or ORC");
}

#[tokio::test]
async fn a_run_time_in_the_future_is_refused() {
    let transfer = transfer(Options::default()).await;
    let name = transfer.create(&config("raw_shop", "orders", PATH)).unwrap();
    let client = client(&transfer).await;
    let tomorrow = Timestamp::new(Utc::now().timestamp() + 86_400, 0).unwrap();
    let refused = client.start_manual_transfer_runs().set_parent(&name).set_requested_run_time(tomorrow).send().await;
    let status = refused.unwrap_err().status().unwrap().clone();
    assert_eq!(
        (status.code, status.message.as_str()),
        (Code::InvalidArgument, "requested_run_time must not be in the future")
    );
}

#[tokio::test]
async fn a_run_is_pending_then_running_then_ended() {
    let slow = Duration::from_millis(300);
    let transfer = transfer(Options { pending: slow, running: slow, ..Options::default() }).await;
    let name = transfer.create(&config("raw_shop", "orders", PATH)).unwrap();
    let client = client(&transfer).await;
    let begun = start(&client, &name, MIDNIGHT).await;
    assert_eq!(begun.state, TransferState::Pending);
    let mut seen = vec![begun.state.clone()];
    while seen.last() != Some(&TransferState::Failed) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let run = client.get_transfer_run().set_name(&begun.name).send().await.unwrap();
        seen.push(run.state);
    }
    seen.dedup();
    assert_eq!(seen, [TransferState::Pending, TransferState::Running, TransferState::Failed]);

    let ended = client.get_transfer_run().set_name(&begun.name).send().await.unwrap();
    assert_eq!(ended.run_time, Some(Timestamp::new(1_795_273_200, 0).unwrap()));
    let error = ended.error_status.unwrap();
    assert_eq!((error.code, error.message.as_str()), (5, "Amazon S3: the specified bucket exports does not exist"));
}

#[tokio::test]
async fn the_runs_of_a_config_are_listed_newest_first_and_by_state() {
    let transfer = transfer(Options { page_size: 1, ..Options::default() }).await;
    let name = transfer.create(&config("raw_shop", "orders", PATH)).unwrap();
    let client = client(&transfer).await;
    let first = run(&client, &name, MIDNIGHT).await;
    let second = run(&client, &name, MIDNIGHT).await;
    let third = run(&client, &name, "2026-11-20T15:00:00Z").await;

    let list = client.list_transfer_runs().set_parent(&name);
    let names =
        async |list: google_cloud_bigquery_datatransfer_v1::builder::data_transfer_service::ListTransferRuns| {
            let mut items = list.by_item();
            let mut names = Vec::new();
            while let Some(item) = items.next().await {
                names.push(item.unwrap().name);
            }
            names
        };
    assert_eq!(names(list.clone()).await, [third.name.clone(), second.name.clone(), first.name.clone()]);
    assert_eq!(names(list.clone().set_states([TransferState::Failed])).await.len(), 3);
    assert!(names(list.clone().set_states([TransferState::Succeeded, TransferState::Running])).await.is_empty());
    assert_eq!(names(list.set_run_attempt(RunAttempt::Latest)).await, [third.name, second.name]);
}

#[tokio::test]
async fn a_run_fails_on_demand_and_says_why() {
    let transfer = transfer(Options::default()).await;
    let name = transfer.create(&config("raw_shop", "orders", PATH)).unwrap();
    let client = client(&transfer).await;
    transfer.fail_next("the backend is tired", 1);
    let failed = run(&client, &name, MIDNIGHT).await;
    assert_eq!(failed.state, TransferState::Failed);
    assert_eq!(failed.error_status.as_ref().unwrap().message, "the backend is tired");
    assert_eq!(log(&client, &failed).await.last().unwrap(), "the backend is tired");
    assert_ne!(run(&client, &name, MIDNIGHT).await.error_status.unwrap().message, "the backend is tired");
}

#[tokio::test]
async fn an_access_key_that_s3_does_not_know_fails_the_run() {
    let transfer = transfer(Options { access_keys: vec!["AKIAOTHER".into()], ..Options::default() }).await;
    let name = transfer.create(&config("raw_shop", "orders", PATH)).unwrap();
    let failed = run(&client(&transfer).await, &name, MIDNIGHT).await;
    let error = failed.error_status.unwrap();
    assert_eq!(error.code, 7);
    assert_eq!(error.message, "The AWS Access Key Id AKIA you provided does not exist in our records.");
}
