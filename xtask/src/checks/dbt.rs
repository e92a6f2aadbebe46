//! The dbt project and its job. What needs a BigQuery is a story: it builds the project, with its unit tests and data
//! tests, on the laptop cloud, and its compiled statements go to the check googlesql with the others.

use anyhow::{Context, Result};

use crate::step::Running;

/// The demo's project has its sources and exposures only while the demo runs, so it is not parsed here.
const PROJECTS: [&str; 2] = ["warehouse", "local/src/demo/warehouse"];

/// Parsed, with each warning an error; and the tests of the job.
pub(super) fn check(step: &mut Running<'_>) -> Result<String> {
    let workspace = step.workspace;
    let [project, target] = [workspace.root.join(PROJECTS[0]), workspace.target.join("xtask/dbt")];
    let mut parse = step.program(workspace.tool_program("dbt", "dbt"));
    // Contracts of NUMERIC: dbt_project.yml says why.
    parse.args(["--warn-error-options", r#"{"error": "all", "silence": ["JinjaLogWarning"]}"#]);
    parse.args(["parse", "--no-partial-parse", "--no-use-colors"]);
    for option in ["--project-dir", "--profiles-dir"] {
        parse.arg(option).arg(&project);
    }
    for option in ["--target-path", "--log-path"] {
        parse.arg(option).arg(&target);
    }
    step.finish(parse.env("GOOGLE_CLOUD_PROJECT", "check"))?;
    let mut tests = step.program(workspace.tool_program("dbt", "python"));
    tests.current_dir(workspace.root.join("jobs/dbt"));
    let printed = step.finish(tests.args(["-B", "-m", "unittest", "discover", "--start-directory", "tests"]))?;
    let ran = printed.lines().find(|line| line.starts_with("Ran "));
    Ok(format!("parsed; {} of the job", ran.context("the tests of the job did not run")?))
}

pub(super) fn sqlfluff(step: &mut Running<'_>) -> Result<String> {
    let program = step.workspace.tool_program("lint", "sqlfluff");
    // The rules of the first are those of both; its macros are found from its folder.
    let root = step.workspace.root.join(PROJECTS[0]);
    let demo = step.workspace.root.join(PROJECTS[1]);
    let mut lint = step.program(program);
    lint.current_dir(&root).args(["lint", "--disable-progress-bar", "--config", ".sqlfluff", "."]).arg(demo);
    step.finish(&mut lint)?;
    Ok(String::new())
}
