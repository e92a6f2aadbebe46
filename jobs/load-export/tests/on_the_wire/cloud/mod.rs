//! Everything that the job talks to, each behind a wire that records and breaks, and the job as Cloud Run starts it.
#![allow(dead_code)] // each test file uses its own part

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use chrono::{DateTime, Duration, Utc};
use handoff::{Environment, ExportDate, ExportKey, Manifest, TableList, TablePrefix, TransferTable};
use local::emulator_pool::{self, PooledBigQuery};
use local::job::{Finished, Job};
use local::metadata::{Metadata, ServiceAccount};
use local::s3::{S3, Store};
use local::sts::{Sts, Trust};
use local::transfer::{LOCATION, Options, Transfer};
use local::wire::Wire;
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

pub(crate) const BUCKET: &str = "exports";
pub(crate) const DATE: &str = "2026-11-20";
pub(crate) const ARGUMENTS: [&str; 3] = ["--export-date", DATE, "--json"];
const ROLE: &str = "arn:aws:iam::123456789012:role/load-export";
const AUDIENCE: &str = "isthmus-prod";

pub(crate) struct Cloud {
    pub(crate) s3: S3,
    pub(crate) s3_wire: Wire,
    pub(crate) bigquery: PooledBigQuery,
    pub(crate) bigquery_wire: Wire,
    pub(crate) transfer: Transfer,
    pub(crate) transfer_wire: Wire,
    pub(crate) sts: Sts,
    pub(crate) variables: BTreeMap<String, String>,
    executions: AtomicU32,
    dir: tempfile::TempDir,
    metadata: Metadata,
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (moto, bigquery) = (emulator_pool::moto().unwrap(), PooledBigQuery::take().await.unwrap());
        let account = ServiceAccount { email: "loader@local".into(), unique_id: "117".into() };
        let metadata = Metadata::start(account).await.unwrap();
        let trust = Trust { role_arn: ROLE.into(), aud: "117".into(), oaud: AUDIENCE.into(), sub: "117".into() };
        let sts = Sts::start(trust, &metadata, &moto).await.unwrap();
        let s3 = S3::start().await.unwrap();
        s3.store().create_bucket(BUCKET);
        let transfer = Transfer::start(s3.store().clone(), &bigquery, options).await.unwrap();
        let s3_wire = Wire::start(&s3.endpoint()).await.unwrap();
        let bigquery_wire = Wire::start(&bigquery.endpoint()).await.unwrap();
        let transfer_wire = Wire::start(&transfer.endpoint()).await.unwrap();
        let variables = BTreeMap::from(
            [
                ("ENV", "prod".to_owned()),
                ("S3_BUCKET_NAME", BUCKET.into()),
                ("AWS_REGION", "ap-northeast-1".into()),
                ("AWS_ROLE_ARN", ROLE.into()),
                ("AWS_AUDIENCE", AUDIENCE.into()),
                ("GOOGLE_CLOUD_PROJECT", local::bigquery::PROJECT.into()),
                ("BIGQUERY_LOCATION", LOCATION.into()),
                ("TABLES_FILE", dir.path().join("tables.yaml").to_str().unwrap().into()),
                ("MIN_FILE_AGE_SECONDS", "0".into()),
                ("POLL_SECONDS", "0.1".into()),
                ("WAIT_MINUTES", "0.5".into()),
                ("LEASE_SECONDS", "6".into()),
                ("AWS_ENDPOINT_URL_S3", s3_wire.endpoint()),
                ("AWS_ENDPOINT_URL_STS", sts.endpoint()),
                ("BIGQUERY_ENDPOINT", bigquery_wire.endpoint()),
                ("BIGQUERY_DATA_TRANSFER_ENDPOINT", transfer_wire.endpoint()),
                ("GCE_METADATA_HOST", metadata.host()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        bigquery.create_dataset("isthmus_audit").await.unwrap();
        bigquery.create_dataset("raw_shop").await.unwrap();
        let executions = AtomicU32::new(0);
        Self {
            s3,
            s3_wire,
            bigquery,
            bigquery_wire,
            transfer,
            transfer_wire,
            sts,
            variables,
            executions,
            dir,
            metadata,
        }
    }

    pub(crate) fn store(&self) -> &Store {
        self.s3.store()
    }

    /// Lists the tables, and makes for each what Terraform makes: a destination without columns and a config, whose
    /// names it gives.
    pub(crate) async fn configure(&self, tables: &[&str]) -> Vec<String> {
        self.list_tables(tables);
        let mut configs = Vec::new();
        for table in transfer_tables(tables) {
            self.bigquery.create_table(&table.dataset, &table.table).await.unwrap();
            configs.push(self.transfer.create_config(&env(), BUCKET, &table, "*.parquet").unwrap());
        }
        configs
    }

    pub(crate) fn list_tables(&self, tables: &[&str]) {
        self.list_tables_with("", tables);
    }

    /// `settings` are lines of the whole list: `proof: statistics`.
    pub(crate) fn list_tables_with(&self, settings: &str, tables: &[&str]) {
        let entries: Vec<String> = tables.iter().map(|table| format!("      {table}: {{}}\n")).collect();
        let text = format!("{settings}\ndatabases:\n  shop:\n    tables:\n{}", entries.concat());
        std::fs::write(self.dir.path().join("tables.yaml"), text).unwrap();
    }

    /// Puts one part with `rows` rows; a second export of the day replaces it, as staging does.
    pub(crate) fn export(&self, table: &str, rows: i64) {
        self.put_parts(table, (rows > 0).then(|| parquet(rows, 0)));
    }

    pub(crate) fn put_parts(&self, table: &str, part: Option<Vec<u8>>) {
        let prefix = prefix(table);
        for key in self.store().keys(BUCKET, &prefix) {
            self.store().delete(BUCKET, &key);
        }
        if let Some(part) = part {
            let key = format!("{prefix}1/part-00000-{}-c000.gz.parquet", part.len());
            self.store().put(BUCKET, &key, part);
        }
    }

    pub(crate) fn publish(&self, manifest: &Manifest) {
        self.store().put(BUCKET, &manifest_key(), manifest.to_json());
    }

    /// A new execution of the job.
    pub(crate) fn job(&self) -> Job {
        self.executions.fetch_add(1, Ordering::Relaxed);
        self.again()
    }

    /// Another attempt of the execution before.
    pub(crate) fn again(&self) -> Job {
        let program = Path::new(env!("CARGO_BIN_EXE_load-export"));
        let execution = format!("load-export-{}", self.executions.load(Ordering::Relaxed));
        Job::new(program, self.dir.path(), self.variables.clone()).with("CLOUD_RUN_EXECUTION", &execution)
    }

    pub(crate) async fn run(&self) -> Finished {
        self.job().run(&ARGUMENTS).await.unwrap()
    }

    pub(crate) fn starts(&self) -> usize {
        let requests = self.transfer_wire.requests();
        requests.iter().filter(|request| request.path.ends_with(":startManualRuns")).count()
    }

    pub(crate) async fn rows(&self, table: &str) -> u64 {
        self.bigquery.row_count("raw_shop", table).await.unwrap()
    }

    /// `table state expected loaded` of each table's newest load.
    pub(crate) async fn audit(&self) -> Vec<String> {
        let sql = "SELECT * FROM isthmus_audit.latest_loads ORDER BY export_date, table_name";
        let line = |row: &Value| {
            let text = |name: &str| row[name].as_str().map_or_else(|| row[name].to_string(), str::to_owned);
            ["table_name", "state", "rows_expected", "rows_loaded"].map(text).join(" ")
        };
        self.bigquery.query(sql).await.unwrap().iter().map(line).collect()
    }

    /// Every load, in the order of time.
    pub(crate) async fn history(&self) -> Vec<Value> {
        let sql = "SELECT table_name, state, load_id, task_id, proof, proof_bytes, message FROM isthmus_audit.loads \
                   ORDER BY loaded_at, table_name";
        self.bigquery.query(sql).await.unwrap()
    }
}

pub(crate) fn env() -> Environment {
    "prod".parse().unwrap()
}

pub(crate) fn date() -> ExportDate {
    DATE.parse().unwrap()
}

pub(crate) fn prefix(table: &str) -> String {
    TablePrefix::of_day(&env(), date(), &format!("shop.{table}").parse().unwrap()).to_string()
}

pub(crate) fn manifest_key() -> String {
    ExportKey::Manifest(&env(), date()).to_string()
}

pub(crate) fn transfer_tables(tables: &[&str]) -> Vec<TransferTable> {
    let entries: BTreeMap<&str, Value> = tables.iter().map(|table| (*table, json!({}))).collect();
    let list: TableList = serde_json::from_value(json!({"databases": {"shop": {"tables": entries}}})).unwrap();
    list.transfers(&env()).unwrap()
}

/// A manifest as publish-export writes it: no rows is an emptied table, -1 a skipped one.
pub(crate) fn manifest(tables: &[(&str, i64)]) -> Manifest {
    manifest_at(Utc::now() - Duration::milliseconds(5), tables)
}

pub(crate) fn manifest_at(published_at: DateTime<Utc>, tables: &[(&str, i64)]) -> Manifest {
    let table = |(name, rows): &(&str, i64)| {
        let state = match rows {
            -1 => "skipped",
            0 => "empty",
            _ => "exported",
        };
        let (rows, parts) = ((*rows).max(0), i64::from(*rows > 0));
        json!({"name": format!("shop.{name}"), "prefix": prefix(name), "state": state, "rows": rows, "bytes": rows,
            "parts": parts})
    };
    serde_json::from_value(json!({
        "version": 1, "env": "prod", "export_date": DATE, "task_id": format!("prod-{}", date().compact()),
        "snapshot_arn": "arn", "snapshot_time": "2026-11-19T17:05:00Z", "published_at": published_at,
        "tables": tables.iter().map(table).collect::<Vec<_>>(),
    }))
    .unwrap()
}

/// The JSON object that the job prints; its log lines are objects too, but say nothing of `ok`.
pub(crate) fn report(finished: &Finished) -> Value {
    let mut objects = finished.log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let report = objects.rfind(|object| object.get("ok").is_some());
    report.unwrap_or_else(|| panic!("no report: {}", finished.log))
}

/// `table state` of each table of the report.
pub(crate) fn states(finished: &Finished) -> Vec<String> {
    let report = report(finished);
    let tables = report["tables"].as_array().unwrap_or_else(|| panic!("{}", finished.log));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    tables.iter().map(|table| format!("{} {}", text(&table["table"]), text(&table["state"]))).collect()
}

/// What the report says about a table.
pub(crate) fn message(finished: &Finished, table: &str) -> String {
    let report = report(finished);
    let tables = report["tables"].as_array().unwrap();
    let found = tables.iter().find(|row| row["table"] == format!("shop.{table}")).unwrap();
    found["message"].as_str().unwrap_or_default().to_owned()
}

/// Rows `n` from `first`, each with a time that many microseconds after 1970.
pub(crate) fn parquet(rows: i64, first: i64) -> Vec<u8> {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + rows));
    let times = TimestampMicrosecondArray::from_iter_values(first..first + rows).with_timezone("UTC");
    let batch = RecordBatch::try_from_iter([("n", numbers), ("at", Arc::new(times) as ArrayRef)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}
