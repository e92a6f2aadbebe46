//! The infrastructure, and whether it lets the programs do what they do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use local::completion::Completion;
use local::lookup::Lookup;
use local::rds::{ACCOUNT, REGION};
use local::tools;
use serde_json::{Value, json};
use stories::iam::{Call, Policy, rds_calls, s3_calls, sns_calls};
use stories::infrastructure::{Aws, Network, has_terraform, template_policies};
use stories::reverse::{OBJECTS, PACKED, Reverse};
use stories::{Outcome, Stage, ended_with, table};

const ENV: &str = "rights";

/// Rights that no call on the laptop cloud shows, and why they are there.
const UNSEEN: [(&str, &str, &str); 38] = [
    ("start-export", "logs:CreateLogStream", "Lambda writes the log with the function's role"),
    ("start-export", "logs:PutLogEvents", "Lambda writes the log with the function's role"),
    ("start-export", "sqs:SendMessage", "Lambda and the schedule send what failed"),
    ("start-export", "xray:PutTraceSegments", "Lambda traces"),
    ("start-export", "xray:PutTelemetryRecords", "Lambda traces"),
    ("publish-export", "logs:CreateLogStream", "Lambda writes the log with the function's role"),
    ("publish-export", "logs:PutLogEvents", "Lambda writes the log with the function's role"),
    ("publish-export", "sqs:SendMessage", "Lambda and the schedule send what failed"),
    ("publish-export", "xray:PutTraceSegments", "Lambda traces"),
    ("publish-export", "xray:PutTelemetryRecords", "Lambda traces"),
    ("lookup", "logs:CreateLogStream", "Lambda writes the log with the function's role"),
    ("lookup", "logs:PutLogEvents", "Lambda writes the log with the function's role"),
    ("lookup", "xray:PutTraceSegments", "Lambda traces"),
    ("lookup", "xray:PutTelemetryRecords", "Lambda traces"),
    ("lookup", "elasticache:Connect", "ElastiCache looks at the token, which is no call"),
    ("lookup", "ec2:CreateNetworkInterface", "Lambda attaches the function to its network"),
    ("lookup", "ec2:DescribeNetworkInterfaces", "Lambda attaches the function to its network"),
    ("lookup", "ec2:DescribeSubnets", "Lambda attaches the function to its network"),
    ("lookup", "ec2:DeleteNetworkInterface", "Lambda attaches the function to its network"),
    ("lookup", "ec2:AssignPrivateIpAddresses", "Lambda attaches the function to its network"),
    ("lookup", "ec2:UnassignPrivateIpAddresses", "Lambda attaches the function to its network"),
    ("database-to-bigquery", "rds-db:connect", "RDS looks at the token, which is no call"),
    ("database-to-bigquery-start", "ecr:GetAuthorizationToken", "ECS pulls the image before the task runs"),
    ("database-to-bigquery-start", "ecr:BatchGetImage", "ECS pulls the image before the task runs"),
    ("database-to-bigquery-start", "ecr:GetDownloadUrlForLayer", "ECS pulls the image before the task runs"),
    ("database-to-bigquery-start", "ecr:BatchCheckLayerAvailability", "ECS pulls the image before the task runs"),
    ("database-to-bigquery-start", "logs:CreateLogStream", "ECS writes the task's log"),
    ("database-to-bigquery-start", "logs:PutLogEvents", "ECS writes the task's log"),
    ("database-to-bigquery-start", "secretsmanager:GetSecretValue", "ECS fills in the task's secrets"),
    // Who they are for is not a program of ours.
    ("export", "s3:PutObject*", "RDS writes the export"),
    ("export", "s3:GetObject*", "RDS asks for it"),
    ("export", "s3:DeleteObject*", "RDS asks for it"),
    ("export", "s3:ListBucket", "RDS asks for it"),
    ("export", "s3:GetBucketLocation", "RDS asks for it"),
    ("transfer", "s3:GetObject", "Data Transfer reads the parts"),
    ("transfer", "s3:ListBucket", "Data Transfer lists the parts"),
    ("transfer", "kms:Decrypt", "Data Transfer reads the parts"),
    ("transfer", "s3:GetBucketLocation", "part of what Data Transfer asks for"),
];

