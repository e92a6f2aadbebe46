//! BigQuery: local-bigquery, an emulator on `DuckDB`. <https://pypi.org/project/local-bigquery/>

mod nosync;
mod rows;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::process::{Process, free_port};
use crate::tools::{emulator, keep_compiled};
use crate::transfer::LOCATION;

/// The project that everything local is in.
pub const PROJECT: &str = "isthmus-local";
/// What is changed comes before what starts it.
const LAUNCH: &str = concat!(
    include_str!("bigquery/launch.py"),
    include_str!("bigquery/catalog.py"),
    include_str!("bigquery/conditions.py"),
    include_str!("bigquery/created_tables.py"),
    include_str!("bigquery/external_query.py"),
    include_str!("bigquery/loads.py"),
    include_str!("bigquery/statements.py"),
    "\nmain(sys.argv[1:])\n"
);
/// It needs 4 s alone; a busy laptop takes longer.
const READY_WITHIN: Duration = Duration::from_mins(2);
const JOB_POLL: Duration = Duration::from_millis(20);

/// Clones share the emulator; it ends with the last of them.
#[derive(Clone)]
pub struct BigQuery {
    endpoint: String,
    grpc_endpoint: String,
    data: PathBuf,
    client: reqwest::Client,
    /// Held for its end.
    #[allow(dead_code)]
    process: Option<Arc<Process>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteDisposition {
    Truncate,
    Append,
}

/// What BigQuery refused, in its own words.
#[derive(Debug, thiserror::Error)]
#[error("bigquery {attempted}: {message}")]
pub struct Refused {
    attempted: String,
    message: String,
}

/// A load job: one step that loads all of its files or none.
pub(crate) struct Load<'a> {
    pub(crate) dataset: &'a str,
    pub(crate) table: &'a str,
    pub(crate) uris: &'a [String],
    pub(crate) source_format: &'a str,
    pub(crate) write: WriteDisposition,
}

