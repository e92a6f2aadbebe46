//! The same answers behind a Lambda function URL: its event becomes a request, the answer its response.
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>, payload format 2.0. A function URL leaves the
//! path percent-encoded; an HTTP API of API Gateway decodes it, and `%2F` in a key would be lost: not supported.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use serde::{Deserialize, Serialize};

use crate::problem::{Kind, Problem};
use crate::{Lookup, MAX_BODY_BYTES, request_id, without_body};

/// A response of more than 6 MB never reaches its caller. Source: Lambda developer guide, "Lambda quotas", invocation
/// payload. Quotes and backslashes of a JSON body are escaped once more in the response, so it is measured as sent.
const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024 - 4096;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    request_context: Context,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Debug, Deserialize)]
struct Context {
    http: Http,
}

#[derive(Debug, Deserialize)]
struct Http {
    method: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    status_code: u16,
    headers: BTreeMap<String, String>,
    body: String,
    is_base64_encoded: bool,
}

/// An event's answer. The error says what of the event is not HTTP.
pub async fn reply(lookup: &Lookup, event: Event) -> Result<Reply, http::Error> {
    let request = event.into_request()?;
    let method = request.method().clone();
    let response = without_body(&method, lookup.answer(request).await);
    Ok(Reply::of(response))
}

impl Event {
    /// `None` as the body: it is too large. The error says what of the event is not HTTP.
    fn into_request(self) -> Result<Request<Option<Bytes>>, http::Error> {
        let query = if self.raw_query_string.is_empty() { "" } else { "?" };
        let uri: Uri = format!("{}{query}{}", self.raw_path, self.raw_query_string).parse()?;
        let body = self.body.unwrap_or_default();
        // What is not base64 after all is left as it came: the body's own check says what is wrong with it.
        let body = match self.is_base64_encoded.then(|| STANDARD.decode(&body)) {
            Some(Ok(decoded)) => Bytes::from(decoded),
            _ => Bytes::from(body),
        };
        let method = Method::from_bytes(self.request_context.http.method.as_bytes())?;
        let mut request = Request::new(Some(body).filter(|body| body.len() <= MAX_BODY_BYTES));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        for (name, value) in self.headers {
            request.headers_mut().append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        Ok(request)
    }
}

impl Reply {
    fn of(response: Response<Bytes>) -> Self {
        let id = response.headers().get(request_id::HEADER).cloned();
        let reply = Self::new(response);
        if reply.body.len() + escapes(&reply.body) <= MAX_RESPONSE_BYTES {
            return reply;
        }
        let detail = "a function URL answers with at most 6 MB: ask for fewer keys at once";
        let told = id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default();
        let mut response = Problem::new(Kind::AnswerTooLarge, detail).response(told);
        response.headers_mut().extend(id.map(|id| (request_id::HEADER, id)));
        Self::new(response)
    }

    fn new(response: Response<Bytes>) -> Self {
        let (head, body) = response.into_parts();
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let headers = head.headers.iter().filter_map(text).collect();
        let (body, is_base64_encoded) = match String::from_utf8(body.into()) {
            Ok(body) => (body, false),
            Err(error) => (STANDARD.encode(error.as_bytes()), true),
        };
        Self { status_code: head.status.as_u16(), headers, body, is_base64_encoded }
    }
}

/// How many bytes JSON adds to a text: a backslash before each quote and backslash, five bytes for other controls.
fn escapes(text: &str) -> usize {
    let added = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 1,
        0..=0x1f => 5,
        _ => 0,
    };
    text.bytes().map(added).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(event: serde_json::Value) -> Request<Option<Bytes>> {
        serde_json::from_value::<Event>(event).unwrap().into_request().unwrap()
    }

    #[test]
    fn an_event_is_the_request_that_the_caller_sent() {
        let request = request(json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/v1/users/a%2Fb", "rawQueryString": "x=1&y=%20",
            "headers": {"x-request-id": "r-1", "host": "abc.lambda-url.ap-northeast-1.on.aws"},
            "requestContext": {"http": {"method": "HEAD", "path": "/v1/users/a%2Fb", "protocol": "HTTP/1.1"}},
            "isBase64Encoded": false,
        }));
        assert_eq!((request.method(), request.uri().path()), (&Method::HEAD, "/v1/users/a%2Fb"));
        assert_eq!(request.uri().query(), Some("x=1&y=%20"));
        assert_eq!(request.headers()["x-request-id"], "r-1");
        assert_eq!(request.body().as_ref().unwrap().len(), 0);
    }

    #[test]
    fn a_body_comes_as_text_or_as_base64_and_a_large_one_not_at_all() {
        let post = |body: &str, base64: bool| {
            let context = json!({"http": {"method": "POST"}});
            request(json!({"rawPath": "/", "requestContext": context, "body": body, "isBase64Encoded": base64}))
                .into_body()
        };
        assert_eq!(post("{\"keys\":[]}", false).unwrap(), "{\"keys\":[]}");
        assert_eq!(post("eyJrZXlzIjpbXX0=", true).unwrap(), "{\"keys\":[]}");
        assert_eq!(post(&"x".repeat(MAX_BODY_BYTES + 1), false), None);
    }

    #[test]
    fn a_reply_keeps_the_bytes_of_the_body() {
        let text = Reply::of(Response::new(Bytes::from("{\"a\":\"本\\n\"}")));
        assert_eq!((text.body.as_str(), text.is_base64_encoded, text.status_code), ("{\"a\":\"本\\n\"}", false, 200));
        let bytes = Reply::of(Response::new(Bytes::from_static(&[0xff, 0])));
        assert_eq!((bytes.body.as_str(), bytes.is_base64_encoded), ("/wA=", true));
    }

    #[test]
    fn what_lambda_would_drop_is_told_instead() {
        let fits = Reply::of(Response::new(Bytes::from("x".repeat(MAX_RESPONSE_BYTES))));
        assert_eq!(fits.status_code, 200);
        for body in ["x".repeat(MAX_RESPONSE_BYTES + 1), "\"".repeat(MAX_RESPONSE_BYTES / 2 + 1)] {
            let reply = Reply::of(Response::new(Bytes::from(body)));
            assert_eq!(reply.status_code, 422);
            assert!(reply.body.contains("answer-too-large"), "{}", reply.body);
        }
    }
}