pub async fn of_aws_is_applied_once_allows_what_a_day_does_and_is_destroyed(stage: &Stage) -> Result<()> {
    if !has_terraform() {
        eprintln!("skipped: terraform is not installed");
        return Ok(());
    }
    let calls = calls_of_a_day(stage).await?;
    let variables = json!({
        "env": ENV, "audience": "isthmus-rights", "force_destroy": true, "export_retention_days": 30,
        "export_bucket": format!("{ENV}-exports"), "app_bucket": format!("{ENV}-app"),
        "google_service_account_ids": {"load_export": "104200000000000000001", "bigquery_to_s3": "104200000000000000002"},
        "start_load": {
            "workflow": "projects/isthmus-rights/locations/asia-northeast1/workflows/isthmus-rights-daily",
            "audience": "//iam.googleapis.com/projects/1042/locations/global/workloadIdentityPools/isthmus/providers/aws-account",
            "service_account": "isthmus-start-load@isthmus-rights.iam.gserviceaccount.com",
        },
    });
    let syncs = json!({"syncs": {
        OBJECTS: {"destination": {"prefix": OBJECTS}}, PACKED: {"destination": {"prefix": PACKED}},
    }});
    let aws = Aws::new(&variables, &syncs.to_string()).await?;
    set_extractor(&aws, variables).await?;
    let mut calls = calls;
    tokio::task::block_in_place(|| {
        if !aws.init()? {
            eprintln!("skipped: the AWS provider cannot be had here");
            return Ok(());
        }
        aws.apply()?;
        aws.plan_is_empty()?;
        ensure!(!aws.state()?.to_string().contains("aws_iam_access_key"), "a secret would be in the state");
        calls.insert("database-to-bigquery-by-clock".into(), calls_of_the_clock(&aws)?);
        let policies = policies(&aws)?;
        known_to_parliament(&policies)?;
        allowed_and_used(&policies, &calls, &key_of(&aws)?)?;
        aws.destroy()
    })
}

/// A task beside the database, which signs in by IAM to one and by a password to the other.
async fn set_extractor(aws: &Aws, mut variables: Value) -> Result<()> {
    let list = json!({"databases": {
        "shop": {"engine": "mysql", "auth": "iam", "tables": {"orders": {}}},
        "app": {"engine": "postgres", "tables": {"users": {}}},
    }});
    aws.configure("extracts.yaml", &list.to_string())?;
    let Network { vpc, subnet } = aws.network().await?;
    let secret = format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:app-reader-a1b2c3");
    variables["extract_into"] = json!({
        "project": "isthmus-rights", "location": "asia-northeast1", "audience": variables["start_load"]["audience"],
        "service_account": "isthmus-database-to-bigquery@isthmus-rights.iam.gserviceaccount.com",
    });
    variables["extractor"] = json!({
        "image_tag": "abc1234", "vpc_id": vpc, "subnet_ids": [subnet], "schedule_enabled": true,
        "databases": {
            // Without a group: moto forgets what a rule between two groups is for, and the second plan would repair it.
            "shop": {"url": "mysql://isthmus@shop.internal/shop", "resource_id": "cluster-ABC"},
            "app": {"url": "postgres://isthmus@app.internal/app", "password_secret_arn": secret},
        },
    });
    aws.set(&variables)
}

