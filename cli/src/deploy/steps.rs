//! Which steps make an environment.

use serde_json::{Value, json};

use super::environment::Environment;
use super::facts::Facts;
use super::images::{Images, images};
use super::script::{Act, Command, Step};

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
    let has_key = facts.key.is_some();
    let mut acts = vec![google_variables(environment, has_key)];
    acts.extend(facts.key.as_ref().map(|_| key(environment, facts)).unwrap_or_default());
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
        tool(
            "git diff --quiet HEAD -- Cargo.lock Cargo.toml crates jobs warehouse",
            "commit it: images are called after the commit that they were made of",
        ),
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

/// The bucket, and what is in it that is of this environment.
fn google_state(environment: &Environment) -> Vec<Act> {
    let Environment { project, google_location, .. } = environment;
    let bucket = format!("gs://{project}-isthmus-state");
    let make = format!("gcloud storage buckets create {bucket} --project={project} --location={google_location}");
    vec![
        Act::Unless {
            checks: vec![Command::new(&format!("gcloud storage buckets describe {bucket}"))],
            run: vec![Command::new(&make).and("--uniform-bucket-level-access --public-access-prevention")],
        },
        Act::Run(Command::new(&format!("gcloud storage buckets update {bucket} --versioning"))),
        Act::Run(init(environment, "gcp", &format!("{project}-isthmus-state"))),
    ]
}

fn aws_state(environment: &Environment) -> Vec<Act> {
    let Environment { name, aws_region, .. } = environment;
    let bucket = format!("isthmus-{name}-state-$AWS_ACCOUNT");
    let s3 = |call: &str| Command::new(&format!("aws s3api {call} --bucket={bucket} --region={aws_region}"));
    // us-east-1 is the one region that must not be named.
    let place = match aws_region.as_str() {
        "us-east-1" => String::new(),
        region => format!("--create-bucket-configuration=LocationConstraint={region}"),
    };
    vec![
        Act::Unless { checks: vec![s3("head-bucket")], run: vec![s3("create-bucket").and(&place)] },
        Act::Run(s3("put-bucket-versioning").and("--versioning-configuration=Status=Enabled")),
        Act::Run(init(environment, "aws", &bucket).with(format!("-backend-config=region={aws_region}"))),
    ]
}

fn init(environment: &Environment, root: &str, bucket: &str) -> Command {
    let command = Command::new(&format!("terraform -chdir=terraform/{root} init -reconfigure -input=false"));
    command
        .with(format!("-backend-config=backend/{}.hcl", environment.name))
        .with(format!("-backend-config=bucket={bucket}"))
}

/// All that terraform/gcp has to know and nobody types; at first without what needs AWS.
fn google_variables(environment: &Environment, with_aws: bool) -> Act {
    let mut variables = json!({
        "project": environment.project, "location": environment.google_location, "alert_emails": environment.emails,
    });
    if with_aws {
        variables["aws"] = json!({"account_id": "$AWS_ACCOUNT", "region": environment.aws_region});
        variables["image_tag"] = json!("$TAG");
    }
    Act::Write { file: format!("terraform/gcp/generated/{}.tfvars.json", environment.name), text: text(&variables) }
}

fn aws(environment: &Environment) -> Step {
    let name = &environment.name;
    let variables = json!({
        "region": environment.aws_region, "cluster": environment.cluster, "notification_emails": environment.emails,
    });
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
    if let Some(key) = &facts.key {
        return vec![Act::Write { file, text: text(&json!({"transfer_key": key})) }];
    }
    let made = Command::new(&format!("terraform/rotate-transfer-key.sh start {name} {project} {file}"));
    vec![Act::Unless { checks: vec![Command::new(&format!("test -e {file}"))], run: vec![made] }]
}

fn text(value: &Value) -> String {
    format!("{value:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_day_is_reported_where_the_alarm_looks() {
        let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).unwrap();
        let (_, alarm) = template.split_once("  NoExportStarted:\n").unwrap();
        let alarm = alarm.split("\n\n").next().unwrap();
        for line in ["Namespace: !Sub isthmus/${Env}", "MetricName: DaysWithExport", "Statistic: Sum", "Threshold: 1"] {
            assert!(alarm.contains(line), "{line} is not in\n{alarm}");
        }
        let environment = Environment {
            name: "prod".to_owned(),
            project: "shop-prod".to_owned(),
            cluster: "shop".to_owned(),
            emails: Vec::new(),
            aws_account: None,
            aws_region: "us-east-1".to_owned(),
            google_location: "asia-northeast1".to_owned(),
        };
        let Act::Unless { run, .. } = &sam(&environment, true)[0] else { panic!("it is reported each time") };
        let told = run[0].0.join(" ");
        assert!(told.contains("--metric-name DaysWithExport --value 1 --namespace=isthmus/prod"), "{told}");
        let Act::Unless { run, .. } = &aws_state(&environment)[0] else { panic!("made each time") };
        assert!(!run[0].0.join(" ").contains("LocationConstraint"), "us-east-1 must not be named");
    }
}
