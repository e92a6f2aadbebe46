//! One request and its answer.

use std::sync::Arc;
use std::time::Duration;

use super::answer::Refusal;
use super::connection::BoxError;
use super::sign::{Subject, hex};
use super::target::Target;
use super::{Engine, Put};
use crate::cut_off::cut_off;
use aws_credential_types::Credentials;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;

const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Why an attempt did not succeed.
pub(super) enum Failure {
    Refused(Refusal),
    Late(Duration),
    /// No answer, or none that can be read.
    Broken(BoxError),
    /// As `Broken`, on a connection that S3 may have closed while it was idle.
    Stale(BoxError),
    Unsendable(BoxError),
}

/// What stays the same from attempt to attempt.
pub(super) struct Prepared {
    pub(super) target: Arc<Target>,
    path: Bytes,
    sha256_hex: Bytes,
    sha256_base64: Bytes,
}

impl Prepared {
    pub(super) fn new(target: Arc<Target>, put: &Put) -> Self {
        Self {
            path: target.path(&put.key).into(),
            sha256_hex: hex(&put.sha256).into(),
            sha256_base64: STANDARD.encode(put.sha256).into(),
            target,
        }
    }
}

impl Engine {
    pub(super) async fn attempt(
        &self,
        put: &Put,
        prepared: &Prepared,
        credentials: &Credentials,
    ) -> Result<(), Failure> {
        let limit = self.settings.attempt.of(put.body.len());
        cut_off(limit, self.exchange(put, prepared, credentials)).await.unwrap_or(Err(Failure::Late(limit)))
    }

    async fn exchange(&self, put: &Put, prepared: &Prepared, credentials: &Credentials) -> Result<(), Failure> {
        let mut connection = self.pool.connection(&prepared.target).await.map_err(Failure::Broken)?;
        let request = self.request(put, prepared, credentials).map_err(Failure::Unsendable)?;
        let broken = if connection.reused { Failure::Stale } else { Failure::Broken };
        let answer = connection.send(request).await.map_err(|error| broken(error.into()))?;
        let (head, body) = answer.into_parts();
        let body = connection.whole(body).await.map_err(Failure::Broken)?;
        self.pool.keep(&prepared.target, connection);
        if head.status == StatusCode::OK {
            return Ok(());
        }
        Err(Failure::Refused(Refusal::new(head.status, &head.headers, &body)))
    }

    fn request(
        &self,
        put: &Put,
        prepared: &Prepared,
        credentials: &Credentials,
    ) -> Result<Request<Full<Bytes>>, BoxError> {
        let stamp = self.signer.stamp(credentials, self.clock.now())?;
        let authorization = stamp.authorization(&Subject {
            host: prepared.target.authority(),
            path: std::str::from_utf8(&prepared.path)?,
            content_type: put.content_type,
            sha256_hex: std::str::from_utf8(&prepared.sha256_hex)?,
            sha256_base64: std::str::from_utf8(&prepared.sha256_base64)?,
        });
        let mut request = Request::new(Full::new(put.body.clone()));
        *request.method_mut() = Method::PUT;
        *request.uri_mut() = http::Uri::from_maybe_shared(prepared.path.clone())?;
        let mut headers = HeaderMap::with_capacity(10);
        headers.insert(HOST, prepared.target.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(put.content_type));
        headers.insert(CHECKSUM, HeaderValue::from_maybe_shared(prepared.sha256_base64.clone())?);
        headers.insert(CONTENT_SHA256, HeaderValue::from_maybe_shared(prepared.sha256_hex.clone())?);
        headers.insert(DATE, stamp.date.clone());
        if let Some(token) = &stamp.token {
            headers.insert(TOKEN, token.clone());
        }
        headers.insert(AUTHORIZATION, HeaderValue::from_maybe_shared(Bytes::from(authorization))?);
        *request.headers_mut() = headers;
        Ok(request)
    }
}
