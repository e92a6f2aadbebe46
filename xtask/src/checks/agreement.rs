//! What one part gives and another expects: variables of the jobs, names that cross between the clouds, parameters that
//! SAM reads, fields that alerts look for.

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use super::variables::{FUNCTIONS, JOBS, read_by_program, required_by_program, sources};
use crate::step::Running;
use crate::template;
use crate::workspace::Workspace;

pub(super) fn check(step: &mut Running<'_>) -> Result<String> {
    let parts = [
        jobs,
        extractor,
        across_clouds,
        sam_reads_terraform,
        role_of_publish_export,
        alerts_read_lines,
        filters_read_lines,
        secrets,
    ];
    let mut problems = Vec::new();
    let mut count = 0;
    for part in parts {
        count += part(step.workspace, &mut problems)?;
    }
    super::verdict(&problems, format!("{count} names"))
}

/// Terraform sets what a job requires, and nothing that it does not read.
fn jobs(workspace: &Workspace, problems: &mut Vec<String>) -> Result<usize> {
    let text = file(workspace, "terraform/gcp/jobs.tf")?;
    let shared = keys(block(&text, "keyless = {")?);
    let mut count = 0;
    for job in JOBS {
        let own = block(&text, &format!("{job} = {{"))?;
        let set: BTreeSet<_> = keys(block(own, "env = merge(local.keyless, {")?).union(&shared).cloned().collect();
        let code = sources(workspace, "jobs", job)?;
        count += set.len();
        problems.extend(missing(
            &required_by_program(&code),
            &set,
            &format!("{job} requires"),
            "jobs.tf does not set it",
        ));
        problems.extend(missing(&set, &read_by_program(&code), "jobs.tf sets", &format!("{job} does not read it")));
    }
    Ok(count)
}

/// Of database-to-bigquery on each cloud: what it requires is set there, and its log has what the alarm looks for.
fn extractor(workspace: &Workspace, problems: &mut Vec<String>) -> Result<usize> {
    let code = sources(workspace, "jobs", "database-to-bigquery")?;
    // A secret where a column is masked, and the list as a variable or as a file; only a task on AWS is somebody else at
    // Google.
    let elsewhere = [
        ("terraform/aws/extractor.tf", ["MASK_KEY", "EXTRACTS_FILE"].as_slice()),
        (
            "terraform/gcp/extractor.tf",
            ["MASK_KEY", "AWS_REGION", "GOOGLE_AUDIENCE", "GOOGLE_SERVICE_ACCOUNT"].as_slice(),
        ),
    ];
    let mut count = 0;
    for (name, elsewhere) in elsewhere {
        let text = file(workspace, name)?;
        let set = keys(block(&text, "extractor_environment = {")?);
        let mut required = required_by_program(&code);
        required.retain(|variable| !elsewhere.contains(&variable.as_str()));
        count += set.len();
        problems.extend(missing(&required, &set, "database-to-bigquery requires", &format!("{name} does not set it")));
        let read = read_by_program(&code);
        problems.extend(missing(&set, &read, &format!("{name} sets"), "database-to-bigquery does not read it"));
    }
    let alarms = file(workspace, "terraform/aws/extractor_alarms.tf")?;
    let pattern = alarms.lines().find_map(|line| line.trim().strip_prefix("pattern "));
    let pattern = pattern.context("extractor_alarms.tf has no pattern")?.replace("\\\"", "\"");
    let written: BTreeSet<&str> = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let looked_for = pattern_words(pattern.trim_matches([' ', '=', '"']));
    let unknown = looked_for.iter().filter(|word| !written.contains(word.as_str()));
    problems
        .extend(unknown.map(|word| format!("extractor_alarms.tf looks for {word} in the log; the job writes none")));
    Ok(count + looked_for.len())
}

/// An output of one root is a variable of the other, field by field.
fn across_clouds(workspace: &Workspace, problems: &mut Vec<String>) -> Result<usize> {
    let (aws, gcp) = ("terraform/aws", "terraform/gcp");
    let crossing = [
        (aws, "output \"aws\" {", "value = {", gcp, "variable \"aws\" {"),
        (gcp, "output \"service_account_ids\" {", "value = {", aws, "variable \"google_service_account_ids\" {"),
        (
            gcp,
            "output \"for_aws\" {",
            "google_service_account_ids = {",
            aws,
            "variable \"google_service_account_ids\" {",
        ),
        (gcp, "output \"for_aws\" {", "google_project = {", aws, "variable \"google_project\" {"),
        (gcp, "output \"audience\" {", "value = {", aws, "variable \"audience\" {"),
        (gcp, "output \"start_load\" {", "value = {", aws, "variable \"start_load\" {"),
        (gcp, "locals {", "extract_into = var.extractor == null ? null : {", aws, "variable \"extract_into\" {"),
    ];
    let mut count = 0;
    for (from, output, head, to, variable) in crossing {
        let outputs = file(workspace, &format!("{from}/outputs.tf"))?;
        let variables = variables(workspace, to)?;
        let output_block = block(&outputs, output)?;
        let value = block(output_block, head).map(keys).unwrap_or_default();
        let block = block(&variables, variable)?;
        let wanted = block
            .split_once("object({")
            .map_or(BTreeSet::new(), |(_, rest)| keys(rest.split("})").next().unwrap_or("")));
        count += 1 + wanted.len();
        problems.extend(missing(
            &wanted,
            &value,
            &format!("{to} wants"),
            &format!("{output} of {from} does not give it"),
        ));
        problems.extend(missing(
            &value,
            &wanted,
            &format!("{output} of {from} gives"),
            &format!("{to} does not take it"),
        ));
    }
    Ok(count)
}

