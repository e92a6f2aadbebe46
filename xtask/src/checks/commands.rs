//! A command that README.md tells people to type is one that a check runs, or one that stands here with the reason why
//! none can.

use anyhow::Result;

use crate::step::Running;

/// Commands by how they begin, and who runs them.
const RUN: [(&str, By); 23] = [
    ("cargo xtask setup", By::Check("emulators")),
    ("cargo xtask demo --keep", By::Reason("waits for a person; it is the demo that .ci/run runs")),
    ("cargo xtask demo --engine postgres", By::Ci("cargo xtask demo --engine postgres --json")),
    ("cargo xtask demo", By::Ci("cargo xtask demo --json")),
    ("cargo xtask test", By::Ci("cargo xtask test")),
    ("cargo xtask bench", By::Reason("a release build and a quiet machine: run by hand, figures in the notes")),
    ("sam build", By::Check("sam-build")),
    ("sam validate", By::Check("sam-validate")),
    ("sam deploy", By::Reason("needs an AWS account; sam-validate and settings check what it is given")),
    ("aws lambda invoke", By::Reason("needs an AWS account; tests/ invokes the built programs with such events")),
    ("gcloud run jobs execute", By::Reason("needs a Google Cloud project; tests/ runs the built job")),
    ("gcloud workflows execute", By::Reason("needs a Google Cloud project; daily-workflow runs the workflow")),
    ("cargo install --locked --path cli", By::Reason("a release build; the check test builds the same program")),
    ("isthmus deploy", By::Check("test")),
    ("isthmus first-day", By::Check("test")),
    ("isthmus tables", By::Check("test")),
    ("isthmus lineage", By::Check("test")),
    ("isthmus status", By::Check("test")),
    ("isthmus spot", By::Check("test")),
    ("isthmus load", By::Check("test")),
    ("isthmus rollback", By::Check("test")),
    ("isthmus doctor", By::Check("test")),
    ("sam build && sam deploy", By::Reason("needs an AWS account; sam-build runs its first half")),
];

enum By {
    /// A check of `cargo xtask test`.
    Check(&'static str),
    /// A line of .ci/run.
    Ci(&'static str),
    /// Nobody, and why.
    Reason(&'static str),
}

pub(super) fn check(step: &mut Running<'_>) -> Result<String> {
    let readme = crate::read(&step.workspace.root.join("README.md"))?;
    let ci = crate::read(&step.workspace.root.join(".ci/run"))?;
    let commands = commands(&readme);
    let problems: Vec<String> = commands.iter().filter_map(|command| problem(command, &ci)).collect();
    super::verdict(&problems, format!("{} commands", commands.len()))
}

fn problem(command: &str, ci: &str) -> Option<String> {
    let known = RUN.iter().filter(|(begin, _)| command.starts_with(begin)).max_by_key(|(begin, _)| begin.len());
    match known.map(|(_, by)| by) {
        None => Some(format!("README.md says `{command}`, which no check runs: add it to checks/commands.rs")),
        Some(By::Check(name)) => {
            let gone = !super::all().any(|step| step.name == *name);
            gone.then(|| format!("`{command}` was run by the check {name}, which is no more"))
        }
        Some(By::Ci(line)) => {
            let gone = !ci.lines().any(|found| found.trim() == *line);
            gone.then(|| format!("`{command}` was run by .ci/run as `{line}`, which is no more"))
        }
        Some(By::Reason(why)) => why.is_empty().then(|| format!("`{command}` is run by nobody, for no reason")),
    }
}

/// The lines of ```sh blocks, and the lines after `$ ` of ```console blocks; comments taken off.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for block in text.split("```").skip(1).step_by(2) {
        let (language, body) = block.split_once('\n').unwrap_or((block, ""));
        let body = body.replace("\\\n", ""); // a line that goes on
        let lines = body.lines().map(|line| line.split(" # ").next().unwrap_or_default().trim());
        match language.trim() {
            "sh" => found.extend(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned)),
            "console" => found.extend(lines.filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned)),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_from_shell_and_console_blocks() {
        let text = "text\n```sh\n# why\ncargo xtask demo   # three minutes\n```\n```console\n$ aws s3 ls\nout\n```\n```rust\nx\n```";
        assert_eq!(commands(text), ["cargo xtask demo", "aws s3 ls"]);
    }

    #[test]
    fn a_command_that_nothing_runs_is_a_problem() {
        assert!(problem("cargo xtask fly", "").unwrap().contains("which no check runs"));
        assert!(problem("cargo xtask test --list", "cargo xtask build").unwrap().contains("which is no more"));
        assert_eq!(problem("cargo xtask test --list", "  cargo xtask test\n"), None);
        assert_eq!(problem("sam build --use-container", ""), None);
    }
}
