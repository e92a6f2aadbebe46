//! Where a bucket is, and how a key stands in a path.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// S3 signs the path as it was sent, so the same encoding serves both.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>, `UriEncode`
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One bucket's address.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) uri: Uri,
    pub(super) host: HeaderValue,
    authority: String,
    /// Empty where the host names the bucket.
    prefix: String,
}

impl Target {
    /// A custom endpoint is addressed by path. So is a bucket with a dot: S3's wildcard certificate covers one label.
    pub(super) fn new(endpoint: Option<&str>, region: &str, bucket: &str) -> Result<Self> {
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let path_style = endpoint.is_some() || bucket.contains('.');
        let base = match endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None if path_style => format!("https://s3.{region}.{domain}"),
            None => format!("https://{bucket}.s3.{region}.{domain}"),
        };
        let uri: Uri = base.parse().with_context(|| format!("read the S3 endpoint {base:?}"))?;
        let authority = uri.authority().map(Authority::to_string).unwrap_or_default();
        let web = uri.scheme().is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        anyhow::ensure!(web && uri.path() == "/", "S3 endpoint {base:?} must be http(s)://host[:port]");
        let host = HeaderValue::from_str(&authority)?;
        let prefix = if path_style { format!("/{}", utf8_percent_encode(bucket, ENCODED)) } else { String::new() };
        Ok(Self { uri, host, authority, prefix })
    }

    /// The host header.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn path(&self, key: &str) -> String {
        let mut path = String::with_capacity(self.prefix.len() + 1 + key.len() + key.len() / 4);
        path.push_str(&self.prefix);
        path.push('/');
        path.extend(utf8_percent_encode(key, ENCODED));
        path
    }
}

/// The buckets seen so far: a run has one or two.
pub(super) struct Targets {
    endpoint: Option<String>,
    region: String,
    known: Mutex<HashMap<Arc<str>, Arc<Target>>>,
}

impl Targets {
    pub(super) fn new(endpoint: Option<&str>, region: &str) -> Self {
        Self { endpoint: endpoint.map(str::to_owned), region: region.to_owned(), known: Mutex::default() }
    }

    pub(super) fn of(&self, bucket: &Arc<str>) -> Result<Arc<Target>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = known.get(bucket) {
            return Ok(Arc::clone(target));
        }
        let target = Arc::new(Target::new(self.endpoint.as_deref(), &self.region, bucket)?);
        known.insert(Arc::clone(bucket), Arc::clone(&target));
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(endpoint: Option<&str>, bucket: &str) -> String {
        let target = Target::new(endpoint, "ap-northeast-1", bucket).unwrap();
        format!("{} {}", target.uri, target.path("k"))
    }

    #[test]
    fn the_host_names_the_bucket_unless_it_has_a_dot_or_the_endpoint_is_given() {
        assert_eq!(address(None, "acme"), "https://acme.s3.ap-northeast-1.amazonaws.com/ /k");
        assert_eq!(address(None, "a.me"), "https://s3.ap-northeast-1.amazonaws.com/ /a.me/k");
        assert_eq!(address(Some("http://127.0.0.1:9000/"), "acme"), "http://127.0.0.1:9000/ /acme/k");
        let china = Target::new(None, "cn-north-1", "acme").unwrap();
        assert_eq!(china.authority(), "acme.s3.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn what_is_not_an_endpoint_is_told() {
        for bad in ["", "127.0.0.1:9000", "ftp://host", "http://host/path"] {
            let error = Target::new(Some(bad), "ap-northeast-1", "acme").unwrap_err();
            assert!(error.to_string().contains("endpoint"), "{bad:?}: {error}");
        }
    }

    #[test]
    fn a_key_is_encoded_once_byte_by_byte() {
        let target = Target::new(None, "ap-northeast-1", "acme").unwrap();
        for (key, path) in [
            ("a/b-c_d.e~f", "/a/b-c_d.e~f"),
            ("//a//", "///a//"),
            ("50% off+tax", "/50%25%20off%2Btax"),
            ("%41", "/%2541"),
            ("鍵/🔑", "/%E9%8D%B5/%F0%9F%94%91"),
            ("a?b#c&d=e:f@g", "/a%3Fb%23c%26d%3De%3Af%40g"),
            ("a/../b/./c", "/a/../b/./c"),
        ] {
            assert_eq!(target.path(key), path);
        }
    }
}
