//! The tools of the clouds: cfn-lint, SAM, hadolint. None of them needs the network or an account.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::step::Running;

/// The C library of `provided.al2023`. A function linked here against a newer one would not start there.
/// Source: Amazon Linux 2023 user guide, "Comparing AL2 and AL2023": glibc 2.34.
const GLIBC_MINOR: u32 = 34;

/// Functions are deployed for arm64; only this machine's own kind can be built everywhere.
const ARCHITECTURE: &str = "x86_64";

const TEMPLATE: &str = "template.yaml";

pub(super) fn cfn_lint(step: &mut Running<'_>) -> Result<String> {
    unless_passed(step, "lint", |step| {
        let program = step.workspace.tool_program("lint", "cfn-lint");
        step.finish(offline(&mut step.program(program)).args(["--template", TEMPLATE]))?;
        Ok(())
    })
}

pub(super) fn validate(step: &mut Running<'_>) -> Result<String> {
    unless_passed(step, "sam", |step| sam(step, &["validate", "--template", TEMPLATE]))
}

pub(super) fn lint(step: &mut Running<'_>) -> Result<String> {
    unless_passed(step, "sam", |step| sam(step, &["validate", "--lint", "--template", TEMPLATE]))
}

pub(super) fn build(step: &mut Running<'_>) -> Result<String> {
    let folder = step.workspace.target.join("sam");
    let (built, cache) = (folder.join("build"), folder.join("cache"));
    let overrides = format!("Architecture={ARCHITECTURE}");
    let built_text = built.display().to_string();
    let cache_text = cache.display().to_string();
    let flags = ["--parameter-overrides", &overrides, "--build-dir", &built_text, "--cache-dir", &cache_text];
    sam(step, &[&["build"], &flags[..]].concat())?;
    let sizes = ["StartExport", "PublishExport", "Lookup"].map(|id| deployable(&built.join(id).join("bootstrap")));
    let sizes = sizes.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(sizes.join(", "))
}

pub(super) fn dockerfiles(step: &mut Running<'_>) -> Result<String> {
    let files = step.workspace.files("Dockerfile");
    if !files.is_empty() {
        let program = step.workspace.tool_program("lint", "hadolint");
        step.finish(step.program(program).args(&files))?;
    }
    Ok(format!("{} files", files.len()))
}

/// These checks see nothing but the template and their own versions, and take 20 seconds: once is enough.
fn unless_passed(
    step: &mut Running<'_>,
    environment: &str,
    check: impl FnOnce(&mut Running<'_>) -> Result<()>,
) -> Result<String> {
    let read = |path: &str| crate::read(&step.workspace.root.join(path));
    let subject = read(TEMPLATE)? + &read(&format!("xtask/requirements/{environment}.txt"))?;
    let passed = step.workspace.log(step.name).with_extension("passed");
    if std::fs::read_to_string(&passed).is_ok_and(|text| text == subject) {
        return Ok("unchanged since it passed".to_owned());
    }
    check(step)?;
    std::fs::write(&passed, subject).with_context(|| format!("cannot write {}", passed.display()))?;
    Ok(String::new())
}

fn sam(step: &mut Running<'_>, arguments: &[&str]) -> Result<()> {
    let program = step.workspace.tool_program("sam", "sam");
    let mut command = step.program(&program);
    // `sam build` looks for cargo-lambda in PATH; with CARGO_TARGET_DIR its functions share one build folder.
    let beside = program.parent().unwrap_or(Path::new("/")).to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(beside).chain(std::env::split_paths(&path)))?;
    command.env("PATH", path).env("CARGO_TARGET_DIR", &step.workspace.target).args(arguments);
    step.finish(offline(&mut command))?;
    Ok(())
}

/// No look-up of a region or of credentials, no report to anyone.
fn offline(command: &mut Command) -> &mut Command {
    command
        .env("AWS_DEFAULT_REGION", "ap-northeast-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("SAM_CLI_TELEMETRY", "0")
}

fn deployable(bootstrap: &Path) -> Result<String> {
    let program = std::fs::read(bootstrap).with_context(|| format!("cannot read {}", bootstrap.display()))?;
    let minor = newest_glibc_minor(&program);
    if minor > GLIBC_MINOR {
        bail!("{} needs glibc 2.{minor}; provided.al2023 has 2.{GLIBC_MINOR}", bootstrap.display());
    }
    let tenths = (program.len() * 10) >> 20;
    Ok(format!("{}.{} MiB (glibc 2.{minor})", tenths / 10, tenths % 10))
}

/// The version names in an ELF file's dynamic string table are plain text: `GLIBC_2.34`.
fn newest_glibc_minor(program: &[u8]) -> u32 {
    const MARK: &[u8] = b"GLIBC_2.";
    let starts = program.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    let minors = starts.filter_map(|(start, _)| {
        let digits = program[start + MARK.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        String::from_utf8(digits.copied().collect()).ok()?.parse().ok()
    });
    minors.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_c_library_that_a_program_asks_for_is_found() {
        assert_eq!(newest_glibc_minor(b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.17\0"), 34);
        assert_eq!(newest_glibc_minor(b"a static program"), 0);
    }
}
