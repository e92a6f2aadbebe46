//! Cloud Storage's JSON API, as far as a reader of objects goes: a folder is the bucket.
//! <https://cloud.google.com/storage/docs/json_api/v1/objects/get>

use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::json;

use crate::listen::Listening;

pub struct Storage(Listening);

struct Bucket {
    name: String,
    folder: PathBuf,
}

impl Storage {
    /// `folder` holds the objects of the bucket by their names.
    pub async fn start(bucket: &str, folder: &Path) -> Result<Self> {
        let bucket = Bucket { name: bucket.to_owned(), folder: folder.to_owned() };
        let router = Router::new().fallback(answer).with_state(bucket.into());
        Ok(Self(Listening::start("Cloud Storage", router).await?))
    }

    pub fn endpoint(&self) -> String {
        self.0.endpoint().to_owned()
    }
}

#[derive(Deserialize)]
struct Asked {
    alt: Option<String>,
}

async fn answer(
    State(bucket): State<std::sync::Arc<Bucket>>,
    method: Method,
    uri: Uri,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let signed_in = headers.get("authorization").and_then(|value| value.to_str().ok());
    if !signed_in.is_some_and(|value| value.starts_with("Bearer ")) {
        return refused(StatusCode::UNAUTHORIZED, "Anonymous caller does not have storage.objects.get access");
    }
    // A slash in the name of an object is percent-encoded: it is one segment.
    let segments: Vec<&str> = uri.path().split('/').collect();
    let ["", "storage", "v1", "b", name, "o", object] = segments[..] else {
        return refused(StatusCode::NOT_FOUND, "Not Found");
    };
    if method != Method::GET || asked.alt.as_deref() != Some("media") {
        return refused(StatusCode::NOT_IMPLEMENTED, "only the content of an object is served here");
    }
    let object = PathBuf::from(percent_decode_str(object).decode_utf8_lossy().into_owned());
    let inside = object.components().all(|component| matches!(component, Component::Normal(_)));
    match std::fs::read(bucket.folder.join(&object)) {
        Ok(bytes) if inside && name == bucket.name => bytes.into_response(),
        _ => refused(StatusCode::NOT_FOUND, &format!("No such object: {name}/{}", object.display())),
    }
}

fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"error": {"code": status.as_u16(), "message": message}}))).into_response()
}
