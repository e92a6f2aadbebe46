//! The built function under a Lambda runtime endpoint, with a faulty wire between it and RDS.

use crate::laptop;

use std::path::Path;

use laptop::{MotoRds, variables};
use local::lambda::{FunctionError, Invocation, Lambda};
use local::wire::{Effect, Recorded, Wire};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Function {
    lambda: Lambda,
    wire: Wire,
    rds: MotoRds,
    _dir: TempDir,
}

fn function(dir: &Path, variables: impl IntoIterator<Item = (String, String)>) -> Lambda {
    Lambda::new(Path::new(env!("CARGO_BIN_EXE_start-export")), dir, variables)
}

impl Function {
    async fn deployed() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let rds = MotoRds::start(dir.path()).await;
        let wire = Wire::start(&rds.moto.endpoint()).await.unwrap();
        let endpoint = ("AWS_ENDPOINT_URL_RDS".to_owned(), wire.endpoint());
        let lambda = function(dir.path(), variables().into_iter().chain([endpoint]));
        Self { lambda, wire, rds, _dir: dir }
    }

    async fn answer(&self, event: &Value) -> Result<Value, FunctionError> {
        self.lambda.invoke(event).await.unwrap().answer
    }

    async fn tasks(&self) -> Vec<String> {
        let tasks = self.rds.rds.describe_export_tasks().send().await.unwrap();
        tasks.export_tasks().iter().map(|task| task.export_task_identifier().unwrap().to_owned()).collect()
    }
}

/// The event of one day of November: moto never forgets an id, so each fault gets a day of its own.
fn day(day: u8) -> Value {
    json!({"kind": "scheduled", "scheduled_time": format!("2026-11-{day:02}T00:00:00Z")})
}

fn start(request: &Recorded) -> bool {
    request.body_text().contains("Action=StartExportTask&")
}

#[tokio::test]
async fn the_same_event_twice_and_at_once_starts_one_task() {
    let function = Function::deployed().await;
    let Invocation { answer, log, .. } = function.lambda.invoke(&day(1)).await.unwrap();
    let answer = answer.unwrap();
    assert_eq!((&answer["task_id"], &answer["started"]), (&json!("prod-20261101"), &json!(true)));
    assert_eq!(answer["snapshot_arn"], json!(function.rds.automated));
    assert_eq!(answer["export_date"], json!("2026-11-01"));
    assert!(answer["snapshot_time"].is_string());
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert_eq!(lines[0]["version"], json!(env!("CARGO_PKG_VERSION")));
    assert_eq!(lines[1]["task_id"], json!("prod-20261101"));
    assert_eq!(lines[1]["snapshot"], json!(function.rds.automated));
    assert_eq!((&lines[1]["export_date"], &lines[1]["started"]), (&json!("2026-11-01"), &json!(true)));
    assert_eq!((&lines[1]["event"], &lines[1]["today"]), (&json!("export_started"), &json!(false)));

    let again = function.answer(&day(1)).await.unwrap();
    assert_eq!((&again["task_id"], &again["started"]), (&json!("prod-20261101"), &json!(false)));

    let event = day(2);
    let (one, other) = tokio::join!(function.answer(&event), function.answer(&event));
    let started = [one, other].map(|answer| answer.unwrap()["started"].clone());
    assert!(started == [json!(true), json!(false)] || started == [json!(false), json!(true)], "{started:?}");
    assert_eq!(function.tasks().await, ["prod-20261101", "prod-20261102"]);
}

#[tokio::test]
async fn whatever_the_wire_does_one_task_is_started_or_the_error_says_what_to_do() {
    let function = Function::deployed().await;
    function.wire.fault(2, Effect::Reset, start);
    assert_eq!(function.answer(&day(1)).await.unwrap()["started"], json!(true));

    function.wire.fault(1, Effect::LoseAnswer, start);
    let found = function.answer(&day(2)).await.unwrap();
    assert_eq!((&found["task_id"], &found["started"]), (&json!("prod-20261102"), &json!(false)));

    function.wire.fault(2, Effect::Refuse(503, String::new()), |_| true);
    assert_eq!(function.answer(&day(3)).await.unwrap()["started"], json!(true));

    let throttled =
        "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>";
    function.wire.fault(5, Effect::Refuse(400, throttled.into()), start);
    let error = function.answer(&day(4)).await.unwrap_err();
    assert_eq!(error.error_type, "Throttled");
    assert!(error.message.ends_with("RDS answered 400 Throttling, Rate exceeded"), "{error}");

    // Every answer of the first try is lost; Lambda's second try finds the task that it had started.
    function.wire.fault(5, Effect::LoseAnswer, start);
    assert_eq!(function.answer(&day(5)).await.unwrap_err().error_type, "Unreachable");
    assert_eq!(function.answer(&day(5)).await.unwrap()["started"], json!(false));

    assert_eq!(function.tasks().await, ["prod-20261101", "prod-20261102", "prod-20261103", "prod-20261105"]);
}

#[tokio::test]
async fn killed_while_rds_answers_the_next_try_finds_the_task() {
    let function = Function::deployed().await;
    function.wire.fault(1, Effect::HoldAnswer, start);
    let running = function.lambda.start(&day(1)).await.unwrap();
    function.wire.held().await;
    drop(running);
    assert_eq!(function.answer(&day(1)).await.unwrap()["started"], json!(false));
    assert_eq!(function.tasks().await, ["prod-20261101"]);
}

#[tokio::test]
async fn an_environment_that_is_wrong_is_the_answer_to_every_event() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = [("ENV", "Prod"), ("S3_BUCKET_NAME", "acme-export"), ("KMS_KEY_ID", "alias/export")];
    let function = function(dir.path(), wrong.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let Invocation { answer, log, .. } = function.invoke(&day(1)).await.unwrap();
    let error = answer.unwrap_err();
    assert_eq!(error.error_type, "InvalidEnvironment");
    let told = "DB_CLUSTER_IDENTIFIER is not set; EXPORT_ROLE_ARN is not set";
    assert!(error.message.starts_with("environment: ENV: environment \"Prod\" must be "), "{error}");
    assert!(error.message.ends_with(told), "{error}");
    assert!(log.contains(told), "{log}");
}

#[tokio::test]
async fn an_event_that_is_wrong_reaches_no_endpoint() {
    let dir = tempfile::tempdir().unwrap();
    let function = function(dir.path(), variables());
    let Invocation { answer, log, .. } = function.invoke(&json!({"kind": "manual", "spots": true})).await.unwrap();
    let error = answer.unwrap_err();
    assert_eq!(error.error_type, "InvalidEvent");
    let told =
        "event: field `spots` is unknown, a manual event may have: export_date, snapshot_arn, source, tables, spot";
    assert_eq!(error.message, told);
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!((&last["level"], &last["message"]), (&json!("ERROR"), &json!(format!("InvalidEvent: {told}"))));
    assert_eq!(log.lines().count(), 2, "{log}");
}
