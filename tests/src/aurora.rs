//! A story whose cluster is a real server.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use chrono::Utc;
use local::aurora::{Aurora, Engine};
use local::cloud::Cloud;
use serde_json::{Map, Value, json};

use crate::{Outcome, Stage, Story};

/// Its only database.
pub const DATABASE: &str = "app";

pub struct OnAurora {
    pub story: Story,
    pub aurora: Aurora,
}

impl OnAurora {
    /// `env` is the story's name; `sql` makes the tables.
    pub async fn begin(stage: &Stage, env: &str, engine: Engine, sql: &str) -> Result<Self> {
        let aurora = Aurora::start(engine, &stage.dir.path().join(format!("{env}-database"))).await?;
        aurora.create_database(DATABASE).await?;
        aurora.execute(DATABASE, sql).await?;
        let cloud = Cloud::start(Arc::clone(&stage.emulators), env, stage.dir.path(), Some(aurora.clone())).await?;
        Ok(Self { story: Story { cloud, now: Utc::now() }, aurora })
    }

    pub async fn execute(&self, sql: &str) -> Result<()> {
        self.aurora.execute(DATABASE, sql).await
    }

    /// Terraform's part, for tables as tables.yaml names them below the database: `orders`, `public.orders`.
    pub async fn configure(&self, tables: &[&str]) -> Result<()> {
        let tables: Map<String, Value> = tables.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
        let database = json!({"dataset": self.story.dataset(), "tables": tables});
        self.story.cloud.apply(&serde_json::from_value(json!({"databases": {DATABASE: database}}))?).await
    }

    /// A spot export of some tables, up to the manifest.
    pub async fn publish_spot(&self, tables: &[&str]) -> Result<()> {
        let asked = json!({"kind": "manual", "spot": true, "tables": tables});
        let answer = self.story.start(&asked).await?.expect_success()?;
        let task = answer["task_id"].as_str().context("start-export answered without a task id")?;
        self.story.cloud.rds.ended(task).await?;
        self.story.publish(&json!({"kind": "publish", "task_id": task})).await?.expect_success()?;
        Ok(())
    }

    /// The same values in the same rows at both ends. A column is an expression of the engine beside one of BigQuery,
    /// both text; `table` is the same word at both ends but for the schema's dot.
    pub async fn has_the_same_values(&self, table: &str, columns: &[(&str, &str)]) -> Result<()> {
        let select = |of: fn(&(&str, &str)) -> String| -> Vec<String> {
            columns.iter().enumerate().map(|(index, column)| format!("{} AS c{index}", of(column))).collect()
        };
        let of_engine = select(|(engine, _)| (*engine).to_owned()).join(", ");
        let sql = format!("SELECT {of_engine} FROM {table} ORDER BY id");
        let source = self.aurora.query(DATABASE, &sql).await?;
        let of_bigquery = select(|(_, bigquery)| (*bigquery).to_owned()).join(", ");
        let loaded = format!("{}.{}", self.story.dataset(), table.replace('.', "_"));
        let sql = format!("SELECT {of_bigquery} FROM {loaded} ORDER BY id");
        let rows = self.story.query(&sql).await?;
        let texts = |row: &Value| -> Vec<Option<String>> {
            (0..columns.len()).map(|index| row[format!("c{index}")].as_str().map(str::to_owned)).collect()
        };
        let rows: Vec<_> = rows.iter().map(texts).collect();
        ensure!(!source.is_empty() && rows.len() == source.len(), "{table}: {} rows, {}", source.len(), rows.len());
        let other = source.iter().zip(&rows).find(|(source, row)| source != row);
        ensure!(other.is_none(), "{table}: in the database and in BigQuery {other:?}");
        Ok(())
    }
}
