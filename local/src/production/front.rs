//! TLS as the services have it: one address, many names, each with a certificate of its own; and what can go wrong
//! before the first request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::LazyConfigAcceptor;

use super::hosts::Host;
use super::proxy::Proxy;
use crate::tls::{Authority, Identity};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The certificate is of an authority that nobody trusts.
    UnknownAuthority,
    /// The certificate is another host's.
    WrongName,
    /// The connection is closed after the client's first message; so many times.
    CutHandshake(u32),
}

/// A handshake that was completed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    pub host: String,
    /// `TLSv1_3`
    pub version: String,
    /// `h2`, `http/1.1`
    pub protocol: String,
}

pub(super) struct Front {
    names: BTreeMap<String, Name>,
    state: Mutex<State>,
}

struct Name {
    config: Arc<ServerConfig>,
    unknown: Arc<ServerConfig>,
    wrong: Arc<ServerConfig>,
    proxy: Proxy,
}

#[derive(Default)]
struct State {
    faults: BTreeMap<String, Fault>,
    connections: Vec<Connection>,
}

impl Front {
    pub(super) fn new(authority: &Authority, hosts: Vec<Host>) -> Result<Self> {
        let stranger = Authority::new("nobody's")?;
        let name = |host: Host| {
            let config = |identity: Identity| identity.server(host.protocol.alpn());
            let name = Name {
                config: config(authority.certify(&host.name)?)?,
                unknown: config(stranger.certify(&host.name)?)?,
                wrong: config(authority.certify("another.example")?)?,
                proxy: Proxy::to(&host.upstream, host.protocol),
            };
            Ok((host.name.clone(), name))
        };
        let names = hosts.into_iter().map(name).collect::<Result<_>>()?;
        Ok(Self { names, state: Mutex::default() })
    }

    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let front = Arc::clone(&self);
            tokio::spawn(async move {
                let _ = front.connection(stream).await; // the client tells what went wrong
            });
        }
    }

    async fn connection(&self, stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let host = start.client_hello().server_name().context("no server name")?.to_owned();
        let name = self.names.get(&host).with_context(|| format!("nobody is {host}"))?;
        let config = match self.fault(&host) {
            None => &name.config,
            Some(Fault::UnknownAuthority) => &name.unknown,
            Some(Fault::WrongName) => &name.wrong,
            Some(Fault::CutHandshake(_)) => return Ok(()),
        };
        let stream = start.into_stream(Arc::clone(config)).await?;
        let (_, session) = stream.get_ref();
        let version = session.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default();
        let protocol = session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
        self.lock().connections.push(Connection { host, version, protocol: protocol.unwrap_or_default() });
        name.proxy.serve(stream).await
    }

    /// What this handshake meets; one that is cut counts.
    fn fault(&self, host: &str) -> Option<Fault> {
        let mut state = self.lock();
        let fault = state.faults.get(host).copied();
        if let Some(Fault::CutHandshake(left)) = fault {
            match left.checked_sub(1) {
                Some(left) => state.faults.insert(host.to_owned(), Fault::CutHandshake(left)),
                None => state.faults.remove(host),
            };
            return fault.filter(|_| left > 0);
        }
        fault
    }

    pub(super) fn set_fault(&self, host: &str, fault: Option<Fault>) {
        let mut state = self.lock();
        match fault {
            Some(fault) => state.faults.insert(host.to_owned(), fault),
            None => state.faults.remove(host),
        };
    }

    pub(super) fn take_connections(&self) -> Vec<Connection> {
        std::mem::take(&mut self.lock().connections)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
