//! Programs that the laptop cloud starts: each in a process group of its own, with a log file, gone when its handle is.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    /// The signal that ends it.
    end: i32,
}

/// How long a program may take to end by itself.
const END_WITHIN: Duration = Duration::from_secs(5);

impl Process {
    /// Starts `command` with both outputs in `log`.
    pub fn spawn(name: &str, command: Command, log: &Path) -> Result<Self> {
        Self::spawn_ended_by(libc::SIGKILL, name, command, log)
    }

    /// For a program that would leave something behind after SIGKILL.
    pub fn spawn_ended_by(end: i32, name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let out = File::create(log).with_context(|| format!("create the log of {name} at {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).process_group(0);
        die_with_parent(&mut command, end);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().with_context(|| format!("start {name} ({program})"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned(), end })
    }

    /// Waits until `check` holds; an early exit or a missed deadline is an error that ends with the log's last lines.
    pub async fn ready(&mut self, within: Duration, check: impl AsyncFn() -> bool) -> Result<()> {
        let began = Instant::now();
        while !check().await {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}\n{}", self.name, self.last_lines());
            }
            if began.elapsed() > within {
                bail!("{} was not ready after {within:?}\n{}", self.name, self.last_lines());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The exit code, once the program has ended by itself; `None` inside means that a signal ended it.
    pub async fn wait(&mut self) -> Result<Option<i32>> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Of its own threads, in the system's ticks of a hundredth of a second.
    pub fn processor_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
        let (_, after_name) = stat.rsplit_once(')')?;
        let ticks = after_name.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        Some(Duration::from_millis(10 * ticks.sum::<Result<u64, _>>().ok()?))
    }

    /// The most memory that the program had resident so far, in KiB.
    pub fn peak_memory_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    }

    /// Sends `signal` to the program and everything that it started.
    pub fn signal(&self, signal: i32) {
        #[allow(unsafe_code)]
        // SAFETY: killpg takes two integers; the group is our child's own, made by `process_group(0)`.
        if let Ok(group) = i32::try_from(self.id()) {
            unsafe { libc::killpg(group, signal) };
        }
    }

    fn last_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(self.end);
        let began = Instant::now();
        while self.end != libc::SIGKILL && matches!(self.child.try_wait(), Ok(None)) && began.elapsed() < END_WITHIN {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.signal(libc::SIGKILL);
        let _ = self.child.wait();
    }
}

/// The kernel ends the child when this whole program dies, even by SIGKILL: nothing is left behind on the laptop. (On
/// Linux already with the thread that started it.)
fn die_with_parent(command: &mut Command, end: i32) {
    let parent = std::process::id();
    #[allow(unsafe_code)]
    // SAFETY: between fork and exec only async-signal-safe calls are made: prctl, getppid.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, end);
            if u32::try_from(libc::getppid()) == Ok(parent) { Ok(()) } else { Err(std::io::Error::other("orphan")) }
        });
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("bind a free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}
