//! BigQuery: the row-count proof, the emptying of tables, the audit table.

use anyhow::{Context, Result, bail};
use google_cloud_bigquery_v2::client::{JobService, TableService};
use google_cloud_bigquery_v2::model::{QueryParameter, QueryParameterType, QueryParameterValue, QueryRequest};
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

impl BigQuery {
    pub fn new(jobs: JobService, tables: TableService, project: &ProjectId, location: &str) -> Self {
        let in_flight = Semaphore::new(IN_FLIGHT);
        Self { jobs, tables, project: project.clone(), location: location.to_owned(), in_flight }
    }

    pub fn project(&self) -> &ProjectId {
        &self.project
    }

    /// Counts by a query: free, exact, and true at once after a load or a truncation.
    pub async fn row_count(&self, dataset: &str, table: &str) -> Result<u64> {
        let sql = format!("SELECT COUNT(*) AS n FROM `{}.{dataset}.{table}`", self.project);
        let rows = self.query(&sql, &[]).await.with_context(|| format!("count the rows of {dataset}.{table}"))?;
        let count = rows.first().and_then(|row| row.get("f")?.get(0)?.get("v")?.as_str()?.parse().ok());
        count.with_context(|| format!("count the rows of {dataset}.{table}: the answer is no number"))
    }

    /// Leaves the table without rows. Twice is as good as once.
    pub async fn truncate(&self, dataset: &str, table: &str) -> Result<u64> {
        // Terraform makes destination tables without columns: the first load brings them. There is nothing to count or
        // to empty in such a table, and BigQuery refuses to query it.
        if !self.has_columns(dataset, table).await? {
            return Ok(0);
        }
        if self.row_count(dataset, table).await? > 0 {
            let sql = format!("TRUNCATE TABLE `{}.{dataset}.{table}`", self.project);
            self.query(&sql, &[]).await.with_context(|| format!("empty {dataset}.{table}"))?;
        }
        self.row_count(dataset, table).await
    }

    async fn has_columns(&self, dataset: &str, table: &str) -> Result<bool> {
        let request = self.tables.get_table();
        let request = request.set_project_id(self.project.to_string()).set_dataset_id(dataset).set_table_id(table);
        match request.send().await {
            Ok(table) => Ok(table.schema.is_some_and(|schema| !schema.fields.is_empty())),
            Err(error) if ::bigquery::is_not_found(&error) => {
                bail!("table {dataset}.{table} does not exist: run terraform apply")
            }
            Err(error) => Err(error).with_context(|| format!("look at table {dataset}.{table}")),
        }
    }

    /// Runs a statement that may safely run twice, and gives its rows.
    pub async fn query(&self, sql: &str, parameters: &[(&str, String)]) -> Result<Vec<Struct>> {
        let _permit = self.in_flight.acquire().await?;
        let text = |(name, value): &(&str, String)| {
            QueryParameter::new()
                .set_name(*name)
                .set_parameter_type(QueryParameterType::new().set_type("STRING"))
                .set_parameter_value(QueryParameterValue::new().set_value(value.clone()))
        };
        let mut request = QueryRequest::new()
            .set_query(sql)
            .set_use_legacy_sql(false)
            .set_use_query_cache(false)
            .set_location(&self.location)
            .set_timeout_ms(QUERY_WAIT_MILLIS);
        if !parameters.is_empty() {
            request = request.set_parameter_mode("NAMED").set_query_parameters(parameters.iter().map(text));
        }
        let call = self.jobs.query().set_project_id(self.project.to_string()).set_query_request(request);
        let answer = call.with_idempotency(true).send().await?;
        if answer.job_complete == Some(true) {
            return Ok(answer.rows);
        }
        let job = answer.job_reference.context("the query goes on, but the answer names no job")?;
        self.rows_of(&job.job_id).await
    }

    async fn rows_of(&self, job: &str) -> Result<Vec<Struct>> {
        loop {
            let request = self.jobs.get_query_results().set_project_id(self.project.to_string()).set_job_id(job);
            let answer = request.set_location(&self.location).set_timeout_ms(QUERY_WAIT_MILLIS).send().await?;
            if answer.job_complete == Some(true) {
                return Ok(answer.rows);
            }
        }
    }
}
