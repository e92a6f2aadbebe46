//! The same answers behind a Lambda function URL: its event becomes a request, the answer its response.
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>, payload format 2.0. A function URL leaves the
//! path percent-encoded. An HTTP API of API Gateway sends the same format and decodes it: what such a path can mean twice
//! is refused, so that nobody gets another row than the one that was asked for.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::problem::{Kind, Problem};
use crate::{Lookup, MAX_BODY_BYTES, without_body};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
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
#[serde(rename_all = "camelCase")]
struct Context {
    http: Http,
    #[serde(default)]
    domain_name: String,
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

/// The event is none that can be answered.
#[derive(Debug, thiserror::Error)]
pub enum NotOurs {
    #[error("this is {0}: only the events of function URLs (payload format 2.0) are answered")]
    OfAnother(&'static str),
    #[error("this is no request of a function URL (payload format 2.0)")]
    NotHttp(#[from] http::Error),
    #[error("this is no request of a function URL (payload format 2.0)")]
    Malformed(#[from] serde_json::Error),
}

pub async fn reply(lookup: &Lookup, event: Value) -> Result<Reply, NotOurs> {
    if let Some(kind) = another(&event) {
        return Err(NotOurs::OfAnother(kind));
    }
    let mut event: Event = serde_json::from_value(event)?;
    let place = place(&event);
    let mut request = event.take_request()?;
    let method = request.method().clone();
    let response = match place {
        Ok(uri) => {
            *request.uri_mut() = uri;
            lookup.answer(request).await
        }
        Err(problem) => lookup.refuse(request, problem),
    };
    Ok(Reply::new(without_body(&method, response)))
}

/// Whose event it is, where it is not a function URL's and easy to tell.
fn another(event: &Value) -> Option<&'static str> {
    let has = |pointer| event.pointer(pointer).is_some();
    if has("/requestContext/elb") {
        Some("an event of a load balancer")
    } else if has("/httpMethod") {
        Some("an event of an API Gateway in payload format 1.0")
    } else if !has("/requestContext/http") {
        Some("no HTTP request")
    } else {
        None
    }
}

/// Path and query as they came over the wire, or what is wrong with them.
fn place(event: &Event) -> Result<Uri, Problem> {
    let refused = |detail: String| Problem::new(Kind::InvalidPath, detail);
    let Event { raw_path: path, raw_query_string: query, .. } = event;
    // `Uri` would take them for the begin of something that is no part of the path.
    if let Some(mark) = path.chars().find(|c| matches!(c, '#' | '?')) {
        return Err(refused(format!("a {mark} in a key is written %{:02X}", u32::from(mark))));
    }
    let domain = &event.request_context.domain_name;
    if path.contains('%') && !domain.is_empty() && !domain.contains(".lambda-url.") {
        return Err(refused(format!("{domain} decodes paths, so a key with a % in it cannot be asked for here")));
    }
    let broken = |what: &str| refused(format!("the {what} has a character that is not percent-encoded"));
    let parsed: Uri = path.parse().map_err(|_| broken("path"))?;
    if query.is_empty() {
        return Ok(parsed);
    }
    let with_query = format!("{path}?{query}").parse().map_err(|_| broken("query"));
    with_query.and_then(|uri| if query.contains('#') { Err(broken("query")) } else { Ok(uri) })
}

impl Event {
    /// All but its place. `None` as the body: it is too large. The error says what of the event is not HTTP.
    fn take_request(&mut self) -> Result<Request<Option<Bytes>>, http::Error> {
        let body = self.body.take().unwrap_or_default();
        // What is not base64 after all is left as it came: the body's own check says what is wrong with it.
        let body = match self.is_base64_encoded.then(|| STANDARD.decode(&body)) {
            Some(Ok(decoded)) => Bytes::from(decoded),
            _ => Bytes::from(body),
        };
        let mut request = Request::new(Some(body).filter(|body| body.len() <= MAX_BODY_BYTES));
        *request.method_mut() = Method::from_bytes(self.request_context.http.method.as_bytes())?;
        for (name, value) in std::mem::take(&mut self.headers) {
            request.headers_mut().append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        Ok(request)
    }
}

impl Reply {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(event: Value) -> Request<Option<Bytes>> {
        let mut event: Event = serde_json::from_value(event).unwrap();
        let uri = place(&event).unwrap();
        let mut request = event.take_request().unwrap();
        *request.uri_mut() = uri;
        request
    }

    #[test]
    fn an_event_is_the_request_that_the_caller_sent() {
        let request = request(json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/v1/users/a%2Fb", "rawQueryString": "x=1&y=%20",
            "headers": {"x-request-id": "r-1", "host": "abc.lambda-url.ap-northeast-1.on.aws"},
            "requestContext": {
                "domainName": "abc.lambda-url.ap-northeast-1.on.aws",
                "http": {"method": "HEAD", "path": "/v1/users/a%2Fb", "protocol": "HTTP/1.1"},
            },
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
    fn a_path_or_query_that_cannot_have_come_so_is_refused() {
        let place = |path: &str, query: &str, domain: &str| {
            let context = json!({"http": {"method": "GET"}, "domainName": domain});
            let event = json!({"rawPath": path, "rawQueryString": query, "requestContext": context});
            place(&serde_json::from_value(event).unwrap()).map_err(|problem| problem.detail)
        };
        let (url, api) = ("a1.lambda-url.ap-northeast-1.on.aws", "a1.execute-api.ap-northeast-1.amazonaws.com");
        for (path, query, domain, refused) in [
            ("/v1/users/a#b", "", url, "a # in a key is written %23"),
            ("/v1/users/a?b", "", "", "a ? in a key is written %3F"),
            ("/v1/users/a b", "", url, "the path has a character that is not percent-encoded"),
            ("/v1/users/a\n", "", url, "the path has"),
            ("", "", url, "the path has"),
            ("/v1/users/a", "q=<x>", url, "the query has a character that is not percent-encoded"),
            ("/v1/users/a", "q=a b", url, "the query has"),
            ("/v1/users/a", "q=#", url, "the query has"),
            ("/v1/users/a%2Fb", "", api, "a1.execute-api.ap-northeast-1.amazonaws.com decodes paths"),
        ] {
            let told = place(path, query, domain).unwrap_err();
            assert!(told.starts_with(refused), "{path:?} {query:?}: {told}");
        }
        for (path, domain) in [("/v1/users/a%23b", url), ("/v1/users/a%3Fb", ""), ("/v1/users/本", api)] {
            assert_eq!(place(path, "", domain).unwrap().path(), path);
        }
    }

    #[test]
    fn a_reply_keeps_the_bytes_of_the_body() {
        let text = Reply::new(Response::new(Bytes::from("{\"a\":\"本\\n\"}")));
        assert_eq!((text.body.as_str(), text.is_base64_encoded, text.status_code), ("{\"a\":\"本\\n\"}", false, 200));
        let bytes = Reply::new(Response::new(Bytes::from_static(&[0xff, 0])));
        assert_eq!((bytes.body.as_str(), bytes.is_base64_encoded), ("/wA=", true));
    }
}
