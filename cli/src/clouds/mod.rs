//! Both clouds, reached with the operator's own credentials: the AWS profile and the Application Default Credentials of
//! gcloud. What has no client in this workspace is a signed or authorized JSON call; there are few of them.

mod aws;
mod credentials;
mod google;
mod names;

pub use aws::{Aws, CLOUDWATCH, SQS, SSM};
pub use google::Google;
pub use names::Names;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::status::arguments::Place;
use crate::status::facts::Asked;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// AWS in the environment's region.
pub async fn aws_of(place: &Place) -> Asked<Aws> {
    Aws::connect(place.region()?).await.map_err(|error| format!("{error:#}"))
}

fn http() -> Result<reqwest::Client> {
    let client = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(CALL_TIMEOUT);
    client.build().context("make an HTTP client")
}

/// The answer, or what the service says instead of one.
async fn answered(request: reqwest::RequestBuilder) -> Result<Option<Vec<u8>>> {
    let answer = request.send().await.map_err(reqwest::Error::without_url)?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(reqwest::Error::without_url)?;
    match status.as_u16() {
        200..=299 => Ok(Some(body.to_vec())),
        404 => Ok(None),
        _ => bail!("{status}: {}", told(&body)),
    }
}

/// Status and body of a plain GET.
pub async fn fetched(url: &str) -> Result<(u16, String)> {
    let answer = http()?.get(url).send().await.map_err(reqwest::Error::without_url)?;
    let status = answer.status().as_u16();
    Ok((status, answer.text().await.map_err(reqwest::Error::without_url)?))
}

/// The time at which a server answers, to the second, whatever it answers.
pub async fn dated(url: &str) -> Result<DateTime<Utc>> {
    let answer = http()?.get(url).send().await.with_context(|| format!("ask {url}"))?;
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    date.map(|date| date.to_utc()).with_context(|| format!("{url} does not say what time it is"))
}

/// Both clouds put their words into JSON, each in its own way.
fn told(body: &[u8]) -> String {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let kind = json["__type"].as_str().map(|kind| kind.rsplit('#').next().unwrap_or(kind));
    let words = [&json["error"]["message"], &json["message"], &json["Message"], &json["detail"], &json["title"]];
    let words = words.into_iter().find_map(Value::as_str);
    match (kind, words) {
        (Some(kind), Some(words)) => format!("{kind}: {words}"),
        (Some(word), None) | (None, Some(word)) => word.to_owned(),
        (None, None) => String::from_utf8_lossy(body).chars().take(300).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_services_own_words() {
        for (body, words) in [
            (r#"{"error":{"code":403,"message":"Permission denied"}}"#, "Permission denied"),
            (
                r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no such queue"}"#,
                "QueueDoesNotExist: no such queue",
            ),
            (r#"{"__type":"AccessDeniedException","Message":"not you"}"#, "AccessDeniedException: not you"),
            ("<html>Bad gateway</html>", "<html>Bad gateway</html>"),
        ] {
            assert_eq!(told(body.as_bytes()), words);
        }
    }
}
