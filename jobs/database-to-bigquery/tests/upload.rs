//! The resumable upload, held to a server that keeps of each chunk what it likes, forgets, and loses answers.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use database_to_bigquery::destination::rest::Rest;
use database_to_bigquery::destination::upload::Uploads;
use database_to_bigquery::sheet::ParquetFile;
use google_cloud_auth::credentials::anonymous;
use serde_json::{Value, json};

const BYTES: usize = 20 << 20;

#[derive(Default)]
struct Session {
    stored: Vec<u8>,
    sessions: usize,
    /// How much of a chunk is kept.
    keeps: usize,
    /// The session is forgotten once when it has so much.
    forgets_at: Option<usize>,
    /// The sizes of the chunks that came.
    chunks: Vec<usize>,
}

type Shared = Arc<Mutex<Session>>;

async fn begin(State(session): State<Shared>, headers: HeaderMap) -> Response {
    let mut session = session.lock().unwrap();
    session.sessions += 1;
    session.stored.clear();
    let host = headers["host"].to_str().unwrap();
    (StatusCode::OK, [("location", format!("http://{host}/upload/bigquery/v2/projects/acme/jobs?upload_id=1"))])
        .into_response()
}

async fn chunk(State(session): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut session = session.lock().unwrap();
    let range = headers["content-range"].to_str().unwrap();
    let (range, total) = range.strip_prefix("bytes ").unwrap().split_once('/').unwrap();
    if session.forgets_at.is_some_and(|bytes| session.stored.len() >= bytes) {
        session.forgets_at = None;
        return StatusCode::GONE.into_response();
    }
    if let Some((first, last)) = range.split_once('-') {
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        assert_eq!(body.len(), last - first + 1);
        assert_eq!(first, session.stored.len(), "sent from where the session is");
        session.chunks.push(body.len());
        let kept = body.len().min(session.keeps);
        session.stored.extend_from_slice(&body[..kept]);
    }
    let held = session.stored.len();
    if held == total.parse::<usize>().unwrap() {
        return axum::Json(json!({"jobReference": {"jobId": "j"}})).into_response();
    }
    let held = (held > 0).then(|| [("range", format!("bytes=0-{}", held - 1))]);
    match held {
        Some(range) => (StatusCode::PERMANENT_REDIRECT, range).into_response(),
        None => StatusCode::PERMANENT_REDIRECT.into_response(),
    }
}

async fn upload(session: Session) -> (Value, Shared) {
    let session: Shared = Arc::new(Mutex::new(session));
    let path = "/upload/bigquery/v2/projects/acme/jobs";
    let router = Router::new().route(path, post(begin).put(chunk)).layer(axum::extract::DefaultBodyLimit::disable());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(axum::serve(listener, router.with_state(Arc::clone(&session))).into_future());
    let rest = Rest::new(Some(&endpoint), &anonymous::Builder::new().build()).unwrap();
    let uploads = Uploads::new(&rest, &"acme".parse().unwrap(), Duration::from_secs(10));
    let file = file();
    let job = uploads.load(&json!({}), &file).await.unwrap().unwrap();
    server.abort();
    (job, session)
}

fn content() -> Vec<u8> {
    (0..BYTES).map(|n| u8::try_from(n * 31 % 251).unwrap()).collect()
}

fn file() -> ParquetFile {
    let mut file: File = tempfile::tempfile().unwrap();
    file.write_all(&content()).unwrap();
    ParquetFile { file: Arc::new(file), rows: 0, bytes: BYTES as u64 }
}

#[tokio::test]
async fn every_chunk_but_the_last_is_a_multiple_of_256_kib() {
    let (job, session) = upload(Session { keeps: usize::MAX, ..Session::default() }).await;
    let session = session.lock().unwrap();
    assert_eq!(job["jobReference"]["jobId"], "j");
    assert!(session.stored == content());
    assert_eq!(session.chunks, [8 << 20, 8 << 20, 4 << 20]);
}

#[tokio::test]
async fn what_a_session_did_not_keep_is_sent_again_from_there() {
    let (_, session) = upload(Session { keeps: 3 << 20, ..Session::default() }).await;
    let session = session.lock().unwrap();
    assert!(session.stored == content());
    assert_eq!((session.chunks.len(), session.sessions), (7, 1));
}

#[tokio::test]
async fn a_session_that_is_forgotten_is_begun_anew() {
    let (_, session) = upload(Session { keeps: usize::MAX, forgets_at: Some(16 << 20), ..Session::default() }).await;
    let session = session.lock().unwrap();
    assert!(session.stored == content());
    assert_eq!(session.sessions, 2);
}
