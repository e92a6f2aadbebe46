//! Signature Version 4 for one shape of request: a PUT without a query string, whose body's SHA-256 is known. The SDK's
//! signer takes any request and pays for it; see `docs/research/put-engine.md`. A test holds this one to it.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_lc_rs::{digest, hmac};
use chrono::{DateTime, Utc};
use http::HeaderValue;
use http::header::InvalidHeaderValue;

/// Signs for one region. What stays the same for a second is computed once in that second.
pub(super) struct Signer {
    region: String,
    stamp: Mutex<Option<Arc<Stamp>>>,
}

/// What all requests of one access key within one second have in common.
pub(super) struct Stamp {
    second: i64,
    access_key_id: String,
    pub(super) date: HeaderValue,
    pub(super) token: Option<HeaderValue>,
    amz_date: String,
    scope: String,
    signed_headers: &'static str,
    key: hmac::Key,
}

/// What differs from request to request, as the request will say it.
pub(super) struct Subject<'a> {
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) content_type: &'a str,
    pub(super) sha256_hex: &'a str,
    pub(super) sha256_base64: &'a str,
}

impl Signer {
    pub(super) fn new(region: &str) -> Self {
        Self { region: region.to_owned(), stamp: Mutex::new(None) }
    }

    pub(super) fn stamp(&self, credentials: &Credentials, now: SystemTime) -> Result<Arc<Stamp>, InvalidHeaderValue> {
        let now = DateTime::<Utc>::from(now);
        let mut kept = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(stamp) if stamp.is_of(credentials, now) => Ok(Arc::clone(stamp)),
            _ => {
                let stamp = Arc::new(Stamp::new(credentials, now, &self.region)?);
                *kept = Some(Arc::clone(&stamp));
                Ok(stamp)
            }
        }
    }
}

impl Stamp {
    fn new(credentials: &Credentials, now: DateTime<Utc>, region: &str) -> Result<Self, InvalidHeaderValue> {
        let day = now.format("%Y%m%d").to_string();
        let amz_date = now.format("%Y%m%dT%H%M%SZ").to_string();
        let first = format!("AWS4{}", credentials.secret_access_key());
        let words = [day.as_str(), region, "s3", "aws4_request"];
        let key = words.iter().fold(key_of(first.as_bytes()), |key, word| {
            let next = hmac::sign(&key, word.as_bytes());
            key_of(next.as_ref())
        });
        let secret = |text: &str| {
            let mut value = HeaderValue::from_str(text)?;
            value.set_sensitive(true);
            Ok(value)
        };
        let token = credentials.session_token().map(secret).transpose()?;
        Ok(Self {
            second: now.timestamp(),
            access_key_id: credentials.access_key_id().to_owned(),
            date: HeaderValue::from_str(&amz_date)?,
            signed_headers: if token.is_some() {
                "content-type;host;x-amz-checksum-sha256;x-amz-content-sha256;x-amz-date;x-amz-security-token"
            } else {
                "content-type;host;x-amz-checksum-sha256;x-amz-content-sha256;x-amz-date"
            },
            token,
            amz_date,
            scope: format!("{day}/{region}/s3/aws4_request"),
            key,
        })
    }

    fn is_of(&self, credentials: &Credentials, now: DateTime<Utc>) -> bool {
        self.second == now.timestamp() && self.access_key_id == credentials.access_key_id()
    }

