//! Signature version 4, checked as AWS checks it. Written from its description and with no signer of ours or of the
//! SDK's, so that what they get wrong is found out.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use aws_lc_rs::{digest, hmac};
use axum::http::HeaderMap;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// "Requests must reach AWS within five minutes of the time stamp in the request."
const GOOD_FOR: TimeDelta = TimeDelta::minutes(5);
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// The header `Authorization`, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    pub(super) access_key_id: &'a str,
    /// `20261122/ap-northeast-1/sts/aws4_request`
    scope: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let fields = text.strip_prefix(ALGORITHM)?;
        let field = |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name));
        let (access_key_id, scope) = field("Credential=")?.split_once('/')?;
        Some(Self { access_key_id, scope, signed_headers: field("SignedHeaders=")?, signature: field("Signature=")? })
    }

    /// Why the request is not one that `secret` signed just now.
    pub(super) fn check(&self, request: &Request<'_>, secret: &str, now: DateTime<Utc>) -> Result<(), String> {
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let time = header("x-amz-date");
        let [date, region, service, "aws4_request"] = self.scope.split('/').collect::<Vec<_>>()[..] else {
            return Err("Credential must have exactly 5 slash-delimited elements".into());
        };
        let signed_at = NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%SZ").map_err(|_| "no valid X-Amz-Date")?;
        if !time.starts_with(date) || service != "sts" {
            return Err(format!(
                "Credential should be scoped to the date of {time} and the service sts, not {}",
                self.scope
            ));
        }
        if (now - signed_at.and_utc()).abs() > GOOD_FOR {
            return Err(format!("Signature expired or not yet current: {time} is not within 5 minutes of {now}"));
        }
        let signed: Vec<&str> = self.signed_headers.split(';').collect();
        let unsigned = request.headers.keys().map(axum::http::HeaderName::as_str);
        if let Some(name) =
            unsigned.filter(|name| name.starts_with("x-amz-") || *name == "host").find(|n| !signed.contains(n))
        {
            return Err(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."));
        }
        let text =
            format!("{ALGORITHM}\n{time}\n{}\n{}", self.scope, sha256(self.canonical(request, &signed).as_bytes()));
        let key = [date, region, service, "aws4_request"]
            .iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac_sha256(&key, part.as_bytes()));
        if hex(&hmac_sha256(&key, text.as_bytes())) == self.signature {
            return Ok(());
        }
        Err("The request signature we calculated does not match the signature you provided.".into())
    }

    fn canonical(&self, request: &Request<'_>, signed: &[&str]) -> String {
        let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let encoded = |text: &str| utf8_percent_encode(&decoded(text), UNRESERVED).to_string();
        let pairs = request.query.split('&').filter(|pair| !pair.is_empty());
        let mut pairs: Vec<(String, String)> = pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (encoded(name), encoded(value)))
            .collect();
        pairs.sort();
        let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let values = |name: &str| {
            let values = request.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            let values = values.map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "));
            values.collect::<Vec<_>>().join(",")
        };
        let headers: String = signed.iter().map(|name| format!("{name}:{}\n", values(name))).collect();
        let (method, path, query, hash) = (request.method, request.path, query.join("&"), sha256(request.body));
        format!("{method}\n{path}\n{query}\n{headers}\n{}\n{hash}", self.signed_headers)
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hmac_sha256(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example request of AWS's own description, with the service's name that it has there.
    #[test]
    fn the_key_of_aws_own_example_is_derived() {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let key = ["20150830", "us-east-1", "iam", "aws4_request"]
            .iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac_sha256(&key, part.as_bytes()));
        assert_eq!(hex(&key), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }

    #[test]
    fn an_authorization_is_taken_apart_or_refused() {
        let text = "AWS4-HMAC-SHA256 Credential=ASIA1/20261122/ap-northeast-1/sts/aws4_request, \
                    SignedHeaders=host;x-amz-date, Signature=abc";
        let found = Authorization::parse(text).unwrap();
        assert_eq!((found.access_key_id, found.scope), ("ASIA1", "20261122/ap-northeast-1/sts/aws4_request"));
        assert_eq!((found.signed_headers, found.signature), ("host;x-amz-date", "abc"));
        assert_eq!(Authorization::parse("Bearer x"), None);
    }
}
