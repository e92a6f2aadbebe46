//! Data Transfer as its callers see it: Google's own client, small Parquet files. Each test program uses a part of it.
#![allow(dead_code)]

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use chrono::{DateTime, Utc};
use google_cloud_auth::credentials::anonymous;
use google_cloud_bigquery_datatransfer_v1::client::DataTransferService;
use google_cloud_bigquery_datatransfer_v1::model::{TransferRun, TransferState};
use google_cloud_wkt::Timestamp;
use local::transfer::{LOCATION, Transfer};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

pub(super) async fn client(transfer: &Transfer) -> DataTransferService {
    let builder = DataTransferService::builder().with_endpoint(transfer.endpoint());
    builder.with_credentials(anonymous::Builder::new().build()).build().await.unwrap()
}

pub(super) fn parent() -> String {
    format!("projects/local/locations/{LOCATION}")
}

/// A config as someone makes it by hand: what is not said is the service's default.
pub(super) fn config(dataset: &str, table: &str, data_path: &str) -> Value {
    json!({
        "displayName": format!("{dataset}.{table}"),
        "dataSourceId": "amazon_s3",
        "destinationDatasetId": dataset,
        "params": {
            "data_path": data_path,
            "destination_table_name_template": table,
            "access_key_id": "AKIA",
            "secret_access_key": "secret",
            "file_format": "PARQUET",
            "write_disposition": "WRITE_TRUNCATE",
        },
    })
}

pub(super) async fn start(client: &DataTransferService, config: &str, run_time: &str) -> TransferRun {
    let time: DateTime<Utc> = run_time.parse().unwrap();
    let time = Timestamp::new(time.timestamp(), 0).unwrap();
    let request = client.start_manual_transfer_runs().set_parent(config).set_requested_run_time(time);
    request.send().await.unwrap().runs.remove(0)
}

/// Starts a run and waits for its end.
pub(super) async fn run(client: &DataTransferService, config: &str, run_time: &str) -> TransferRun {
    let mut run = start(client, config, run_time).await;
    while matches!(run.state, TransferState::Pending | TransferState::Running) {
        tokio::time::sleep(Duration::from_millis(10)).await;
        run = client.get_transfer_run().set_name(&run.name).send().await.unwrap();
    }
    run
}

pub(super) async fn log(client: &DataTransferService, run: &TransferRun) -> Vec<String> {
    let page = client.list_transfer_logs().set_parent(&run.name).send().await.unwrap();
    page.transfer_messages.into_iter().map(|message| message.message_text).collect()
}

/// A Parquet file with one column, `n`, that counts up from nought.
pub(super) fn rows(count: i64) -> Vec<u8> {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
    let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}
