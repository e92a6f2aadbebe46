//! As much of BigQuery's REST API as a job calls that makes its scratch table and counts the rows of its shards.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::answer::{self, Rows};
use super::table::{Table, lock};

pub(super) struct Rest {
    table: Arc<Table>,
    /// The query of each job.
    jobs: Mutex<BTreeMap<String, String>>,
}

type Shared = State<Arc<Rest>>;
type Parameters = Query<HashMap<String, String>>;

pub(super) fn router(table: Arc<Table>) -> Router {
    Router::new()
        .route("/bigquery/v2/projects/{project}/jobs", post(insert_job))
        .route("/bigquery/v2/projects/{project}/jobs/{job}", get(get_job))
        .route("/bigquery/v2/projects/{project}/queries", post(query))
        .route("/bigquery/v2/projects/{project}/queries/{job}", get(query_results))
        .route("/bigquery/v2/projects/{project}/datasets/{dataset}/tables/{table}", get(get_table))
        .with_state(Arc::new(Rest { table, jobs: Mutex::default() }))
}

async fn insert_job(State(rest): Shared, Path(project): Path<String>, Json(job): Json<Value>) -> Response {
    let sql = job["configuration"]["query"]["query"].as_str().unwrap_or_default();
    if job["configuration"]["dryRun"] == true {
        return Json(rest.job(&project, None, sql)).into_response();
    }
    let id = job["jobReference"]["jobId"].as_str().map_or_else(new_id, ToOwned::to_owned);
    rest.run(&id, sql).unwrap_or_else(|| Json(rest.job(&project, Some(&id), sql)).into_response())
}

async fn get_job(State(rest): Shared, Path((project, id)): Path<(String, String)>) -> Response {
    match rest.query_of(&id) {
        Some(sql) => Json(rest.job(&project, Some(&id), &sql)).into_response(),
        None => not_found(&format!("Job {project}:{id}")),
    }
}

async fn query(State(rest): Shared, Path(project): Path<String>, Json(request): Json<Value>) -> Response {
    let sql = request["query"].as_str().unwrap_or_default();
    let id = new_id();
    if let Some(refusal) = rest.run(&id, sql) {
        return refusal;
    }
    let limit = request["maxResults"].as_u64().and_then(|rows| usize::try_from(rows).ok());
    Json(rest.page(&project, &id, sql, 0, limit)).into_response()
}

async fn query_results(
    State(rest): Shared,
    Path((project, id)): Path<(String, String)>,
    Query(parameters): Parameters,
) -> Response {
    let Some(sql) = rest.query_of(&id) else { return not_found(&format!("Job {project}:{id}")) };
    let number = |name: &str| parameters.get(name).and_then(|text| text.parse::<usize>().ok());
    let from = number("pageToken").or_else(|| number("startIndex")).unwrap_or(0);
    Json(rest.page(&project, &id, &sql, from, number("maxResults"))).into_response()
}

async fn get_table(State(rest): Shared, Path((project, dataset, table)): Path<(String, String, String)>) -> Response {
    if !rest.table.is_made(&dataset, &table) {
        return not_found(&format!("Table {project}:{dataset}.{table}"));
    }
    let fields: Vec<Value> = rest.table.schema.fields().iter().map(|field| answer::field(field)).collect();
    Json(json!({
        "kind": "bigquery#table",
        "id": format!("{project}:{dataset}.{table}"),
        "tableReference": {"projectId": project, "datasetId": dataset, "tableId": table},
        "type": "TABLE",
        "numRows": rest.table.rows().to_string(),
        "numBytes": rest.table.bytes.to_string(),
        "clustering": {"fields": ["isthmus_shard"]},
        "schema": {"fields": fields},
    }))
    .into_response()
}

impl Rest {
    /// Every query is done as soon as it is asked for. The refusal, where there is one.
    fn run(&self, id: &str, sql: &str) -> Option<Response> {
        if lock(&self.jobs).contains_key(id) {
            return Some(refused(StatusCode::CONFLICT, "duplicate", &format!("Already Exists: Job {id}")));
        }
        if let Some((dataset, table)) = answer::created(sql) {
            self.table.make(dataset, table);
        } else if answer::rows(sql, &self.table).is_none() {
            let message = format!("the generated table can only be created and counted, not: {sql}");
            return Some(refused(StatusCode::BAD_REQUEST, "invalidQuery", &message));
        }
        lock(&self.jobs).insert(id.to_owned(), sql.to_owned());
        None
    }

    fn query_of(&self, id: &str) -> Option<String> {
        lock(&self.jobs).get(id).cloned()
    }

    fn job(&self, project: &str, id: Option<&str>, sql: &str) -> Value {
        json!({
            "kind": "bigquery#job",
            "id": format!("{project}:US.{}", id.unwrap_or_default()),
            "jobReference": {"projectId": project, "jobId": id, "location": "US"},
            "configuration": {"jobType": "QUERY", "dryRun": id.is_none(), "query": {"query": sql}},
            "status": {"state": "DONE"},
            "statistics": {"totalBytesProcessed": self.table.bytes.to_string()},
        })
    }

    fn page(&self, project: &str, id: &str, sql: &str, from: usize, limit: Option<usize>) -> Value {
        let Rows { fields, rows } = answer::rows(sql, &self.table).unwrap_or_default();
        let end = rows.len().min(from + limit.unwrap_or(rows.len()));
        let mut page = json!({
            "kind": "bigquery#getQueryResultsResponse",
            "jobReference": {"projectId": project, "jobId": id, "location": "US"},
            "jobComplete": true,
            "totalRows": rows.len().to_string(),
            "schema": {"fields": fields},
            "rows": &rows[from.min(end)..end],
        });
        if end < rows.len() {
            page["pageToken"] = json!(end.to_string());
        }
        page
    }
}

fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn not_found(what: &str) -> Response {
    refused(StatusCode::NOT_FOUND, "notFound", &format!("Not found: {what}"))
}

fn refused(status: StatusCode, reason: &str, message: &str) -> Response {
    let errors = json!([{"message": message, "domain": "global", "reason": reason}]);
    (status, Json(json!({"error": {"code": status.as_u16(), "message": message, "errors": errors}}))).into_response()
}
