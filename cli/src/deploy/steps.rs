//! Which steps make an environment.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::environment::Environment;
use super::facts::{Facts, Key};
use super::images::{Images, images};
use super::script::{Act, Command, Step};
use super::states::{aws_state, google_state};

/// Who deploys, with what: nothing is made before this is right.
pub fn tools(environment: &Environment) -> Step {
    Step::new("What is needed: tools, and who you are", needed(environment))
}

/// Up to where the state of terraform/gcp can be asked how far the environment is.
pub fn first(environment: &Environment) -> Vec<Step> {
    vec![
        Step::new("Google: APIs and agents that Terraform needs", google_before_terraform(environment)),
        Step::new("Google: where the state is", google_state(environment)),
    ]
}

/// The same where nothing is to be made.
pub fn look_first(environment: &Environment) -> Vec<Step> {
    vec![Step::new("Google: the state; without one, nothing is there yet", google_state(environment).split_off(2))]
}

/// What comes after it.
pub fn then(environment: &Environment, facts: &Facts, by: Images, agrees: bool) -> Vec<Step> {
    let mut steps = Vec::new();
    // What needs AWS is there already, or comes last: with half of the variables, a plan would take it away again.
    if !facts.is_begun {
        let mut acts = vec![google_variables(environment, false)];
        acts.push(change(environment, "gcp", &[]));
        steps.push(Step::new("Google: accounts, datasets, registry, secrets", acts));
    }
    steps.push(Step::new("AWS: where the state is", aws_state(environment)));
    steps.push(aws(environment));
    steps.push(Step::new("AWS: the functions and their triggers", sam(environment, agrees)));
    steps.push(Step::new("Images of the jobs", images(environment, by)));
    steps.push(Step::new(
        "The key of Data Transfer, whose secret goes from AWS to Google without being shown",
        key(environment, facts),
    ));
    let acts = vec![google_variables(environment, true), change(environment, "gcp", &["key"])];
    steps.push(Step::new("Google: jobs, workflow, alerts, transfers", acts));
    steps
}

/// What Terraform would change, where the states are there.
pub fn look(environment: &Environment, facts: &Facts) -> Vec<Step> {
    let plan = |root: &str, files: &[&str]| match change(environment, root, files) {
        Act::Change { plan, .. } => Act::Run(plan),
        other => other,
    };
    let has_key = !facts.keys.is_empty();
    let mut acts = vec![google_variables(environment, facts.has_aws())];
    acts.extend(if has_key { key(environment, facts) } else { Vec::new() });
    acts.push(plan("gcp", if has_key { &["key"] } else { &[] }));
    let mut steps = vec![Step::new("Google", acts)];
    if facts.is_begun {
        let mut acts = aws_state(environment).split_off(2);
        acts.extend(aws(environment).acts);
        acts.pop();
        acts.push(plan("aws", &["google"]));
        steps.push(Step::new("AWS", acts));
    }
    steps
}

fn needed(environment: &Environment) -> Vec<Act> {
    let Environment { project, cluster, aws_region, .. } = environment;
    let tool = |line: &str, help: &str| Act::Check { command: Command::new(line), help: help.to_owned() };
    let ask = |name, line: &str, help: &str| Act::Ask { name, command: Command::new(line), help: help.to_owned() };
    vec![
        tool("terraform version", "Terraform 1.11 or later: developer.hashicorp.com/terraform/install"),
        tool("sam --version", "pip install aws-sam-cli"),
        tool("cargo lambda --version", "pip install cargo-lambda"),
        ask(
            "AWS_ACCOUNT",
            "aws sts get-caller-identity --query Account --output text",
            "aws sso login, or AWS_PROFILE",
        ),
        ask(
            "TAG",
            "git rev-parse --short=12 HEAD",
            "images are called after the commit: run this in a clone that has one",
        ),
        Act::Nothing {
            command: uncommitted(),
            help: "commit it or take it away: images are called after the commit that they were made of".to_owned(),
        },
        tool(
            &format!("gcloud projects describe {project} --format=value(projectNumber)"),
            &format!("gcloud auth login, with an account that may see {project}"),
        ),
        tool("gcloud auth application-default print-access-token", "gcloud auth application-default login"),
        tool(
            &format!("aws rds describe-db-clusters --db-cluster-identifier {cluster} --region {aws_region}"),
            &format!(
                "the account has no cluster {cluster} in {aws_region}: look at config/environments.yaml and AWS_PROFILE"
            ),
        ),
    ]
}

/// Everything that images are made of, new files too, whatever git is set to show. Not what a team edits here and
/// Terraform and SAM read.
fn uncommitted() -> Command {
    let status = Command::new("git status --porcelain --untracked-files=all -- .");
    NOT_IN_IMAGES.iter().fold(status, |status, path| status.with(format!(":(exclude){path}")))
}

const NOT_IN_IMAGES: [&str; 4] = ["config", "docs", "samconfig.toml", "terraform"];

