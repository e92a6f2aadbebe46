//! POST and its JSON answer, over the HTTP stack that the AWS SDK brings along. Every call made here may be repeated.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::GoogleError;
use super::error::BoxError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPTS: u32 = 3;
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
/// An answer of the calls made here has a few kilobytes.
const LONGEST_ANSWER: usize = 1 << 20;

pub(super) struct Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// `what` is the call in words, for errors.
pub(super) struct Call<'a> {
    pub(super) what: String,
    pub(super) url: String,
    pub(super) bearer: Option<&'a str>,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Http {
    pub(super) fn new() -> io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector.wrap_connector(tcp))))
    }

    /// The answer, after up to three attempts.
    pub(super) async fn post(&self, call: &Call<'_>) -> Result<Value, GoogleError> {
        let mut backoff = FIRST_BACKOFF;
        for attempt in 1.. {
            let source = match self.attempt(call).await {
                Ok((200..=299, answer)) => match serde_json::from_slice(&answer) {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error.into(),
                },
                Ok((status @ (408 | 429 | 500..), answer)) => format!("{status}: {}", told(&answer)).into(),
                Ok((status, answer)) => {
                    let (what, advice) = (call.what.clone(), String::new());
                    return Err(GoogleError::Refused { what, status, told: told(&answer), advice });
                }
                Err(error) => error,
            };
            if attempt == ATTEMPTS {
                return Err(GoogleError::Unavailable { what: call.what.clone(), source });
            }
            sleep(backoff).await;
            backoff *= 2;
        }
        unreachable!("the last attempt returns")
    }

    async fn attempt(&self, call: &Call<'_>) -> Result<(u16, Bytes), BoxError> {
        let mut request = Request::post(&call.url).header(CONTENT_TYPE, call.content_type);
        if let Some(token) = call.bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::from(call.body.clone()))?;
        let answered = async {
            let (head, body) = self.0.request(request).await?.into_parts();
            let body = Limited::new(body, LONGEST_ANSWER).collect().await?.to_bytes();
            Ok((head.status.as_u16(), body))
        };
        timeout(ATTEMPT_TIMEOUT, answered).await.map_err(|_| format!("no answer within {ATTEMPT_TIMEOUT:?}"))?
    }
}

/// Google's APIs say `{"error": {"message": …}}`, its STS `{"error": …, "error_description": …}` (RFC 6749).
fn told(answer: &[u8]) -> String {
    let json: Value = serde_json::from_slice(answer).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let of_api = text(&json["error"]["message"]);
    let of_sts = || Some(format!("{}: {}", text(&json["error"])?, text(&json["error_description"])?));
    of_api.or_else(of_sts).unwrap_or_else(|| String::from_utf8_lossy(answer).chars().take(300).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_google_says_is_found_in_both_of_its_forms() {
        for (answer, expected) in [
            (
                r#"{"error":{"code":403,"message":"Permission denied","status":"PERMISSION_DENIED"}}"#,
                "Permission denied",
            ),
            (
                r#"{"error":"invalid_target","error_description":"The pool is gone."}"#,
                "invalid_target: The pool is gone.",
            ),
            ("<html>Bad gateway</html>", "<html>Bad gateway</html>"),
        ] {
            assert_eq!(told(answer.as_bytes()), expected);
        }
    }
}
