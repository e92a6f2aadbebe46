//! BigQuery Data Transfer Service for Amazon S3, which has no emulator: its REST API, its run times, wildcards and
//! write dispositions, with the traps that they set. It reads our S3 and loads into the BigQuery emulator.
//! <https://docs.cloud.google.com/bigquery/docs/s3-transfer-intro>

mod answer;
mod call;
mod config;
mod data_path;
mod page;
mod refusal;
mod run;
mod selection;
mod service;
mod template;
mod work;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use chrono::Utc;
use handoff::{Environment, ExportKey, TablePrefix, TransferTable};
use serde_json::{Value, json};

pub use run::RunState;

use crate::bigquery::BigQuery;
use crate::listen::Listening;
use crate::s3::Store;
use call::Call;
use service::{Service, lock};

/// Where `create_config` makes configs.
pub const LOCATION: &str = "asia-northeast1";
/// The access key of `create_config`'s configs.
pub const ACCESS_KEY: &str = "AKIALOCALTRANSFER";

#[derive(Debug, Clone)]
pub struct Options {
    /// How long a run is PENDING, and how long it is RUNNING beside its work. Minutes in the real service.
    pub pending: Duration,
    pub running: Duration,
    /// Younger files are not seen. About 5 minutes in the real service.
    pub min_file_age: Duration,
    pub no_files: NoFiles,
    /// The largest page of a list. Source: `ListTransferConfigsRequest.page_size`.
    pub page_size: usize,
    /// The access keys that S3 knows; empty for any.
    pub access_keys: Vec<String>,
}

/// What becomes of a run that finds no file (trap T6). Nobody has documented it: the service's wording implies success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFiles {
    Succeeds,
    Fails,
}

impl Default for Options {
    fn default() -> Self {
        let moment = Duration::from_millis(20);
        Self {
            pending: moment,
            running: moment,
            min_file_age: Duration::ZERO,
            no_files: NoFiles::Succeeds,
            page_size: 1000,
            access_keys: Vec::new(),
        }
    }
}

pub struct Transfer {
    listening: Listening,
    service: Arc<Service>,
}

impl Transfer {
    pub async fn start(store: Store, bigquery: &BigQuery, options: Options) -> Result<Self> {
        let service = Arc::new(Service::new(store, bigquery.clone(), options));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&service));
        Ok(Self { listening: Listening::start("Data Transfer", router).await?, service })
    }

    pub fn endpoint(&self) -> String {
        self.listening.endpoint().to_owned()
    }

    /// Makes the config that Terraform makes for `table`, and returns its name. `pattern` is what follows the table's
    /// folder, `*.parquet` unless the table list says otherwise.
    pub fn create_config(
        &self,
        env: &Environment,
        bucket: &str,
        table: &TransferTable,
        pattern: &str,
    ) -> Result<String> {
        let data_path = format!("s3://{bucket}/{}{pattern}", folder_by_run_time(env, table)?);
        self.create(&json!({
            "displayName": table.display_name,
            "dataSourceId": "amazon_s3",
            "destinationDatasetId": table.dataset,
            "scheduleOptions": {"disableAutoScheduling": true},
            "params": {
                "data_path": data_path,
                "destination_table_name_template": table.table,
                "access_key_id": ACCESS_KEY,
                "secret_access_key": "secret",
                "file_format": "PARQUET",
                "write_disposition": "WRITE_TRUNCATE",
                "decimal_target_types": "NUMERIC,BIGNUMERIC,STRING",
            },
        }))
    }

    pub fn has_config(&self, display_name: &str) -> bool {
        self.service.has_config(display_name)
    }

    /// Makes any config in `LOCATION` and returns its name.
    pub fn create(&self, config: &Value) -> Result<String> {
        let made = self.service.create(LOCATION.to_owned(), config, Utc::now()).context("create a transfer config")?;
        Ok(made["name"].as_str().unwrap_or_default().to_owned())
    }

    /// The next `times` runs end FAILED with `message`, and load nothing.
    pub fn fail_next(&self, message: &str, times: usize) {
        self.service.fail_next(message, times);
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        lock(&self.service.work).abort_all();
    }
}

/// `prod-{run_time+9h|"%Y%m%d"}/shop/shop.orders/`: run times are UTC, export dates are Tokyo's.
fn folder_by_run_time(env: &Environment, table: &TransferTable) -> Result<String> {
    let any = "2000-01-01".parse()?;
    let (day, folder) = (ExportKey::DayPrefix(env, any).to_string(), TablePrefix::of_day(env, any, &table.source));
    let below = folder.as_str().strip_prefix(&day).context("find a table's folder below its day")?;
    Ok(format!("{env}-{{run_time+9h|\"%Y%m%d\"}}/{below}"))
}

async fn answer(
    State(service): State<Arc<Service>>,
    method: Method,
    uri: Uri,
    Query(query): Query<Vec<(String, String)>>,
    body: Bytes,
) -> Response {
    let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy().into_owned();
    let answer = Call::of(&method, &path).and_then(|call| service.call(call, &page::Query(query), &body));
    match answer {
        Ok(value) => Json(value).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}