fn google_before_terraform(environment: &Environment) -> Vec<Act> {
    let project = format!("--project={}", environment.project);
    let apis = "cloudresourcemanager serviceusage storage bigquerydatatransfer workflows";
    let apis: Vec<String> = apis.split(' ').map(|api| format!("{api}.googleapis.com")).collect();
    let agent = |api: &str| {
        let command = Command::new("gcloud beta services identity create");
        Act::Run(command.with(format!("--service={api}.googleapis.com")).with(&project))
    };
    vec![
        Act::Run(Command::new("gcloud services enable").and(&apis.join(" ")).with(&project)),
        agent("bigquerydatatransfer"),
        agent("workflows"),
    ]
}

/// All that terraform/gcp has to know and nobody types; at first without what needs AWS.
fn google_variables(environment: &Environment, with_aws: bool) -> Act {
    let mut variables = json!({
        "project": environment.project, "location": environment.google_location, "alert_emails": environment.emails,
    });
    if !environment.dbt {
        variables["dbt"] = Value::Null;
    }
    if with_aws {
        variables["aws"] = json!({"account_id": "$AWS_ACCOUNT", "region": environment.aws_region});
        for (name, bucket) in own_buckets(environment) {
            variables["aws"][name] = json!(bucket);
        }
        variables["image_tag"] = json!("$TAG");
    }
    Act::Write { file: format!("terraform/gcp/generated/{}.tfvars.json", environment.name), text: text(&variables) }
}

/// The same for both roots.
fn own_buckets(environment: &Environment) -> impl Iterator<Item = (&'static str, &String)> {
    let names = [("export_bucket", &environment.export_bucket), ("app_bucket", &environment.app_bucket)];
    names.into_iter().filter_map(|(name, bucket)| Some((name, bucket.as_ref()?)))
}

fn aws(environment: &Environment) -> Step {
    let name = &environment.name;
    let mut variables = json!({
        "region": environment.aws_region, "cluster": environment.cluster, "notification_emails": environment.emails,
    });
    for (name, bucket) in own_buckets(environment) {
        variables[name] = json!(bucket);
    }
    let acts = vec![
        Act::Keep {
            command: Command::new("terraform -chdir=terraform/gcp output -json for_aws"),
            file: format!("terraform/aws/generated/{name}.google.tfvars.json"),
        },
        Act::Write { file: format!("terraform/aws/generated/{name}.tfvars.json"), text: text(&variables) },
        change(environment, "aws", &["google"]),
    ];
    Step::new("AWS: buckets, key, roles, topic", acts)
}

fn change(environment: &Environment, root: &str, more: &[&str]) -> Act {
    let name = &environment.name;
    let terraform = |line: &str| Command::new(&format!("terraform -chdir=terraform/{root} {line}"));
    let mut plan = terraform("plan -input=false -detailed-exitcode")
        .with(format!("-var-file={name}.tfvars"))
        .with(format!("-var-file=generated/{name}.tfvars.json"));
    for file in more {
        plan = plan.with(format!("-var-file=generated/{name}.{file}.tfvars.json"));
    }
    let file = format!("generated/{name}.plan");
    Act::Change { plan: plan.with(format!("-out={file}")), apply: terraform("apply -input=false").with(file) }
}

fn sam(environment: &Environment, agrees: bool) -> Vec<Act> {
    let Environment { name, aws_region, .. } = environment;
    let confirm = if agrees { "--no-confirm-changeset" } else { "--confirm-changeset" };
    let begun = Command::new("aws cloudwatch put-metric-data --metric-name DaysWithExport --value 1")
        .with(format!("--namespace=isthmus/{name}"))
        .with(format!("--region={aws_region}"));
    vec![
        // The alarm that no export was started takes what it has no figures of for days without one: the first day counts
        // as one with an export, and is quiet. Long enough before the alarm is made.
        Act::Unless {
            checks: vec![Command::new(&format!(
                "aws cloudformation describe-stacks --stack-name isthmus-{name} --region {aws_region}"
            ))],
            run: vec![begun],
        },
        Act::Run(Command::new(&format!("sam build --config-env {name}"))),
        Act::Run(Command::new(&format!("sam deploy --config-env {name} --region {aws_region} {confirm}"))),
    ]
}

fn key(environment: &Environment, facts: &Facts) -> Vec<Act> {
    let Environment { name, project, .. } = environment;
    let file = format!("terraform/gcp/generated/{name}.key.tfvars.json");
    if let Some(key) = facts.keys.first() {
        return vec![Act::Write { file, text: text(&json!({"transfer_key": key})) }];
    }
    let rotate = |does: &str| Command::new(&format!("terraform/rotate-transfer-key.sh {does} {name} {project} {file}"));
    vec![Act::Unless { checks: vec![rotate("check")], run: vec![rotate("start")] }]
}

/// Whether a key that was written down is in use still: ends with 0, or with 1 where it is gone.
pub fn check_key(environment: &Environment, key: &Key) -> Command {
    let Environment { name, project, .. } = environment;
    let Key { access_key_id, secret_version } = key;
    Command::new(&format!("terraform/rotate-transfer-key.sh check {name} {project} {access_key_id} {secret_version}"))
}

fn text(value: &Value) -> String {
    format!("{value:#}")
}
