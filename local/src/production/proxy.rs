//! From a connection under a service's name to what stands for the service here. Requests pass as they came, but for the
//! version of HTTP; the host name stays, since it is signed, and since S3 finds the bucket in it.

use anyhow::Result;
use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::hosts::Protocol;

#[derive(Clone)]
pub(super) struct Proxy {
    upstream: String,
    client: Client<HttpConnector, Incoming>,
    version: Version,
}

impl Proxy {
    pub(super) fn to(upstream: &str, protocol: Protocol) -> Self {
        let grpc = protocol == Protocol::Grpc;
        let client = Client::builder(TokioExecutor::new()).http2_only(grpc).build_http();
        let version = if grpc { Version::HTTP_2 } else { Version::HTTP_11 };
        Self { upstream: upstream.to_owned(), client, version }
    }

    pub(super) async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<()> {
        let pass = service_fn(|request| self.clone().pass(request));
        let served = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), pass).await;
        served.map_err(|error| anyhow::anyhow!("serve a connection: {error}"))
    }

    async fn pass(self, mut request: Request<Incoming>) -> Result<Response<Incoming>> {
        let named = request.uri().authority().map(Authority::as_str).map(HeaderValue::from_str).transpose()?;
        let mut uri = std::mem::take(request.uri_mut()).into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(self.upstream.parse()?);
        *request.uri_mut() = Uri::from_parts(uri)?;
        if let (Some(name), Version::HTTP_11) = (named, self.version) {
            request.headers_mut().insert(HOST, name);
        }
        *request.version_mut() = self.version;
        let mut response = self.client.request(request).await?;
        *response.version_mut() = Version::HTTP_11; // each side has its own; hyper writes the one of its connection
        Ok(response)
    }
}

/// Bytes both ways: what has no TLS.
pub(super) async fn copy(mut client: TcpStream, upstream: String) {
    if let Ok(mut server) = TcpStream::connect(&upstream).await {
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    }
}
