//! Lambda's runtime endpoint: runs a function's binary as Lambda does, a fresh process for each cold start.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::process::Process;

const TIMEOUT: Duration = Duration::from_mins(5);
/// As Lambda's own message has it; its "quotas" say 6 MB.
const MAX_ANSWER_BYTES: usize = 6_291_556;
const REQUEST_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

/// A function: its binary and the variables that its deployment gives it.
#[derive(Debug, Clone)]
pub struct Lambda {
    name: String,
    program: PathBuf,
    variables: BTreeMap<String, String>,
    logs: PathBuf,
}

/// What an invocation came to.
#[derive(Debug)]
pub struct Invocation {
    pub answer: Result<Value, FunctionError>,
    /// From the start of the process to its answer.
    pub elapsed: Duration,
    pub peak_memory_kib: Option<u64>,
    pub log: String,
}

/// What a function reports when it fails; alarms match the type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {message}")]
pub struct FunctionError {
    pub error_type: String,
    pub message: String,
}

/// An invocation under way. Dropping it kills the process as SIGKILL does.
pub struct Running {
    process: Process,
    server: JoinHandle<()>,
    answered: oneshot::Receiver<Result<Value, FunctionError>>,
    began: Instant,
}

impl Lambda {
    /// `logs` is a folder for the logs of the invocations.
    pub fn new(program: &Path, logs: &Path, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, program: program.into(), variables: variables.into_iter().collect(), logs: logs.into() }
    }

    /// The same function with one variable set otherwise.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same function without one variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub async fn invoke(&self, event: &Value) -> Result<Invocation> {
        self.start(event).await?.finish().await
    }

    /// Starts a fresh process and hands it `event`.
    pub async fn start(&self, event: &Value) -> Result<Running> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind a Lambda runtime endpoint")?;
        let endpoint = listener.local_addr()?;
        let (answer, answered) = oneshot::channel();
        let router = router(&self.name, event.clone(), answer);
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        let began = Instant::now();
        let mut command = Command::new(&self.program);
        command.env_clear().envs(self.reserved_variables()).envs(&self.variables);
        command.env("AWS_LAMBDA_RUNTIME_API", endpoint.to_string());
        let log = self.logs.join(format!("{}-{}.log", self.name, endpoint.port()));
        let process = Process::spawn(&self.name, command, &log)?;
        Ok(Running { process, server, answered, began })
    }

    /// What Lambda itself sets.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
    fn reserved_variables(&self) -> [(&'static str, String); 9] {
        [
            ("AWS_LAMBDA_FUNCTION_NAME", self.name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".into()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", self.name)),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "local".into()),
            ("AWS_REGION", "ap-northeast-1".into()),
            ("AWS_DEFAULT_REGION", "ap-northeast-1".into()),
            ("AWS_ACCESS_KEY_ID", "local".into()),
            ("AWS_SECRET_ACCESS_KEY", "secret".into()),
        ]
    }
}

impl Running {
    pub async fn finish(mut self) -> Result<Invocation> {
        let answer = tokio::select! {
            answer = &mut self.answered => answer.context("the runtime endpoint closed")?,
            status = self.process.wait() => {
                // The answer may have come just before the end.
                match self.answered.try_recv() {
                    Ok(answer) => answer,
                    Err(_) => bail!("the function ended with {:?} and no answer\n{}", status?, self.process.log()),
                }
            }
            () = tokio::time::sleep(TIMEOUT) => bail!("no answer within {TIMEOUT:?}\n{}", self.process.log()),
        };
        let (elapsed, peak_memory_kib) = (self.began.elapsed(), self.process.peak_memory_kib());
        Ok(Invocation { answer, elapsed, peak_memory_kib, log: self.process.log() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Runtime {
    name: String,
    event: Mutex<Option<Value>>,
    answer: Mutex<Option<oneshot::Sender<Result<Value, FunctionError>>>>,
}

impl Runtime {
    fn answer(&self, answer: Result<Value, FunctionError>) -> StatusCode {
        let sender = self.answer.lock().ok().and_then(|mut sender| sender.take());
        if let Some(sender) = sender {
            let _ = sender.send(answer);
        }
        StatusCode::ACCEPTED
    }
}

fn router(name: &str, event: Value, answer: oneshot::Sender<Result<Value, FunctionError>>) -> Router {
    let runtime = Runtime { name: name.to_owned(), event: Mutex::new(Some(event)), answer: Mutex::new(Some(answer)) };
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(error))
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::new(runtime))
}

/// The first call gets the event; later ones wait for the next event, which never comes.
async fn next(State(runtime): State<Arc<Runtime>>) -> impl IntoResponse {
    let event = runtime.event.lock().ok().and_then(|mut event| event.take());
    let Some(event) = event else { return std::future::pending().await };
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + TIMEOUT;
    let arn = format!("arn:aws:lambda:ap-northeast-1:123456789012:function:{}", runtime.name);
    let headers = [
        ("Lambda-Runtime-Aws-Request-Id", REQUEST_ID.to_owned()),
        ("Lambda-Runtime-Deadline-Ms", deadline.as_millis().to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", arn),
        ("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".to_owned()),
    ];
    (headers, Json(event))
}

/// Lambda takes a body whatever its content type says, and a runtime may leave the type out. One that is too large is an
/// error of the function.
async fn response(State(runtime): State<Arc<Runtime>>, body: Bytes) -> StatusCode {
    if body.len() <= MAX_ANSWER_BYTES {
        return runtime.answer(Ok(serde_json::from_slice(&body).unwrap_or_default()));
    }
    let error_type = "Function.ResponseSizeTooLarge".to_owned();
    let message = format!("Response payload size exceeded maximum allowed payload size ({MAX_ANSWER_BYTES} bytes).");
    runtime.answer(Err(FunctionError { error_type, message }));
    StatusCode::PAYLOAD_TOO_LARGE
}

async fn error(State(runtime): State<Arc<Runtime>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let header = headers.get("Lambda-Runtime-Function-Error-Type").and_then(|value| value.to_str().ok());
    let error_type = Some(text("errorType")).filter(|word| !word.is_empty());
    let error_type = error_type.or_else(|| header.map(str::to_owned)).unwrap_or_default();
    runtime.answer(Err(FunctionError { error_type, message: text("errorMessage") }))
}
