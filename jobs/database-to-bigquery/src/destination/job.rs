//! Jobs of BigQuery under ids of our own: whoever makes one a second time finds the first.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bigquery::DatasetId;
use chrono::{DateTime, Utc};
use google_cloud_bigquery_v2::model::{
    ErrorProto, Job, JobConfiguration, JobConfigurationQuery, JobReference, QueryParameter, QueryParameterType,
    QueryParameterValue,
};
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_wkt::Struct;
use serde_json::{Value, json};
use tokio::time::sleep;
use tracing::{info, warn};

use super::fence::is_fence;
use super::{BigQuery, Existing, schema};
use crate::columns::Column;
use crate::sheet::ParquetFile;

/// A job that failed by BigQuery's own fault is made again under another id, this often.
pub const TRIES: u32 = 3;
const LONGEST_POLL: Duration = Duration::from_secs(3);

/// The steps that change the rows of a table. A late `columns` or `watermark` does no harm: columns are added once, and an
/// older snapshot's watermark is not the newest.
pub const CHANGING: [&str; 3] = ["load", "merge", "delete"];

/// What a job is for: a table, and one execution that loads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobId(String);

impl JobId {
    /// Another one each time.
    pub fn new(dataset: &DatasetId, table: &str, begun: DateTime<Utc>) -> Self {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        Self(format!("isthmus-{dataset}-{table}-{}-{}", begun.format("%Y%m%dT%H%M%S"), &unique[..12]))
    }

    /// As somebody wrote it down.
    pub fn known(id: &str) -> Self {
        Self(id.to_owned())
    }

    /// For a question that may be asked again.
    pub fn unique(what: &str) -> Self {
        Self(format!("isthmus-{what}-{}", uuid::Uuid::new_v4().simple()))
    }

    /// One of the jobs that a table takes.
    pub fn step(&self, step: &str) -> Self {
        Self(format!("{}-{step}", self.0))
    }

    pub fn attempt(&self, n: u32) -> String {
        format!("{}-{n}", self.0)
    }

    /// A scratch table of the same execution.
    pub fn scratch_table(&self, what: &str) -> String {
        format!("{}__{what}", self.0.replace('-', "_"))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file into a table, which it replaces.
pub struct Load<'a> {
    pub dataset: &'a DatasetId,
    pub table: &'a str,
    pub columns: &'a [Column],
    pub existing: Option<&'a Existing>,
    pub file: &'a ParquetFile,
}

impl BigQuery {
    /// Uploads the file into one load job and waits for its end. Returns the job's id and the rows it wrote.
    pub async fn load(&self, id: &JobId, load: &Load<'_>) -> Result<(String, u64)> {
        let target = format!("{}.{}", load.dataset, load.table);
        for n in 1..=TRIES {
            let id = id.attempt(n);
            let made = self.uploads.load(&self.load_job(&id, load), load.file).await;
            // A job of that id stands already: the answer to an earlier upload was lost.
            let job = if let Some(job) = made.with_context(|| format!("upload the rows of {target}"))? {
                job
            } else {
                info!(job = %id, "attached to job {id}");
                serde_json::to_value(self.look_at_job(&id).await?)?
            };
            match outcome(&self.end_of(&id, &job).await?) {
                Outcome::Done(rows) => return Ok((id, rows)),
                Outcome::TryAgain(why) if n < TRIES => {
                    warn!(job = %id, "job {id} failed by no fault of its own, making it again: {why}");
                }
                Outcome::TryAgain(why) | Outcome::Failed(why) => bail!("load {target}, job {id}: {why}"),
            }
        }
        bail!("the load of {target} failed {TRIES} times")
    }

