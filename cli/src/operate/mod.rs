//! What an operator does by hand. Every command runs the program that a schedule runs, by the vendor's own command line,
//! with the operator's login; `--print` shows that line instead.

pub mod invocation;
mod wait;

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use handoff::sync::Generation;
use handoff::{ExportDate, ExportTaskId};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::clouds::{Names, aws_of};
use crate::status::arguments::Place;
use invocation::Invocation;

#[derive(Debug, Args)]
pub struct Where {
    #[command(flatten)]
    place: Place,
    /// Print the command line and run nothing
    #[arg(long)]
    print: bool,
}

#[derive(Debug, Subcommand)]
pub enum Operate {
    /// Load tables as they are now: an export of the live cluster, laid over the day
    Spot {
        #[command(flatten)]
        at: Where,
        /// Such as shop.orders; without any, all of them
        tables: Vec<String>,
        /// Wait until their rows are proven in BigQuery, and show how far it is
        #[arg(long)]
        wait: bool,
    },
    /// Load a day once more, build the warehouse and publish what follows from it
    Load {
        #[command(flatten)]
        at: Where,
        day: ExportDate,
    },
    /// Publish an older generation of a sync again
    Rollback {
        #[command(flatten)]
        at: Where,
        sync: String,
        /// One of those that `isthmus generations SYNC` lists
        #[arg(long, value_name = "GENERATION")]
        to: Generation,
    },
    /// List the generations of a sync that can be gone back to
    Generations {
        #[command(flatten)]
        at: Where,
        sync: String,
    },
    /// Compare what is published of a sync with what stands in S3
    Verify {
        #[command(flatten)]
        at: Where,
        sync: String,
        /// Also write what is missing or other
        #[arg(long)]
        repair: bool,
    },
    /// What was logged in the last day about a table (shop.orders), a sync, or a program on AWS (start-export)
    Logs {
        #[command(flatten)]
        at: Where,
        of: String,
    },
}

const LAMBDAS: [&str; 3] = ["start-export", "publish-export", "lookup"];

/// The exit code: that of the command that was run.
pub async fn run(operate: &Operate) -> Result<u8> {
    let at = operate.at();
    let (project, location) = if operate.is_of_google() { google(&at.place).await? } else { Default::default() };
    let region = at.place.region().map_err(anyhow::Error::msg)?;
    let line = operate.line(&project, &location, region.as_deref());
    if at.print {
        println!("{line}");
        return Ok(0);
    }
    eprintln!("{line}");
    match operate {
        Operate::Spot { tables, wait, .. } => spot(&at.place, &line, tables, *wait).await,
        _ => shown(&line).await,
    }
}

impl Operate {
    fn at(&self) -> &Where {
        match self {
            Self::Spot { at, .. }
            | Self::Load { at, .. }
            | Self::Rollback { at, .. }
            | Self::Generations { at, .. }
            | Self::Verify { at, .. }
            | Self::Logs { at, .. } => at,
        }
    }

    fn is_of_google(&self) -> bool {
        match self {
            Self::Spot { .. } => false,
            Self::Logs { of, .. } => !LAMBDAS.contains(&of.as_str()),
            _ => true,
        }
    }

    fn line(&self, project: &str, location: &str, region: Option<&str>) -> Invocation {
        let env = self.at().place.env.as_str();
        let publish = |arguments: &str| invocation::job(env, "bigquery-to-s3", project, location, arguments);
        match self {
            Self::Spot { tables, .. } => invocation::spot(env, tables).in_region(region),
            Self::Load { day, .. } => invocation::load(env, project, location, &json!({"export_date": day})),
            Self::Rollback { sync, to, .. } => publish(&format!("rollback,--sync={sync},--to={to}")),
            Self::Generations { sync, .. } => publish(&format!("generations,--sync={sync}")),
            Self::Verify { sync, repair: false, .. } => publish(&format!("verify,--sync={sync}")),
            Self::Verify { sync, repair: true, .. } => publish(&format!("verify,--repair,--sync={sync}")),
            Self::Logs { of, .. } if LAMBDAS.contains(&of.as_str()) => {
                invocation::function_logs(env, of).in_region(region)
            }
            // A table's name has a dot, a sync's has none.
            Self::Logs { of, .. } if of.contains('.') => {
                invocation::job_logs(env, "load-export", project, &format!(" jsonPayload.table=\"{of}\""))
            }
            Self::Logs { of, .. } => {
                invocation::job_logs(env, "bigquery-to-s3", project, &format!(" jsonPayload.sync=\"{of}\""))
            }
        }
    }
}

async fn google(place: &Place) -> Result<(String, String)> {
    let aws = aws_of(place).await;
    let names = Names::find(place, &aws).await;
    Ok((names.project.map_err(anyhow::Error::msg)?, names.location.map_err(anyhow::Error::msg)?))
}

fn command(line: &Invocation) -> Result<Command> {
    let (program, arguments) = line.0.split_first().context("an empty command line")?;
    let mut command = Command::new(program);
    command.args(arguments);
    Ok(command)
}

