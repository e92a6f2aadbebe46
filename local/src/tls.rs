//! TLS on loopback, with certificates of an authority that only who is told trusts.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::TLS13;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a server shows: its chain and the key to it.
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let key = KeyPair::generate().context("make the key of the authority")?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).context("sign the authority's certificate")?;
        Ok(Self { pem: certificate.pem(), issuer: Issuer::new(params, key) })
    }

    /// For `SSL_CERT_FILE`.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        std::fs::write(file, &self.pem).with_context(|| format!("write {}", file.display()))
    }

    /// `name` may be an address.
    pub(crate) fn certify(&self, name: &str) -> Result<Identity> {
        let key = KeyPair::generate().with_context(|| format!("make a key for {name}"))?;
        let params = CertificateParams::new(vec![name.to_owned()]).with_context(|| format!("certify {name}"))?;
        let certificate = params.signed_by(&key, &self.issuer).with_context(|| format!("certify {name}"))?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Identity { chain: vec![certificate.der().clone()], key })
    }
}

impl Identity {
    /// TLS 1.3 and nothing else.
    pub(crate) fn server(self, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13])?;
        let mut config = config.with_no_client_auth().with_single_cert(self.chain, self.key)?;
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

/// What speaks HTTP/1.1 as `name`; the authority of its certificate is written to `file`.
pub(crate) fn acceptor(name: &str, file: &Path) -> Result<TlsAcceptor> {
    let authority = Authority::new("isthmus on loopback")?;
    authority.write(file)?;
    Ok(authority.certify(name)?.server(&[b"http/1.1"])?.into())
}

/// TLS in front of an endpoint that has none. Stops when dropped.
pub struct Front {
    endpoint: String,
    server: JoinHandle<()>,
}

impl Front {
    /// The authority's certificate is written to `file`, for the clients' `SSL_CERT_FILE`.
    pub async fn start(target: &str, file: &Path) -> Result<Self> {
        Self::of("127.0.0.1", target, file).await
    }

    /// For clients that ask for it by this name.
    pub async fn of(name: &str, target: &str, file: &Path) -> Result<Self> {
        let (acceptor, target) = (acceptor(name, file)?, target.trim_start_matches("http://").to_owned());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind a front of TLS")?;
        let endpoint = format!("https://{}", listener.local_addr()?);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // The client tells what went wrong.
                tokio::spawn(pass(stream, acceptor.clone(), target.clone()));
            }
        });
        Ok(Self { endpoint, server })
    }

    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(stream: TcpStream, acceptor: TlsAcceptor, target: String) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = acceptor.accept(stream).await?;
    let mut upstream = TcpStream::connect(&target).await?;
    upstream.set_nodelay(true)?;
    copy_bidirectional(&mut stream, &mut upstream).await?;
    Ok(())
}
