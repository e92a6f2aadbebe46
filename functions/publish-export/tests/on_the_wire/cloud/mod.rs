//! A bucket behind a wire, exports in it as RDS writes them, and what RDS and SNS say.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)] // each test file uses its part

mod google;
mod told;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_rds::types::ExportTask;
use aws_sdk_s3::config::Credentials;
use chrono::{DateTime, Utc};
use handoff::{Manifest, origin_of};
use local::s3::{S3, Store};
use local::wire::{Recorded, Wire};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use publish_export::{Answer, Clients, Error, Settings, handle};
use serde_json::{Value, json};
use startup::Vars;

pub use google::{ACCOUNT, Load, WORKFLOW};

pub const BUCKET: &str = "exports";
const REGION: Region = Region::from_static("ap-northeast-1");
pub const TOPIC: &str = "arn:aws:sns:ap-northeast-1:123456789012:isthmus";
pub const DAILY: &str = "prod-20261122";
pub const SPOT: &str = "prod-20261122-s101500";

pub struct Cloud {
    pub s3: S3,
    pub wire: Wire,
    pub tasks: Vec<ExportTask>,
    pub topic: bool,
    /// Where a publication starts the load.
    pub load: Option<Load>,
    pub now: DateTime<Utc>,
    pub messages: told::Messages,
    /// How often the SDK tries a call.
    pub attempts: u32,
}

impl Cloud {
    pub async fn start() -> Self {
        let s3 = S3::start().await.unwrap();
        s3.store().create_bucket(BUCKET);
        let wire = Wire::start(&s3.endpoint()).await.unwrap();
        let now = at("2026-11-21T20:00:00Z");
        Self { s3, wire, tasks: Vec::new(), topic: false, load: None, now, messages: Arc::default(), attempts: 3 }
    }

    pub fn store(&self) -> &Store {
        self.s3.store()
    }

    pub async fn handle(&self, event: Value) -> Result<Answer, Error> {
        let mut variables = vec![("ENV", "prod".to_owned()), ("S3_BUCKET_NAME", BUCKET.to_owned())];
        variables.extend(self.topic.then(|| ("SNS_TOPIC_ARN", TOPIC.to_owned())));
        variables.extend(self.load.iter().flat_map(Load::variables));
        let settings = Settings::read(Vars::from_pairs(variables)).unwrap();
        let clients = self.clients(&settings).await;
        handle(&event, &clients, &settings, self.now).await
    }

    pub async fn poll(&self) -> Result<Answer, Error> {
        self.handle(json!({"kind": "poll"})).await
    }

    async fn clients(&self, settings: &Settings) -> Clients {
        let retries = RetryConfig::standard().with_max_attempts(self.attempts);
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(REGION)
            .credentials_provider(credentials())
            .retry_config(retries.with_initial_backoff(std::time::Duration::from_millis(1)))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(self.wire.endpoint())
            .load()
            .await;
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        let told = told::start(self.tasks.clone(), Arc::clone(&self.messages)).await;
        let config = config.into_builder().endpoint_url(told).build();
        Clients {
            rds: aws_sdk_rds::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            sns: aws_sdk_sns::Client::new(&config),
            google: match (&self.load, &settings.load) {
                (Some(load), Some(target)) => Some(load.client(target).await),
                _ => None,
            },
        }
    }

    pub fn messages(&self) -> Vec<(String, String)> {
        self.messages.lock().unwrap().clone()
    }

    /// RDS has completed this export.
    pub fn exported(&mut self, task: &str, snapshot_time: &str, tables: &[Exported]) {
        write_export(self.store(), task, tables);
        self.tasks.push(task_of(task, snapshot_time, "COMPLETE"));
    }

    pub fn manifest(&self, date: &str) -> Option<Manifest> {
        let compact = date.replace('-', "");
        let object = self.store().get(BUCKET, &format!("prod-{compact}/manifest.json"))?;
        Some(Manifest::parse(&object.bytes, &"prod".parse().unwrap(), date.parse().unwrap()).unwrap())
    }

    /// Every object, by key.
    pub fn state(&self) -> BTreeMap<String, String> {
        self.store().list(BUCKET, "").into_iter().map(|object| (object.key, object.etag)).collect()
    }

    /// As `state`, but for the moments at which manifests and copies were made.
    pub fn timeless_state(&self) -> BTreeMap<String, String> {
        let mut state = self.state();
        for (key, told) in state.iter_mut().filter(|(key, _)| key.ends_with("/manifest.json")) {
            let mut manifest: Value = serde_json::from_slice(&self.store().get(BUCKET, key).unwrap().bytes).unwrap();
            manifest["published_at"].take();
            for table in manifest["tables"].as_array_mut().unwrap() {
                table["newest_part_at"].take();
            }
            *told = manifest.to_string();
        }
        state
    }