    fn load_job(&self, id: &str, load: &Load<'_>) -> Value {
        let mut config = load.existing.map(schema::layout).unwrap_or_default();
        let table = self.reference(load.dataset, load.table);
        config.insert("destinationTable".into(), table);
        config.insert("sourceFormat".into(), "PARQUET".into());
        config.insert("schema".into(), schema::fields(load.columns, load.existing));
        // One step that replaces every row, or none.
        config.insert("writeDisposition".into(), "WRITE_TRUNCATE".into());
        config.insert("createDisposition".into(), "CREATE_IF_NEEDED".into());
        let reference = json!({"projectId": self.project.to_string(), "jobId": id, "location": self.location});
        let labels = json!({"app": "isthmus", "program": "database-to-bigquery"});
        json!({"jobReference": reference, "configuration": {"labels": labels, "load": config}})
    }

    pub async fn end_of(&self, id: &str, job: &Value) -> Result<Value> {
        let (mut job, mut pause) = (job.clone(), Duration::from_millis(50));
        while job["status"]["state"] != "DONE" {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_POLL);
            job = serde_json::to_value(self.look_at_job(id).await?)?;
        }
        Ok(job)
    }

    /// Runs a statement once, however often it is asked for under this id, and gives its rows.
    pub async fn run(&self, id: &JobId, sql: &str) -> Result<Vec<Struct>> {
        self.run_with(id, sql, &[]).await
    }

    pub async fn run_with(&self, id: &JobId, sql: &str, parameters: &[(&str, String)]) -> Result<Vec<Struct>> {
        for n in 1..=TRIES {
            let id = id.attempt(n);
            let job = self.start(&id, configuration(sql, parameters)).await?;
            let job = self.end_of(&id, &serde_json::to_value(job)?).await?;
            match outcome(&job) {
                Outcome::Done(_) if !has_rows(&job) => return Ok(Vec::new()),
                Outcome::Done(_) => return self.rows_of(&id).await,
                Outcome::TryAgain(why) if n < TRIES => {
                    warn!(job = %id, "job {id} failed by no fault of its own, making it again: {why}");
                }
                Outcome::TryAgain(why) | Outcome::Failed(why) => bail!("job {id}: {why}"),
            }
        }
        bail!("job {id} failed {TRIES} times")
    }

    pub async fn start(&self, id: &str, configuration: JobConfiguration) -> Result<Job> {
        let reference =
            JobReference::new().set_project_id(self.project.to_string()).set_job_id(id).set_location(&self.location);
        let job = Job::new().set_job_reference(reference).set_configuration(configuration);
        // The id makes it idempotent: a second insert is refused.
        let call = self.jobs.insert_job().set_project_id(self.project.to_string()).set_job(job).with_idempotency(true);
        match call.send().await {
            Ok(job) => Ok(job),
            // 409 says that it is there; other answers may hide that it was carried out.
            Err(error) => {
                let job = self.look_at_job(id).await.map_err(|_| error).with_context(|| format!("start job {id}"))?;
                info!(job = %id, "attached to job {id}");
                Ok(job)
            }
        }
    }

    async fn look_at_job(&self, id: &str) -> Result<Job> {
        let call = self.jobs.get_job().set_project_id(self.project.to_string()).set_job_id(id);
        call.set_location(&self.location).send().await.with_context(|| format!("look at job {id}"))
    }

    async fn rows_of(&self, id: &str) -> Result<Vec<Struct>> {
        let call = self.jobs.get_query_results().set_project_id(self.project.to_string()).set_job_id(id);
        let page =
            call.set_location(&self.location).send().await.with_context(|| format!("read the result of job {id}"))?;
        ensure!(page.job_complete == Some(true), "job {id} is done, but its result is not");
        Ok(page.rows)
    }
}

/// A statement that changes something answers without rows.
fn has_rows(job: &Value) -> bool {
    job["statistics"]["query"]["statementType"].as_str().is_none_or(|statement| statement == "SELECT")
}

