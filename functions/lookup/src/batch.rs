//! `POST /v1/{sync}:batchGet`: many rows of one generation in one answer, in the order of the keys.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response};
use reader::{Batch, MAX_KEY_BYTES};
use serde::Deserialize;

use crate::problem::{Kind, Problem};
use crate::read::{mark, refused};
use crate::{Call, Lookup, MAX_BODY_BYTES, json};

pub(crate) const MAX_KEYS: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    keys: Vec<String>,
}

impl Lookup {
    pub(crate) async fn batch(&self, call: &Call, sync: &str) -> Result<Response<Bytes>, Problem> {
        let keys = keys(call.request.headers(), call.request.body().as_ref())?;
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let batch = self.reader.get_many(sync, &keys).await.map_err(|error| refused(call, sync, &error))?;
        let text = text(&keys, &batch);
        if !self.envelope.holds(&text) {
            let is_one = batch.rows.iter().flatten().any(|row| !self.envelope.holds(&row.body));
            return Err(too_large(is_one));
        }
        let mut response = json(text);
        mark(response.headers_mut(), &batch.generation);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}

/// One of the rows alone, or all together.
pub(crate) fn too_large(is_one: bool) -> Problem {
    if is_one {
        Problem::new(
            Kind::RowTooLarge,
            "one of these rows has more than 6 MB, as a batch has at most: ask for it by itself",
        )
    } else {
        Problem::new(Kind::AnswerTooLarge, "a batch has at most 6 MB: ask for fewer keys at once")
    }
}

fn keys(headers: &HeaderMap, body: Option<&Bytes>) -> Result<Vec<String>, Problem> {
    let Some(body) = body else {
        return Err(Problem::new(Kind::BodyTooLarge, format!("a body has at most {MAX_BODY_BYTES} bytes")));
    };
    if !is_json(headers) {
        return Err(Problem::new(Kind::UnsupportedMediaType, "send the body with content-type: application/json"));
    }
    // serde would take an array of fields for the object.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(Kind::InvalidBody, "the body is an object with the field `keys`"));
    }
    let asked: Asked =
        serde_json::from_slice(body).map_err(|error| Problem::new(Kind::InvalidBody, error.to_string()))?;
    if asked.keys.len() > MAX_KEYS {
        let detail = format!("{} keys were asked for, at most {MAX_KEYS} are answered", asked.keys.len());
        return Err(Problem::new(Kind::TooManyKeys, detail));
    }
    for (n, key) in asked.keys.iter().enumerate() {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            let detail = format!("keys[{n}] has {} bytes: a key has 1 to {MAX_KEY_BYTES}", key.len());
            return Err(Problem::new(Kind::InvalidKey, detail));
        }
    }
    Ok(asked.keys)
}

/// Whoever says nothing about the body is believed to send JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return true };
    let essence = value.to_str().ok().and_then(|text| text.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// The bodies are JSON already and go in as they are.
fn text(keys: &[&str], batch: &Batch) -> Vec<u8> {
    let bodies: usize = batch.rows.iter().flatten().map(|row| row.body.len()).sum();
    let mut text = Vec::with_capacity(bodies + 64 * (keys.len() + 1));
    text.extend_from_slice(b"{\"generation\":\"");
    text.extend_from_slice(batch.generation.as_str().as_bytes());
    text.extend_from_slice(b"\",\"rows\":[");
    for (n, (key, row)) in keys.iter().zip(&batch.rows).enumerate() {
        text.extend_from_slice(if n == 0 { b"{\"key\":" } else { b",{\"key\":" });
        text.extend_from_slice(serde_json::Value::from(*key).to_string().as_bytes());
        text.extend_from_slice(b",\"body\":");
        text.extend_from_slice(row.as_ref().map_or(b"null", |row| &row.body));
        text.push(b'}');
    }
    text.extend_from_slice(b"]}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use reader::Row;

    fn refusal(body: &str) -> (Kind, String) {
        let problem = keys(&HeaderMap::new(), Some(&Bytes::from(body.to_owned()))).unwrap_err();
        (problem.kind, problem.detail)
    }

    #[test]
    fn keys_are_read_and_everything_else_is_refused() {
        let read = keys(&HeaderMap::new(), Some(&Bytes::from("{\"keys\":[\"a\",\"\\u672c\",\"a\"]}"))).unwrap();
        assert_eq!(read, ["a", "本", "a"]);
        for (body, told) in [
            ("", "the body is an object"),
            ("[[\"a\"]]", "the body is an object"),
            ("null", "the body is an object"),
            ("{", "EOF while parsing an object"),
            ("{}", "missing field `keys`"),
            ("{\"keys\":\"a\"}", "invalid type: string \"a\", expected a sequence"),
            ("{\"keys\":[1]}", "invalid type: integer `1`, expected a string"),
            ("{\"keys\":[\"\\ud800\"]}", "unexpected end of hex escape"),
            ("{\"keys\":[],\"key\":[]}", "unknown field `key`"),
            ("{\"keys\":[],\"keys\":[]}", "duplicate field `keys`"),
            ("{\"keys\":[]} x", "trailing characters"),
        ] {
            let (kind, detail) = refusal(body);
            assert_eq!(kind, Kind::InvalidBody, "{body}");
            assert!(detail.starts_with(told), "{body}: {detail}");
        }
    }

    #[test]
    fn a_hundred_keys_are_answered_and_one_more_is_not() {
        let body = |n: usize| serde_json::json!({"keys": vec!["k"; n]}).to_string();
        assert_eq!(keys(&HeaderMap::new(), Some(&body(100).into())).unwrap().len(), 100);
        assert_eq!(refusal(&body(101)).0, Kind::TooManyKeys);
    }

    #[test]
    fn the_key_that_no_row_can_have_is_named_by_its_place() {
        assert_eq!(refusal("{\"keys\":[\"a\",\"\"]}").1, "keys[1] has 0 bytes: a key has 1 to 1024");
        let long = serde_json::json!({"keys": ["本".repeat(342)]}).to_string();
        assert_eq!(refusal(&long), (Kind::InvalidKey, "keys[0] has 1026 bytes: a key has 1 to 1024".into()));
    }

    #[test]
    fn another_kind_of_body_is_refused() {
        for (value, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("application/json-seq", false),
        ] {
            assert_eq!(is_json(&HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())])), json, "{value}");
        }
        assert_eq!(keys(&HeaderMap::new(), None).unwrap_err().kind, Kind::BodyTooLarge);
    }

    #[test]
    fn bodies_go_in_as_they_are() {
        let row = Row { body: Bytes::from("{\"a\": 1.0}"), sha256: [0; 32] };
        let batch = Batch { rows: vec![Some(row), None], generation: "20261125T190000Z".parse().unwrap() };
        let text = String::from_utf8(text(&["a\"b", "本"], &batch)).unwrap();
        assert_eq!(
            text,
            "{\"generation\":\"20261125T190000Z\",\"rows\":[{\"key\":\"a\\\"b\",\"body\":{\"a\": 1.0}},{\"key\":\"本\",\
             \"body\":null}]}"
        );
    }
}
