//! Which Python and which uv.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::step::Running;

/// local-bigquery and DuckDB's extension wheels are made for it.
const VERSION: &str = "3.13";

const UV: &str = "uv==0.13.9";

/// A Python 3.13 that runs, or the bare version, for which uv then looks and which it fetches if it may.
pub(crate) fn interpreter() -> PathBuf {
    // pyenv's shim is in PATH but runs only if this version is the chosen one: ask each to run.
    let on_path = PathBuf::from(format!("python{VERSION}"));
    let runs = |python: &PathBuf| version_of(python).is_some_and(|version| version.contains(VERSION));
    std::iter::once(on_path).chain(of_pyenv()).find(runs).unwrap_or_else(|| PathBuf::from(VERSION))
}

/// `uv` installs 90 packages in seconds. Ours, else the one in PATH, else a new one of ours.
pub(crate) fn uv(step: &mut Running<'_>) -> Result<PathBuf> {
    let ours = step.workspace.tool_program("uv", "uv");
    let found = [ours.clone(), PathBuf::from("uv")].into_iter().find(|uv| version_of(uv).is_some());
    if let Some(uv) = found {
        return Ok(uv);
    }
    let folder = step.workspace.tool("uv");
    let made = step.finish(step.program("python3").args(["-m", "venv", "--clear"]).arg(&folder));
    if let Err(error) = made {
        bail!("{error:#}: cannot make a Python environment; install uv, or Debian's python3-venv, and try again");
    }
    let pip = step.workspace.tool_program("uv", "python");
    step.finish(step.program(pip).args(["-m", "pip", "install", "--quiet", UV]))?;
    Ok(ours)
}

fn of_pyenv() -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let Some(root) = root.or_else(|| Some(std::env::home_dir()?.join(".pyenv"))) else { return Vec::new() };
    let Ok(versions) = root.join("versions").read_dir() else { return Vec::new() };
    let ours = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(VERSION));
    let mut found: Vec<_> = versions.flatten().map(|entry| entry.path()).filter(ours).collect();
    found.sort();
    found.into_iter().rev().map(|folder| folder.join("bin/python")).collect()
}

fn version_of(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
