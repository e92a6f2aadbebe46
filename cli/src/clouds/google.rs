//! Google Cloud: authorized JSON calls. The endpoints are Google's, or private ones by the variables that the jobs have.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use google_cloud_auth::credentials::{Builder, CacheableResource, Credentials};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub struct Google {
    credentials: Credentials,
    http: reqwest::Client,
    bigquery: String,
    transfer: String,
    storage: String,
}

fn endpoint(variable: &str, default: &str) -> String {
    let set = std::env::var(variable).ok().filter(|set| !set.is_empty());
    set.as_deref().unwrap_or(default).trim_end_matches('/').to_owned()
}

impl Google {
    pub fn connect() -> Result<Self> {
        let credentials = Builder::default().build();
        Ok(Self {
            credentials: credentials.context("Google credentials: run `gcloud auth application-default login`")?,
            http: super::http()?,
            bigquery: endpoint("BIGQUERY_ENDPOINT", "https://bigquery.googleapis.com"),
            transfer: endpoint("BIGQUERY_DATA_TRANSFER_ENDPOINT", "https://bigquerydatatransfer.googleapis.com"),
            storage: endpoint("GOOGLE_STORAGE_ENDPOINT", "https://storage.googleapis.com"),
        })
    }

    /// The rows of a query that may run twice, each a list of texts; `None` is NULL.
    pub async fn query(&self, project: &str, location: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let url = format!("{}/bigquery/v2/projects/{project}/queries", self.bigquery);
        let request = json!({"query": sql, "useLegacySql": false, "location": location, "timeoutMs": 20_000});
        let mut answer =
            self.json(self.http.post(&url).json(&request)).await?.context("404: there is no such project")?;
        let mut rows = Vec::new();
        loop {
            let complete = answer["jobComplete"] == true;
            rows.extend(answer["rows"].as_array().into_iter().flatten().map(cells));
            let page = answer["pageToken"].as_str().unwrap_or_default();
            if complete && page.is_empty() {
                return Ok(rows);
            }
            let job =
                answer["jobReference"]["jobId"].as_str().context("the query goes on, but the answer names no job")?;
            let next = format!("{url}/{job}?location={location}&timeoutMs=20000&pageToken={page}");
            answer = self.json(self.http.get(next)).await?.context("the query's job is gone")?;
        }
    }

    /// The tables that a query would read, as `dataset.table`. Costs nothing.
    pub async fn referenced_tables(&self, project: &str, location: &str, sql: &str) -> Result<BTreeSet<String>> {
        let url = format!("{}/bigquery/v2/projects/{project}/jobs", self.bigquery);
        let request = json!({
            "jobReference": {"projectId": project, "location": location},
            "configuration": {"dryRun": true, "query": {"query": sql, "useLegacySql": false}},
        });
        let job = self.json(self.http.post(url).json(&request)).await?.context("404: there is no such project")?;
        let tables = job["statistics"]["query"]["referencedTables"].as_array().into_iter().flatten();
        let name = |table: &Value| Some(format!("{}.{}", table["datasetId"].as_str()?, table["tableId"].as_str()?));
        Ok(tables.filter_map(name).collect())
    }

    /// `path` begins behind the version: `projects/…/transferConfigs`. All pages of `items`, up to `limit`.
    pub async fn transfers(&self, path: &str, items: &str, limit: usize) -> Result<Vec<Value>> {
        let (mut all, mut page) = (Vec::new(), String::new());
        loop {
            let url = format!("{}/v1/{path}?pageSize={}&pageToken={page}", self.transfer, limit.min(1000));
            let mut answer = self.json(self.http.get(url)).await?.with_context(|| format!("404: no {path}"))?;
            if let Value::Array(found) = answer[items].take() {
                all.extend(found);
            }
            page = answer["nextPageToken"].as_str().unwrap_or_default().to_owned();
            if page.is_empty() || all.len() >= limit {
                return Ok(all);
            }
        }
    }

    /// Of BigQuery, for a look at its clock.
    pub fn endpoint(&self) -> &str {
        &self.bigquery
    }

    /// `path` begins behind the version: `projects/…/datasets/…`. `None` where there is no such thing.
    pub async fn bigquery(&self, path: &str) -> Result<Option<Value>> {
        self.json(self.http.get(format!("{}/bigquery/v2/{path}", self.bigquery))).await
    }

    /// The last line of a transfer run's log.
    pub async fn last_message(&self, run: &str) -> Result<Option<String>> {
        let messages = self.transfers(&format!("{run}/transferLogs"), "transferMessages", usize::MAX).await?;
        Ok(messages.last().and_then(|message| message["messageText"].as_str().map(str::to_owned)))
    }

    /// `None` where there is no such object.
    pub async fn object(&self, bucket: &str, name: &str) -> Result<Option<Vec<u8>>> {
        let name = name.replace('/', "%2F");
        let url = format!("{}/storage/v1/b/{bucket}/o/{name}?alt=media", self.storage);
        super::answered(self.http.get(url).headers(self.authorization().await?)).await
    }

    async fn json(&self, request: reqwest::RequestBuilder) -> Result<Option<Value>> {
        let answer = super::answered(request.headers(self.authorization().await?)).await?;
        answer.map(|answer| serde_json::from_slice(&answer).context("the answer is no JSON")).transpose()
    }

    async fn authorization(&self) -> Result<HeaderMap> {
        let headers = self.credentials.headers(http::Extensions::new()).await;
        match headers.context("Google credentials")? {
            CacheableResource::New { data, .. } => Ok(data),
            CacheableResource::NotModified => Ok(HeaderMap::new()),
        }
    }
}

/// `{"f": [{"v": "1"}, {"v": null}]}`
fn cells(row: &Value) -> Vec<Option<String>> {
    let cells = row["f"].as_array().into_iter().flatten();
    cells.map(|cell| cell["v"].as_str().map(str::to_owned)).collect()
}
