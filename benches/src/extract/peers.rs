//! The same table by the programs that others use for it.

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use local::bigquery::PROJECT;
use local::tls::Front;
use local::tools;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinHandle;

use super::{Bench, DATABASE, PASSWORD};

#[derive(Debug, Clone, Copy)]
pub enum Peer {
    /// With the backend that is its fastest.
    Dlt,
    Ingestr,
}

const DATASET: &str = "raw_peer";
const BIGQUERY: &str = "bigquery.googleapis.com";

impl Bench {
    /// Seconds from the start of the program to its end; BigQuery has every row then.
    pub async fn peer(&self, peer: Peer, rows: u64) -> Result<f64> {
        let place = self.aurora.url_of("reader", DATABASE);
        let place = place.rsplit('@').next().and_then(|place| place.split('?').next()).context("a URL with a place")?;
        let folder = tempfile::Builder::new().prefix("peer-").tempdir_in(self.dir.path())?;
        let seconds = match peer {
            Peer::Dlt => {
                let script = folder.path().join("extract.py");
                std::fs::write(&script, include_str!("../../dlt_extract.py"))?;
                let mut dlt = Command::new(tools::tool("peers", "python")?);
                dlt.arg(&script)
                    .args(["--database", &format!("mysql+pymysql://reader:{PASSWORD}@{place}")])
                    .args(["--table", "t", "--dataset", DATASET, "--backend", "connectorx", "--folder"])
                    .arg(folder.path())
                    .env("BIGQUERY_EMULATOR_HOST", self.bigquery.endpoint())
                    // The emulator reads no JSON that is packed; the rows come as Parquet.
                    .env("DATA_WRITER__DISABLE_COMPRESSION", "true")
                    .env("RUNTIME__DLTHUB_TELEMETRY", "false");
                self.timed(dlt.current_dir(folder.path())).await?
            }
            Peer::Ingestr => {
                let authority = folder.path().join("authority.pem");
                let front = Front::of(BIGQUERY, &self.bigquery.endpoint(), &authority).await?;
                let proxy = Proxy::start(&front).await?;
                let mut ingestr = Command::new(tools::tool("peers", "ingestr")?);
                ingestr
                    .args(["ingest", "--yes", "--progress", "log"])
                    .args(["--source-uri", &format!("mysql://reader:{PASSWORD}@{place}"), "--source-table"])
                    .arg(format!("{DATABASE}.t"))
                    .args(["--dest-uri", &format!("bigquery://{PROJECT}?location=US"), "--dest-table"])
                    .arg(format!("{DATASET}.t"))
                    .env("HTTPS_PROXY", &proxy.endpoint)
                    .env("SSL_CERT_FILE", &authority);
                self.timed(ingestr.current_dir(folder.path())).await?
            }
        };
        let loaded = self.bigquery.row_count(DATASET, "t").await?;
        ensure!(loaded == rows, "{peer:?} loaded {loaded} of {rows} rows");
        self.bigquery.query(&format!("DROP TABLE {DATASET}.t")).await?;
        eprintln!("extract by {peer:?}, {rows} rows: {seconds:.2} s");
        Ok(seconds)
    }

    async fn timed(&self, command: &mut Command) -> Result<f64> {
        let host = self.metadata.host();
        command.env("GCE_METADATA_HOST", &host).env("GCE_METADATA_IP", &host).env("GOOGLE_CLOUD_PROJECT", PROJECT);
        command.env("HOME", self.dir.path());
        let began = Instant::now();
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.context("start a peer")?;
        let seconds = began.elapsed().as_secs_f64();
        let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        ensure!(output.status.success(), "{}\n{}", told(&output.stdout), told(&output.stderr));
        Ok(seconds)
    }
}

/// A proxy of HTTPS: whatever host a client asks for, it gets the front. Go's client of BigQuery knows no other endpoint.
struct Proxy {
    endpoint: String,
    server: JoinHandle<()>,
}

impl Proxy {
    async fn start(front: &Front) -> Result<Self> {
        let target = front.endpoint().trim_start_matches("https://").to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind a proxy")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, target.clone()));
            }
        });
        Ok(Self { endpoint, server })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(mut client: TcpStream, target: String) -> Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    ensure!(head.starts_with(b"CONNECT "), "only CONNECT is asked of a proxy of HTTPS");
    let mut front = TcpStream::connect(target).await?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut front).await?;
    Ok(())
}