    /// A published day holds exactly the parts that its manifest counts.
    pub fn assert_consistent(&self) {
        let Some(manifest) = self.manifest("2026-11-22") else { return };
        let day = self.store().list(BUCKET, "prod-20261122/");
        let parts: Vec<_> = day.iter().filter(|object| object.key.ends_with(".parquet")).collect();
        for table in &manifest.tables {
            let own: Vec<_> = parts.iter().filter(|part| part.key.starts_with(&table.prefix)).collect();
            let size = (own.len() as u64, own.iter().map(|part| part.size).sum::<u64>());
            assert_eq!(size, (table.parts, table.bytes), "{} of {}", table.name, manifest.task_id);
            let origins = own.iter().map(|part| origin_of(&part.key)).collect::<std::collections::BTreeSet<_>>();
            assert!(origins.len() < 2, "{} has parts of two exports", table.name);
        }
        assert_eq!(parts.len() as u64, manifest.tables.iter().map(|table| table.parts).sum::<u64>());
    }
}

fn credentials() -> Credentials {
    Credentials::new("local", "secret", None, None, "test")
}

pub fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

pub fn task_of(id: &str, snapshot_time: &str, status: &str) -> ExportTask {
    let time = aws_sdk_rds::primitives::DateTime::from_secs(at(snapshot_time).timestamp());
    ExportTask::builder()
        .export_task_identifier(id)
        .source_arn(format!("arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:{snapshot_time}"))
        .s3_bucket(BUCKET)
        .s3_prefix("")
        .kms_key_id("arn:aws:kms:ap-northeast-1:123456789012:key/1")
        .snapshot_time(time)
        .task_start_time(time)
        .status(status)
        .build()
}

/// As `task`, asked for some tables only.
pub fn partial(task: ExportTask) -> ExportTask {
    ExportTask::builder()
        .set_export_task_identifier(task.export_task_identifier)
        .set_source_arn(task.source_arn)
        .set_s3_bucket(task.s3_bucket)
        .set_snapshot_time(task.snapshot_time)
        .set_task_start_time(task.task_start_time)
        .set_status(task.status)
        .export_only("shop")
        .build()
}

pub fn mutates(request: &Recorded) -> bool {
    matches!(request.method.as_str(), "PUT" | "POST" | "DELETE")
}

/// A table in an export: its batches, and in each the rows of its parts.
pub struct Exported {
    pub name: &'static str,
    pub status: &'static str,
    pub columns: &'static [(&'static str, &'static str)],
    pub batches: Vec<Vec<usize>>,
}

pub fn table(name: &'static str, batches: &[&[usize]]) -> Exported {
    let batches = batches.iter().map(|batch| batch.to_vec()).collect();
    Exported { name, status: "COMPLETE", columns: &[("id", "bigint"), ("note", "text")], batches }
}

pub fn write_export(store: &Store, task: &str, tables: &[Exported]) {
    for table in tables {
        let (database, name) = table.name.split_once('.').unwrap();
        for (batch, parts) in table.batches.iter().enumerate() {
            let folder = format!("{task}/{database}/{database}.{name}/{}", batch + 1);
            for (number, rows) in parts.iter().enumerate() {
                let key = format!("{folder}/part-{:05}-{task}-c000.gz.parquet", number * 2);
                store.put(BUCKET, &key, part(table.columns, *rows));
            }
            store.put(BUCKET, &format!("{folder}/_SUCCESS"), "");
        }
    }
    for (place, chunk) in tables.chunks(2).enumerate() {
        let entries: Vec<Value> = chunk.iter().map(entry).collect();
        let (from, to) = (place * 2 + 1, place * 2 + chunk.len());
        let key = format!("{task}/export_tables_info_{task}_from_{from}_to_{to}.json");
        store.put(BUCKET, &key, json!({"perTableStatus": entries}).to_string());
    }
    let info = json!({"exportTaskIdentifier": task, "status": "COMPLETE", "percentProgress": "100"});
    store.put(BUCKET, &format!("{task}/export_info_{task}.json"), info.to_string());
}

fn entry(table: &Exported) -> Value {
    let mapping = |(name, kind): &(&str, &str)| json!({"columnName": name, "originalType": kind});
    let mappings: Vec<Value> = table.columns.iter().map(mapping).collect();
    let (database, name) = table.name.split_once('.').unwrap();
    json!({"target": format!("{database}.{database}.{name}"), "status": table.status, "sizeGB": "0.1",
        "schemaMetadata": {"originalTypeMappings": mappings}})
}

/// Plain numbers are not compressed, so that a part of many rows is big.
pub fn part(columns: &[(&str, &str)], rows: usize) -> Vec<u8> {
    let array = |kind: &str| -> ArrayRef {
        match kind {
            "bigint" => Arc::new(Int64Array::from_iter_values((0..rows).map(|row| i64::try_from(row).unwrap()))),
            _ => Arc::new(StringArray::from_iter_values((0..rows).map(|row| row.to_string()))),
        }
    };
    let columns = columns.iter().map(|(name, kind)| (*name, array(kind)));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}