/// What EventBridge Scheduler calls to start the task: as its schedule says.
fn calls_of_the_clock(aws: &Aws) -> Result<BTreeSet<Call>> {
    let state = aws.state()?;
    let resources = state["values"]["root_module"]["resources"].as_array().context("no resources")?;
    let find =
        |address: &str| resources.iter().find(|resource| resource["address"] == address).context("no such resource");
    let schedule = &find("aws_scheduler_schedule.extractor[\"this\"]")?["values"];
    let task = &find("aws_ecs_task_definition.extractor[\"this\"]")?["values"];
    let text = |value: &Value| value.as_str().map(str::to_owned).with_context(|| format!("no text: {value}"));
    let target = &schedule["target"][0];
    let cluster = &find("aws_ecs_cluster.extractor[\"this\"]")?["values"]["arn"];
    ensure!(target["arn"] == *cluster, "the schedule starts in {}, the cluster is {cluster}", target["arn"]);
    Ok(BTreeSet::from([
        ("ecs:RunTask".to_owned(), text(&target["ecs_parameters"][0]["task_definition_arn"])?),
        ("iam:PassRole".to_owned(), text(&task["task_role_arn"])?),
        ("iam:PassRole".to_owned(), text(&task["execution_role_arn"])?),
        ("kms:Decrypt".to_owned(), text(&schedule["kms_key_arn"])?),
    ]))
}

/// What AWS knows of a call beside its resource.
fn context_of(program: &str) -> BTreeMap<String, String> {
    let by_clock = program == "database-to-bigquery-by-clock";
    let (through, passed) = if by_clock { ("scheduler", "ecs-tasks") } else { ("s3", "export.rds") };
    let cluster = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/isthmus-{ENV}-database-to-bigquery");
    BTreeMap::from([
        ("kms:ViaService".to_owned(), format!("{through}.{REGION}.amazonaws.com")),
        ("iam:PassedToService".to_owned(), format!("{passed}.amazonaws.com")),
        ("kms:GrantIsForAWSResource".to_owned(), "true".to_owned()),
        ("ecs:cluster".to_owned(), cluster),
    ])
}

/// What each program called, on a day with a spot export, drift and a change for the application.
async fn calls_of_a_day(stage: &Stage) -> Result<BTreeMap<String, BTreeSet<Call>>> {
    let mut reverse = Reverse::begin(stage, ENV).await?;
    reverse.sync(&[OBJECTS, PACKED], "    shards: 4\n    keep_generations: 2\n")?;
    let mut calls: BTreeMap<String, BTreeSet<Call>> = BTreeMap::new();
    let topic = topic(stage).await?;
    let story = &mut reverse.story;
    let nothing = Arc::new(|_| Box::pin(async { Ok(Value::Null) }) as _);
    let completion = Completion::start(&story.cloud, nothing).await?;
    story.configure(&["orders", "items"]).await?;
    story.now -= TimeDelta::days(1);
    for round in 0..3 {
        // A day, a day with drift, and a spot export of it.
        story.now += if round == 1 { TimeDelta::days(1) } else { TimeDelta::minutes(1) };
        story.cloud.rds.set_tables(match round {
            0 => vec![table("orders", 10), table("items", 20), table("gone", 1)],
            _ => vec![table("orders", 11 + round), table("items", 20)],
        });
        story.snapshot().await?;
        let spot = json!({"kind": "manual", "spot": true, "tables": ["shop.orders"]});
        let event = if round == 2 { spot } else { story.scheduled() };
        note(&mut calls, "start-export", &story.cloud)?;
        let ended = story.export(&event).await?;
        note(&mut calls, "start-export", &story.cloud)?;
        completion.publish_export(&story.cloud, Some(&topic))?.invoke(&ended).await?.expect_success()?;
        note(&mut calls, "publish-export", &story.cloud)?;
        ended_with(&story.load().await?, 0)?;
        note(&mut calls, "load-export", &story.cloud)?;
    }
    // The manifest of a day that never was.
    let waiting = story.cloud.load_export()?.with("WAIT_MINUTES", "0");
    ended_with(&waiting.run(&["--export-date", "2020-01-01"]).await?, 3)?;
    // An execution that fixes its date by itself, whatever it finds of that day.
    waiting.run(&[]).await?;
    note(&mut calls, "load-export", &story.cloud)?;
    for (rows, version) in [(100, ""), (60, " anew"), (90, " again")] {
        reverse.sync(
            &[OBJECTS, PACKED],
            "    shards: 4\n    keep_generations: 2\n    guards: {max_deletes: {fraction: 1}}\n",
        )?;
        reverse.fill_numbered(rows, version).await?;
        ended_with(&reverse.run().await?, 0)?;
    }
    note(&mut calls, "bigquery-to-s3", reverse.cloud())?;
    let lookup = Lookup::start(reverse.cloud(), &[OBJECTS, PACKED], None).await?;
    for sync in [OBJECTS, PACKED] {
        lookup.get(sync, "1").await?.with_context(|| format!("{sync} has no row 1"))?;
        ensure!(lookup.get(sync, "none").await?.is_none());
    }
    note(&mut calls, "lookup", reverse.cloud())?;
    Ok(calls)
}

