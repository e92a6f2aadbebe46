//! Builds the programs and becomes one of them.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// Builds the programs of these names (the first starts the others), then becomes the first, so that Ctrl-C and the exit
/// code are the program's own. Returns only an error. `--workspace` with `--bin`: the dependencies have the features
/// that every other build of the workspace gives them, and only what these programs need is compiled.
pub(crate) fn build_and_become(
    workspace: &Workspace,
    programs: &[&str],
    options: &[&str],
    arguments: impl Iterator<Item = String>,
) -> Result<()> {
    let mut build = Command::new("cargo");
    build.current_dir(&workspace.root).args(["build", "--workspace"]).args(options);
    build.args(programs.iter().flat_map(|program| ["--bin", program]));
    let status = build.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("cargo build: {status}");
    }
    let profile = if options.contains(&"--release") { "release" } else { "debug" };
    let program = workspace.target.join(profile).join(programs.first().context("no program to become")?);
    let error = Command::new(&program).current_dir(&workspace.root).args(arguments).exec();
    Err(error).with_context(|| format!("cannot become {}", program.display()))
}
