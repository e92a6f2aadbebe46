//! BigQuery: what a table is there, one upload and one load job, one MERGE, and the audit.

pub mod audit;
pub mod fence;
pub mod job;
pub mod lease;
pub mod merge;
pub mod rest;
pub mod schema;
pub mod upload;

use std::time::Duration;

use anyhow::{Context, Result};
use bigquery::{DatasetId, ProjectId, client, is_not_found};
use google_cloud_auth::credentials::Credentials;
use google_cloud_bigquery_v2::client::{JobService, TableService};
use google_cloud_wkt::Struct;
use serde_json::{Value, json};

use crate::columns::Column;
use crate::extracts::Table;

use job::JobId;
use rest::Rest;
use upload::Uploads;

#[derive(Debug)]
pub struct BigQuery {
    jobs: JobService,
    tables: TableService,
    uploads: Uploads,
    rest: Rest,
    give_up_after: Duration,
    project: ProjectId,
    location: String,
    scratch: DatasetId,
    audit: DatasetId,
}

/// Where the datasets are.
#[derive(Debug, Clone)]
pub struct Place {
    pub endpoint: Option<String>,
    pub project: ProjectId,
    pub location: String,
    pub scratch: DatasetId,
    pub audit: DatasetId,
    /// How long an upload goes on without progress, and a lease that cannot be read is waited for.
    pub give_up_after: Duration,
}

/// A table as the API describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Existing(pub Value);

impl Existing {
    pub fn fields(&self) -> &[Value] {
        self.0["schema"]["fields"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// BigQuery does not tell capitals from small letters.
    pub fn has(&self, column: &str) -> bool {
        let names = self.fields().iter().filter_map(|field| field["name"].as_str());
        names.into_iter().any(|name| name.eq_ignore_ascii_case(column))
    }

    pub fn rows(&self) -> u64 {
        self.0["numRows"].as_str().and_then(|rows| rows.parse().ok()).or(self.0["numRows"].as_u64()).unwrap_or_default()
    }

    /// The column that the table is partitioned by, and its type.
    pub fn partition_column(&self) -> Option<&str> {
        let by = |kind: &str| self.0[kind]["field"].as_str().filter(|field| !field.is_empty());
        by("timePartitioning").or(by("rangePartitioning"))
    }
}

impl BigQuery {
    pub async fn connect(place: Place, credentials: &Credentials) -> Result<Self> {
        let endpoint = place.endpoint.as_deref();
        let rest = Rest::new(endpoint, credentials)?;
        let uploads = Uploads::new(&rest, &place.project, place.give_up_after);
        let (jobs, tables) = (client!(JobService, endpoint, credentials), client!(TableService, endpoint, credentials));
        let Place { project, location, scratch, audit, give_up_after, .. } = place;
        Ok(Self { jobs, tables, uploads, rest, give_up_after, project, location, scratch, audit })
    }

    pub fn scratch(&self) -> &DatasetId {
        &self.scratch
    }

    pub fn audit(&self) -> &DatasetId {
        &self.audit
    }

    /// Whether it is there and may be looked into, in words.
    pub async fn has_dataset(&self, dataset: &DatasetId) -> Result<String, String> {
        let call = self.tables.list_tables().set_project_id(self.project.to_string());
        match call.set_dataset_id(dataset.to_string()).set_max_results(1_u32).send().await {
            Ok(_) => Ok("is there".to_owned()),
            Err(error) => Err(startup::with_causes(&error)),
        }
    }

    /// None where there is no such table, or one without any column: Terraform makes such, for the first load to fill.
    pub async fn look(&self, dataset: &DatasetId, table: &str) -> Result<Option<Existing>> {
        let call = self.tables.get_table().set_project_id(self.project.to_string());
        match call.set_dataset_id(dataset.to_string()).set_table_id(table).send().await {
            Ok(found) => {
                let existing = Existing(serde_json::to_value(&found).context("read a table's description")?);
                Ok(Some(existing).filter(|existing| !existing.fields().is_empty()))
            }
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("look at table {dataset}.{table}")),
        }
    }

    /// Gone already is as good.
    pub async fn delete(&self, dataset: &DatasetId, table: &str) -> Result<()> {
        let call = self.tables.delete_table().set_project_id(self.project.to_string());
        match call.set_dataset_id(dataset.to_string()).set_table_id(table).send().await {
            Ok(()) => Ok(()),
            Err(error) if is_not_found(&error) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("delete table {dataset}.{table}")),
        }
    }

    /// Adds columns to the end of a table. Some of them may be there already.
    pub async fn add_columns(&self, table: &Table, columns: &[&Column], id: &JobId) -> Result<()> {
        let added: Vec<String> = columns
            .iter()
            .map(|column| format!("ADD COLUMN IF NOT EXISTS `{}` {}", column.name, column.r#type.name()))
            .collect();
        let sql = format!("ALTER TABLE {} {}", self.quoted(&table.dataset, &table.destination), added.join(", "));
        self.run(&id.step("columns"), &sql).await.with_context(|| format!("add columns to {}", table.target()))?;
        Ok(())
    }

    /// The partitions of the rows that a MERGE touches: of those that come, and of those with the same keys that are
    /// there. None where there are none, or all of them have no value.
    pub async fn partition_range(&self, merge: &merge::Merge<'_>, id: &JobId) -> Result<Option<(String, String)>> {
        let Some(sql) = merge.range_sql() else { return Ok(None) };
        let rows = self.run(&id.step("range"), &sql).await.context("find the partitions that the merge touches")?;
        let cell = |row: &Struct, n: usize| Some(row.get("f")?.get(n)?.get("v")?.as_str()?.to_owned());
        Ok(rows.first().and_then(|row| Some((cell(row, 0)?, cell(row, 1)?))))
    }

    pub fn quoted(&self, dataset: &DatasetId, table: &str) -> String {
        format!("`{}.{dataset}.{table}`", self.project)
    }

    fn reference(&self, dataset: &DatasetId, table: &str) -> Value {
        json!({"projectId": self.project.to_string(), "datasetId": dataset.to_string(), "tableId": table})
    }
}
