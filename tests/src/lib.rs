//! One day of one environment, told step by step: what every story begins with.

pub mod aurora;
pub mod iam;
pub mod infrastructure;
pub mod reverse;
pub mod warehouse;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Asia::Tokyo;
use handoff::{ExportDate, ExportKey, Manifest, TableList};
use local::bigquery::PROJECT;
use local::cloud::{Cloud, Emulators};
use local::export::Table;
use local::job::Finished;
use local::lambda::{FunctionError, Invocation};
use local::transfer::LOCATION;
use serde_json::{Value, json};

/// What the stories share: the slow emulators, and a folder for logs.
pub struct Stage {
    pub emulators: Arc<Emulators>,
    pub dir: tempfile::TempDir,
}

impl Stage {
    pub async fn set() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("isthmus-stories-").tempdir()?;
        let emulators = Arc::new(Emulators::start(dir.path()).await?);
        Ok(Self { emulators, dir })
    }
}

/// An environment of its own, with tables that the story can change.
pub struct Story {
    pub cloud: Cloud,
    /// The scheduled time of the day's export.
    pub now: DateTime<Utc>,
}

impl Story {
    /// `env` is the story's name; `tables` are in database `shop`.
    pub async fn begin(stage: &Stage, env: &str, tables: Vec<Table>) -> Result<Self> {
        let cloud = Cloud::start(Arc::clone(&stage.emulators), env, stage.dir.path(), None).await?;
        cloud.rds.set_tables(tables);
        Ok(Self { cloud, now: Utc::now() })
    }

    pub fn date(&self) -> ExportDate {
        ExportDate::of(self.now, Tokyo)
    }

    /// Terraform's part, for these tables of database `shop`.
    pub async fn configure(&self, tables: &[&str]) -> Result<()> {
        self.cloud.apply(&self.table_list(tables)?).await
    }

    pub fn table_list(&self, tables: &[&str]) -> Result<TableList> {
        let tables: serde_json::Map<_, _> = tables.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
        Ok(serde_json::from_value(json!({"databases": {"shop": {"dataset": self.dataset(), "tables": tables}}}))?)
    }

    pub fn dataset(&self) -> String {
        format!("raw_{}", self.cloud.env.as_str().replace('-', "_"))
    }

    /// The nightly backup window, two hours before the export.
    pub async fn snapshot(&self) -> Result<String> {
        self.cloud.rds.snapshot(&self.cloud.cluster, self.now - TimeDelta::hours(2)).await
    }

    pub fn scheduled(&self) -> Value {
        let time = self.now.to_rfc3339_opts(SecondsFormat::Secs, true);
        json!({"kind": "scheduled", "scheduled_time": time})
    }

    /// A story may begin yesterday, so its snapshots may be two days old.
    pub async fn start(&self, event: &Value) -> Result<Invocation> {
        self.cloud.start_export()?.with("MAX_SNAPSHOT_AGE_HOURS", "50").invoke(event).await
    }

    /// Starts an export and waits for its end. Returns what then wakes publish-export: the event of RDS; and the poll
    /// where a live cluster was exported, because no event of that is documented.
    pub async fn export(&self, event: &Value) -> Result<Value> {
        let mut events = self.cloud.rds.events();
        let answer = self.start(event).await?.expect_success()?;
        if answer["snapshot_arn"].as_str().is_some_and(|arn| arn.contains(":cluster:")) {
            self.cloud.rds.ended(answer["task_id"].as_str().context("no task id")?).await?;
            return Ok(json!({"kind": "poll"}));
        }
        let ends = ["RDS-EVENT-0162", "RDS-EVENT-0163", "RDS-EVENT-0164"].map(|id| json!(id));
        loop {
            let event = events.recv().await?;
            if ends.contains(&event["detail"]["EventID"]) {
                return Ok(event);
            }
        }
    }

    pub async fn publish(&self, event: &Value) -> Result<Invocation> {
        self.cloud.publish_export(None)?.invoke(event).await
    }

    pub async fn load(&self) -> Result<Finished> {
        let date = self.date().to_string();
        self.cloud.load_export()?.run(&["--export-date", &date]).await
    }

    /// Snapshot, export, publish: up to the manifest.
    pub async fn publish_day(&self) -> Result<Value> {
        self.snapshot().await?;
        let event = self.export(&self.scheduled()).await?;
        self.publish(&event).await?.expect_success()?;
        Ok(event)
    }