    /// The `Authorization` header.
    pub(super) fn authorization(&self, subject: &Subject) -> String {
        let canonical = self.canonical_request(subject);
        let mut to_sign = String::with_capacity(160);
        to_sign.extend(["AWS4-HMAC-SHA256\n", &self.amz_date, "\n", &self.scope, "\n"]);
        push_hex(&mut to_sign, digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        let signature = hmac::sign(&self.key, to_sign.as_bytes());
        let mut header = String::with_capacity(320);
        header.extend(["AWS4-HMAC-SHA256 Credential=", &self.access_key_id, "/", &self.scope]);
        header.extend([", SignedHeaders=", self.signed_headers, ", Signature="]);
        push_hex(&mut header, signature.as_ref());
        header
    }

    /// Every header that S3 wants signed: the host, the content type, all `x-amz-…`; sorted by name.
    fn canonical_request(&self, subject: &Subject) -> String {
        let token = self.token.as_ref().and_then(|token| token.to_str().ok());
        let mut text = String::with_capacity(512 + subject.path.len() + token.map_or(0, str::len));
        text.extend(["PUT\n", subject.path, "\n\ncontent-type:", subject.content_type, "\nhost:", subject.host]);
        text.extend(["\nx-amz-checksum-sha256:", subject.sha256_base64]);
        text.extend(["\nx-amz-content-sha256:", subject.sha256_hex, "\nx-amz-date:", &self.amz_date]);
        if let Some(token) = token {
            text.extend(["\nx-amz-security-token:", token]);
        }
        text.extend(["\n\n", self.signed_headers, "\n", subject.sha256_hex]);
        text
    }
}

fn key_of(bytes: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, bytes)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    push_hex(&mut text, bytes);
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sigv4::http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    };
    use aws_sigv4::sign::v4;
    use proptest::prelude::*;

    use super::*;
    use crate::put::target::Target;

    /// What AWS's own signer makes of the same request.
    fn oracle(target: &Target, subject: &Subject, credentials: &Credentials, region: &str, now: SystemTime) -> String {
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let identity = credentials.clone().into();
        let params = v4::SigningParams::builder().identity(&identity).region(region).name("s3").time(now);
        let params = params.settings(settings).build().unwrap().into();
        let uri = format!("http://{}{}", target.authority(), subject.path);
        let headers = [("content-type", subject.content_type), ("x-amz-checksum-sha256", subject.sha256_base64)];
        let body = SignableBody::Precomputed(subject.sha256_hex.to_owned());
        let request = SignableRequest::new("PUT", uri, headers.into_iter(), body).unwrap();
        let (instructions, _) = sign(request, &params).unwrap().into_parts();
        let (headers, _) = instructions.into_parts();
        headers.into_iter().find(|header| header.name() == "authorization").unwrap().value().to_owned()
    }

    proptest! {
        #[test]
        fn it_signs_as_awss_own_signer_does(
            key in "\\PC{1,60}",
            bucket in "[a-z][a-z0-9.-]{1,20}[a-z]",
            secret in "[A-Za-z0-9/+]{40}",
            token in proptest::option::of("[A-Za-z0-9/+=]{1,900}"),
            seconds in 1_700_000_000_u64..2_000_000_000,
            hash in any::<[u8; 32]>(),
        ) {
            use base64::Engine;
            let target = Target::new(Some("http://127.0.0.1:9000"), "ap-northeast-1", &bucket).unwrap();
            let credentials = Credentials::new("ASIAIOSFODNN7EXAMPLE", secret, token, None, "test");
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let subject = Subject {
                host: target.authority(),
                path: &target.path(&key),
                content_type: "application/json",
                sha256_hex: &hex(&hash),
                sha256_base64: &base64::engine::general_purpose::STANDARD.encode(hash),
            };
            let signer = Signer::new("ap-northeast-1");
            let ours = signer.stamp(&credentials, now).unwrap().authorization(&subject);
            prop_assert_eq!(ours, oracle(&target, &subject, &credentials, "ap-northeast-1", now));
        }
    }

    #[test]
    fn a_stamp_serves_one_key_for_one_second() {
        let signer = Signer::new("ap-northeast-1");
        let of = |id: &str| Credentials::new(id, "secret", None, None, "test");
        let second = |n| SystemTime::UNIX_EPOCH + Duration::from_millis(n);
        let first = signer.stamp(&of("A"), second(1000)).unwrap();
        assert!(Arc::ptr_eq(&first, &signer.stamp(&of("A"), second(1999)).unwrap()));
        assert_eq!(signer.stamp(&of("A"), second(2000)).unwrap().date, "19700101T000002Z");
        assert_eq!(signer.stamp(&of("B"), second(2000)).unwrap().access_key_id, "B");
    }
}
