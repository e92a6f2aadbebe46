//! What can go wrong, by what a human does about it. Each variant's name is the Lambda's error type.

use std::error::Error as StdError;
use std::fmt::Display;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use handoff::{ExportDate, ExportTaskId};
use lambda_runtime::Diagnostic;
use startup::with_causes;

type Cause = Box<dyn StdError + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("event: {0}")]
    InvalidEvent(String),
    #[error("{0}")]
    InvalidEnvironment(String),
    #[error("no export task {task} into bucket {bucket} is known to RDS: check the id, and that ENV is its first word")]
    UnknownTask { task: ExportTaskId, bucket: String },
    #[error(
        "export task {0} is still running: RDS's event publishes it when it is complete, or this invocation made again"
    )]
    NotComplete(ExportTaskId),
    #[error("export {task} is not whole: {problem}; invoke start-export with {again}")]
    ExportIncomplete { task: ExportTaskId, problem: String, again: String },
    #[error("part {key} cannot be read: {problem}; invoke start-export with {again}")]
    PartUnreadable { key: String, problem: String, again: String },
    #[error("part {key} has other columns than {first}: {difference}; invoke start-export with {again}")]
    PartMismatch { key: String, first: String, difference: String, again: String },
    #[error("{key} cannot be used: {problem}; repair or delete it, then invoke publish-export with {publish}")]
    ManifestInvalid { key: String, problem: String, publish: String },
    #[error("stage export {task} into the prefix of {date}: {problem}", date = .task.date())]
    StageFailed { task: ExportTaskId, problem: String },
    #[error("restore the manifest of {date}: {problem}; invoke start-export with {again}")]
    RestoreFailed { date: ExportDate, problem: String, again: String },
    #[error("export {task} failed: {cause}; when that is removed, invoke start-export with {again}")]
    ExportFailed { task: ExportTaskId, cause: String, again: String },
    #[error("export {task} was canceled; if the day is needed, invoke start-export with {again}")]
    ExportCanceled { task: ExportTaskId, again: String },
    #[error("{task} is published, and its load was not started: {told}; each poll tries again")]
    LoadNotStarted { task: ExportTaskId, told: String },
    #[error("{action} on {object} was denied: allow it in the function's policy{advice}")]
    Denied { action: &'static str, object: String, advice: &'static str, source: Cause },
    #[error("{action} on {object} was throttled: try again, as the next poll does for the last three dates")]
    Throttled { action: &'static str, object: String, source: Cause },
    #[error("{action} on {object} got no answer: try again, as the next poll does for the last three dates")]
    Unreachable { action: &'static str, object: String, source: Cause },
    #[error("{action} on {object} failed")]
    AwsFailed { action: &'static str, object: String, source: Cause },
    #[error("{}", .0.iter().map(|error| with_causes(error)).collect::<Vec<_>>().join("; also: "))]
    Several(Vec<Error>),
}

/// What AWS answered.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
struct Answer {
    code: String,
    message: String,
}

impl Error {
    pub fn word(&self) -> &'static str {
        match self {
            Self::InvalidEvent(_) => "InvalidEvent",
            Self::InvalidEnvironment(_) => "InvalidEnvironment",
            Self::UnknownTask { .. } => "UnknownTask",
            Self::NotComplete(_) => "NotComplete",
            Self::ExportIncomplete { .. } => "ExportIncomplete",
            Self::PartUnreadable { .. } => "PartUnreadable",
            Self::PartMismatch { .. } => "PartMismatch",
            Self::ManifestInvalid { .. } => "ManifestInvalid",
            Self::StageFailed { .. } | Self::RestoreFailed { .. } => "StageFailed",
            Self::ExportFailed { .. } => "ExportFailed",
            Self::ExportCanceled { .. } => "ExportCanceled",
            Self::LoadNotStarted { .. } => "LoadNotStarted",
            Self::Denied { .. } => "Denied",
            Self::Throttled { .. } => "Throttled",
            Self::Unreachable { .. } => "Unreachable",
            Self::AwsFailed { .. } => "AwsFailed",
            Self::Several(errors) => errors.first().map_or("AwsFailed", Self::word),
        }
    }

    /// It is of the date itself and stays until a human or RDS does something: no poll mends it.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            Self::ExportIncomplete { .. }
            | Self::PartUnreadable { .. }
            | Self::PartMismatch { .. }
            | Self::ManifestInvalid { .. }
            | Self::StageFailed { .. }
            | Self::RestoreFailed { .. } => true,
            Self::InvalidEvent(_)
            | Self::InvalidEnvironment(_)
            | Self::UnknownTask { .. }
            | Self::NotComplete(_)
            | Self::ExportFailed { .. }
            | Self::ExportCanceled { .. }
            | Self::Denied { .. }
            | Self::Throttled { .. }
            | Self::Unreachable { .. }
            | Self::AwsFailed { .. }
            | Self::LoadNotStarted { .. }
            | Self::Several(_) => false,
        }
    }

    /// The first error gives the type; all of them are in the text.
    pub(crate) fn all(mut errors: Vec<Self>) -> Result<(), Self> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Several(errors)),
        }
    }

    /// What a refused or failed call means. `action` is the IAM action, so that it can be pasted into a policy.
    pub(crate) fn aws<E>(action: &'static str, object: impl Display, error: SdkError<E, HttpResponse>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let object = object.to_string();
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().unwrap_or_default().to_owned();
        let denied = code.contains("AccessDenied") || code.contains("NotAuthorized") || code == "AuthorizationError";
        let throttled = ["Throttl", "SlowDown", "RequestLimitExceeded", "TooManyRequests", "ServiceUnavailable"];
        let throttled = throttled.iter().any(|word| code.contains(word)) || matches!(status, Some(429 | 503));
        let unanswered = matches!(error, SdkError::TimeoutError(_) | SdkError::DispatchFailure(_));
        let unanswered = unanswered || matches!(error, SdkError::ResponseError(_));
        let source = cause(error, code, status);
        if denied || (status == Some(403) && !throttled) {
            return Self::Denied { advice: advice(action), action, object, source };
        }
        if throttled {
            return Self::Throttled { action, object, source };
        }
        if unanswered {
            return Self::Unreachable { action, object, source };
        }
        Self::AwsFailed { action, object, source }
    }
}

fn cause<E>(error: SdkError<E, HttpResponse>, code: String, status: Option<u16>) -> Cause
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    match (&error, status) {
        (SdkError::ServiceError(_), Some(status)) => {
            let code = if code.is_empty() { format!("HTTP {status}") } else { code };
            Box::new(Answer { code, message: error.message().unwrap_or("no message").to_owned() })
        }
        _ => Box::new(error),
    }
}

/// S3 answers `AccessDenied` too when the caller may not use the key that encrypts the object.
fn advice(action: &str) -> &'static str {
    match action {
        "s3:GetObject" => " (what RDS exported also needs kms:Decrypt on the export's key)",
        "s3:PutObject" => " (a bucket encrypted with KMS also needs kms:Decrypt and kms:GenerateDataKey on its key)",
        _ => "",
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self { error_type: error.word().to_owned(), error_message: with_causes(&error) }
    }
}
