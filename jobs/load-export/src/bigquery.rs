//! BigQuery: what a table is now, the queries of the proof, the emptying of tables, the audit table.

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use google_cloud_bigquery_v2::client::{JobService, TableService};
use google_cloud_bigquery_v2::model::{
    QueryParameter, QueryParameterType, QueryParameterValue, QueryRequest, QueryResponse, TableFieldSchema,
};
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_wkt::{Struct, UInt32Value};
use tokio::sync::Semaphore;

use ::bigquery::ProjectId;

/// Queries in flight at once; BigQuery runs 100 interactive ones for a project, and others need some.
const IN_FLIGHT: usize = 8;
/// How long one call waits for the end of a query before it is polled.
const QUERY_WAIT_MILLIS: UInt32Value = 20_000;

#[derive(Debug)]
pub struct BigQuery {
    jobs: JobService,
    tables: TableService,
    project: ProjectId,
    location: String,
    in_flight: Semaphore,
}

/// A table as it is now.
#[derive(Debug, Clone)]
pub struct TableNow {
    /// When its rows, or anything else about it, changed last.
    pub modified: DateTime<Utc>,
    /// Empty until the first load: Terraform makes destination tables without columns.
    pub fields: Vec<TableFieldSchema>,
}

impl BigQuery {
    pub fn new(jobs: JobService, tables: TableService, project: &ProjectId, location: &str) -> Self {
        let in_flight = Semaphore::new(IN_FLIGHT);
        Self { jobs, tables, project: project.clone(), location: location.to_owned(), in_flight }
    }

    /// As it stands in SQL.
    pub fn quoted(&self, dataset: &str, table: &str) -> String {
        format!("`{}.{dataset}.{table}`", self.project)
    }

    pub async fn table(&self, dataset: &str, table: &str) -> Result<Option<TableNow>> {
        let _permit = self.in_flight.acquire().await?;
        let request = self.tables.get_table();
        let request = request.set_project_id(self.project.to_string()).set_dataset_id(dataset).set_table_id(table);
        let found = match request.send().await {
            Ok(found) => found,
            Err(error) if ::bigquery::is_not_found(&error) => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("look at table {dataset}.{table}")),
        };
        let modified = i64::try_from(found.last_modified_time).ok().and_then(DateTime::from_timestamp_millis);
        let modified = modified.with_context(|| format!("table {dataset}.{table} does not say when it was changed"))?;
        Ok(Some(TableNow { modified, fields: found.schema.map(|schema| schema.fields).unwrap_or_default() }))
    }

    pub async fn destination(&self, dataset: &str, table: &str) -> Result<TableNow> {
        let found = self.table(dataset, table).await?;
        found.with_context(|| format!("table {dataset}.{table} does not exist: run terraform apply"))
    }

    /// Counts by a query: free, exact, and true at once after a load or a truncation.
    pub async fn row_count(&self, dataset: &str, table: &str) -> Result<u64> {
        let sql = format!("SELECT COUNT(*) AS n FROM {}", self.quoted(dataset, table));
        let rows = self.query(&sql, &[]).await.with_context(|| format!("count the rows of {dataset}.{table}"))?;
        let count = rows.first().and_then(|row| cells(row).next()??.parse().ok());
        count.with_context(|| format!("count the rows of {dataset}.{table}: the answer is no number"))
    }

    /// Leaves the table without rows. Twice is as good as once.
    pub async fn truncate(&self, dataset: &str, table: &str) -> Result<()> {
        let sql = format!("TRUNCATE TABLE {}", self.quoted(dataset, table));
        self.query(&sql, &[]).await.map(|_| ()).with_context(|| format!("empty {dataset}.{table}"))
    }

    /// What the query would read, which is what it costs. Reads nothing.
    pub async fn bytes_read(&self, sql: &str) -> Result<u64> {
        let answer = self.ask(self.request(sql).set_dry_run(true)).await?;
        let bytes = answer.total_bytes_processed.and_then(|bytes| u64::try_from(bytes).ok());
        bytes.context("a dry run does not say what it would read")
    }

    /// Runs a statement that may safely run twice, and gives its rows.
    pub async fn query(&self, sql: &str, parameters: &[(&str, String)]) -> Result<Vec<Struct>> {
        let text = |(name, value): &(&str, String)| {
            QueryParameter::new()
                .set_name(*name)
                .set_parameter_type(QueryParameterType::new().set_type("STRING"))
                .set_parameter_value(QueryParameterValue::new().set_value(value.clone()))
        };
        let mut request = self.request(sql).set_timeout_ms(QUERY_WAIT_MILLIS);
        if !parameters.is_empty() {
            request = request.set_parameter_mode("NAMED").set_query_parameters(parameters.iter().map(text));
        }
        let answer = self.ask(request).await?;
        if answer.job_complete == Some(true) {
            return Ok(answer.rows);
        }
        let job = answer.job_reference.context("the query goes on, but the answer names no job")?;
        self.rows_of(&job.job_id).await
    }

    fn request(&self, sql: &str) -> QueryRequest {
        let request = QueryRequest::new().set_query(sql).set_use_legacy_sql(false);
        request.set_use_query_cache(false).set_location(&self.location)
    }

    async fn ask(&self, request: QueryRequest) -> Result<QueryResponse> {
        let _permit = self.in_flight.acquire().await?;
        let call = self.jobs.query().set_project_id(self.project.to_string()).set_query_request(request);
        Ok(call.with_idempotency(true).send().await?)
    }

    async fn rows_of(&self, job: &str) -> Result<Vec<Struct>> {
        let _permit = self.in_flight.acquire().await?;
        loop {
            let request = self.jobs.get_query_results().set_project_id(self.project.to_string()).set_job_id(job);
            let answer = request.set_location(&self.location).set_timeout_ms(QUERY_WAIT_MILLIS).send().await?;
            if answer.job_complete == Some(true) {
                return Ok(answer.rows);
            }
        }
    }
}

/// The values of a row as text, `None` for NULL: `{"f": [{"v": "1"}]}`.
pub fn cells(row: &Struct) -> impl Iterator<Item = Option<&str>> {
    let cells = row.get("f").and_then(|cells| cells.as_array()).into_iter().flatten();
    cells.map(|cell| cell.get("v").and_then(|value| value.as_str()))
}
