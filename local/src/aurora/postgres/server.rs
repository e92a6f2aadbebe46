//! The PostgreSQL server, which refuses to run as root.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio_postgres::{Client, Config, NoTls};

use super::account::Account;
use crate::aurora::Certificates;
use crate::aurora::installed::installed;
use crate::process::{Process, free_port};

const PACKAGE: &str = "postgresql";
const START_WITHIN: Duration = Duration::from_mins(1);

/// Of the database.
pub(super) const USER: &str = "postgres";

/// A server that is thrown away, and leaves no socket and no shared memory behind: nothing is worth a sync.
const OPTIONS: [&str; 11] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "dynamic_shared_memory_type=mmap",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=2GB",
    "timezone=UTC",
    "log_timezone=UTC",
];

pub(super) struct Server {
    pub(super) port: u16,
    _process: Process,
}

impl Server {
    pub(super) async fn start(dir: &Path, certificates: Option<&Certificates>) -> Result<Self> {
        let (initdb, postgres) = programs()?;
        let data = dir.join("data");
        std::fs::create_dir_all(&data).with_context(|| format!("create {}", data.display()))?;
        let account = Account::to_run_as()?;
        if let Some(account) = &account {
            account.own(&data)?;
        }
        let started = Self::on(dir, &initdb, &postgres, account.as_ref(), certificates).await;
        started.with_context(|| account.map_or_else(|| "start PostgreSQL".to_owned(), |account| account.advice()))
    }

    async fn on(
        dir: &Path,
        initdb: &Path,
        postgres: &Path,
        account: Option<&Account>,
        certificates: Option<&Certificates>,
    ) -> Result<Self> {
        let data = dir.join("data");
        let initdb = command(initdb, &data, account);
        tokio::task::spawn_blocking(move || initialize(initdb)).await??;
        let port = free_port()?;
        let mut command = command(postgres, &data, account);
        command.args(["-p", &port.to_string()]).args(OPTIONS.iter().flat_map(|option| ["-c", option]));
        if let Some(certificates) = certificates {
            command.args(offer_tls(&data, account, certificates)?);
        }
        // Immediate shutdown. After SIGKILL a piece of shared memory would stay.
        let mut process = Process::spawn_ended_by(libc::SIGQUIT, "postgres", command, &dir.join("postgres.log"))?;
        process.ready(START_WITHIN, async || connect(port, super::FIRST_DATABASE).await.is_ok()).await?;
        Ok(Self { port, _process: process })
    }
}

/// The server wants a key that is its own and nobody else's to read.
fn offer_tls(data: &Path, account: Option<&Account>, certificates: &Certificates) -> Result<Vec<String>> {
    let mut options = vec!["-c".to_owned(), "ssl=on".to_owned()];
    let files = [("ssl_cert_file", &certificates.certificate), ("ssl_key_file", &certificates.key)];
    for (name, from) in files {
        let file = data.join(name);
        std::fs::copy(from, &file).with_context(|| format!("copy to {}", file.display()))?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
        if let Some(account) = account {
            account.give(&file)?;
        }
        options.extend(["-c".to_owned(), format!("{name}={name}")]);
    }
    Ok(options)
}

/// The connection lives as long as the client.
pub(super) async fn connect(port: u16, database: &str) -> Result<Client, tokio_postgres::Error> {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user(USER).dbname(database);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        let _ = connection.await; // the client gets its error
    });
    Ok(client)
}

/// In a folder that the account may enter, whatever folder we are in.
fn command(program: &Path, data: &Path, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(data).arg("-D").arg(data);
    if let Some(account) = account {
        account.runs(&mut command);
    }
    command
}

/// Under two seconds, so no copy of its work is kept.
fn initialize(mut initdb: Command) -> Result<()> {
    initdb.args(["--username", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
    let output = initdb.output().context("start initdb")?;
    if !output.status.success() {
        bail!("initdb: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}

/// `initdb` and `postgres` of one version.
fn programs() -> Result<(PathBuf, PathBuf)> {
    let initdb = installed("initdb", PACKAGE, &folders())?;
    let beside = initdb.parent().unwrap_or(Path::new("/")).to_owned();
    let postgres = installed("postgres", PACKAGE, &[beside])?;
    Ok((initdb, postgres))
}

/// Debian keeps the programs of each version in a folder of its own. The newest first.
fn folders() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/usr/lib/postgresql") else { return Vec::new() };
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let paths = entries.flatten().map(|entry| entry.path());
    let mut versions: Vec<(u32, PathBuf)> = paths.filter_map(|path| Some((version(&path)?, path))).collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, path)| path.join("bin")).collect()
}
