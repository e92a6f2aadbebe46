//! Namespaces of the kernel: a loopback interface and an `/etc/hosts` that nobody else sees.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};
use local::production::Host;

const INSIDE: &str = "ISTHMUS_NAMESPACE";
/// The environment of these tests; its buckets are names of hosts.
pub const ENV: &str = "wire";

pub enum Where {
    Inside,
    /// And this is how the tests inside ended.
    Outside(ExitCode),
}

/// Goes in by starting this program again; an error says why there is no way in.
pub fn enter() -> Result<Where> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(Where::Inside);
    }
    let probe = unshare()?.args(["true"]).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let probe = probe.context("start unshare")?;
    ensure!(probe.status.success(), "{}", String::from_utf8_lossy(&probe.stderr).trim());
    let hosts = tempfile::NamedTempFile::new().context("make a file of host names")?;
    let lines = Host::names(ENV).into_iter().map(|name| format!("127.0.0.1 {name}\n"));
    let lines: String = std::iter::once("127.0.0.1 localhost\n".to_owned()).chain(lines).collect();
    std::fs::write(hosts.path(), lines).context("write the host names")?;
    let mut command = unshare()?;
    command.args(["sh", "-c", "ip link set lo up && mount --bind \"$0\" /etc/hosts && exec \"$@\""]);
    command.arg(hosts.path()).args(std::env::args_os()).env(INSIDE, "1");
    let status = command.status().context("start the tests in their namespace")?;
    Ok(Where::Outside(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

/// Who is not root becomes root of a user namespace, where that is allowed.
fn unshare() -> Result<Command> {
    let output = Command::new("id").arg("-u").output().context("ask who we are")?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--kill-child"]);
    if output.stdout.trim_ascii() != b"0" {
        command.args(["--user", "--map-root-user"]);
    }
    command.arg0("unshare");
    Ok(command)
}
