//! The built program beside an S3 of its own: as a server, or under a Lambda runtime endpoint.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use handoff::sync::Layout;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use local::process::{Process, free_port};
use local::s3::S3;
use local::wire::Wire;
use serde_json::Value;
use tempfile::TempDir;

use crate::published::{BUCKET, Rows, publish, rows};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_lookup");
pub const GENERATION: &str = "20261125T190000Z";
/// One sync of each layout, with the same rows.
pub const PACKED: &str = "user-profiles";
pub const OBJECTS: &str = "item-prices";

const READY_WITHIN: Duration = Duration::from_secs(20);

/// S3 with both syncs published, behind a wire.
pub struct Cloud {
    pub s3: S3,
    pub wire: Wire,
    pub rows: Rows,
    pub dir: TempDir,
}

impl Cloud {
    pub async fn start() -> Self {
        let cloud = Self::empty().await;
        cloud.publish(GENERATION);
        cloud
    }

    pub async fn empty() -> Self {
        let s3 = S3::start().await.unwrap();
        s3.store().create_bucket(BUCKET);
        let wire = Wire::start(&s3.endpoint()).await.unwrap();
        let mut rows = rows(500);
        for key in ["a/b", "..", ".", "50%", "a b+c", "本", "🛫", "x:batchGet", "quote\"\\"] {
            rows.insert(key.to_owned(), format!("{{\"key\":{}}}", Value::from(key)));
        }
        Self { s3, wire, rows, dir: tempfile::tempdir().unwrap() }
    }

    pub fn publish(&self, generation: &str) {
        publish(self.s3.store(), PACKED, Layout::Packed, generation, &self.rows);
        publish(self.s3.store(), OBJECTS, Layout::Objects, generation, &self.rows);
    }

    pub fn variables(&self) -> Vec<(String, String)> {
        let variables = [
            ("ENV", "test".to_owned()),
            ("SYNCS", format!("{PACKED}=s3://{BUCKET}/{PACKED},{OBJECTS}=s3://{BUCKET}/{OBJECTS}")),
            ("AWS_ENDPOINT_URL_S3", self.wire.endpoint()),
            ("POLL_SECONDS", "1".to_owned()),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    pub async fn serve(&self) -> Server {
        self.serve_with(&[]).await
    }

    pub async fn serve_with(&self, more: &[(&str, &str)]) -> Server {
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Server::start(self.dir.path(), self.variables().into_iter().chain(more)).await
    }
}

pub struct Server {
    pub process: Process,
    pub port: u16,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Server {
    /// Ready when it answers at all: what it answers is the test's business.
    async fn start(dir: &Path, variables: impl Iterator<Item = (String, String)>) -> Self {
        let port = free_port().unwrap();
        let mut command = Command::new(PROGRAM);
        command.env_clear().envs([
            ("AWS_REGION", "ap-northeast-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("LOG_FORMAT", "json"),
            ("HOST", "127.0.0.1"),
        ]);
        command.env("PORT", port.to_string()).envs(variables);
        let process = Process::spawn("lookup", command, &dir.join(format!("lookup-{port}.log"))).unwrap();
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let mut server = Self { process, port, client };
        let (client, uri) = (server.client.clone(), server.uri("/healthz"));
        let up = async || client.get(uri.clone()).await.is_ok();
        server.process.ready(READY_WITHIN, up).await.unwrap();
        server
    }

    pub fn uri(&self, path: &str) -> Uri {
        format!("http://127.0.0.1:{}{path}", self.port).parse().unwrap()
    }

    pub async fn send(&self, request: http::request::Builder, path: &str, body: impl Into<Bytes>) -> Response<Bytes> {
        let request: Request<Full<Bytes>> = request.uri(self.uri(path)).body(Full::new(body.into())).unwrap();
        let answered = self.client.request(request).await;
        let (head, body) = answered.unwrap_or_else(|error| panic!("{error:?}\n{}", self.process.log())).into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }

    pub async fn get(&self, path: &str) -> Response<Bytes> {
        self.send(Request::get("/"), path, "").await
    }

    pub async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        self.send(request.method(method), path, "").await
    }

    pub async fn batch(&self, sync: &str, body: impl Into<Bytes>) -> Response<Bytes> {
        let request = Request::post("/").header("content-type", "application/json");
        self.send(request, &format!("/v1/{sync}:batchGet"), body).await
    }

    /// Every line of its log that is JSON.
    pub fn log(&self) -> Vec<Value> {
        self.process.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// The last word of a problem's type, once everything that every problem has was looked at.
pub fn problem(response: &Response<Bytes>) -> String {
    let shown = String::from_utf8_lossy(response.body()).into_owned();
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{shown}");
    assert_eq!(response.headers()["cache-control"], "no-store", "{shown}");
    let problem: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(problem["status"], response.status().as_u16(), "{shown}");
    let id = response.headers()["x-request-id"].to_str().unwrap();
    assert_eq!(problem["instance"], format!("urn:request:{id}"), "{shown}");
    for member in ["title", "detail"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{shown}");
    }
    assert!(!shown.contains("s3://") && !shown.contains(".parquet"), "names an object: {shown}");
    problem["type"].as_str().unwrap().strip_prefix("urn:problem-type:isthmus:").unwrap().to_owned()
}
