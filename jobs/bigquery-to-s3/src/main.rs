use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bigquery_to_s3::config::Config;
use bigquery_to_s3::inspection::Inspect;
use bigquery_to_s3::put::{AttemptLimit, PutSettings};
use bigquery_to_s3::read::{Patience, Reader};
use bigquery_to_s3::run::{Attempt, From};
use bigquery_to_s3::scratch::BigQuery;
use bigquery_to_s3::syncs::{self, Sync};
use bigquery_to_s3::{Clouds, RunError, Stop, doctor, fresh, owner, plan, rollback, run, verify};
use clap::{Parser, Subcommand};
use google_cloud_auth::credentials::Builder as GoogleCredentials;
use handoff::sync::Generation;
use keyless::aws::{Keyless, KeylessConfig};
use serde_json::{Value, json};
use startup::{LogFormat, Vars};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info};

/// glibc's keeps what each thread once freed: 134 MB became 184 as a table grew tenfold. This one stays flat, and is a
/// tenth quicker. See `docs/research/put-engine.md`.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const AFTER_HELP: &str = "\
Environment, required:
  SYNCS_FILE, AWS_REGION, AWS_ROLE_ARN, AWS_AUDIENCE, GOOGLE_CLOUD_PROJECT, BIGQUERY_LOCATION
Environment, with defaults:
  S3_BUCKET_NAME (for destinations without a bucket), SCRATCH_DATASET (isthmus_scratch), MAX_CONCURRENCY (200; 10 to
  1000), GATES_FILE (what dbt says of each sync), LEASE_SECONDS (60), GIVE_UP_MINUTES (15), STREAM_IDLE_SECONDS (60),
  BIGQUERY_ENDPOINT, BIGQUERY_STORAGE_ENDPOINT, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL
Exit codes:
  0 done   1 a sync failed, or a guard held it back   2 configuration or usage
  3 another execution is writing the sync   143 stopped by a signal; the next attempt goes on where this one was";

/// Publishes the results of BigQuery queries to S3: whole or not at all, and only what changed.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only this sync; may be given several times [default: all]
    #[arg(long, global = true, value_name = "NAME")]
    sync: Vec<String>,
    /// For syncs that require fresh marts: the day of whose loads they must be made
    #[arg(long, global = true, value_name = "DATE")]
    export_date: Option<chrono::NaiveDate>,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Publish (the default)
    Run,
    /// Show what a run would do and cost; writes nothing to S3
    Plan {
        /// For the price of a month
        #[arg(long, default_value_t = 30, value_name = "N")]
        runs_a_month: u32,
    },
    /// List the generations that are kept
    Generations,
    /// Publish an older generation again (one sync at a time)
    Rollback {
        #[arg(long, value_name = "GENERATION")]
        to: Generation,
    },
    /// Compare every object with what it should be; tells what is missing, changed or too many
    Verify {
        /// Publish the query's result anew, and write or delete what is found otherwise
        #[arg(long)]
        repair: bool,
    },
    /// Take over the prefix of a sync that was renamed or moved to another list (one sync at a time)
    Adopt,
    /// Check credentials, buckets and queries, and say what to repair
    Doctor {
        /// The role's trust policy in JSON, to compare the token's claims with each condition
        #[arg(long, value_name = "FILE")]
        trust_policy: Option<PathBuf>,
    },
    /// Print the JSON Schema of the list of syncs
    Schema,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(arguments.command, Some(Command::Schema)) {
        println!("{:#}", syncs::schema());
        return ExitCode::SUCCESS;
    }
    startup::start_logging(LogFormat::detect());
    let config = match Config::read(Vars::from_env()) {
        Ok(config) => config,
        Err(invalid) => return fail(&arguments, &invalid.to_string(), 2),
    };
    let unknown = arguments.sync.iter().find(|name| config.syncs.get(name).is_none());
    if let Some(unknown) = unknown {
        let known: Vec<_> = config.syncs.iter().map(|sync| sync.name.to_string()).collect();
        return fail(&arguments, &format!("there is no sync {unknown}; there are: {}", known.join(", ")), 2);
    }
    match start(&arguments, &config).await {
        Ok(code) => code,
        Err(failure) => fail(&arguments, &startup::with_causes(failure.as_ref()), 1),
    }
}

async fn start(arguments: &Arguments, config: &Config) -> Result<ExitCode> {
    let stop = stop_on_signal().context("listen for signals")?;
    let (clouds, keyless) = connect(config).await?;
    let chosen =
        |sync: &&Sync| arguments.sync.is_empty() || arguments.sync.iter().any(|name| name == sync.name.as_str());
    let syncs: Vec<&Sync> = config.syncs.iter().filter(chosen).collect();
    let (version, task) = (env!("CARGO_PKG_VERSION"), &config.task);
    let (execution, index, count, attempt) = (&task.execution, task.index, task.count, task.attempt);
    info!(
        version,
        execution,
        index,
        count,
        attempt,
        syncs = syncs.len(),
        "bigquery-to-s3 {version}, task {index} of {count}"
    );
    if let Some(Command::Doctor { trust_policy }) = &arguments.command {
        let findings = doctor::examine(&config.syncs, &clouds, &keyless, trust_policy.as_deref()).await?;
        return Ok(diagnose(arguments, &findings));
    }
    if let (Some(Command::Rollback { .. } | Command::Adopt), [_, _, ..]) = (&arguments.command, &syncs[..]) {
        bail!("rollback and adopt take one sync: name it with --sync");
    }
    let (mut results, mut code) = (Vec::new(), 0);
    for sync in syncs {
        match work(arguments, sync, &clouds, config, stop.clone()).await {
            Ok(result) => {
                code = code.max(u8::from(result["state"] == verify::FOUND));
                results.push(result);
            }
            // One sync that fails keeps no other from being published.
            Err(failure) => {
                code = code.max(failure.exit_code());
                let reason = startup::with_causes(&failure);
                error!(sync = %sync.name, "{}: {reason}", sync.name);
                results.push(json!({"sync": sync.name.to_string(), "state": "failed", "error": reason}));
            }
        }
        if *stop.borrow() {
            break;
        }
    }
    if arguments.json {
        println!("{}", json!({"ok": code == 0, "syncs": results}));
    }
    Ok(code.into())
}

