//! Errors as Google's REST APIs write them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// <https://cloud.google.com/apis/design/errors#error_codes>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unimplemented,
    Internal,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refusal {
    pub(super) code: Code,
    pub(super) message: String,
}

impl Code {
    /// The number of `google.rpc.Code`.
    pub(super) fn number(self) -> i32 {
        match self {
            Self::InvalidArgument => 3,
            Self::NotFound => 5,
            Self::PermissionDenied => 7,
            Self::Unimplemented => 12,
            Self::Internal => 13,
        }
    }

    fn status(self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidArgument => (StatusCode::BAD_REQUEST, "INVALID_ARGUMENT"),
            Self::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            Self::PermissionDenied => (StatusCode::FORBIDDEN, "PERMISSION_DENIED"),
            Self::Unimplemented => (StatusCode::NOT_IMPLEMENTED, "UNIMPLEMENTED"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"),
        }
    }
}

impl Refusal {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("Requested entity was not found: {what}"))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (http, status) = self.code.status();
        let error = json!({"code": http.as_u16(), "message": self.message, "status": status});
        (http, Json(json!({"error": error}))).into_response()
    }
}