/// samconfig.toml and the operator's command name the parameters that terraform/aws makes, and what `terraform output lookup` prints are parameters.
fn sam_reads_terraform(workspace: &Workspace, problems: &mut Vec<String>) -> Result<usize> {
    let made = keys(block(&file(workspace, "terraform/aws/parameters.tf")?, "parameters = {")?);
    let config = file(workspace, "samconfig.toml")?;
    let names = file(workspace, "cli/src/clouds/names.rs")?;
    let (_, list) = names.split_once("const PARAMETERS: ").context("names.rs has no PARAMETERS")?;
    let list = list.split(';').nth(1).unwrap_or_default();
    let operator: BTreeSet<String> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    problems.extend(missing(&operator, &made, "isthmus reads", "terraform/aws does not make it"));
    for env in ["stg", "prod"] {
        let prefix = format!("/isthmus/{env}/");
        let named = config.split('"').filter_map(|text| text.split_once(&prefix)).map(|(_, name)| name.to_owned());
        let named: BTreeSet<_> = named.collect();
        problems.extend(missing(&named, &made, "samconfig.toml reads", "terraform/aws does not make it"));
        problems.extend(missing(
            &made,
            &named.union(&operator).cloned().collect(),
            "terraform/aws makes",
            &format!("neither {env} in samconfig.toml nor isthmus reads it"),
        ));
    }
    let outputs = file(workspace, "terraform/aws/outputs.tf")?;
    let lookup = keys(block(&outputs, "output \"lookup\" {")?).into_iter().filter(|name| name.starts_with("Lookup"));
    let template = crate::read(&workspace.root.join("template.yaml"))?;
    let parameters = template::below(&template, "Parameters")?;
    let parameters = template::keys(&parameters).into_iter().map(str::to_owned).collect();
    let lookup = lookup.collect();
    problems.extend(missing(&lookup, &parameters, "output lookup has", "template.yaml has no such parameter"));
    Ok(made.len() + lookup.len())
}

/// Google lets the role in by its name, which SAM gives it and terraform/aws tells Google.
fn role_of_publish_export(workspace: &Workspace, problems: &mut Vec<String>) -> Result<usize> {
    let template = crate::read(&workspace.root.join("template.yaml"))?;
    let role = template::below(&template, "PublishExportRole")?;
    let name = role.lines().find_map(|line| line.trim().strip_prefix("RoleName: !Sub "));
    let name = name.context("PublishExportRole has no RoleName")?.replace("${Env}", "${var.env}");
    let outputs = file(workspace, "terraform/aws/outputs.tf")?;
    let told = outputs.lines().find(|line| line.trim().starts_with("publish_export_role_arn"));
    if !told.is_some_and(|line| line.ends_with(&format!(":role/{name}\""))) {
        problems.push(format!("output aws of terraform/aws does not give the role {name} of template.yaml"));
    }
    Ok(1)
}

/// A metric or an alert that looks for `event="published"` and `rows` finds a program that writes them.
fn alerts_read_lines(workspace: &Workspace, problems: &mut Vec<String>) -> Result<usize> {
    let code = JOBS.iter().map(|job| sources(workspace, "jobs", job)).collect::<Result<String>>()?;
    let code = code + &file(workspace, "terraform/gcp/daily.workflow.yaml")? + &job_in_python(workspace)?;
    let words: BTreeSet<&str> = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let mut looked_for = BTreeSet::new();
    for name in ["alerts.tf", "log_metrics.tf"] {
        let text = file(workspace, &format!("terraform/gcp/{name}"))?;
        for found in text.split("jsonPayload.").skip(1) {
            let field = found.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
            looked_for.insert(field.to_owned());
            let event = found.strip_prefix("event=\\\"").and_then(|rest| rest.split('\\').next());
            looked_for.extend(event.map(str::to_owned));
        }
    }
    let unknown = looked_for.iter().filter(|word| !words.contains(word.as_str()));
    problems.extend(unknown.map(|word| format!("terraform/gcp looks for {word} in the log; no program writes it")));
    Ok(looked_for.len())
}

fn job_in_python(workspace: &Workspace) -> Result<String> {
    let folder = workspace.root.join("jobs/dbt/isthmus_dbt");
    let files = workspace.files(".py");
    files.iter().filter(|file| file.starts_with(&folder)).map(|file| crate::read(file)).collect()
}

