//! lookup: rows of published syncs over HTTP, the same answers as a Lambda behind a function URL and as a server.
//! See `docs/spec/lookup.md`.

mod batch;
mod emf;
pub mod envelope;
mod etag;
pub mod function;
mod latency;
mod problem;
mod read;
pub mod redis;
pub mod request_id;
mod route;
mod seen;
pub mod server;
pub mod settings;
pub mod syncs;
pub mod token;

pub use seen::Due;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use reader::Reader;
use tracing::debug;

use envelope::Envelope;
use problem::Problem;
use route::{Route, route};
use seen::Seen;
use settings::Settings;

/// What the paths, the answers and the problems are.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// A hundred keys of 1,024 bytes, each byte written as `\u0000`, are 615 kB.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Answers requests. One for each process.
pub struct Lookup {
    reader: Reader,
    /// Whose generations make this process healthy.
    syncs: Vec<String>,
    cache_control: HeaderValue,
    poll: Duration,
    seen: Seen,
    envelope: Envelope,
}

/// What every answer needs of its request.
struct Call {
    id: String,
    request: Request<Option<Bytes>>,
}

impl Call {
    fn new(request: Request<Option<Bytes>>) -> Self {
        Self { id: request_id::of(request.headers()), request }
    }
}

impl Lookup {
    pub fn new(reader: Reader, settings: &Settings, envelope: Envelope) -> Arc<Self> {
        let seconds = settings.poll_seconds.get();
        let max_age = format!("private, max-age={seconds}");
        Arc::new(Self {
            reader,
            syncs: settings.syncs.0.iter().map(|source| source.sync.clone()).collect(),
            cache_control: HeaderValue::try_from(max_age).unwrap_or(HeaderValue::from_static("private")),
            poll: Duration::from_secs(seconds.into()),
            seen: Seen::new(&settings.environment),
            envelope,
        })
    }

    /// The body is `None` where it was larger than [`MAX_BODY_BYTES`].
    pub async fn answer(&self, request: Request<Option<Bytes>>) -> Response<Bytes> {
        let (began, call) = (Instant::now(), Call::new(request));
        let outcome = self.respond(&call).await;
        self.finish(call, began, outcome)
    }

    /// What never became a request that can be answered; it counts, and is told in the log, like every other.
    fn refuse(&self, request: Request<Option<Bytes>>, problem: Problem) -> Response<Bytes> {
        self.finish(Call::new(request), Instant::now(), Err(problem))
    }

    fn finish(&self, call: Call, began: Instant, outcome: Result<Response<Bytes>, Problem>) -> Response<Bytes> {
        let mut response = outcome.unwrap_or_else(|problem| problem.response(&call.id));
        let (method, path, status) = (call.request.method(), call.request.uri().path(), response.status().as_u16());
        let took = began.elapsed();
        self.seen.record(response.status(), took);
        debug!(request_id = call.id, %method, path, status, micros = took.as_micros(), "{status} {method} {path}");
        if let Ok(id) = HeaderValue::try_from(call.id) {
            response.headers_mut().insert(request_id::HEADER, id);
        }
        response
    }

    async fn respond(&self, call: &Call) -> Result<Response<Bytes>, Problem> {
        match route(call.request.method(), call.request.uri().path())? {
            Route::Row { sync, key } => self.row(call, &sync, &key).await,
            Route::Batch { sync } => self.batch(call, &sync).await,
            Route::Published { sync } => self.published(call, &sync),
            Route::Health => self.health(),
        }
    }

    /// For a process that sleeps between calls: sees what was published meanwhile.
    pub async fn wake(&self) {
        self.reader.refresh_if_older_than(self.poll).await;
    }

    /// One line of metrics for what was answered since the last one, if any is due.
    pub fn metrics(&self, due: Due) -> Option<String> {
        self.seen.line(due, &self.reader.counters())
    }
}

fn json(body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The answer to `HEAD` where nothing else takes its body off.
pub fn without_body(method: &Method, mut response: Response<Bytes>) -> Response<Bytes> {
    if method == Method::HEAD || response.status() == StatusCode::NOT_MODIFIED {
        response.body_mut().clear();
    }
    response
}
