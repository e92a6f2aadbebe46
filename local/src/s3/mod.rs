//! S3 in this process: `s3s` speaks the protocol, the objects are ours. Addressed by path or by the bucket's own host, kept
//! in memory.

mod door;
mod host;
mod listing;
mod operations;
mod reply;
mod store;
mod uploads;

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use door::Door;
use host::BucketInHost;
use operations::Operations;

use crate::sts::Sts;

pub use store::{Condition, Listed, Object, Refused, Store};

/// Stops when dropped; the objects live on in the handles of its store.
pub struct S3 {
    endpoint: String,
    store: Store,
    door: Door,
    server: JoinHandle<()>,
}

impl S3 {
    /// Every access key is let in, with any secret: keys that STS made at run time work as static ones do.
    pub async fn start() -> Result<Self> {
        Self::with_store(Store::default()).await
    }

    pub async fn with_store(store: Store) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind S3 on 127.0.0.1")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let door = Door::default();
        let mut service = S3ServiceBuilder::new(Operations::new(store.clone()));
        service.set_auth(door.clone());
        service.set_access(door.clone());
        service.set_host(BucketInHost);
        let server = tokio::spawn(serve(listener, door.clone(), service.build()));
        Ok(Self { endpoint, store, door, server })
    }

    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// From now on requests of `access_key` are verified with `secret`.
    pub fn allow(&self, access_key: &str, secret: &str) {
        self.door.allow(access_key, secret);
    }

    /// From now on requests of `access_key` meet `ExpiredToken`.
    pub fn expire(&self, access_key: &str) {
        self.door.expire(access_key);
    }

    /// From now on every request is verified as S3 does it: with a registered secret, or with the one that STS made.
    pub fn verify(&self, sts: &Sts) {
        self.door.ask(sts.secrets());
        self.door.close();
    }

    /// From now on only allowed keys come in: others meet `InvalidAccessKeyId`, unsigned requests `AccessDenied`.
    pub fn close(&self) {
        self.door.close();
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, door: Door, service: S3Service) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (door, service) = (door.clone(), service.clone());
        let answer = service_fn(move |request| answer(door.clone(), service.clone(), request));
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
        tokio::spawn(async move {
            let _ = connection.await; // a client that goes away is no matter of ours
        });
    }
}

async fn answer(door: Door, service: S3Service, request: Request<Incoming>) -> Result<Response<s3s::Body>> {
    let (head, body) = request.into_parts();
    let body: Bytes = body.collect().await?.to_bytes();
    let request = door.admit(Request::from_parts(head, body));
    let response = service.call(request.map(s3s::Body::from)).await;
    response.map_err(|error| anyhow::anyhow!("serve an S3 request: {error:?}"))
}
