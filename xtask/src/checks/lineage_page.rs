//! The page of `isthmus lineage --format html`, in a real browser.

use anyhow::{Context, Result};

use crate::step::Running;

pub(super) fn check(step: &mut Running<'_>) -> Result<String> {
    step.finish(step.program("cargo").args(["build", "--workspace", "--bin", "isthmus"]))?;
    let (isthmus, python) =
        (step.workspace.target.join("debug/isthmus"), step.workspace.tool_program("browser", "python"));
    let printed =
        step.finish(step.program(python).env("ISTHMUS", isthmus).args(["-B", "cli/tests/lineage_page.py"]))?;
    let ran = printed.lines().find(|line| line.starts_with("Ran "));
    Ok(ran.context("the tests of the page did not run")?.to_owned())
}
