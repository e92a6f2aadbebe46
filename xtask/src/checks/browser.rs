//! The pages that our programs write, in a headless browser: light and dark, wide and narrow, and what axe-core finds.

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
    let mut check = step.program(workspace.tool_program("browser", "python"));
    check.arg("-B").arg(workspace.root.join("xtask/browser/check.py")).arg(workspace.pages()).arg(chromium);
    let printed = step.finish(&mut check)?;
    Ok(printed.lines().last().unwrap_or_default().to_owned())
}
