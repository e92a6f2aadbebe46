//! Every check of `cargo xtask test`, quick ones first where the order does not matter.

mod agreement;
mod apis;
mod browser;
mod cargo;
mod commands;
mod dbt;
mod googlesql;
mod links;
mod promises;
mod rights;
mod sam;
mod schedule;
mod settings;
mod terraform;
mod variables;

use anyhow::{Result, bail};

use crate::environments;
use crate::step::Step;

const CHECKS: [Step; 25] = [
    Step { name: "fmt", about: "the code is formatted", run: cargo::fmt },
    Step {
        name: "variables",
        about: "template.yaml sets what each function reads, its page names them",
        run: variables::check,
    },
    Step {
        name: "rights",
        about: "each role allows the calls that its function makes, and no others",
        run: rights::check,
    },
    Step {
        name: "settings",
        about: "samconfig.toml gives the template's parameters for stg and prod",
        run: settings::check,
    },
    Step {
        name: "agreement",
        about: "both Terraform roots, SAM and the programs expect what the others give",
        run: agreement::check,
    },
    Step {
        name: "schedule",
        about: "template.yaml tries a day's export in the hours that start-export knows",
        run: schedule::check,
    },
    Step { name: "links", about: "relative links in documents lead somewhere", run: links::check },
    Step { name: "promises", about: "a test or a check that a document names exists", run: promises::check },
    Step {
        name: "commands",
        about: "every command of README.md is run by a check, or says why not",
        run: commands::check,
    },
    Step { name: "dbt", about: "the warehouse's project parses without a warning; tests of its job", run: dbt::check },
    Step { name: "sqlfluff", about: "SQL of both dbt projects", run: dbt::sqlfluff },
    Step { name: "clippy", about: "no warning in any target", run: cargo::clippy },
    Step { name: "build", about: "every program builds", run: cargo::build },
    Step { name: "test", about: "unit, contract and story tests", run: cargo::test },
    Step {
        name: "googlesql",
        about: "what the tests sent to BigQuery, every query here, all that dbt compiles, by GoogleSQL's own analyzer",
        run: googlesql::check,
    },
    Step {
        name: "browser",
        about: "every page that the tests left, in Chromium: axe-core, layouts, no request; that of isthmus lineage by keyboard and without scripts",
        run: browser::check,
    },
    Step { name: "cfn-lint", about: "template.yaml, by cfn-lint 1.51", run: sam::cfn_lint },
    Step { name: "sam-validate", about: "template.yaml, by SAM's transform", run: sam::validate },
    Step { name: "sam-lint", about: "template.yaml, by SAM's rules", run: sam::lint },
    Step { name: "sam-build", about: "every function builds as it is deployed (x86_64)", run: sam::build },
    Step { name: "terraform-aws", about: "formatted, valid, and its plan tests", run: terraform::aws },
    Step { name: "terraform-gcp", about: "formatted, valid, and its plan tests", run: terraform::gcp },
    Step { name: "daily-workflow", about: "in an emulator of Workflows", run: terraform::workflow },
    Step { name: "checkov", about: "both Terraform roots", run: terraform::checkov },
    Step { name: "dockerfiles", about: "Dockerfiles, by hadolint", run: sam::dockerfiles },
];

/// These need neither cargo's debug folder nor anything that another check leaves behind. Tests wait a good deal; meanwhile
/// they run.
const BESIDE: [&str; 11] = [
    "dbt",
    "sqlfluff",
    "cfn-lint",
    "sam-validate",
    "sam-lint",
    "sam-build",
    "terraform-aws",
    "terraform-gcp",
    "daily-workflow",
    "checkov",
    "dockerfiles",
];

pub(crate) fn is_beside(step: &Step) -> bool {
    BESIDE.contains(&step.name)
}

pub(crate) fn is_setup(step: &Step) -> bool {
    environments::STEPS.iter().any(|setup| setup.name == step.name)
}

/// What the checks need comes first; it is a check of its own that it can be installed.
pub(crate) fn all() -> impl Iterator<Item = &'static Step> {
    environments::STEPS.iter().chain(&CHECKS)
}

/// The checks of these names in the order of [`all`]; all when no name is given.
pub(crate) fn chosen(only: &[String]) -> Result<Vec<&'static Step>> {
    if let Some(unknown) = only.iter().find(|name| !all().any(|step| step.name == name.as_str())) {
        let names: Vec<_> = all().map(|step| step.name).collect();
        bail!("no check is named {unknown}; there are: {}", names.join(", "));
    }
    Ok(all().filter(|step| only.is_empty() || only.iter().any(|name| name == step.name)).collect())
}

/// A check that compares says all that it found, one problem a line.
fn verdict(problems: &[String], note: String) -> Result<String> {
    if problems.is_empty() {
        return Ok(note);
    }
    bail!("{}", problems.join("\n    "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_check_is_told_with_the_names_that_exist() {
        let error = chosen(&["clipy".to_owned()]).err().unwrap().to_string();
        assert!(error.starts_with("no check is named clipy; there are: mariadb, postgresql, redis, "), "{error}");
    }

    #[test]
    fn every_name_is_used_once() {
        let mut names: Vec<_> = all().map(|step| step.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
