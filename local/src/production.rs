//! The wire of production: the services' own host names, TLS 1.3, HTTP/2 where Google speaks it, a bucket as a host. The
//! programs need no endpoint setting then; they need that these names lead to this machine, so all of it runs in a
//! network and mount namespace of its own (see `tests/production`).

mod front;
mod hosts;
mod proxy;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::cloud::Cloud;
use crate::job::Job;
use crate::lambda::Lambda;
use crate::tls::Authority;
use front::Front;

pub use front::{Connection, Fault};
pub use hosts::Host;

/// Everything under the names of production. Stops when dropped.
pub struct Production {
    authority: PathBuf,
    front: Arc<Front>,
    servers: Vec<JoinHandle<()>>,
}

impl Production {
    /// Needs the ports 443 and 80 of this namespace, and an `/etc/hosts` that has [`Host::names`].
    pub async fn start(cloud: &Cloud, dir: &Path) -> Result<Self> {
        let hosts = Host::of(cloud);
        let authority = Authority::new("isthmus tests")?;
        let file = dir.join("authority.pem");
        authority.write(&file)?;
        let front = Arc::new(Front::new(&authority, hosts)?);
        let (secure, plain) = (listen(443).await?, listen(80).await?);
        let metadata = cloud.emulators.metadata.host();
        let servers = vec![
            tokio::spawn(Arc::clone(&front).serve(secure)),
            tokio::spawn(async move {
                while let Ok((stream, _)) = plain.accept().await {
                    tokio::spawn(proxy::copy(stream, metadata.clone()));
                }
            }),
        ];
        Ok(Self { authority: file, front, servers })
    }

    /// The job as it is deployed: without a word about endpoints.
    pub fn job(&self, job: Job) -> Job {
        let job = endpoints(job.variables()).into_iter().fold(job, |job, name| job.without(&name));
        job.with("SSL_CERT_FILE", &self.authority.display().to_string())
    }

    pub fn function(&self, function: Lambda) -> Lambda {
        let names = endpoints(function.variables());
        let function = names.into_iter().fold(function, |function, name| function.without(&name));
        function.with("SSL_CERT_FILE", &self.authority.display().to_string())
    }

    /// For a server whose variables are set elsewhere.
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// Every handshake since the start, or since they were last taken.
    pub fn take_connections(&self) -> Vec<Connection> {
        self.front.take_connections()
    }

    pub fn set_fault(&self, host: &str, fault: Option<Fault>) {
        self.front.set_fault(host, fault);
    }
}

impl Drop for Production {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

/// The variables that say where something is.
fn endpoints<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let says_where =
        |name: &str| name.starts_with("AWS_ENDPOINT_URL") || name.ends_with("_ENDPOINT") || name == "GCE_METADATA_HOST";
    variables.map(|(name, _)| name.to_owned()).filter(|name| says_where(name)).collect()
}

async fn listen(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.with_context(|| format!("listen on 127.0.0.1:{port}"))
}