pub fn configuration(sql: &str, parameters: &[(&str, String)]) -> JobConfiguration {
    let text = |(name, value): &(&str, String)| {
        QueryParameter::new()
            .set_name(*name)
            .set_parameter_type(QueryParameterType::new().set_type("STRING"))
            .set_parameter_value(QueryParameterValue::new().set_value(value.clone()))
    };
    let mut query = JobConfigurationQuery::new().set_query(sql).set_use_legacy_sql(false);
    if !parameters.is_empty() {
        query = query.set_parameter_mode("NAMED").set_query_parameters(parameters.iter().map(text));
    }
    JobConfiguration::new().set_query(query).set_labels([("app", "isthmus"), ("program", "database-to-bigquery")])
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The rows that a load wrote.
    Done(u64),
    TryAgain(String),
    Failed(String),
}

/// Of a job that is done.
fn outcome(job: &Value) -> Outcome {
    let error: Option<ErrorProto> = serde_json::from_value(job["status"]["errorResult"].clone()).unwrap_or_default();
    match error {
        Some(error) if is_google_s_fault(&error) => Outcome::TryAgain(error.message),
        Some(error) => Outcome::Failed(error.message),
        None if is_fence(job) => Outcome::Failed("another execution has taken the table over".to_owned()),
        None => {
            let rows = &job["statistics"]["load"]["outputRows"];
            Outcome::Done(rows.as_str().and_then(|rows| rows.parse().ok()).or(rows.as_u64()).unwrap_or_default())
        }
    }
}

/// Whether it failed by no fault of its own.
pub fn is_worth_another(job: &Value) -> bool {
    matches!(outcome(job), Outcome::TryAgain(_))
}

/// Source: "BigQuery error messages": these are worth another try. Two statements that write one table at once are told
/// `Could not serialize access`.
fn is_google_s_fault(error: &ErrorProto) -> bool {
    let crossed = error.message.contains("Could not serialize access");
    crossed
        || matches!(
            error.reason.as_str(),
            "backendError"
                | "internalError"
                | "jobBackendError"
                | "jobInternalError"
                | "jobRateLimitExceeded"
                | "rateLimitExceeded"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_failed_by_no_fault_of_its_own_is_worth_another() {
        let failed =
            |reason: &str| json!({"status": {"state": "DONE", "errorResult": {"reason": reason, "message": "m"}}});
        assert_eq!(outcome(&failed("backendError")), Outcome::TryAgain("m".into()));
        assert_eq!(outcome(&failed("invalid")), Outcome::Failed("m".into()));
        let crossed = "Could not serialize access to table t due to concurrent update";
        let crossing =
            json!({"status": {"state": "DONE", "errorResult": {"reason": "invalidQuery", "message": crossed}}});
        assert_eq!(outcome(&crossing), Outcome::TryAgain(crossed.into()));
        let done = json!({"status": {"state": "DONE"}, "statistics": {"load": {"outputRows": "12"}}});
        assert_eq!(outcome(&done), Outcome::Done(12));
    }

    #[test]
    fn a_job_whose_id_was_taken_away_is_no_success() {
        let fence = json!({"status": {"state": "DONE"}, "configuration": {"labels": {"purpose": "fence"}}});
        assert_eq!(outcome(&fence), Outcome::Failed("another execution has taken the table over".into()));
    }

    #[test]
    fn ids_are_those_of_one_execution() {
        let (dataset, begun) = ("raw_shop".parse().unwrap(), "2026-11-22T04:00:00Z".parse().unwrap());
        let id = JobId::new(&dataset, "orders", begun);
        assert!(id.to_string().starts_with("isthmus-raw_shop-orders-20261122T040000-"), "{id}");
        assert_ne!(id, JobId::new(&dataset, "orders", begun), "also at the same moment");
        let id = JobId::known("isthmus-raw_shop-orders-x");
        assert_eq!(id.step("merge").attempt(2), "isthmus-raw_shop-orders-x-merge-2");
        assert_eq!(id.scratch_table("rows"), "isthmus_raw_shop_orders_x__rows");
    }
}
