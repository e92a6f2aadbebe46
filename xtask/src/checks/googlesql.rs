//! What an emulator takes, BigQuery may refuse. `GoogleSQL`'s own analyzer is asked instead: about every statement that the
//! tests sent, with the tables as they were, about every query that stands in the repository, and about every statement
//! that dbt makes of the models and tests in `warehouse/`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::step::Running;

/// Names the folder to the local BigQuery, which leaves each statement there (`local/src/bigquery/statements.py`).
pub(super) const VARIABLE: &str = "ISTHMUS_STATEMENTS";

/// So that a statement of yesterday is not judged today.
pub(super) fn empty_folder(step: &Running<'_>) -> Result<PathBuf> {
    let folder = step.workspace.statements();
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

pub(super) fn check(step: &mut Running<'_>) -> Result<String> {
    let workspace = step.workspace;
    let folder = workspace.target.join("xtask/dbt-compiled");
    let mut compile = step.program(workspace.tool_program("dbt", "python"));
    // -B: no __pycache__ beside the sources.
    compile.arg("-B").arg(workspace.root.join("xtask/googlesql/compile_dbt.py"));
    step.finish(compile.args([&workspace.root.join("warehouse"), &folder]))?;
    let mut check = step.program(workspace.tool_program("googlesql", "python"));
    check.arg("-B").arg(workspace.root.join("xtask/googlesql/check.py"));
    let compiled = folder.join("compiled.json");
    check.args([&workspace.root, &workspace.statements(), &compiled, &workspace.tool("googlesql")]);
    let printed = step.finish(&mut check)?;
    Ok(printed.lines().last().unwrap_or_default().to_owned())
}
