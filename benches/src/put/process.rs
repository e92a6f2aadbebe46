//! The processes on both ends of a PUT, and the processor time of the client.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use local::process::Process;
use local::tools;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::role;
use super::{Load, Place};

const SINK_READY_WITHIN: Duration = Duration::from_secs(10);
/// The kernel's clock tick as /proc shows it, the same on every Linux that we run.
const TICKS_A_SECOND: u32 = 100;

/// What a load took.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// User and system time of the client.
    pub cpu: Duration,
    pub elapsed: Duration,
}

impl Spent {
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    pub fn cpu_micros_each(&self, load: Load) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / load.objects as f64
    }

    #[allow(clippy::cast_precision_loss)] // far below 2^52
    pub fn objects_a_second(&self, load: Load) -> f64 {
        load.objects as f64 / self.elapsed.as_secs_f64()
    }
}

/// Starts `local sink`; it is gone when the handle is.
pub async fn sink(options: &[String], dir: &Path) -> Result<(Process, String)> {
    let mut command = std::process::Command::new(tools::program("local")?);
    command.arg("sink").args(options);
    let mut sink = Process::spawn("local sink", command, &dir.join("sink.log"))?;
    let log = dir.join("sink.log");
    let says = || std::fs::read_to_string(&log).unwrap_or_default();
    sink.ready(SINK_READY_WITHIN, async || says().ends_with('\n')).await?;
    Ok((sink, says().trim_end().to_owned()))
}

/// A program that says `ready` when it is warm, begins at a line, says `done`, and ends at the end of its input; so that
/// its start is not measured, and it ends with us whatever happens.
pub struct Client {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Client {
    /// `program script way --endpoint …`
    pub async fn start(program: &Path, script: Option<&Path>, way: &str, place: &Place, load: Load) -> Result<Self> {
        let Place { endpoint, role, .. } = place;
        let mut command = Command::new(program);
        command.args(script).args([way, "--endpoint", endpoint]);
        command.args(["--sts", &role.sts(), "--role", role::ARN, "--audience", role::AUDIENCE]);
        command.args(["--objects", &load.objects.to_string(), "--connections", &load.connections.to_string()]);
        command
            .env("GCE_METADATA_HOST", role.metadata())
            .envs(place.authority.iter().map(|file| ("SSL_CERT_FILE", file)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("start {}", program.display()))?;
        let input = child.stdin.take().context("its input")?;
        let output = BufReader::new(child.stdout.take().context("its output")?).lines();
        let mut client = Self { child, input, output };
        client.says("ready").await?;
        Ok(client)
    }

    pub async fn load(&mut self) -> Result<Spent> {
        let id = self.child.id().context("the client has ended")?;
        let (cpu_before, began) = (cpu(id)?, Instant::now());
        self.input.write_all(b"go\n").await?;
        self.says("done").await?;
        let elapsed = began.elapsed();
        Ok(Spent { cpu: cpu(id)?.saturating_sub(cpu_before), elapsed })
    }

    pub async fn end(self) -> Result<()> {
        let Self { mut child, input, .. } = self;
        drop(input);
        let status = child.wait().await?;
        ensure!(status.success(), "the client ended with {status}");
        Ok(())
    }

    async fn says(&mut self, word: &str) -> Result<()> {
        match self.output.next_line().await? {
            Some(line) if line == word => Ok(()),
            other => bail!("the client says {other:?} where {word:?} was to come"),
        }
    }
}

/// What a process, with all its threads, has used so far.
pub fn cpu(id: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    ticks(&stat).map(|ticks| Duration::from_secs(ticks) / TICKS_A_SECOND)
}

/// Fields 14 and 15; the second is the program's name in brackets, with anything in it.
fn ticks(stat: &str) -> Result<u64> {
    let (_, fields) = stat.rsplit_once(')').context("a process's stat has a name in brackets")?;
    fields.split_whitespace().skip(11).take(2).map(|field| Ok(field.parse::<u64>()?)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_process_is_its_user_and_its_system_time() {
        let stat = "7 (odd ) 1 name) S 1 7 7 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 4 0 100 1 1";
        assert_eq!(ticks(stat).unwrap(), 300);
        assert!(ticks("7 odd").is_err());
        let before = cpu(std::process::id()).unwrap();
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(300) {
            std::hint::black_box(began);
        }
        assert!(cpu(std::process::id()).unwrap() > before);
    }
}
