//! A story whose warehouse is built: one at a time, because the layers have the same names in every environment.

use anyhow::{Context, Result};
use local::export::Table;
use local::job::Finished;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use crate::{Stage, Story};

static LAYERS: Mutex<()> = Mutex::const_new(());
/// Two tables, two marts, two syncs.
const PROJECT: &str = "tests/warehouse";

pub struct Warehouse {
    pub story: Story,
    _alone: MutexGuard<'static, ()>,
}

impl Warehouse {
    /// With layers that nobody has built yet.
    pub async fn begin(stage: &Stage, env: &str, tables: Vec<Table>) -> Result<Self> {
        let alone = LAYERS.lock().await;
        let story = Story::begin(stage, env, tables).await?;
        for dataset in ["staging", "warehouse", "mart", "isthmus_dbt"] {
            story.query(&format!("DROP SCHEMA IF EXISTS {dataset} CASCADE")).await?;
        }
        Ok(Self { story, _alone: alone })
    }

    pub async fn configure(&self, tables: &[&str]) -> Result<()> {
        let root = local::warehouse::repository();
        let syncs = root.join(PROJECT).join("syncs.yaml");
        std::fs::copy(&syncs, self.story.cloud.syncs_file()).with_context(|| format!("copy {}", syncs.display()))?;
        self.story.cloud.emulators.bigquery.create_dataset(&self.story.cloud.scratch_dataset()).await?;
        self.story.configure(tables).await
    }

    /// The day, whole, up to the proven rows; and the project with the sources of the day. What load-export said.
    pub async fn load_and_deploy(&self) -> Result<String> {
        self.story.publish_day().await?;
        let cloud = &self.story.cloud;
        let [dbt, syncs] = [cloud.artifacts().join("manifest.json"), cloud.syncs_file()];
        let job = cloud.load_export()?.with("DBT_MANIFEST_FILE", &dbt.display().to_string());
        let job = job.with("SYNCS_FILE", &syncs.display().to_string());
        let finished = job.run(&["--export-date", &self.story.date().to_string()]).await?;
        crate::ended_with(&finished, 0)?;
        self.deploy().await?;
        Ok(finished.log)
    }

    pub async fn deploy(&self) -> Result<()> {
        self.story.cloud.deploy_warehouse(PROJECT, self.story.date()).await
    }

    /// The repository's own project, over tables that are written here; nobody has proven them.
    pub async fn shop(&self) -> Result<()> {
        let bigquery = &self.story.cloud.emulators.bigquery;
        for dataset in ["raw_shop", &self.story.cloud.audit_dataset()] {
            bigquery.create_dataset(dataset).await?;
        }
        for sql in include_str!("shop.sql").split(";\n") {
            self.story.query(sql).await?;
        }
        self.story.cloud.deploy_project("warehouse").await
    }

    pub async fn build(&self, arguments: &[&str]) -> Result<Finished> {
        let date = self.story.date().to_string();
        let default = ["--export-date", &date, "--without-catalog"];
        self.story.cloud.dbt()?.run(if arguments.is_empty() { &default } else { arguments }).await
    }

    /// As the workflow starts it.
    pub async fn publish(&self) -> Result<Finished> {
        let gates = self.story.cloud.artifacts().join("gates.json").display().to_string();
        let execution = format!("publish-{}", self.story.date());
        let job = self.story.cloud.bigquery_to_s3()?.with("GATES_FILE", &gates).with("CLOUD_RUN_EXECUTION", &execution);
        let job = job.with("S3_BUCKET_NAME", &self.story.cloud.app_bucket);
        job.run(&["--export-date", &self.story.date().to_string(), "--json"]).await
    }

    /// How many rows of a sync are published.
    pub fn published(&self, sync: &str) -> Result<u64> {
        let read = |key: &str| -> Result<Value> {
            let object = self.story.cloud.s3.store().get(&self.story.cloud.app_bucket, key);
            let object = object.with_context(|| format!("there is no {key}"))?;
            Ok(serde_json::from_slice(&object.bytes)?)
        };
        let current = read(&format!("{sync}/CURRENT"))?;
        let manifest = read(current["manifest"].as_str().context("CURRENT names no manifest")?)?;
        let rows = manifest["records"].as_array().context("a manifest without records")?;
        Ok(rows.iter().filter_map(|record| record["rows"].as_u64()).sum())
    }

    pub fn gate(&self, sync: &str) -> Result<Value> {
        let file = self.story.cloud.artifacts().join("gates.json");
        let bytes = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        let mut gates: Value = serde_json::from_slice(&bytes)?;
        Ok(gates["syncs"][sync].take())
    }

    /// Why a sync is not fresh.
    pub fn because(&self, sync: &str) -> Result<String> {
        let gate = self.gate(sync)?;
        let reasons = gate["because"].as_array().context("no reasons")?;
        Ok(reasons.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "))
    }

    pub async fn rows(&self, table: &str) -> Result<u64> {
        let (dataset, table) = table.split_once('.').context("dataset.table")?;
        self.story.cloud.emulators.bigquery.row_count(dataset, table).await
    }
}
