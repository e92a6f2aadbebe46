//! The answers of `GET`: a row, what is published of a sync, and whether all is well.

use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use http::header::{CACHE_CONTROL, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use reader::{Generation, Origin, Published, ReadError};
use serde_json::json;
use tracing::{error, warn};

use crate::batch::too_large;
use crate::problem::{Kind, Problem};
use crate::{Call, Lookup, etag, json};

const GENERATION: HeaderName = HeaderName::from_static("x-isthmus-generation");
const FROM: HeaderName = HeaderName::from_static("x-isthmus-from");

impl Lookup {
    pub(crate) async fn row(&self, call: &Call, sync: &str, key: &str) -> Result<Response<Bytes>, Problem> {
        let answer = self.reader.get(sync, key).await.map_err(|error| refused(call, sync, &error))?;
        let Some(row) = answer.row else {
            let problem = Problem::new(Kind::UnknownKey, format!("sync {sync} has no row with this key"));
            let mut response = problem.response(&call.id);
            mark(response.headers_mut(), &answer.generation);
            response.headers_mut().insert(FROM, HeaderValue::from_static(word(answer.from)));
            return Ok(response);
        };
        let tag = format!("\"{}\"", hex(&row.sha256));
        let mut response = if etag::is_known(call.request.headers(), &tag) {
            let mut known = Response::new(Bytes::new());
            *known.status_mut() = StatusCode::NOT_MODIFIED;
            known
        } else if call.request.method() == Method::HEAD || self.envelope.holds_row(&row.body) {
            json(row.body)
        } else {
            return Err(row_too_large(row.body.len()));
        };
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(ETAG, tag);
        }
        headers.insert(CACHE_CONTROL, self.cache_control.clone());
        mark(headers, &answer.generation);
        headers.insert(FROM, HeaderValue::from_static(word(answer.from)));
        Ok(response)
    }

    pub(crate) fn published(&self, call: &Call, sync: &str) -> Result<Response<Bytes>, Problem> {
        let published = self.reader.generation(sync).map_err(|error| refused(call, sync, &error))?;
        let Published { generation, published_at, rows, layout, checked_at, .. } = &published;
        let text = |time: &chrono::DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut response = json(
            json!({
                "sync": sync,
                "layout": layout,
                "generation": generation,
                "published_at": text(published_at),
                "age_seconds": (Utc::now() - published_at).num_seconds().max(0),
                "rows": rows,
                "checked_at": text(checked_at),
                // Why it is not followed stands in the log: it names objects.
                "follows_newest": published.problem.is_none(),
            })
            .to_string(),
        );
        mark(response.headers_mut(), generation);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    /// A sync that cannot be read makes the whole process one that a load balancer should not choose.
    pub(crate) fn health(&self) -> Result<Response<Bytes>, Problem> {
        let reason = |sync: &String| Some(format!("{sync}: {}", public(&self.reader.generation(sync).err()?)));
        let reasons: Vec<String> = self.syncs.iter().filter_map(reason).collect();
        if reasons.is_empty() {
            let mut response = json(json!({"status": "ok", "syncs": self.syncs}).to_string());
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            return Ok(response);
        }
        let detail = format!("{} of {} syncs cannot be read", reasons.len(), self.syncs.len());
        Err(Problem { reasons, ..Problem::new(Kind::NotReady, detail) })
    }
}

fn row_too_large(bytes: usize) -> Problem {
    let detail = format!(
        "this row has {bytes} bytes, and a function URL answers with at most 6 MB, quotes in it counted twice: read it \
         from S3, or from this program as a server"
    );
    Problem::new(Kind::RowTooLarge, detail)
}

pub(crate) fn mark(headers: &mut HeaderMap, generation: &Generation) {
    if let Ok(value) = HeaderValue::try_from(generation.as_str()) {
        headers.insert(GENERATION, value);
    }
}

/// What the caller is told; which object it was is told to the log only.
pub(crate) fn refused(call: &Call, sync: &str, failure: &ReadError) -> Problem {
    let kind = match failure {
        ReadError::UnknownSync(_) => Kind::UnknownSync,
        ReadError::InvalidKey(_) => Kind::InvalidKey,
        ReadError::NotPublished(_) => Kind::NotPublished,
        ReadError::Unavailable { .. } => Kind::Unavailable,
        ReadError::Damaged { .. } | ReadError::Gone { .. } | ReadError::OfAnotherSync { .. } => Kind::Damaged,
        ReadError::TooLarge { alone, .. } => return too_large(*alone),
        ReadError::Denied { .. } | ReadError::RepeatedSync(_) => Kind::Internal,
    };
    let (request_id, told) = (&call.id, startup::with_causes(failure));
    match kind {
        Kind::UnknownSync | Kind::InvalidKey => {}
        Kind::NotPublished => warn!(request_id, sync, "{told}"),
        _ => error!(request_id, sync, problem = kind.word(), "{told}"),
    }
    Problem::new(kind, public(failure))
}

fn public(failure: &ReadError) -> String {
    match failure {
        ReadError::UnknownSync(_) => "this program serves no sync of this name".to_owned(),
        ReadError::InvalidKey(_) => failure.to_string(),
        ReadError::NotPublished(_) => "no generation of this sync has been published yet".to_owned(),
        ReadError::Unavailable { .. } => "S3 gives no answer, and the row is in no cache".to_owned(),
        ReadError::Damaged { .. } | ReadError::Gone { .. } => {
            "what is stored is not what was published; the log names the object".to_owned()
        }
        ReadError::OfAnotherSync { .. } => {
            "another sync is published where this one was; the log names both, and the object".to_owned()
        }
        ReadError::TooLarge { .. } | ReadError::Denied { .. } | ReadError::RepeatedSync(_) => {
            "the log says what is wrong".to_owned()
        }
    }
}

fn word(origin: Origin) -> &'static str {
    match origin {
        // The manifest is in memory too.
        Origin::Manifest | Origin::Memory => "memory",
        Origin::Redis => "redis",
        Origin::S3 => "s3",
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS[usize::from(n & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_written_in_lower_case_hex() {
        assert_eq!(hex(&[0x00, 0x9f, 0xf0, 0xab]), "009ff0ab");
    }

    #[test]
    fn an_answer_names_no_object() {
        let damaged = ReadError::Damaged { object: "s3://app/users/g/x.parquet".into(), why: "footer".into() };
        assert!(!public(&damaged).contains("s3://"));
        assert!(!public(&ReadError::NotPublished("s3://app/users".into())).contains("s3://"));
    }
}