/// Adds what has passed the wires since the last time.
fn note(calls: &mut BTreeMap<String, BTreeSet<Call>>, program: &str, cloud: &local::cloud::Cloud) -> Result<()> {
    let found = calls.entry(program.to_owned()).or_default();
    let cluster = format!("arn:aws:rds:{REGION}:{ACCOUNT}:cluster:{}", cloud.cluster);
    for request in cloud.wires.s3.requests() {
        found.extend(s3_calls(&request, "the key")?);
    }
    for request in cloud.wires.rds.requests() {
        found.extend(rds_calls(&request, &cluster)?);
    }
    for request in cloud.wires.sns.requests() {
        found.extend(sns_calls(&request)?);
    }
    for wire in [&cloud.wires.s3, &cloud.wires.rds, &cloud.wires.sns] {
        wire.forget();
    }
    Ok(())
}

async fn topic(stage: &Stage) -> Result<String> {
    let request = reqwest::Client::new().post(stage.emulators.moto.endpoint());
    let form = format!("Action=CreateTopic&Version=2010-03-31&Name=isthmus-{ENV}-notify");
    let authorization = format!("AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/sns/aws4_request");
    let request =
        request.header("content-type", "application/x-www-form-urlencoded").header("authorization", authorization);
    let answer = request.body(form).send().await?.error_for_status()?.text().await?;
    let arn = answer.split("<TopicArn>").nth(1).and_then(|rest| rest.split('<').next());
    Ok(arn.context("no topic")?.to_owned())
}

