//! An HTTP server of ours on loopback, gone when its handle is.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) struct Listening {
    endpoint: String,
    server: JoinHandle<()>,
}

impl Listening {
    pub(crate) async fn start(name: &str, router: Router) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.with_context(|| format!("bind {name}"))?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { endpoint, server })
    }

    /// `http://127.0.0.1:40123`
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.server.abort();
    }
}
