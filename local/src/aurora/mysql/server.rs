//! The MariaDB server: installed once into a template, copied for each start.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::TcpStream;

use crate::aurora::Certificates;
use crate::aurora::installed::{installed, is_root};
use crate::process::{Process, free_port};

const PACKAGE: &str = "mariadb-server";

const START_WITHIN: Duration = Duration::from_mins(1);

/// `mariadb-install-db` takes seconds, so its result is kept beside the other tools of the workspace.
const TEMPLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/mariadb-data");

/// A server that is thrown away: nothing is worth a sync, and small files copy quickly.
const THROW_AWAY: [&str; 8] = [
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--innodb-log-file-size=32M",
    "--innodb-buffer-pool-size=256M",
    "--innodb-stats-persistent=0",
    "--aria-log-file-size=8M",
    "--performance-schema=0",
];

pub(super) struct Server {
    pub(super) port: u16,
    _process: Process,
}

impl Server {
    pub(super) async fn start(dir: &Path, certificates: Option<&Certificates>) -> Result<Self> {
        let program = installed("mariadbd", PACKAGE, &[])?;
        let (data, template) = (dir.join("data"), template().await?);
        let copy = data.clone();
        tokio::task::spawn_blocking(move || copy_folder(&template, &copy)).await??;
        let port = free_port()?;
        let mut command = Command::new(program);
        command.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
        command.args(as_user()).args(THROW_AWAY);
        // The socket's path must stay under 108 bytes, so it is relative to the data folder.
        command.args(["--socket=s", "--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin"]);
        command.args(["--local-infile=1", "--character-set-server=utf8mb4", "--default-time-zone=+00:00"]);
        command.args(["--max-allowed-packet=256M", &format!("--port={port}")]);
        if let Some(Certificates { certificate, key, .. }) = certificates {
            command.arg(format!("--ssl-cert={}", certificate.display())).arg(format!("--ssl-key={}", key.display()));
        }
        let mut process = Process::spawn("mariadbd", command, &dir.join("mariadbd.log"))?;
        process.ready(START_WITHIN, async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await?;
        Ok(Self { port, _process: process })
    }
}

/// The folder of an installed, empty server.
async fn template() -> Result<PathBuf> {
    let template = PathBuf::from(TEMPLATE);
    if template.join("mysql").is_dir() {
        return Ok(template);
    }
    tokio::task::spawn_blocking(move || install(&template).map(|()| template)).await?
}

/// Installs beside the template and renames: whoever comes second, or dies half-way, leaves it whole.
fn install(template: &Path) -> Result<()> {
    let program = installed("mariadb-install-db", PACKAGE, &[])?;
    let parent = template.parent().unwrap_or(template);
    std::fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    let fresh = tempfile::tempdir_in(parent)?;
    let mut command = Command::new(program);
    command.arg("--no-defaults").arg(format!("--datadir={}", fresh.path().display())).args(as_user());
    command.args(["--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=32M"]);
    let output = command.output().context("start mariadb-install-db")?;
    if !output.status.success() {
        bail!("install an empty MariaDB: {}\n{}", output.status, String::from_utf8_lossy(&output.stdout));
    }
    match std::fs::rename(fresh.path(), template) {
        Err(error) if !template.join("mysql").is_dir() => Err(error).context("keep the empty MariaDB"),
        _ => Ok(()),
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target).with_context(|| format!("copy to {}", target.display()))?;
        }
    }
    Ok(())
}

/// MariaDB refuses to run as root unless told to.
fn as_user() -> Option<&'static str> {
    is_root().then_some("--user=root")
}
