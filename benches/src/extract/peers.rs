//! The same table by the programs that others use for it.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use local::bigquery::PROJECT;
use local::tls::Front;
use local::tools;
use serde_json::json;
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
    Sling,
}

const DATASET: &str = "raw_peer";
const BIGQUERY: &str = "bigquery.googleapis.com";

impl Bench {
    /// Seconds from the start of the program to its end; BigQuery has every row then.
    pub async fn peer(&self, peer: Peer, rows: u64) -> Result<f64> {
        let place = self.aurora.url_of("reader", DATABASE);
        let place = place.rsplit('@').next().and_then(|place| place.split('?').next()).context("a URL with a place")?;
        let user = format!("reader:{}", PASSWORD.replace(' ', "%20"));
        let folder = tempfile::Builder::new().prefix("peer-").tempdir_in(self.dir.path())?;
        let mysql = format!("mysql://{user}@{place}");
        let seconds = match peer {
            Peer::Dlt => {
                let script = folder.path().join("extract.py");
                std::fs::write(&script, include_str!("../../dlt_extract.py"))?;
                let mut dlt = Command::new(tools::tool("peers", "python")?);
                dlt.arg(&script)
                    .args(["--database", &mysql.replace("mysql:", "mysql+pymysql:")])
                    .args(["--table", "t", "--dataset", DATASET, "--backend", "connectorx", "--folder"])
                    .arg(folder.path())
                    .env("BIGQUERY_EMULATOR_HOST", self.bigquery.endpoint())
                    // The emulator reads no JSON that is packed; the rows come as Parquet.
                    .env("DATA_WRITER__DISABLE_COMPRESSION", "true")
                    .env("RUNTIME__DLTHUB_TELEMETRY", "false");
                self.timed(&mut dlt, folder.path()).await?
            }
            Peer::Ingestr => {
                let mut ingestr = Command::new(tools::tool("peers", "ingestr")?);
                ingestr
                    .args(["ingest", "--yes", "--progress", "log", "--source-uri", &mysql, "--source-table"])
                    .arg(format!("{DATABASE}.t"))
                    .args(["--dest-uri", &format!("bigquery://{PROJECT}?location=US"), "--dest-table"])
                    .arg(format!("{DATASET}.t"));
                self.by_name(&mut ingestr, folder.path()).await?
            }
            Peer::Sling => {
                let target = json!({"type": "bigquery", "project": PROJECT, "dataset": DATASET, "location": "US"});
                let mut sling = Command::new(sling()?);
                sling
                    .args(["run", "--src-conn", &mysql, "--src-stream", &format!("{DATABASE}.t")])
                    .args(["--tgt-conn", "PEER", "--mode", "full-refresh", "--tgt-object", &format!("{DATASET}.t")])
                    .env("PEER", target.to_string())
                    .env("SLING_DISABLE_TELEMETRY", "true");
                self.by_name(&mut sling, folder.path()).await?
            }
        };
        let loaded = self.bigquery.row_count(DATASET, "t").await?;
        ensure!(loaded == rows, "{peer:?} loaded {loaded} of {rows} rows");
        self.bigquery.query(&format!("DROP TABLE {DATASET}.t")).await?;
        eprintln!("extract by {peer:?}, {rows} rows: {seconds:.2} s");
        Ok(seconds)
    }

    /// Go's client of BigQuery knows no endpoint but Google's.
    async fn by_name(&self, command: &mut Command, folder: &Path) -> Result<f64> {
        let authority = folder.join("authority.pem");
        let front = Front::of(BIGQUERY, &self.bigquery.endpoint(), &authority).await?;
        let proxy = Proxy::start(&front).await?;
        command.env("HTTPS_PROXY", &proxy.endpoint).env("SSL_CERT_FILE", &authority);
        self.timed(command, folder).await
    }

    async fn timed(&self, command: &mut Command, folder: &Path) -> Result<f64> {
        let host = self.metadata.host();
        command.env("GCE_METADATA_HOST", &host).env("GCE_METADATA_IP", &host).env("GOOGLE_CLOUD_PROJECT", PROJECT);
        command.env("HOME", folder).current_dir(folder);
        let began = Instant::now();
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.context("start a peer")?;
        let seconds = began.elapsed().as_secs_f64();
        let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        ensure!(output.status.success(), "{}\n{}", told(&output.stdout), told(&output.stderr));
        Ok(seconds)
    }
}

/// Its package has it where no command finds it, and not as a program.
fn sling() -> Result<PathBuf> {
    let python = tools::tool("peers", "python")?;
    let environment = python.ancestors().nth(2).context("Python is in a folder")?;
    let path = environment.join("lib/python3.13/site-packages/sling_linux_amd64/bin/sling-linux-amd64");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("make {} a program", path.display()))?;
    Ok(path)
}

/// A proxy of HTTPS: whatever host a client asks for, it gets the front.
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
