//! The compiler's own checks. Always the whole workspace: fewer packages would mean other features of the same
//! dependencies, and so a second build of all of them.

use anyhow::Result;

use crate::step::Running;

pub(super) fn fmt(step: &mut Running<'_>) -> Result<String> {
    cargo(step, &["fmt", "--all", "--check"])
}

pub(super) fn clippy(step: &mut Running<'_>) -> Result<String> {
    cargo(step, &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])
}

pub(super) fn build(step: &mut Running<'_>) -> Result<String> {
    cargo(step, &["build", "--workspace"])
}

pub(super) fn test(step: &mut Running<'_>) -> Result<String> {
    let statements = super::googlesql::empty_folder(step)?;
    let pages = super::browser::empty_folder(step)?;
    let mut tests = step.program("cargo");
    tests.args(["test", "--workspace", "--no-fail-fast"]).env(super::googlesql::VARIABLE, statements);
    tests.env(super::browser::VARIABLE, pages);
    let printed = step.finish(&mut tests)?;
    Ok(format!("{} tests", tests_passed(&printed)))
}

fn cargo(step: &mut Running<'_>, arguments: &[&str]) -> Result<String> {
    step.finish(step.program("cargo").args(arguments))?;
    Ok(String::new())
}

/// Sums `test result: ok. 12 passed; …` over the test programs.
fn tests_passed(printed: &str) -> u32 {
    let results = printed.lines().filter_map(|line| line.trim().strip_prefix("test result: ok. "));
    results.filter_map(|rest| rest.split_once(" passed")?.0.parse::<u32>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_over_all_programs() {
        let printed =
            "running 2 tests\ntest result: ok. 2 passed; 0 failed; 0 ignored\n\ntest result: ok. 40 passed; 0 f";
        assert_eq!(tests_passed(printed), 42);
    }
}
