//! Programs that come from the system.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Installs a Debian package if its program is missing and we may; else says what to install.
pub(crate) fn install(program: &str, package: &str) -> Result<String> {
    if is_there(program) {
        return Ok("already there".to_owned());
    }
    if !is_root() || !is_there("apt-get") {
        bail!(
            "{program} is not installed: `sudo apt-get install {package}` on Debian and Ubuntu, \
             `brew install {}` on macOS",
            package.trim_end_matches("-server")
        );
    }
    apt_get(&["update"])?;
    apt_get(&["install", "--yes", "--no-install-recommends", package])?;
    Ok(format!("{package} installed"))
}

fn is_there(program: &str) -> bool {
    find(program).is_some()
}

/// Servers are in /usr/sbin, which is not in everyone's PATH, and PostgreSQL's programs in a folder for each version.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = versions.map(|version| version.path().join("bin"));
    folders.chain(versions).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let shown = format!("apt-get {}", arguments.join(" "));
    let output = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {shown}"))?;
    if !output.status.success() {
        bail!("{shown}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