/// By program; RDS's role is `export`, the user of Data Transfer `transfer`.
fn policies(aws: &Aws) -> Result<BTreeMap<String, Value>> {
    let prefix = format!("isthmus-{ENV}-");
    let named = |name: String| name.trim_start_matches(&prefix).to_owned();
    let of_terraform = aws.identity_policies()?.into_iter().map(|(name, policy)| (named(name), policy));
    let parameters = BTreeMap::from([
        ("Env", ENV.to_owned()),
        ("AWS::Partition", "aws".to_owned()),
        ("AWS::Region", REGION.to_owned()),
        ("AWS::AccountId", ACCOUNT.to_owned()),
        ("DbClusterIdentifier", format!("{ENV}-cluster")),
        ("ExportRoleArn", format!("arn:aws:iam::{ACCOUNT}:role/{ENV}-rds-export")),
        ("ExportBucket", format!("{ENV}-exports")),
        ("KmsKeyArn", key_of(aws)?),
        ("NotificationTopicArn", format!("arn:aws:sns:{REGION}:{ACCOUNT}:isthmus-{ENV}-notify")),
        // In a policy any ARN will do for what parliament looks at.
        ("StartExportLogs.Arn", format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{ENV}-start-export:*")),
        (
            "PublishExportLogs.Arn",
            format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{ENV}-publish-export:*"),
        ),
        ("LookupLogs.Arn", format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{ENV}-lookup:*")),
        ("LookupObjectArns", format!("arn:aws:s3:::{ENV}-app/*")),
        ("LookupBucketArns", format!("arn:aws:s3:::{ENV}-app")),
        ("LookupKmsKeyArn", key_of(aws)?),
        ("LookupRedisClusterName", format!("isthmus-{ENV}")),
        ("LookupRedisUser", format!("isthmus-{ENV}-lookup")),
        ("DeadLetters.Arn", format!("arn:aws:sqs:{REGION}:{ACCOUNT}:isthmus-{ENV}-dead-letters")),
    ]);
    Ok(of_terraform.chain(template_policies(&parameters)?).collect())
}

fn key_of(aws: &Aws) -> Result<String> {
    let state = aws.state()?;
    let resources = state["values"]["root_module"]["resources"].as_array().context("no resources")?;
    let key = resources.iter().find(|resource| resource["address"] == "aws_kms_key.this").context("no key")?;
    Ok(key["values"]["arn"].as_str().context("no ARN")?.to_owned())
}

/// What parliament says of a policy and we let stand.
const ACCEPTED: [(&str, &str); 2] = [
    // GetObject* is how RDS asks for it; that one of the actions it covers is for access points only hurts nobody.
    ("export", "No resources match for the given action -  - [{'action': 's3:GetObjectAttributes'"),
    // The interfaces are made before they have an ARN; Lambda's own managed policy says the same.
    ("lookup", "Unnecessary use of Resource * -  - ['ec2:AssignPrivateIpAddresses', 'ec2:CreateNetworkInterface'"),
];

/// Misspelt actions, resources that an action does not take, conditions that do not exist.
fn known_to_parliament(policies: &BTreeMap<String, Value>) -> Result<()> {
    let parliament = tools::tool("infra", "parliament")?;
    for (name, policy) in policies {
        let output =
            Command::new(&parliament).args(["--string", &policy.to_string()]).env("PYTHONWARNINGS", "ignore").output();
        let output = output.context("start parliament")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let accepted = |line: &&str| ACCEPTED.iter().any(|(policy, text)| policy == name && line.contains(text));
        let said: Vec<_> = said.lines().filter(|line| !line.trim().is_empty() && !accepted(line)).collect();
        let failed = output.status.code().is_none_or(|code| code > 1); // 1: it says something
        ensure!(said.is_empty() && !failed, "the policy of {name}: {}", said.join("\n"));
    }
    Ok(())
}

fn allowed_and_used(
    policies: &BTreeMap<String, Value>,
    calls: &BTreeMap<String, BTreeSet<Call>>,
    key: &str,
) -> Result<()> {
    let mut problems = Vec::new();
    for (program, policy) in policies {
        let (policy, context) = (Policy::read(policy)?, context_of(program));
        let none = BTreeSet::new();
        let calls = calls.get(program).unwrap_or(&none);
        for (action, resource) in calls {
            // The key that the programs know of here is not the one that Terraform made.
            let resource = if action.starts_with("kms:") { key } else { resource };
            let call = (action.clone(), resource.to_owned());
            if !policy.allows(&call, &context) {
                problems.push(format!("{program} calls {action} on {resource}, which its role does not allow"));
            }
        }
        for action in policy.actions() {
            let used = calls.iter().any(|(called, _)| called == action);
            let explained = UNSEEN.iter().any(|(name, right, _)| (*name, *right) == (program, action));
            match (used, explained) {
                (false, false) => problems.push(format!("the role of {program} allows {action}, which nothing calls")),
                (true, true) => problems.push(format!("{action} of {program} is called: it needs no reason any more")),
                _ => {}
            }
        }
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// gcloud is played: what it is given on standard input is what Secret Manager would keep.
const GCLOUD: &str = r#"#!/bin/sh
echo "gcloud $*" >> calls
case "$*" in
  "secrets versions add"*) [ -e refuse ] && exit 1; n=$(($(cat n 2>/dev/null || echo 0) + 1)); echo $n > n; cat > "secret-$n"
    echo "projects/1/secrets/s/versions/$n" ;;
  "secrets versions list"*) i=$(cat n); while [ $i -gt 0 ]; do echo "projects/1/secrets/s/versions/$i"; i=$((i - 1)); done ;;
esac
"#;

pub async fn of_a_transfer_key_is_rotated_and_its_secret_is_never_shown(stage: &Stage) -> Result<()> {
    if !has_aws_cli() {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    play_gcloud(dir.path())?;
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH")?);
    let command = |program: &str| {
        let mut command = Command::new(program);
        command.current_dir(dir.path()).env("PATH", &path).env("AWS_ENDPOINT_URL", stage.emulators.moto.endpoint());
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_DEFAULT_REGION", REGION);
        command
    };
    let script = stories::infrastructure::root().join("terraform/rotate-transfer-key.sh");
    let rotate = |arguments: &[&str]| -> Result<(bool, String)> {
        let output = command(script.to_str().context("a path")?).args(arguments).output()?;
        Ok((output.status.success(), [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()))
    };
    let secret = |n: u32| std::fs::read_to_string(dir.path().join(format!("secret-{n}")));
    let (ok, said) = rotate(&["start", "rotated", "acme"])?;
    ensure!(!ok && said.contains("cannot list the keys of isthmus-rotated-transfer"), "{said}");
    ensure!(
        command("aws")
            .args(["iam", "create-user", "--user-name", "isthmus-rotated-transfer"])
            .output()?
            .status
            .success()
    );
    std::fs::write(dir.path().join("refuse"), "")?;
    let (ok, said) = rotate(&["start", "rotated", "acme"])?;
    ensure!(!ok && said.contains("was deleted again"), "{said}");
    std::fs::remove_file(dir.path().join("refuse"))?;

    let mut ids = Vec::new();
    for n in 1..=2 {
        let (ok, said) = rotate(&["start", "rotated", "acme"])?;
        let stored = secret(n)?;
        ensure!(ok && stored.len() == 40 && !said.contains(&stored), "{said}");
        let id = said.split('"').nth(1).context("no id")?.to_owned();
        ensure!(said == format!("transfer_key = {{ access_key_id = \"{id}\", secret_version = {n} }}\n"), "{said}");
        ids.push(id);
    }
    ensure!(!std::fs::read_to_string(dir.path().join("calls"))?.contains(&secret(2)?), "a secret is an argument");
    let (ok, said) = rotate(&["start", "rotated", "acme"])?;
    ensure!(!ok && said.contains("has two keys already"), "{said}");
    let file = dir.path().join("key.tfvars.json");
    std::fs::write(&file, "as it was")?;
    let third = started_into(&file, rotate)?;
    ensure!(third.is_none() && std::fs::read_to_string(&file)? == "as it was", "a third key: {third:?}");
    let (ok, said) = rotate(&["finish", "rotated", "acme", "AKIANOTONE"])?;
    ensure!(!ok && said.contains("AKIANOTONE is not a key of"), "{said}");
    let (ok, said) = rotate(&["finish", "rotated", "acme", &ids[1]])?;
    ensure!(ok && said == format!("deleted {}\ndisabled version 1\n", ids[0]), "{said}");
    ids.push(started_into(&file, rotate)?.context("not started")?);
    let (ok, said) = rotate(&["stop", "rotated", "acme"])?;
    let deleted = ids[1..].iter().all(|id| said.contains(&format!("deleted {id}\n")));
    ensure!(ok && deleted && said.ends_with("disabled version 3\ndisabled version 2\ndisabled version 1\n"), "{said}");
    let (ok, said) = rotate(&["help"])?;
    ensure!(!ok && said.contains("finish stg"), "{said}");
    Ok(())
}

fn has_aws_cli() -> bool {
    let found = Command::new("aws").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: the AWS CLI is not installed");
    }
    found
}

fn play_gcloud(folder: &Path) -> Result<()> {
    let gcloud = folder.join("gcloud");
    std::fs::write(&gcloud, GCLOUD)?;
    std::fs::set_permissions(&gcloud, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    Ok(())
}

/// The id of the key that was made, as the var-file of terraform/gcp says it.
fn started_into(file: &Path, rotate: impl Fn(&[&str]) -> Result<(bool, String)>) -> Result<Option<String>> {
    let (ok, said) = rotate(&["start", "rotated", "acme", file.to_str().context("a path")?])?;
    if !ok {
        return Ok(None);
    }
    let written: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let id = written["transfer_key"]["access_key_id"].as_str().context("no id")?.to_owned();
    ensure!(written == json!({"transfer_key": {"access_key_id": id, "secret_version": 3}}), "{written}");
    ensure!(said == format!("{id} is version 3 of isthmus-rotated-transfer-key: {}\n", file.display()), "{said}");
    Ok(Some(id))
}
