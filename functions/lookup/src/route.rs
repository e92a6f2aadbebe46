//! From a method and a path, as they came over the wire, to what is asked for.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::problem::{Kind, Problem};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `GET /healthz`
    Health,
    /// `GET /v1/{sync}`
    Published { sync: String },
    /// `GET /v1/{sync}/{key}`
    Row { sync: String, key: String },
    /// `POST /v1/{sync}:batchGet`
    Batch { sync: String },
}

const READ: &str = "GET, HEAD";
const BATCH: &str = ":batchGet";

/// `path` is still percent-encoded: only so are `a/b` and `a%2Fb` two things.
pub fn route(method: &Method, path: &str) -> Result<Route, Problem> {
    let route = place(path)?;
    let (fits, allow) = match route {
        Route::Batch { .. } => (method == Method::POST, "POST"),
        _ => (method == Method::GET || method == Method::HEAD, READ),
    };
    if fits { Ok(route) } else { Err(Problem::method_not_allowed(allow)) }
}

fn place(path: &str) -> Result<Route, Problem> {
    if path == "/healthz" {
        return Ok(Route::Health);
    }
    let unknown = |hint: &str| Problem::new(Kind::UnknownPath, format!("see `lookup openapi` for the paths{hint}"));
    let rest = path.strip_prefix("/v1/").filter(|rest| !rest.is_empty()).ok_or_else(|| unknown(""))?;
    let (sync, key) = rest.split_once('/').map_or((rest, None), |(sync, key)| (sync, Some(key)));
    let sync = decode(sync, Kind::InvalidPath)?;
    match key {
        Some(key) if key.contains('/') => Err(unknown("; a slash in a key is written %2F")),
        Some(key) => Ok(Route::Row { sync, key: decode(key, Kind::InvalidKey)? }),
        None => match sync.strip_suffix(BATCH) {
            Some(sync) => Ok(Route::Batch { sync: sync.to_owned() }),
            None if sync.contains(':') => Err(unknown("")),
            None => Ok(Route::Published { sync }),
        },
    }
}

/// Strictly: a `%` that begins no byte, or bytes that are no UTF-8, are a mistake of the caller.
fn decode(segment: &str, kind: Kind) -> Result<String, Problem> {
    let bytes = segment.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let broken = (0..bytes.len()).find(|&at| bytes[at] == b'%' && !(is_hex(at + 1) && is_hex(at + 2)));
    if let Some(at) = broken {
        return Err(Problem::new(kind, format!("the % at byte {at} of the segment is not followed by two hex digits")));
    }
    let text = percent_decode_str(segment).decode_utf8();
    text.map(std::borrow::Cow::into_owned).map_err(|_| Problem::new(kind, "the percent-encoded bytes are not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Result<Route, Kind> {
        route(&Method::GET, path).map_err(|problem| problem.kind)
    }

    fn row(sync: &str, key: &str) -> Route {
        Route::Row { sync: sync.into(), key: key.into() }
    }

    #[test]
    fn a_key_is_one_segment_decoded_once() {
        assert_eq!(get("/v1/users/1"), Ok(row("users", "1")));
        assert_eq!(get("/v1/users/a%2Fb"), Ok(row("users", "a/b")));
        assert_eq!(get("/v1/users/50%25"), Ok(row("users", "50%")));
        assert_eq!(get("/v1/users/a%252Fb"), Ok(row("users", "a%2Fb")));
        assert_eq!(get("/v1/users/a+b"), Ok(row("users", "a+b")));
        assert_eq!(get("/v1/users/%2E%2E"), Ok(row("users", "..")));
        assert_eq!(get("/v1/users/.."), Ok(row("users", "..")));
        assert_eq!(get("/v1/users/%F0%9F%9B%AB"), Ok(row("users", "🛫")));
        assert_eq!(get("/v1/users/x:batchGet"), Ok(row("users", "x:batchGet")));
        assert_eq!(get("/v1/users/"), Ok(row("users", "")));
    }

    #[test]
    fn what_is_not_encoded_well_is_refused() {
        for key in ["%", "%2", "%zz", "a%", "%2x"] {
            assert_eq!(get(&format!("/v1/users/{key}")), Err(Kind::InvalidKey), "{key}");
        }
        assert_eq!(get("/v1/users/%FF"), Err(Kind::InvalidKey));
        assert_eq!(get("/v1/us%GGers"), Err(Kind::InvalidPath));
    }

    #[test]
    fn everything_else_has_no_place() {
        for path in ["/", "", "/v1", "/v1/", "/v2/users/1", "/v1/users/a/b", "/v1/users:drop", "/healthz/", "*"] {
            assert_eq!(get(path), Err(Kind::UnknownPath), "{path}");
        }
    }

    #[test]
    fn each_place_has_its_methods() {
        for (method, path, allow) in [
            (Method::POST, "/v1/users/1", READ),
            (Method::DELETE, "/v1/users", READ),
            (Method::OPTIONS, "/healthz", READ),
            (Method::GET, "/v1/users:batchGet", "POST"),
            (Method::HEAD, "/v1/users:batchGet", "POST"),
        ] {
            let problem = route(&method, path).unwrap_err();
            assert_eq!((problem.kind, problem.allow), (Kind::MethodNotAllowed, Some(allow)), "{method} {path}");
        }
        assert_eq!(route(&Method::HEAD, "/healthz"), Ok(Route::Health));
        assert_eq!(route(&Method::POST, "/v1/users%3AbatchGet"), Ok(Route::Batch { sync: "users".into() }));
    }
}
