//! Which of Google's errors are worth another try.

use std::time::Duration;

use anyhow::{Context, Result};
use google_cloud_gax::error::Error;
use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::exponential_backoff::ExponentialBackoffBuilder;
use google_cloud_gax::retry_policy::RetryPolicy;
use google_cloud_gax::retry_result::RetryResult;
use google_cloud_gax::retry_state::RetryState;

/// How long one call is repeated before it counts as failed.
pub const RETRY_FOR: Duration = Duration::from_mins(3);
/// Longer than the service keeps a query call open.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);

/// Between two tries of one call.
pub fn backoff() -> Result<google_cloud_gax::exponential_backoff::ExponentialBackoff> {
    let builder = ExponentialBackoffBuilder::new()
        .with_initial_delay(Duration::from_millis(300))
        .with_maximum_delay(Duration::from_secs(20));
    builder.build().context("set the pause between tries")
}

/// Repeats what may succeed next time: only idempotent calls, and others that never left this machine.
#[derive(Debug, Clone)]
pub struct Transient;

impl RetryPolicy for Transient {
    fn on_error(&self, state: &RetryState, error: Error) -> RetryResult {
        if error.is_transient_and_before_rpc() || (state.idempotent && may_pass(&error)) {
            return RetryResult::Continue(error);
        }
        RetryResult::Permanent(error)
    }
}

/// BigQuery documents 500, 502, 503, 504, and quota errors as worth a retry; they come as 403 or 429.
/// Source: "BigQuery error messages", error table.
pub fn may_pass(error: &Error) -> bool {
    error.is_io()
        || error.is_timeout()
        || error.is_connect()
        || is_throttled(error)
        || matches!(error.http_status_code(), Some(500 | 502 | 503 | 504))
        || matches!(code(error), Some(Code::Unavailable | Code::Internal | Code::Aborted | Code::DeadlineExceeded))
}

/// The call was counted and turned away: nothing was done.
pub fn is_throttled(error: &Error) -> bool {
    let says = |word: &str| error.to_string().contains(word);
    let forbidden = error.http_status_code() == Some(403) || code(error) == Some(Code::PermissionDenied);
    error.http_status_code() == Some(429)
        || code(error) == Some(Code::ResourceExhausted)
        || (forbidden && (says("rateLimitExceeded") || says("quotaExceeded") || says("Exceeded rate limits")))
}

/// A call that is not idempotent failed, and may have been carried out all the same.
pub fn may_be_done(error: &Error) -> bool {
    !error.is_transient_and_before_rpc() && !is_throttled(error) && may_pass(error)
}

pub fn is_not_found(error: &Error) -> bool {
    error.http_status_code() == Some(404) || code(error) == Some(Code::NotFound)
}

fn code(error: &Error) -> Option<Code> {
    error.status().map(|status| status.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use google_cloud_gax::error::rpc::Status;

    fn service(code: Code, message: &str) -> Error {
        Error::service(Status::default().set_code(code).set_message(message))
    }

    #[test]
    fn an_answer_that_was_lost_may_hide_a_call_that_was_carried_out() {
        for error in
            [service(Code::Unavailable, ""), service(Code::Internal, ""), Error::io("reset"), Error::timeout("")]
        {
            assert!(may_be_done(&error) && may_pass(&error), "{error:?}");
        }
    }

    #[test]
    fn a_refusal_was_not_carried_out() {
        for code in [Code::InvalidArgument, Code::NotFound, Code::PermissionDenied, Code::FailedPrecondition] {
            let error = service(code, "no");
            assert!(!may_be_done(&error) && !may_pass(&error), "{error:?}");
        }
        for error in [service(Code::ResourceExhausted, ""), service(Code::PermissionDenied, "rateLimitExceeded")] {
            assert!(!may_be_done(&error) && may_pass(&error), "{error:?}");
        }
        assert!(!may_be_done(&Error::connect("refused")));
    }

    #[test]
    fn a_call_that_is_not_idempotent_is_not_repeated() {
        let repeats = |idempotent| {
            let answer = Transient.on_error(&RetryState::new(idempotent), service(Code::Unavailable, ""));
            matches!(answer, RetryResult::Continue(_))
        };
        assert!(repeats(true) && !repeats(false));
    }
}