    pub fn manifest(&self) -> Result<Manifest> {
        let key = self.manifest_key();
        let object = self.cloud.s3.store().get(&self.cloud.bucket, &key).with_context(|| format!("no {key}"))?;
        Ok(Manifest::parse(&object.bytes, &self.cloud.env, self.date())?)
    }

    pub fn manifest_key(&self) -> String {
        ExportKey::Manifest(&self.cloud.env, self.date()).to_string()
    }

    pub async fn rows(&self, table: &str) -> Result<u64> {
        self.cloud.emulators.bigquery.row_count(&self.dataset(), table).await
    }

    pub async fn query(&self, sql: &str) -> Result<Vec<Value>> {
        self.cloud.emulators.bigquery.query(sql).await
    }

    /// What the audit table has of each table and day, without the time of writing.
    pub async fn audit(&self) -> Result<Vec<Value>> {
        let audit = self.cloud.audit_dataset();
        let columns = "CAST(export_date AS STRING) AS export_date, table_name, rows_expected, rows_loaded, run_name, state, message";
        self.query(&format!("SELECT {columns} FROM {audit}.latest_loads ORDER BY export_date, table_name")).await
    }

    /// Every object of the bucket with its ETag.
    pub fn objects(&self) -> BTreeMap<String, String> {
        let listed = self.cloud.s3.store().list(&self.cloud.bucket, "");
        listed.into_iter().map(|object| (object.key, object.etag)).collect()
    }

    /// What a reader of the day relies on: where there is a manifest, each table's folder holds exactly its parts.
    pub fn is_whole(&self) -> Result<()> {
        let Ok(manifest) = self.manifest() else { return Ok(()) };
        for table in &manifest.tables {
            let listed = self.cloud.s3.store().list(&self.cloud.bucket, &table.prefix);
            let parts: Vec<_> = listed.iter().filter(|object| object.key.ends_with(".parquet")).collect();
            let bytes: u64 = parts.iter().map(|part| part.size).sum();
            ensure!(
                (parts.len() as u64, bytes) == (table.parts, table.bytes),
                "the manifest of {} promises {} parts of {} bytes, there are {} of {bytes}",
                table.name,
                table.parts,
                table.bytes,
                parts.len()
            );
        }
        Ok(())
    }

    /// How many transfer runs there are.
    pub async fn runs(&self) -> Result<usize> {
        let get = async |path: &str| -> Result<Value> {
            let url = format!("{}/v1/{path}", self.cloud.transfer.endpoint());
            Ok(reqwest::get(url).await?.json().await?)
        };
        let configs = get(&format!("projects/{PROJECT}/locations/{LOCATION}/transferConfigs")).await?;
        let mut runs = 0;
        for config in configs["transferConfigs"].as_array().context("no transfer configs")? {
            let config = config["name"].as_str().context("a config without a name")?;
            runs += get(&format!("{config}/runs")).await?["transferRuns"].as_array().map_or(0, Vec::len);
        }
        Ok(runs)
    }

    /// How often the start of a run was asked for.
    pub fn runs_started(&self) -> usize {
        let starts = |path: &str| path.ends_with(":startManualRuns");
        self.cloud.wires.transfer.requests().iter().filter(|request| starts(&request.path)).count()
    }
}

/// What a story expects of an invocation.
pub trait Outcome {
    fn expect_success(self) -> Result<Value>;
    fn expect_error(self) -> Result<FunctionError>;
}

impl Outcome for Invocation {
    fn expect_success(self) -> Result<Value> {
        self.answer.with_context(|| self.log)
    }

    fn expect_error(self) -> Result<FunctionError> {
        match self.answer {
            Err(error) => Ok(error),
            Ok(answer) => anyhow::bail!("the function should have failed, but answered {answer}\n{}", self.log),
        }
    }
}

/// The job ended as it should.
pub fn ended_with(finished: &Finished, exit_code: i32) -> Result<()> {
    ensure!(
        finished.exit_code == Some(exit_code),
        "the job ended with {:?}, not {exit_code}\n{}",
        finished.exit_code,
        finished.log
    );
    Ok(())
}

/// A table of `shop` with `rows` rows: `id bigint, name varchar(64)`.
pub fn table(name: &str, rows: i64) -> Table {
    Table::numbered("shop", name, rows)
}
