//! What RDS and SNS say, over the wire: export tasks in two pages, so that whoever reads one only is found out, and a
//! topic that keeps its messages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_sdk_rds::primitives::{DateTime, DateTimeFormat};
use aws_sdk_rds::types::ExportTask;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Form, Router};

/// Subject and text of each message.
pub type Messages = Arc<Mutex<Vec<(String, String)>>>;

#[derive(Clone)]
struct Told {
    tasks: Vec<ExportTask>,
    messages: Messages,
}

/// The endpoint of both services.
pub async fn start(tasks: Vec<ExportTask>, messages: Messages) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(answer)).with_state(Told { tasks, messages });
    tokio::spawn(async move { axum::serve(listener, router).await });
    endpoint
}

async fn answer(State(told): State<Told>, Form(form): Form<HashMap<String, String>>) -> (StatusCode, String) {
    match form["Action"].as_str() {
        "DescribeExportTasks" => (StatusCode::OK, told.page(form.contains_key("Marker"))),
        "Publish" => {
            assert_eq!(form["TopicArn"], super::TOPIC);
            told.messages.lock().unwrap().push((form["Subject"].clone(), form["Message"].clone()));
            (StatusCode::OK, answered("Publish", "<MessageId>1</MessageId>"))
        }
        other => (StatusCode::BAD_REQUEST, format!("{other} is not told here")),
    }
}

fn answered(action: &str, result: &str) -> String {
    format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>")
}

impl Told {
    fn page(&self, second: bool) -> String {
        let (first_half, second_half) = self.tasks.split_at(self.tasks.len() / 2);
        let (tasks, marker) = if second { (second_half, "") } else { (first_half, "<Marker>next</Marker>") };
        let tasks: String = tasks.iter().map(task).collect();
        answered("DescribeExportTasks", &format!("{marker}<ExportTasks>{tasks}</ExportTasks>"))
    }
}

fn task(task: &ExportTask) -> String {
    let time = |time: Option<&DateTime>| time.map(|time| time.fmt(DateTimeFormat::DateTime).unwrap());
    let fields = [
        ("ExportTaskIdentifier", task.export_task_identifier().map(str::to_owned)),
        ("SourceArn", task.source_arn().map(str::to_owned)),
        ("S3Bucket", task.s3_bucket().map(str::to_owned)),
        ("S3Prefix", task.s3_prefix().map(str::to_owned)),
        ("KmsKeyId", task.kms_key_id().map(str::to_owned)),
        ("Status", task.status().map(str::to_owned)),
        ("SnapshotTime", time(task.snapshot_time())),
        ("TaskStartTime", time(task.task_start_time())),
    ];
    let fields: String =
        fields.into_iter().filter_map(|(name, text)| Some(format!("<{name}>{}</{name}>", text?))).collect();
    let only: String = task.export_only().iter().map(|name| format!("<member>{name}</member>")).collect();
    format!("<ExportTask>{fields}<ExportOnly>{only}</ExportOnly></ExportTask>")
}