/// With its own output, and its own exit code.
async fn shown(line: &Invocation) -> Result<u8> {
    let status = command(line)?.status().await.with_context(|| format!("start {}", line.0[0]))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

async fn spot(place: &Place, line: &Invocation, tables: &[String], wait: bool) -> Result<u8> {
    let output = command(line)?.stderr(Stdio::inherit()).output().await;
    let output = output.with_context(|| format!("start {}", line.0[0]))?;
    if !output.status.success() {
        return Ok(1);
    }
    let task = started(&output.stdout)?;
    println!("{task} is started");
    if wait { wait::for_rows(place, &task, tables).await } else { Ok(0) }
}

/// What the function answered, and then what `aws` says about the call: one JSON object behind the other.
fn started(printed: &[u8]) -> Result<ExportTaskId> {
    let objects = serde_json::Deserializer::from_slice(printed).into_iter::<Value>();
    let objects: Vec<Value> = objects.collect::<Result<_, _>>().context("read what `aws lambda invoke` printed")?;
    if objects.iter().any(|object| object.get("FunctionError").is_some()) {
        let error = objects.first().unwrap_or(&Value::Null);
        bail!("start-export refused: {}: {}", error["errorType"], error["errorMessage"].as_str().unwrap_or_default());
    }
    let task = objects.iter().find_map(|object| object["task_id"].as_str());
    Ok(task.with_context(|| format!("start-export named no task: {objects:?}"))?.parse()?)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(subcommand)]
        operate: Operate,
    }

    #[test]
    fn each_command_is_the_line_that_a_careful_person_would_type() {
        let line = |words: &str| {
            let words = ["isthmus"].into_iter().chain(words.split(' ')).chain(["--env", "stg"]);
            Arguments::try_parse_from(words)
                .unwrap()
                .operate
                .line("acme-stg", "asia-northeast1", Some("eu-west-1"))
                .to_string()
        };
        let publish = "gcloud run jobs execute isthmus-stg-bigquery-to-s3 --region asia-northeast1 --project acme-stg";
        for (words, expected) in [
            ("load 2026-11-21", "gcloud workflows run isthmus-stg-daily --location asia-northeast1 --project acme-stg --data '{\"export_date\":\"2026-11-21\"}'".to_owned()),
            ("rollback users --to 20261121T203000Z", format!("{publish} --args=rollback,--sync=users,--to=20261121T203000Z --wait")),
            ("generations users", format!("{publish} --args=generations,--sync=users --wait")),
            ("verify users", format!("{publish} --args=verify,--sync=users --wait")),
            ("verify users --repair", format!("{publish} --args=verify,--repair,--sync=users --wait")),
            ("logs start-export", "aws logs tail /aws/lambda/stg-start-export --since 1d --region eu-west-1".to_owned()),
        ] {
            assert_eq!(line(words), expected);
        }
        assert!(line("spot shop.orders shop.items").contains(
            r#"'{"kind":"manual","spot":true,"tables":["shop.orders","shop.items"]}' /dev/stdout --region eu-west-1"#
        ));
        assert!(
            line("logs shop.orders").contains(r#"job_name="isthmus-stg-load-export" jsonPayload.table="shop.orders""#)
        );
        assert!(line("logs users").contains(r#"job_name="isthmus-stg-bigquery-to-s3" jsonPayload.sync="users""#));
    }

    #[test]
    fn logs_are_looked_for_where_the_programs_write_them() {
        let file = |path: &str| std::fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let (template, jobs) = (file("template.yaml"), file("terraform/gcp/jobs.tf"));
        for function in LAMBDAS {
            let line = invocation::function_logs("$ENV", function).to_string().replace("$ENV", "${Env}");
            let group = line.split(['\'', ' ']).find(|word| word.starts_with("/aws/lambda/")).unwrap();
            assert!(template.contains(&format!("LogGroupName: !Sub {group}\n")), "{group}");
        }
        let (_, job) = jobs.split_once("resource \"google_cloud_run_v2_job\" \"job\" {").unwrap();
        assert!(job.split('\n').any(|line| line.ends_with("= \"isthmus-${var.env}-${each.key}\"")));
        // The fields by which a line is found are fields of lines.
        for (job, field, source) in [("load-export", "table", "load.rs"), ("bigquery-to-s3", "sync", "main.rs")] {
            assert!(jobs.contains(&format!("    {job} = {{\n")), "{job}");
            assert!(
                file(&format!("jobs/{job}/src/{source}")).contains(&format!("({field} = %")),
                "{job} logs no {field}"
            );
        }
    }

    #[test]
    fn the_task_is_in_the_answer_and_an_error_of_the_function_is_told_in_its_words() {
        let printed = b"{\"state\":\"started\",\"task_id\":\"stg-20261122-s101500\"}{\n \"StatusCode\": 200\n}\n";
        assert_eq!(started(printed).unwrap().to_string(), "stg-20261122-s101500");
        let refused = br#"{"errorType":"LimitExceeded","errorMessage":"five tasks are under way"}{"StatusCode":200,"FunctionError":"Unhandled"}"#;
        assert_eq!(
            started(refused).unwrap_err().to_string(),
            "start-export refused: \"LimitExceeded\": five tasks are under way"
        );
        assert!(started(b"{\"StatusCode\": 202}").unwrap_err().to_string().starts_with("start-export named no task"));
    }
}
