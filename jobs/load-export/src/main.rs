use std::process::ExitCode;

use anyhow::{Context, Result};
use chrono::Utc;
use clap::Parser;
use google_cloud_auth::credentials::Builder as GoogleCredentials;
use handoff::{ExportDate, ExportKey, ExportTaskId};
use keyless::aws::{Keyless, KeylessConfig};
use lease::LeaseObject;
use load_export::bigquery::BigQuery;
use load_export::bucket::Bucket;
use load_export::config::Config;
use load_export::google::Clients;
use load_export::manifest::ManifestSource;
use load_export::report::Report;
use load_export::transfer::Transfers;
use load_export::wait::Wait;
use load_export::{Clouds, LoadError, STOPPED, Stop, execution};
use startup::{LogFormat, Vars};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info};

const AFTER_HELP: &str = "\
Environment, required:
  ENV, S3_BUCKET_NAME, AWS_REGION, AWS_ROLE_ARN, AWS_AUDIENCE, GOOGLE_CLOUD_PROJECT, BIGQUERY_LOCATION, TABLES_FILE
Environment, with defaults:
  AUDIT_DATASET (isthmus_audit), EXPORT_TIMEZONE (Asia/Tokyo), WAIT_MINUTES (90), TRANSFER_MINUTES (120),
  MIN_FILE_AGE_SECONDS (600), POLL_SECONDS (15), LEASE_SECONDS (120), ON_DRIFT (warn or fail: warn),
  BIGQUERY_ENDPOINT, BIGQUERY_DATA_TRANSFER_ENDPOINT; Cloud Run sets CLOUD_RUN_EXECUTION and CLOUD_RUN_TASK_ATTEMPT
Exit codes:
  0 all tables have the rows of the export   1 some have not   2 configuration or usage
  3 the manifest did not come in time        4 another execution loads this environment
  143 stopped by a signal; a second start goes on where this one was";

/// Loads a published export into BigQuery and proves that its rows are there.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Arguments {
    #[arg(long, help = "The export to load, such as 2026-11-22 [default: today in EXPORT_TIMEZONE, for all attempts]")]
    export_date: Option<ExportDate>,
    #[arg(long, help = "Wait until the day shows what this export task exported, such as prod-20261122-s101500")]
    task_id: Option<ExportTaskId>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    startup::start_logging(LogFormat::detect());
    let config = match Config::read(Vars::from_env()) {
        Ok(config) => config,
        Err(invalid) => return fail(&arguments, &invalid.to_string(), 2),
    };
    if let Some(contradiction) = contradiction(&arguments, &config) {
        return fail(&arguments, &contradiction, 2);
    }
    match run(&arguments, &config).await {
        Ok(report) => finish(&arguments, &report),
        Err(failure) => fail(&arguments, &startup::with_causes(&failure), failure.exit_code()),
    }
}

async fn run(arguments: &Arguments, config: &Config) -> Result<Report, LoadError> {
    let stop = stop_on_signal().context("listen for signals")?;
    let wait = Wait::new(config.wait, config.poll);
    let unsigned = startup::aws_config().region(aws_region(config)).no_credentials().load().await;
    let keyless = Keyless::start(keyless_config(config)?, &unsigned);
    let s3 = aws_sdk_s3::Client::from_conf(s3_config(&keyless.sdk_config(&unsigned)));
    let bucket = Bucket { s3: &s3, keyless: &keyless, name: &config.bucket };
    let given = arguments.export_date.or(arguments.task_id.as_ref().map(ExportTaskId::date));
    let date = match given {
        Some(date) => date,
        None => execution::export_date(&bucket, config, Utc::now(), wait.clone()).await?,
    };
    let (version, tables) = (env!("CARGO_PKG_VERSION"), config.tables.len());
    info!(version, env = %config.env, export_date = %date, tables, "load-export {version} of {date}");
    let google = GoogleCredentials::default().build().context("find the credentials of the service account")?;
    let (bigquery, transfer) = (config.bigquery_endpoint.as_deref(), config.transfer_endpoint.as_deref());
    let clients = Clients::connect(bigquery, transfer, &google).await?;
    let lease = LeaseObject {
        s3: s3.clone(),
        keyless: Some(keyless.clone()),
        bucket: config.bucket.clone(),
        key: ExportKey::LoadLease(&config.env).to_string(),
    };
    let clouds = Clouds {
        manifest: ManifestSource { bucket, env: &config.env, date, task: arguments.task_id.clone() },
        lease,
        transfers: Transfers::new(clients.transfers, &config.project, &config.location, config.poll),
        bigquery: BigQuery::new(clients.jobs, clients.tables, &config.project, &config.location),
    };
    load_export::load_export(config, &clouds, wait, stop).await
}

/// A task id names its environment and its day.
fn contradiction(arguments: &Arguments, config: &Config) -> Option<String> {
    let task = arguments.task_id.as_ref()?;
    let date = arguments.export_date.filter(|date| *date != task.date());
    if *task.environment() != config.env {
        return Some(format!("--task-id: {task} is not of environment {}", config.env));
    }
    date.map(|date| format!("--task-id: {task} is not of --export-date {date}"))
}

fn aws_region(config: &Config) -> aws_config::Region {
    aws_config::Region::new(config.aws_region.clone())
}

fn keyless_config(config: &Config) -> Result<KeylessConfig> {
    Ok(KeylessConfig {
        role_arn: config.role_arn.clone(),
        audience: config.audience.clone(),
        session_name: "load-export".parse()?,
        duration_seconds: keyless::aws::DURATION_SECONDS,
    })
}

/// A custom endpoint has no host names for buckets, so there they stand in the path.
fn s3_config(aws: &aws_config::SdkConfig) -> aws_sdk_s3::Config {
    let custom = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].into_iter().any(|name| std::env::var_os(name).is_some());
    aws_sdk_s3::config::Builder::from(aws).force_path_style(custom).build()
}

/// Without a handler, a program that is process 1 of its container would ignore SIGTERM.
fn stop_on_signal() -> std::io::Result<Stop> {
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
        let _ = stop.send(true);
        std::future::pending::<()>().await;
    });
    Ok(stopped)
}

fn finish(arguments: &Arguments, report: &Report) -> ExitCode {
    print!("{}", if arguments.json { report.to_json() + "\n" } else { report.to_text() });
    if let Some(error) = &report.audit_error {
        error!("the audit table was not written: {error}");
    }
    if !report.unfinished.is_empty() {
        let names = report.unfinished.join(", ");
        error!("stopped by a signal, unfinished: {names}; their runs go on, and a second start takes them over");
        return STOPPED.into();
    }
    u8::from(!report.ok).into()
}

fn fail(arguments: &Arguments, reason: &str, code: u8) -> ExitCode {
    error!("{reason}");
    if arguments.json {
        println!("{}", serde_json::json!({"ok": false, "error": reason}));
    }
    code.into()
}
