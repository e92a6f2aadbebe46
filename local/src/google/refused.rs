//! Errors as Google's STS and Google's other APIs write them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// RFC 6749, section 5.2.
    Exchange { error: &'static str, description: String },
    /// <https://cloud.google.com/apis/design/errors#error_codes>
    Api { code: u16, status: &'static str, message: String },
}

impl Refused {
    pub(super) fn exchange(error: &'static str, description: impl Into<String>) -> Self {
        Self::Exchange { error, description: description.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::Api { code: 400, status: "INVALID_ARGUMENT", message: message.into() }
    }

    pub(super) fn unauthenticated() -> Self {
        let message = "Request had invalid authentication credentials.".to_owned();
        Self::Api { code: 401, status: "UNAUTHENTICATED", message }
    }

    pub(super) fn denied(permission: &str, resource: &str) -> Self {
        let message = format!("Permission '{permission}' denied on resource '{resource}' (or it may not exist).");
        Self::Api { code: 403, status: "PERMISSION_DENIED", message }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::Api { code: 404, status: "NOT_FOUND", message: format!("{what} does not exist") }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (code, body) = match self {
            Self::Exchange { error, description } => (400, json!({"error": error, "error_description": description})),
            Self::Api { code, status, message } => {
                (code, json!({"error": {"code": code, "message": message, "status": status}}))
            }
        };
        (StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(body)).into_response()
    }
}
