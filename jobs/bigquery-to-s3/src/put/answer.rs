//! What an answer of S3 asks us to do. A put without conditions may be repeated whatever became of it.

use std::time::SystemTime;

use chrono::DateTime;
use http::{HeaderMap, StatusCode};

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// S3's one word; empty where the answer has none.
    pub(super) code: String,
    pub(super) message: String,
    /// S3's clock.
    pub(super) date: Option<SystemTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// S3 is at its limit: again later, and fewer at once.
    Slower,
    Again,
    NewCredentials,
    CorrectClock,
    Never,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body);
        let date = headers.get("date").and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        Self {
            status,
            code: element(&body, "Code"),
            message: element(&body, "Message"),
            date: date.map(SystemTime::from),
        }
    }

    /// Source: Amazon S3 API reference, "Error responses", list of error codes.
    pub(super) fn verdict(&self) -> Verdict {
        match self.code.as_str() {
            "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => return Verdict::NewCredentials,
            "RequestTimeTooSkewed" => return Verdict::CorrectClock,
            "RequestTimeout" => return Verdict::Again,
            _ => {}
        }
        match self.status.as_u16() {
            429 | 500 | 503 => Verdict::Slower,
            // A race with another write of the same key; or a name that moves while DNS learns of a new bucket.
            307 | 408 | 409 | 501.. => Verdict::Again,
            _ => Verdict::Never,
        }
    }

    /// What a human can change, where we know.
    pub(super) fn advice(&self, bucket: &str, key: &str) -> String {
        let kms = self.code.starts_with("KMS") || self.message.contains("kms:");
        match self.code.as_str() {
            _ if kms => "the role needs kms:GenerateDataKey on the key that encrypts the bucket".into(),
            "AccessDenied" | "AllAccessDisabled" => {
                format!(
                    "the role needs s3:PutObject on arn:aws:s3:::{bucket}/{key}, and the bucket's policy must not deny it"
                )
            }
            "NoSuchBucket" => "check the bucket's name".into(),
            "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
                "check the region: the bucket is in another one".into()
            }
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" => "check the role and the region".into(),
            "BadDigest" | "XAmzContentSHA256Mismatch" => {
                "the body does not have the hash that was given with it".into()
            }
            _ => String::new(),
        }
    }
}

/// The text of the first `<name>`; S3's error documents are flat.
fn element(xml: &str, name: &str) -> String {
    let start = xml.split_once(&format!("<{name}>")).map(|(_, rest)| rest);
    let text = start.and_then(|rest| rest.split_once("</")).map_or("", |(text, _)| text);
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, code: &str) -> Refusal {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no &amp; no</Message></Error>");
        Refusal::new(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn each_answer_leads_to_one_thing_to_do() {
        for (status, code, verdict) in [
            (503, "SlowDown", Verdict::Slower),
            (503, "ServiceUnavailable", Verdict::Slower),
            (500, "InternalError", Verdict::Slower),
            (429, "TooManyRequests", Verdict::Slower),
            (502, "", Verdict::Again),
            (504, "", Verdict::Again),
            (409, "OperationAborted", Verdict::Again),
            (400, "RequestTimeout", Verdict::Again),
            (307, "TemporaryRedirect", Verdict::Again),
            (400, "ExpiredToken", Verdict::NewCredentials),
            (403, "ExpiredToken", Verdict::NewCredentials),
            (400, "InvalidToken", Verdict::NewCredentials),
            (403, "RequestTimeTooSkewed", Verdict::CorrectClock),
            (403, "AccessDenied", Verdict::Never),
            (403, "InvalidAccessKeyId", Verdict::Never),
            (404, "NoSuchBucket", Verdict::Never),
            (301, "PermanentRedirect", Verdict::Never),
            (400, "KeyTooLongError", Verdict::Never),
            (400, "", Verdict::Never),
            (412, "PreconditionFailed", Verdict::Never),
        ] {
            assert_eq!(refusal(status, code).verdict(), verdict, "{status} {code}");
        }
    }

    #[test]
    fn an_answer_is_read_leniently() {
        let mut headers = HeaderMap::new();
        headers.insert("date", "Sun, 22 Nov 2026 04:00:00 GMT".parse().unwrap());
        let read = Refusal::new(StatusCode::FORBIDDEN, &headers, b"<Error><Code>A</Code><Message>x &lt; y</Message>");
        assert_eq!((read.code.as_str(), read.message.as_str()), ("A", "x < y"));
        let date: DateTime<chrono::Utc> = read.date.unwrap().into();
        assert_eq!(date.to_rfc3339(), "2026-11-22T04:00:00+00:00");
        for body in ["", "<html>Bad Gateway</html>", "<Code>", "\u{0}"] {
            let read = Refusal::new(StatusCode::BAD_GATEWAY, &HeaderMap::new(), body.as_bytes());
            assert_eq!((read.code.as_str(), read.date), ("", None), "{body}");
        }
    }
}