/// A metric of the template that looks for `$.event = "export_found"` finds a function that writes it.
fn filters_read_lines(workspace: &Workspace, problems: &mut Vec<String>) -> Result<usize> {
    let code = FUNCTIONS.iter().map(|name| sources(workspace, "functions", name)).collect::<Result<String>>()?;
    let words: BTreeSet<&str> = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let template = crate::read(&workspace.root.join("template.yaml"))?;
    let looked_for = filtered(&template);
    let unknown = looked_for.iter().filter(|word| !words.contains(word.as_str()));
    problems.extend(unknown.map(|word| format!("template.yaml looks for {word} in the log; no function writes it")));
    Ok(looked_for.len())
}

/// The fields and the quoted values of every filter pattern.
fn filtered(template: &str) -> BTreeSet<String> {
    let patterns = template.lines().filter_map(|line| line.trim().strip_prefix("FilterPattern: "));
    patterns.flat_map(pattern_words).collect()
}

fn pattern_words(pattern: &str) -> Vec<String> {
    let fields = pattern.split("$.").skip(1).filter_map(|rest| rest.split(' ').next());
    fields.chain(pattern.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// The key of the transfer user is made by the script, under the names that Terraform gives.
fn secrets(workspace: &Workspace, problems: &mut Vec<String>) -> Result<usize> {
    let script = file(workspace, "terraform/rotate-transfer-key.sh")?;
    for (root, name) in [("aws/transfer_user.tf", "transfer"), ("gcp/secrets.tf", "transfer-key")] {
        let made = file(workspace, &format!("terraform/{root}"))?.contains(&["isthmus-${var.env}-", name].concat());
        if !made || !script.lines().any(|line| line.ends_with(&["=isthmus-$env-", name].concat())) {
            problems.push(format!("rotate-transfer-key.sh and terraform/{root} name isthmus-…-{name} differently"));
        }
    }
    let sources = workspace.files("tf");
    for path in &sources {
        if crate::read(path)?.contains("\"aws_iam_access_key\"") {
            problems.push(format!("{}: an access key's secret would lie in the state", workspace.short(path)));
        }
    }
    Ok(2)
}

fn file(workspace: &Workspace, name: &str) -> Result<String> {
    crate::read(&workspace.root.join(name))
}

/// What stands between a line that ends with `head` and its closing brace. Runs of spaces before `=` count as one.
fn block<'a>(text: &'a str, head: &str) -> Result<&'a str> {
    let single = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        if single(line) == head {
            let depth = line.len() - line.trim_start().len();
            let ends = |line: &str| line.len() - line.trim_start().len() <= depth && line.trim_start().starts_with('}');
            let length = text[at..].split_inclusive('\n').take_while(|line| !ends(line)).map(str::len).sum::<usize>();
            return Ok(&text[at..at + length]);
        }
    }
    None.with_context(|| format!("there is no `{head}`"))
}

/// Those of all files that are called so.
fn variables(workspace: &Workspace, root: &str) -> Result<String> {
    let folder = workspace.root.join(root);
    let files = workspace.files("tf").into_iter().filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        path.parent() == Some(&folder) && name.starts_with("variables")
    });
    files.map(|path| crate::read(&path)).collect()
}

/// The names before `=`, on lines or between commas.
fn keys(block: &str) -> BTreeSet<String> {
    let pairs = block.split(['\n', ',']).filter_map(|line| line.trim().split_once('='));
    let names = pairs.map(|(name, _)| name.trim().trim_start_matches('{').trim());
    names
        .filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)))
        .map(str::to_owned)
        .collect()
}

fn missing(of: &BTreeSet<String>, from: &BTreeSet<String>, before: &str, after: &str) -> Vec<String> {
    of.difference(from).map(|name| format!("{before} {name}, {after}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERRAFORM: &str = "locals {\n  keyless = {\n    A = 1\n    BC    = try(x, \"\")\n  }\n  job = {\n    \
                             env = merge(local.keyless, {\n      # not D = 1\n      E = 2\n    })\n  }\n}\n";

    #[test]
    fn the_names_of_a_block_are_found_whatever_their_alignment() {
        let names = |head| keys(block(TERRAFORM, head).unwrap()).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(names("keyless = {"), "A BC");
        assert_eq!(names("env = merge(local.keyless, {"), "E");
        assert!(block(TERRAFORM, "other = {").is_err());
    }

    #[test]
    fn the_fields_of_an_object_on_one_line_are_found() {
        assert_eq!(keys(" load_export = string, to_s3 = string "), ["load_export", "to_s3"].map(str::to_owned).into());
    }

    #[test]
    fn a_filter_s_fields_and_values_are_found() {
        let template = "A:\n  FilterPattern: '{ ($.event = \"a_b\" || $.event = \"c\") && $.today IS TRUE }'\n";
        assert_eq!(filtered(template), ["event", "a_b", "c", "today"].map(str::to_owned).into());
    }

    #[test]
    fn what_is_missing_is_named() {
        let (of, from) = (["A".to_owned(), "B".to_owned()].into(), ["A".to_owned()].into());
        assert_eq!(missing(&of, &from, "job requires", "nobody sets it"), ["job requires B, nobody sets it"]);
    }
}
