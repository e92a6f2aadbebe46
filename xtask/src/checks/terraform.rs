//! Both Terraform roots: formatted, valid, and what their tests say. On a copy, so that nothing is left in the sources.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::apis;
use crate::step::Running;

const MANY_TABLES: u32 = 300;
const PLAN_WITHIN_SECONDS: f64 = 60.0;
const VARIABLES: &str = r#"{"env": "stg", "project": "shop-stg", "image_tag": "1",
"aws": {"region": "ap-northeast-1", "export_bucket": "exports", "app_bucket": "app",
  "load_export_role_arn": "arn:aws:iam::123456789012:role/load-export",
  "bigquery_to_s3_role_arn": "arn:aws:iam::123456789012:role/bigquery-to-s3",
  "publish_export_role_arn": "arn:aws:iam::123456789012:role/publish-export"},
"transfer_key": {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_version": 1}}"#;

pub(super) fn aws(step: &mut Running<'_>) -> Result<String> {
    check(step, "aws")
}

/// And that a list of hundreds of tables is planned while one waits for it.
pub(super) fn gcp(step: &mut Running<'_>) -> Result<String> {
    check(step, "gcp")
}

/// The workflow that Terraform deploys, in an emulator of Workflows.
pub(super) fn workflow(step: &mut Running<'_>) -> Result<String> {
    let python = step.workspace.tool_program("infra", "python");
    let printed = step.finish(step.program(python).arg("terraform/gcp/tests/daily_workflow_test.py"))?;
    let ran = printed.lines().find(|line| line.starts_with("Ran "));
    Ok(ran.context("the tests of the daily workflow did not run")?.to_owned())
}

/// Policies and settings, by checkov; what is left out says why in `terraform/.checkov.yaml`.
pub(super) fn checkov(step: &mut Running<'_>) -> Result<String> {
    let checkov = step.workspace.tool_program("infra", "checkov");
    let arguments = ["--config-file", "terraform/.checkov.yaml", "--directory", "terraform"];
    let printed = step.finish(step.program(checkov).args(arguments))?;
    let passed = printed.lines().rev().find(|line| line.starts_with("Passed checks:"));
    Ok(passed.context("checkov found no file to check")?.to_owned())
}

fn check(step: &mut Running<'_>, root: &str) -> Result<String> {
    if !is_installed() {
        return Ok("skipped: terraform 1.11 or later is not installed".to_owned());
    }
    let copy = copy(step, root)?;
    let folder = copy.path().join("terraform").join(root);
    step.finish(terraform(step, &folder).args(["fmt", "-check", "-recursive", "-diff"]))
        .context("run `terraform fmt -recursive terraform`")?;
    if let Err(error) = step.finish(terraform(step, &folder).args(["init", "-backend=false", "-input=false"])) {
        if has_stand_in() || !says(step, "Failed to query available provider")? {
            return Err(error);
        }
        return Ok(format!("skipped: the {root} provider cannot be had here"));
    }
    step.finish(terraform(step, &folder).arg("validate"))?;
    if root == "gcp" && !has_stand_in() {
        // They read a secret and a project, and terraform cannot mock the first.
        return Ok("valid; plan tests skipped: they need a stand-in for Google, or an account".to_owned());
    }
    let printed = step.finish(terraform(step, &folder).arg("test"))?;
    let passed = printed.lines().rev().find(|line| line.starts_with("Success!"));
    let passed = passed.context("terraform test ran nothing")?.to_owned();
    if root == "aws" {
        return Ok(passed);
    }
    init_with_local_state(step, &folder)?;
    let graph = step.finish(terraform(step, &folder).arg("graph"))?;
    let hasty = apis::not_waiting(&graph);
    ensure!(hasty.is_empty(), "made before its API is on; let it depend on terraform_data.apis: {}", hasty.join(", "));
    let seconds = plan_many_tables(step, copy.path(), &folder)?;
    Ok(format!("{passed} {MANY_TABLES} tables are planned in {seconds:.0} s"))
}

/// Who names where providers come from means them to be there, and to need no account.
fn has_stand_in() -> bool {
    std::env::var_os("TF_CLI_CONFIG_FILE").is_some()
}

fn init_with_local_state(step: &mut Running<'_>, folder: &Path) -> Result<()> {
    fs::write(folder.join("backend_override.tf"), "terraform {\n  backend \"local\" {}\n}\n")?;
    step.finish(terraform(step, folder).args(["init", "-reconfigure", "-input=false"]))?;
    Ok(())
}

fn plan_many_tables(step: &mut Running<'_>, copy: &Path, folder: &Path) -> Result<f64> {
    let tables: String = (1..=MANY_TABLES).map(|n| format!("      table_{n}: {{}}\n")).collect();
    let list = format!("databases:\n  shop:\n    tables:\n{tables}");
    fs::write(copy.join("config/tables.yaml"), list)?;
    fs::write(folder.join("many.tfvars.json"), VARIABLES)?;
    let began = Instant::now();
    step.finish(terraform(step, folder).args([
        "plan",
        "-input=false",
        "-var-file=many.tfvars.json",
        "-out=many.plan",
    ]))?;
    let seconds = began.elapsed().as_secs_f64();
    // What the stand-in gives for a secret: it is read while terraform runs, and in no file.
    let shown = step.finish(terraform(step, folder).args(["show", "-json", "many.plan"]))?;
    ensure!(shown.contains("AKIAIOSFODNN7EXAMPLE"), "the plan does not show the transfer configs");
    ensure!(!shown.contains("stub-secret"), "the secret of the transfer key is in the plan");
    ensure!(
        seconds < PLAN_WITHIN_SECONDS,
        "{MANY_TABLES} tables are planned in {seconds:.0} s, not {PLAN_WITHIN_SECONDS}"
    );
    Ok(seconds)
}

fn terraform(step: &Running<'_>, folder: &Path) -> std::process::Command {
    let mut command = step.program("terraform");
    command.current_dir(folder).env("TF_IN_AUTOMATION", "1").env("TF_CLI_ARGS", "-no-color");
    // Nothing is switched on here.
    command.env_remove("TF_DATA_DIR").env("TF_VAR_api_wait_seconds", "0");
    command
}

fn is_installed() -> bool {
    std::process::Command::new("terraform").arg("version").output().is_ok_and(|output| output.status.success())
}

fn says(step: &Running<'_>, words: &str) -> Result<bool> {
    Ok(crate::read(&step.workspace.log(step.name))?.contains(words))
}

/// The root and what it reads beside itself, in a folder of this run's own.
fn copy(step: &Running<'_>, root: &str) -> Result<TempDir> {
    let to = tempfile::Builder::new().prefix("isthmus-terraform-").tempdir()?;
    for folder in [format!("terraform/{root}"), "config".to_owned()] {
        copy_folder(&step.workspace.root.join(&folder), &to.path().join(&folder))?;
    }
    Ok(to)
}

/// Without hidden files: `.terraform`, and a lock file of other providers.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            copy_folder(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
