//! A connection of its own for each transaction. It is closed when it is dropped, and its transaction with it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config, NoTls};
use tokio_rustls::TlsConnector;

use super::error::read_error;
use crate::address::Server;
use crate::order::ReadError;

const CONNECT: Duration = Duration::from_secs(15);

pub struct Connection {
    pub client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

pub async fn connect(server: &Server) -> Result<Connection, ReadError> {
    let silent = || ReadError::Interrupted(anyhow!("no answer within {} s", CONNECT.as_secs()));
    let connected = timeout(CONNECT, open(server)).await.map_err(|_| silent());
    connected.and_then(|connected| connected).map_err(|error| error.context(server.to_string()))
}

async fn open(server: &Server) -> Result<Connection, ReadError> {
    let address = &server.address;
    let mut config = Config::new();
    config.user(&address.user).password(server.login.password(address).await?).dbname(&server.database);
    config.application_name("isthmus database-to-bigquery");
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await;
    let stream = stream.map_err(|error| ReadError::Interrupted(error.into()))?;
    stream.set_nodelay(true).map_err(|error| ReadError::Interrupted(error.into()))?;
    if !address.tls {
        let (client, connection) =
            config.ssl_mode(SslMode::Disable).connect_raw(stream, NoTls).await.map_err(read_error)?;
        return Ok(Connection { client, driver: tokio::spawn(drive(connection)) });
    }
    let tls = Tls { connector: connector(server)?, host: server_name(&address.host)? };
    let (client, connection) = config.ssl_mode(SslMode::Require).connect_raw(stream, tls).await.map_err(read_error)?;
    Ok(Connection { client, driver: tokio::spawn(drive(connection)) })
}

/// The client is told of the error.
async fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    let _ = connection.await;
}

/// Only certificates of the given authorities are trusted, and the host's name must be the certificate's.
fn connector(server: &Server) -> Result<TlsConnector> {
    let file = server.ca_file.display();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&server.ca_file).with_context(|| format!("read {file}"))? {
        roots.add(certificate.with_context(|| format!("read {file}"))?)?;
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn server_name(host: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(host.to_owned()).with_context(|| format!("{host} cannot stand in a certificate"))
}

struct Tls {
    connector: TlsConnector,
    host: ServerName<'static>,
}

impl TlsConnect<TcpStream> for Tls {
    type Stream = Secured;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Secured, std::io::Error>> + Send>>;

    fn connect(self, stream: TcpStream) -> Self::Future {
        Box::pin(async move { Ok(Secured(self.connector.connect(self.host, stream).await?)) })
    }
}

struct Secured(tokio_rustls::client::TlsStream<TcpStream>);

impl TlsStream for Secured {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> task::Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buf: &[u8],
    ) -> task::Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
