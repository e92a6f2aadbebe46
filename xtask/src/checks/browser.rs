//! The pages that our programs write, in a headless browser: light and dark, wide and narrow, and what axe-core finds; and
//! what readers of lineage's page do with it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::debian;
use crate::step::Running;

/// Names the folder where tests leave their pages, each as `{what}.html`. All of them are looked at.
pub(super) const VARIABLE: &str = "ISTHMUS_PAGES";
/// Debian's name, and those of others.
const CHROMIUM: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// So that a page of yesterday is not looked at today.
pub(super) fn empty_folder(step: &Running<'_>) -> Result<PathBuf> {
    let folder = step.workspace.pages();
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

pub(super) fn check(step: &mut Running<'_>) -> Result<String> {
    let workspace = step.workspace;
    let chromium =
        CHROMIUM.into_iter().find_map(debian::find).context("no Chromium: the check `chromium` installs it")?;
    let python = |script: &str| {
        let mut python = step.program(workspace.tool_program("browser", "python"));
        python.arg("-B").arg(workspace.root.join("xtask/browser").join(script)).env("CHROMIUM", &chromium);
        python
    };
    let (mut look, mut use_it) = (python("check.py"), python("lineage_page.py"));
    let looked_at = step.finish(look.arg(workspace.pages()))?;
    step.finish(step.program("cargo").args(["build", "--workspace", "--bin", "isthmus"]))?;
    let used = step.finish(use_it.env("ISTHMUS", workspace.target.join("debug/isthmus")))?;
    let ran = used.lines().find(|line| line.starts_with("Ran ")).context("the tests of lineage's page did not run")?;
    Ok(format!("{}; lineage: {ran}", looked_at.lines().last().unwrap_or_default()))
}
