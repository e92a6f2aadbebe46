//! A real Redis server, thrown away with its handle.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::process::{Process, free_port};

mod cluster;

pub use cluster::RedisCluster;

const START_WITHIN: Duration = Duration::from_secs(20);

pub struct Redis {
    port: u16,
    dir: PathBuf,
    process: Process,
}

impl Redis {
    /// `dir` is a folder for its log; nothing else is kept.
    pub async fn start(dir: &Path) -> Result<Self> {
        Self::start_with(dir, free_port()?, &[]).await
    }

    /// With options of redis-server, for example `["--maxmemory", "2mb"]`.
    pub async fn start_with(dir: &Path, port: u16, options: &[&str]) -> Result<Self> {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(dir);
        command.args(["--save", "", "--appendonly", "no"]).args(options);
        let process = Process::spawn("redis-server", command, &dir.join(format!("redis-{port}.log")));
        let process = process.context("apt-get install redis-server (Debian, Ubuntu) installs it")?;
        let mut redis = Self { port, dir: dir.to_owned(), process };
        redis.process.ready(START_WITHIN, async || command_of(port, "PING").await.is_ok_and(|a| a == "PONG")).await?;
        Ok(redis)
    }

    /// The same address again, empty.
    pub async fn restart(self) -> Result<Self> {
        let Self { port, dir, process } = self;
        drop(process);
        Self::start_with(&dir, port, &[]).await
    }

    /// `redis://127.0.0.1:6379`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// For example `libc::SIGSTOP`: a server that holds its connections and answers nothing.
    pub fn signal(&self, signal: i32) {
        self.process.signal(signal);
    }

    /// A command whose answer is a text.
    pub async fn text(&self, words: &str) -> Result<String> {
        let mut stream =
            BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).await.context("connect to Redis")?);
        stream.write_all(format!("{words}\r\n").as_bytes()).await?;
        let mut length = String::new();
        stream.read_line(&mut length).await?;
        let bytes = length.trim().strip_prefix('$').with_context(|| format!("{words}: {length}"))?;
        let mut text = vec![0; bytes.parse()?];
        stream.read_exact(&mut text).await?;
        Ok(String::from_utf8(text)?)
    }

    /// Commands whose answer is `OK`, in one go.
    async fn all_done(&self, commands: &[String]) -> Result<()> {
        let mut stream =
            BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).await.context("connect to Redis")?);
        stream.write_all(commands.iter().map(|words| format!("{words}\r\n")).collect::<String>().as_bytes()).await?;
        for words in commands {
            let mut answer = String::new();
            stream.read_line(&mut answer).await?;
            ensure!(answer.trim() == "+OK", "{words}: {answer}");
        }
        Ok(())
    }

    async fn done(&self, words: &str) -> Result<()> {
        self.all_done(&[words.to_owned()]).await
    }

    /// One command in words, such as `DBSIZE`, and the first line of its answer without the sign of its kind.
    pub async fn command(&self, words: &str) -> Result<String> {
        command_of(self.port, words).await
    }
}

async fn command_of(port: u16, words: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.context("connect to Redis")?;
    stream.write_all(format!("{words}\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n") {
        anyhow::ensure!(stream.read_buf(&mut answer).await? > 0, "Redis closed the connection");
    }
    let text = String::from_utf8_lossy(&answer);
    Ok(text.lines().next().unwrap_or_default().get(1..).unwrap_or_default().to_owned())
}
