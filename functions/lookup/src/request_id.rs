//! The name of a request, in the answer and in the log: the caller's own, if it can stand there.

use http::{HeaderMap, HeaderName};
use uuid::Uuid;

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const MAX_BYTES: usize = 128;

pub fn of(headers: &HeaderMap) -> String {
    let asked = headers.get(HEADER).and_then(|value| value.to_str().ok()).filter(|id| is_sane(id));
    asked.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

/// What needs no escaping in a URN, a header or a log line.
fn is_sane(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=MAX_BYTES).contains(&id.len()) && id.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(asked: &str) -> String {
        of(&HeaderMap::from_iter([(HEADER, asked.parse().unwrap())]))
    }

    #[test]
    fn a_sane_id_is_kept_and_another_is_replaced() {
        assert_eq!(id_for("order-7.retry_2"), "order-7.retry_2");
        for asked in ["", "a b", "x\u{7f}y", "<script>", &"x".repeat(129), "日本"] {
            let Ok(value) = http::HeaderValue::from_bytes(asked.as_bytes()) else { continue };
            let id = of(&HeaderMap::from_iter([(HEADER, value)]));
            assert!(Uuid::parse_str(&id).is_ok(), "{asked:?} became {id}");
        }
        assert_ne!(of(&HeaderMap::new()), of(&HeaderMap::new()));
    }
}