async fn work(
    arguments: &Arguments,
    sync: &Sync,
    clouds: &Clouds,
    config: &Config,
    stop: Stop,
) -> Result<Value, RunError> {
    let gate = || fresh::check(sync, config.gates.as_deref(), arguments.export_date);
    let outcome = match &arguments.command {
        Some(Command::Plan { runs_a_month }) => {
            let plan = plan::plan(sync, clouds, gate(), *runs_a_month, stop).await?;
            return Ok(show(arguments, &plan.to_text(), plan.to_json()?));
        }
        Some(Command::Generations) => {
            let kept = rollback::kept(sync, clouds).await?;
            let text: String = kept.iter().map(rollback::Kept::to_text).collect();
            let json = json!({"sync": sync.name.to_string(), "generations": kept});
            return Ok(show(arguments, &text, json));
        }
        Some(Command::Rollback { to }) => rollback::rollback(sync, to, clouds, &config.task, stop).await?,
        Some(Command::Adopt) => {
            let before = owner::adopt(sync, clouds, &config.task).await?;
            let text = format!("{}: {} is its own now\n", sync.name, sync.destination);
            return Ok(show(
                arguments,
                &text,
                json!({"sync": sync.name.to_string(), "state": "adopted", "before": before}),
            ));
        }
        Some(Command::Verify { repair: false }) => {
            let verified = verify::verify(sync, clouds, &config.task, &stop).await?;
            let json = serde_json::to_value(&verified).context("write what was found")?;
            return Ok(show(arguments, &verified.to_text(), json));
        }
        other => {
            gate().map_err(RunError::Guard)?;
            let all = matches!(other, Some(Command::Verify { .. }));
            let inspect = if all { Inspect::All } else { Inspect::Share(sync.verify_runs) };
            let attempt = Attempt { sync, from: From::Query, inspect, clouds, task: &config.task, stop };
            run::run(attempt).await?
        }
    };
    let json = serde_json::to_value(&outcome).context("write the outcome")?;
    Ok(show(arguments, &(outcome.to_text() + "\n"), json))
}

fn show(arguments: &Arguments, text: &str, json: Value) -> Value {
    if !arguments.json {
        print!("{text}");
    }
    json
}

async fn connect(config: &Config) -> Result<(Clouds, KeylessConfig)> {
    let region = aws_config::Region::new(config.aws_region.clone());
    let unsigned = startup::aws_config().region(region).no_credentials().load().await;
    let keyless_config = KeylessConfig {
        role_arn: config.role_arn.clone(),
        audience: config.audience.clone(),
        session_name: "bigquery-to-s3".parse()?,
        duration_seconds: keyless::aws::DURATION_SECONDS,
    };
    let keyless = Keyless::start(keyless_config.clone(), &unsigned);
    let aws = keyless.sdk_config(&unsigned);
    // A custom endpoint has no host names for buckets, so there they stand in the path.
    let s3 = aws_sdk_s3::config::Builder::from(&aws).force_path_style(config.s3_endpoint.is_some()).build();
    let google = GoogleCredentials::default().build().context("find the credentials of the service account")?;
    let (endpoint, project) = (config.bigquery_endpoint.as_deref(), &config.project);
    let bigquery =
        BigQuery::connect(endpoint, &google, project, &config.location, &config.scratch, config.give_up_after).await?;
    let patience = Patience { idle: config.idle, give_up_after: config.give_up_after };
    let reader = Reader::connect(config.storage_endpoint.as_deref(), &google, &project.to_string(), patience).await?;
    let put = PutSettings {
        endpoint: config.s3_endpoint.clone(),
        max_concurrency: config.max_concurrency,
        attempt: AttemptLimit::within(config.lease),
        give_up_after: config.give_up_after,
        ..PutSettings::of_region(&config.aws_region)
    };
    let s3 = aws_sdk_s3::Client::from_conf(s3);
    let (lease, give_up_after, scratch) = (config.lease, config.give_up_after, format!("{project}.{}", config.scratch));
    Ok((Clouds { s3, keyless, bigquery, reader, put, scratch, lease, give_up_after }, keyless_config))
}

/// Without a handler, a program that is process 1 of its container would ignore SIGTERM.
fn stop_on_signal() -> std::io::Result<Stop> {
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (stop, stopped) = watch::channel(false);
    let stop = Arc::new(stop);
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
        let _ = stop.send(true);
        std::future::pending::<()>().await;
    });
    Ok(stopped)
}

fn diagnose(arguments: &Arguments, findings: &[doctor::Finding]) -> ExitCode {
    let ok = findings.iter().all(|finding| finding.ok);
    if arguments.json {
        println!("{}", json!({"ok": ok, "findings": findings}));
    } else {
        for doctor::Finding { check, ok, message } in findings {
            println!("{} {check}: {message}", if *ok { "✓" } else { "✗" });
        }
    }
    u8::from(!ok).into()
}

fn fail(arguments: &Arguments, reason: &str, code: u8) -> ExitCode {
    error!("{reason}");
    if arguments.json {
        println!("{}", json!({"ok": false, "error": reason}));
    }
    code.into()
}
