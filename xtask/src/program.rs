//! Builds the programs and becomes one of them.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// Builds all programs (the one that runs starts the others), then replaces this process, so that Ctrl-C and the exit
/// code are the program's own. Returns only an error.
pub(crate) fn build_and_become(
    workspace: &Workspace,
    name: &str,
    release: bool,
    arguments: impl Iterator<Item = String>,
) -> Result<()> {
    let mut build = Command::new("cargo");
    build.current_dir(&workspace.root).args(["build", "--workspace", "--bins"]);
    if release {
        build.arg("--release");
    }
    let status = build.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("cargo build: {status}");
    }
    let program = workspace.target.join(if release { "release" } else { "debug" }).join(name);
    let error = Command::new(&program).current_dir(&workspace.root).args(arguments).exec();
    Err(error).with_context(|| format!("cannot become {}", program.display()))
}
