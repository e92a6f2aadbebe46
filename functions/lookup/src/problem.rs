//! What is answered instead of a row: a problem document, as RFC 9457 describes it. Its `type` is what programs branch
//! on; the text is for people and names nothing of the inside.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    UnknownPath,
    UnknownSync,
    UnknownKey,
    InvalidPath,
    InvalidKey,
    InvalidBody,
    TooManyKeys,
    MethodNotAllowed,
    BodyTooLarge,
    UnsupportedMediaType,
    AnswerTooLarge,
    RowTooLarge,
    NotReady,
    NotPublished,
    Unavailable,
    Damaged,
    Internal,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub kind: Kind,
    pub detail: String,
    /// The methods that the path has.
    pub allow: Option<&'static str>,
    /// One line for each thing that is wrong, where there can be several.
    pub reasons: Vec<String>,
}

/// How long a caller waits before it asks again: S3 is seldom away for long.
const RETRY_AFTER_SECONDS: &str = "2";

impl Kind {
    pub fn status(self) -> StatusCode {
        match self {
            Self::UnknownPath | Self::UnknownSync | Self::UnknownKey => StatusCode::NOT_FOUND,
            Self::InvalidPath | Self::InvalidKey | Self::InvalidBody | Self::TooManyKeys => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::AnswerTooLarge | Self::RowTooLarge => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotReady | Self::NotPublished | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Damaged => StatusCode::BAD_GATEWAY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The last part of `type`.
    pub fn word(self) -> &'static str {
        match self {
            Self::UnknownPath => "unknown-path",
            Self::UnknownSync => "unknown-sync",
            Self::UnknownKey => "unknown-key",
            Self::InvalidPath => "invalid-path",
            Self::InvalidKey => "invalid-key",
            Self::InvalidBody => "invalid-body",
            Self::TooManyKeys => "too-many-keys",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::BodyTooLarge => "body-too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::AnswerTooLarge => "answer-too-large",
            Self::RowTooLarge => "row-too-large",
            Self::NotReady => "not-ready",
            Self::NotPublished => "not-published",
            Self::Unavailable => "unavailable",
            Self::Damaged => "damaged",
            Self::Internal => "internal",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::UnknownPath => "There is nothing at this path",
            Self::UnknownSync => "There is no such sync",
            Self::UnknownKey => "There is no such row",
            Self::InvalidPath => "The path is not valid",
            Self::InvalidKey => "No row can have this key",
            Self::InvalidBody => "The body is not valid",
            Self::TooManyKeys => "Too many keys at once",
            Self::MethodNotAllowed => "This path has other methods",
            Self::BodyTooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body must be JSON",
            Self::AnswerTooLarge => "The answer would be too large",
            Self::RowTooLarge => "The row is too large to be answered",
            Self::NotReady => "Not every sync can be read",
            Self::NotPublished => "The sync was not published yet",
            Self::Unavailable => "The row cannot be read now",
            Self::Damaged => "The stored row cannot be trusted",
            Self::Internal => "A fault of this program",
        }
    }
}

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), allow: None, reasons: Vec::new() }
    }

    pub fn method_not_allowed(allow: &'static str) -> Self {
        Self { allow: Some(allow), ..Self::new(Kind::MethodNotAllowed, format!("this path has {allow}")) }
    }

    /// `request_id` names this occurrence, here and in the log.
    pub fn document(&self, request_id: &str) -> Value {
        let mut document = json!({
            "type": format!("urn:problem-type:isthmus:{}", self.kind.word()),
            "title": self.kind.title(),
            "status": self.kind.status().as_u16(),
            "detail": self.detail,
            "instance": format!("urn:request:{request_id}"),
        });
        if !self.reasons.is_empty() {
            document["reasons"] = json!(self.reasons);
        }
        document
    }

    pub fn response(&self, request_id: &str) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.document(request_id).to_string()));
        let status = self.kind.status();
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_rfc_9457() {
        let problem = Problem::new(Kind::UnknownKey, "users has no row \"x\"");
        let response = problem.response("r-1");
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(
            serde_json::from_slice::<Value>(response.body()).unwrap(),
            json!({
                "type": "urn:problem-type:isthmus:unknown-key", "title": "There is no such row", "status": 404,
                "detail": "users has no row \"x\"", "instance": "urn:request:r-1",
            })
        );
    }

    const KINDS: [Kind; 17] = [
        Kind::UnknownPath,
        Kind::UnknownSync,
        Kind::UnknownKey,
        Kind::InvalidPath,
        Kind::InvalidKey,
        Kind::InvalidBody,
        Kind::TooManyKeys,
        Kind::MethodNotAllowed,
        Kind::BodyTooLarge,
        Kind::UnsupportedMediaType,
        Kind::AnswerTooLarge,
        Kind::RowTooLarge,
        Kind::NotReady,
        Kind::NotPublished,
        Kind::Unavailable,
        Kind::Damaged,
        Kind::Internal,
    ];

    #[test]
    fn the_document_and_its_page_know_every_kind_and_no_other() {
        let document: Value = serde_json::from_str(crate::OPENAPI).unwrap();
        let types = document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"].as_array().unwrap();
        let known: Vec<String> = KINDS.map(|kind| format!("urn:problem-type:isthmus:{}", kind.word())).into();
        assert_eq!(*types, known);
        let page = include_str!("../../../docs/spec/lookup.md");
        for kind in KINDS {
            assert!(page.contains(&format!("`{}`", kind.word())), "{}", kind.word());
        }
    }

    #[test]
    fn what_may_pass_says_when_to_ask_again_and_a_wrong_method_which_are_right() {
        assert_eq!(Problem::new(Kind::Unavailable, "").response("r").headers()["retry-after"], "2");
        assert!(!Problem::new(Kind::Damaged, "").response("r").headers().contains_key("retry-after"));
        assert_eq!(Problem::method_not_allowed("POST").response("r").headers()["allow"], "POST");
    }
}
