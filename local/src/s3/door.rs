//! Who may come in. An access key that nobody registered is let in unverified unless the door is closed, since STS hands
//! out keys that S3 here never hears of; a registered one is verified with its secret, as S3 does.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes};
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Request};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

#[derive(Debug, Clone, Default)]
pub(super) struct Door(Arc<Mutex<Keys>>);

#[derive(Debug, Default)]
struct Keys {
    closed: bool,
    known: BTreeMap<String, Key>,
    sessions: Option<Sessions>,
}

/// Who knows the secrets of keys that STS made.
struct Sessions(Box<SecretOf>);

type SecretOf = dyn Fn(&str) -> Option<String> + Send;

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

#[derive(Debug, Clone)]
enum Key {
    Secret(String),
    Expired,
}

impl Door {
    pub(super) fn allow(&self, access_key: &str, secret: &str) {
        self.lock().known.insert(access_key.to_owned(), Key::Secret(secret.to_owned()));
    }

    pub(super) fn expire(&self, access_key: &str) {
        self.lock().known.insert(access_key.to_owned(), Key::Expired);
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
    }

    pub(super) fn ask(&self, sessions: impl Fn(&str) -> Option<String> + Send + 'static) {
        self.lock().sessions = Some(Sessions(Box::new(sessions)));
    }

    /// Takes the signature off a request whose key is not registered, so that it counts as anonymous; the rest goes on
    /// to be verified.
    pub(super) fn admit(&self, request: Request<Bytes>) -> Request<Bytes> {
        let keys = self.lock();
        let known = access_key(request.headers()).is_some_and(|key| keys.known.contains_key(key));
        if known || keys.closed || !request.headers().contains_key(AUTHORIZATION) {
            return request;
        }
        let (mut head, body) = request.into_parts();
        head.headers.remove(AUTHORIZATION);
        let body = unsigned(&mut head.headers, body);
        Request::from_parts(head, body)
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl S3Auth for Door {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let keys = self.lock();
        let unknown =
            || s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records.");
        match keys.known.get(access_key) {
            Some(Key::Secret(secret)) => Ok(SecretKey::from(secret.as_str())),
            Some(Key::Expired) => Err(s3_error!(ExpiredToken, "The provided token has expired.")),
            None => {
                let secret = keys.sessions.as_ref().and_then(|Sessions(secret_of)| secret_of(access_key));
                secret.map(SecretKey::from).ok_or_else(unknown)
            }
        }
    }
}

#[async_trait::async_trait]
impl S3Access for Door {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        if request.credentials().is_none() && self.lock().closed {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        Ok(())
    }
}

/// `AWS4-HMAC-SHA256 Credential={access key}/{date}/{region}/s3/aws4_request, …`
fn access_key(headers: &HeaderMap) -> Option<&str> {
    let (_, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once("Credential=")?;
    rest.split('/').next()
}

/// The plain body of a request that may have been signed chunk by chunk (`aws-chunked`).
fn unsigned(headers: &mut HeaderMap, body: Bytes) -> Bytes {
    let kind = headers.remove("x-amz-content-sha256");
    if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"STREAMING-")) {
        return body;
    }
    let plain = dechunked(body);
    for name in ["x-amz-trailer", "x-amz-decoded-content-length", "x-amz-sdk-checksum-algorithm"] {
        headers.remove(name);
    }
    headers.remove(CONTENT_ENCODING);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(plain.len()));
    plain
}

/// Each chunk is `{length in hex}[;chunk-signature=…]\r\n{bytes}\r\n`; one of length 0 ends, trailers may follow.
fn dechunked(mut body: Bytes) -> Bytes {
    let mut plain = Vec::with_capacity(body.len());
    while let Some(end) = body.windows(2).position(|two| two == b"\r\n") {
        let line = String::from_utf8_lossy(&body[..end]).into_owned();
        let length = usize::from_str_radix(line.split(';').next().unwrap_or_default(), 16).unwrap_or(0);
        body.advance(end + 2);
        if length == 0 || length > body.len() {
            break;
        }
        plain.extend_from_slice(&body[..length]);
        body.advance((length + 2).min(body.len()));
    }
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_signed_in_chunks_is_read_without_its_signatures() {
        let body =
            "5;chunk-signature=aa\r\nhello\r\n6\r\n world\r\n0;chunk-signature=bb\r\nx-amz-checksum-crc32:1\r\n\r\n";
        assert_eq!(dechunked(Bytes::from(body)), "hello world");
        assert_eq!(dechunked(Bytes::from("0\r\n\r\n")), "");
    }
}