impl Refused {
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl BigQuery {
    /// `dir` is a folder for its data and its log.
    pub async fn start(dir: &Path) -> Result<Self> {
        let (port, grpc_port) = (free_port()?, free_port()?);
        let data = dir.join("bigquery");
        let mut command = Command::new(emulator("python")?);
        command.envs(keep_compiled()?);
        command.args(["-c", LAUNCH, "serve", "--host", "127.0.0.1", "--project", PROJECT]);
        command.args(["--port", &port.to_string(), "--grpc-port", &grpc_port.to_string(), "--data-dir"]).arg(&data);
        if let Some(library) = nosync::library(dir) {
            command.env("LD_PRELOAD", library);
        }
        let mut process = Process::spawn("bigquery", command, &dir.join("bigquery.log"))?;
        let mut bigquery =
            Self::at(&format!("http://127.0.0.1:{port}"), &format!("http://127.0.0.1:{grpc_port}"), &data);
        // The first request opens the database.
        let ready = process.ready(READY_WITHIN, async || bigquery.get("datasets").await.is_ok());
        ready.await?;
        bigquery.process = Some(Arc::new(process));
        Ok(bigquery)
    }

    /// An emulator that someone else started with this data folder.
    pub fn at(endpoint: &str, grpc_endpoint: &str, data: &Path) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            grpc_endpoint: grpc_endpoint.to_owned(),
            data: data.to_owned(),
            client: reqwest::Client::new(),
            process: None,
        }
    }

    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    pub fn grpc_endpoint(&self) -> String {
        self.grpc_endpoint.clone()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// How much of a processor it has used so far.
    pub fn processor_time(&self) -> Option<Duration> {
        self.process.as_ref()?.processor_time()
    }

    /// Without any dataset, once nothing runs any more.
    pub(crate) async fn empty(&self) -> Result<()> {
        while self.get("jobs?stateFilter=running").await?["jobs"].as_array().is_some_and(|jobs| !jobs.is_empty()) {
            tokio::time::sleep(JOB_POLL).await;
        }
        for dataset in self.get("datasets").await?["datasets"].as_array().into_iter().flatten() {
            let id = dataset["datasetReference"]["datasetId"].as_str().context("a dataset without an id")?;
            let url = self.url(&format!("datasets/{id}?deleteContents=true"));
            let answer = self.client.delete(url).send().await.with_context(|| format!("bigquery DELETE {id}"))?;
            answer.error_for_status().with_context(|| format!("bigquery DELETE {id}"))?;
        }
        Ok(())
    }

    /// `gs://{bucket}/{key}` is read from this folder's `{bucket}/{key}`.
    pub fn gcs_dir(&self) -> PathBuf {
        self.data.join("gcs")
    }

    /// A connection by which `EXTERNAL_QUERY` reads a database: `postgresql://…` or `mysql://…`. An earlier one of the same
    /// id is replaced.
    pub fn connect(&self, id: &str, url: &str) -> Result<()> {
        let file = self.data.join("connections.json");
        let there = std::fs::read(&file).unwrap_or_else(|_| b"{}".to_vec());
        let mut connections: Value = serde_json::from_slice(&there).context("read connections.json")?;
        connections[format!("{PROJECT}.{LOCATION}.{id}")] = url.into();
        std::fs::write(&file, connections.to_string()).with_context(|| format!("write {}", file.display()))
    }

    /// Makes the dataset unless it is there.
    pub async fn create_dataset(&self, dataset: &str) -> Result<()> {
        if self.get(&format!("datasets/{dataset}")).await.is_ok() {
            return Ok(());
        }
        self.post("datasets", &json!({"datasetReference": {"projectId": PROJECT, "datasetId": dataset}})).await?;
        Ok(())
    }

    /// Makes the table, without a schema as Terraform does, unless it is there.
    pub async fn create_table(&self, dataset: &str, table: &str) -> Result<()> {
        if self.table_exists(dataset, table).await? {
            return Ok(());
        }
        let reference = json!({"projectId": PROJECT, "datasetId": dataset, "tableId": table});
        self.post(&format!("datasets/{dataset}/tables"), &json!({"tableReference": reference})).await?;
        Ok(())
    }

    pub async fn table_exists(&self, dataset: &str, table: &str) -> Result<bool> {
        let url = self.url(&format!("datasets/{dataset}/tables/{table}"));
        let answer = self.client.get(&url).send().await.with_context(|| format!("look for {dataset}.{table}"))?;
        Ok(answer.status().is_success())
    }

    /// The newest thousand jobs.
    pub async fn jobs(&self) -> Result<Vec<Value>> {
        let page = self.get("jobs?maxResults=1000&projection=full").await?;
        Ok(page["jobs"].as_array().cloned().unwrap_or_default())
    }

    /// The table as the API describes it.
    pub async fn table(&self, dataset: &str, table: &str) -> Result<Value> {
        self.get(&format!("datasets/{dataset}/tables/{table}")).await
    }

    /// The rows of a query's answer, each an object by column name.
    pub async fn query(&self, sql: &str) -> Result<Vec<Value>> {
        let request = json!({"query": sql, "useLegacySql": false, "timeoutMs": 600_000, "maxResults": 10_000});
        let mut page = self.post("queries", &request).await?;
        let fields = page["schema"]["fields"].clone();
        let mut found = rows::objects(&fields, &page["rows"]);
        while let Some(token) = page["pageToken"].as_str() {
            let job = page["jobReference"]["jobId"].as_str().unwrap_or_default();
            page = self.get(&format!("queries/{job}?maxResults=10000&pageToken={token}")).await?;
            found.extend(rows::objects(&fields, &page["rows"]));
        }
        Ok(found)
    }

    /// A table that was never loaded has no schema, and no rows.
    pub async fn row_count(&self, dataset: &str, table: &str) -> Result<u64> {
        if !self.has_schema(dataset, table).await? {
            return Ok(0);
        }
        let rows = self.query(&format!("SELECT COUNT(*) AS n FROM `{PROJECT}.{dataset}.{table}`")).await?;
        rows.first().and_then(|row| row["n"].as_u64()).with_context(|| format!("count the rows of {dataset}.{table}"))
    }

    /// Parquet files, all of `uris` or nothing.
    pub async fn load(&self, dataset: &str, table: &str, uris: &[String], write: WriteDisposition) -> Result<()> {
        self.load_job(&Load { dataset, table, uris, source_format: "PARQUET", write }).await
    }

    pub(crate) async fn load_job(&self, load: &Load<'_>) -> Result<()> {
        let Load { dataset, table, .. } = load;
        // The emulator cannot append to a table that has no schema yet; there is nothing in it to keep.
        let truncate = load.write == WriteDisposition::Truncate || !self.has_schema(dataset, table).await?;
        let load = json!({
            "destinationTable": {"projectId": PROJECT, "datasetId": dataset, "tableId": table},
            "sourceUris": load.uris,
            "sourceFormat": load.source_format,
            "decimalTargetTypes": ["NUMERIC", "BIGNUMERIC", "STRING"],
            "createDisposition": "CREATE_NEVER",
            "writeDisposition": if truncate { "WRITE_TRUNCATE" } else { "WRITE_APPEND" },
        });
        let mut job = self.post("jobs", &json!({"configuration": {"load": load}})).await?;
        let id = job["jobReference"]["jobId"].as_str().unwrap_or_default().to_owned();
        while job["status"]["state"] != "DONE" {
            tokio::time::sleep(JOB_POLL).await;
            job = self.get(&format!("jobs/{id}")).await?;
        }
        match job["status"]["errorResult"]["message"].as_str() {
            None => Ok(()),
            Some(message) => {
                bail!(Refused { attempted: format!("load into {dataset}.{table}"), message: message.to_owned() })
            }
        }
    }

    async fn has_schema(&self, dataset: &str, table: &str) -> Result<bool> {
        let resource = self.get(&format!("datasets/{dataset}/tables/{table}")).await?;
        Ok(resource["schema"]["fields"].as_array().is_some_and(|fields| !fields.is_empty()))
    }

    fn url(&self, path: &str) -> String {
        format!("{}/bigquery/v2/projects/{PROJECT}/{path}", self.endpoint)
    }

    async fn get(&self, path: &str) -> Result<Value> {
        Self::answer(format!("GET {path}"), self.client.get(self.url(path))).await
    }

    /// The dataset's whole access, as one block of it says: nobody else has any.
    pub async fn grant(&self, dataset: &str, account: &str, role: &str) -> Result<()> {
        let access = json!({"access": [{"role": role, "userByEmail": account}]});
        let path = format!("datasets/{dataset}");
        Self::answer(format!("PATCH {path}"), self.client.patch(self.url(&path)).json(&access)).await.map(|_| ())
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        Self::answer(format!("POST {path}"), self.client.post(self.url(path)).json(body)).await
    }

    async fn answer(attempted: String, request: reqwest::RequestBuilder) -> Result<Value> {
        let answer = request.send().await.with_context(|| format!("bigquery {attempted}"))?;
        let refused = !answer.status().is_success();
        let body: Value = answer.json().await.with_context(|| format!("read bigquery's answer to {attempted}"))?;
        if refused {
            let message = body["error"]["message"].as_str().unwrap_or("no message").to_owned();
            bail!(Refused { attempted, message });
        }
        Ok(body)
    }
}
