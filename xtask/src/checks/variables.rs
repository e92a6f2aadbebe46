//! The variables that template.yaml sets are those that the function reads; the page of every program names each, and its
//! README those that it cannot do without.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::step::Running;
use crate::template;
use crate::workspace::Workspace;

pub(super) const FUNCTIONS: [&str; 3] = ["start-export", "publish-export", "lookup"];
pub(super) const JOBS: [&str; 2] = ["load-export", "bigquery-to-s3"];
/// Not one of Cloud Run's.
const OTHER_JOBS: [&str; 1] = ["database-to-bigquery"];

/// Read by the same program where it is not deployed by the template: as a server, or in a network that reaches Google's
/// APIs by private endpoints only.
const ELSEWHERE: [(&str, &str); 5] = [
    ("lookup", "HOST"),
    ("lookup", "PORT"),
    ("publish-export", "GOOGLE_STS_ENDPOINT"),
    ("publish-export", "GOOGLE_IAM_CREDENTIALS_ENDPOINT"),
    ("publish-export", "GOOGLE_WORKFLOW_EXECUTIONS_ENDPOINT"),
];

/// `vars.required("ENV")`, `vars.or("EXPORT_TIMEZONE", …)`: how `startup::Vars` is asked.
const READERS: [&str; 3] = ["required", "optional", "or"];

pub(super) fn check(step: &mut Running<'_>) -> Result<String> {
    let text = crate::read(&step.workspace.root.join("template.yaml"))?;
    let mut problems = Vec::new();
    let mut count = 0;
    for function in FUNCTIONS {
        let set = set_by_template(&text, function)?;
        let read = read_by_program(&sources(step.workspace, "functions", function)?);
        count += read.len();
        let unset = read.difference(&set).filter(|name| !ELSEWHERE.contains(&(function, name.as_str())));
        problems.extend(unset.map(|name| format!("{function} reads {name}, template.yaml does not set it")));
        problems.extend(
            set.difference(&read).map(|name| format!("template.yaml sets {name}, {function} does not read it")),
        );
        problems.extend(not_on_page(step.workspace, function, &read));
        problems.extend(readme(step.workspace, "functions", function)?);
    }
    for job in JOBS.into_iter().chain(OTHER_JOBS) {
        let read = read_by_program(&sources(step.workspace, "jobs", job)?);
        count += read.len();
        problems.extend(not_on_page(step.workspace, job, &read));
        problems.extend(readme(step.workspace, "jobs", job)?);
    }
    super::verdict(&problems, format!("{count} variables"))
}

/// The code of a package without its tests.
pub(super) fn sources(workspace: &Workspace, folder: &str, program: &str) -> Result<String> {
    let mut files = Vec::new();
    rust_files(&workspace.root.join(folder).join(program).join("src"), &mut files)?;
    let texts = files.iter().map(|path| {
        let text = crate::read(path)?;
        Ok(text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned())
    });
    texts.collect()
}

fn rust_files(folder: &Path, found: &mut Vec<std::path::PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

fn set_by_template(text: &str, function: &str) -> Result<BTreeSet<String>> {
    let block = template::below(text, &template::logical_id(function))?;
    let variables = template::below(&block, "Variables").with_context(|| format!("variables of {function}"))?;
    Ok(template::keys(&variables).into_iter().map(str::to_owned).collect())
}

pub(super) fn read_by_program(code: &str) -> BTreeSet<String> {
    asked_by(code, &READERS)
}

pub(super) fn required_by_program(code: &str) -> BTreeSet<String> {
    asked_by(code, &READERS[..1])
}

fn asked_by(code: &str, readers: &[&str]) -> BTreeSet<String> {
    let asked = code.split('"').collect::<Vec<_>>();
    let names = asked.windows(2).filter(|pair| asks(pair[0], readers)).map(|pair| pair[1]);
    names.filter(|name| is_variable(name)).map(str::to_owned).collect()
}

/// Ends in `.required(`, or in `.required::<u32>(`.
fn asks(before: &str, readers: &[&str]) -> bool {
    let Some(call) = before.trim_end().strip_suffix('(') else { return false };
    let call = call.rsplit_once("::<").filter(|_| call.ends_with('>')).map_or(call, |(call, _)| call);
    readers.iter().any(|reader| call.ends_with(&format!(".{reader}")))
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

fn not_on_page(workspace: &Workspace, program: &str, read: &BTreeSet<String>) -> Vec<String> {
    let page = workspace.root.join(format!("docs/spec/{program}.md"));
    let Ok(text) = fs::read_to_string(&page) else {
        return vec![format!("{program} has no page {}", workspace.short(&page))];
    };
    let missing = read.iter().filter(|name| !text.contains(&format!("`{name}`")));
    missing.map(|name| format!("{} does not name `{name}`", workspace.short(&page))).collect()
}

/// The README of a program names the variables that it requires, and none that it does not read.
fn readme(workspace: &Workspace, folder: &str, program: &str) -> Result<Vec<String>> {
    let code = sources(workspace, folder, program)?;
    let page = format!("{folder}/{program}/README.md");
    let text = crate::read(&workspace.root.join(&page))?;
    let named = named_as_variables(&text);
    let read = read_by_program(&code);
    let missing = required_by_program(&code).into_iter().filter(|name| !named.contains(name));
    let unknown = named.iter().filter(|name| !read.contains(*name));
    Ok(missing
        .map(|name| format!("{page} does not name `{name}`, which is required"))
        .chain(unknown.map(|name| format!("{page} names `{name}`, which {program} does not read")))
        .collect())
}

/// `LIKE_THIS`, after "**Variables.**".
fn named_as_variables(page: &str) -> BTreeSet<String> {
    let part = page.split_once("**Variables.**").map_or("", |(_, part)| part);
    part.split('`').skip(1).step_by(2).filter(|name| is_variable(name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_that_a_readme_names_are_found() {
        let page = "`{AUDIT}.loads`, `OTHER`\n**Variables.** Required: `ENV`, `URL_{NAME}`; with `REDIS_AUTH=iam` also\n`USER`.";
        assert_eq!(named_as_variables(page), ["ENV", "USER"].map(str::to_owned).into());
    }

    #[test]
    fn the_variables_that_a_program_asks_for_are_found() {
        let code = r#"let env = vars.required("ENV"); vars.or(
            "HOURS", Whole::<1, 24>(2)); vars.or("MINUTES", 1); vars.optional::<Option<u8>>("TOPIC");
            Path::<u8>::new("NOT_READ"); error("ENV2")"#;
        assert_eq!(read_by_program(code), ["ENV", "HOURS", "MINUTES", "TOPIC"].map(str::to_owned).into());
    }
}
