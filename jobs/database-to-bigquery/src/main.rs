use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context, Result};
use aws_lc_rs::hmac;
use clap::{Parser, Subcommand};
use database_to_bigquery::address::{Login, Server};
use database_to_bigquery::config::{Config, ServerSettings};
use database_to_bigquery::destination::{BigQuery, Place};
use database_to_bigquery::extracts::{self, Source, Table};
use database_to_bigquery::report::Report;
use database_to_bigquery::run::{self, Clouds};
use database_to_bigquery::source::Connector;
use database_to_bigquery::{Stop, check, discover, plan};
use google_cloud_auth::credentials::Builder as GoogleCredentials;
use serde_json::{Value, json};
use startup::{LogFormat, Vars};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info};

const AFTER_HELP: &str = "\
Environment, required:
  EXTRACTS_FILE, GOOGLE_CLOUD_PROJECT, BIGQUERY_LOCATION, and for each database of the list DATABASE_URL_{NAME} and, unless
  its auth is iam, DATABASE_PASSWORD_{NAME}; MASK_KEY where a column is masked by hmac, AWS_REGION where an auth is iam
Environment, with defaults:
  AUDIT_DATASET (isthmus_audit), SCRATCH_DATASET (isthmus_scratch), WORK_DIR (the temporary directory), PARALLEL_TABLES (2),
  GIVE_UP_MINUTES (15), LEASE_SECONDS (60), DATABASE_CA_FILE (/etc/isthmus/rds-global-bundle.pem), BIGQUERY_ENDPOINT
Exit codes:
  0 done   1 a table failed, or a guard held it back   2 configuration or usage
  3 another execution is loading the table   143 stopped by a signal; the next run begins the unfinished tables anew";

/// Loads tables of a database into BigQuery, and proves that every row of the snapshot is there.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only this table, as in shop.orders; may be given several times [default: all]
    #[arg(long, global = true, value_name = "NAME")]
    table: Vec<String>,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Command {
    /// Load (the default)
    Run,
    /// Show what a run would do: tables, modes, rows and bytes, changes in BigQuery; reads only catalogs
    Plan,
    /// Try connections, TLS, rights, types, keys and indexes, and say what to repair
    Check,
    /// List the tables that the list does not have, as YAML to paste
    Discover,
    /// Print the JSON Schema of the list
    Schema,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(arguments.command, Some(Command::Schema)) {
        println!("{:#}", extracts::schema());
        return ExitCode::SUCCESS;
    }
    startup::start_logging(LogFormat::detect());
    let config = match Config::read(Vars::from_env()) {
        Ok(config) => config,
        Err(invalid) => return fail(&arguments, &invalid.to_string(), 2),
    };
    let tables = match chosen(&arguments, &config) {
        Ok(tables) => tables,
        Err(unknown) => return fail(&arguments, &unknown, 2),
    };
    match start(&arguments, &config, &tables).await {
        Ok(code) => code.into(),
        Err(failure) => fail(&arguments, &startup::with_causes(failure.as_ref()), 1),
    }
}

/// The tables that were named, or all.
fn chosen<'a>(arguments: &Arguments, config: &'a Config) -> Result<Vec<&'a Table>, String> {
    let of = |name: &String| {
        let found = config.extracts.tables().find(|table| is_called(table, name));
        let known = || config.extracts.tables().map(|table| table.source.to_string()).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| format!("there is no table {name} in the list; there are: {}", known()))
    };
    if arguments.table.is_empty() {
        return Ok(config.extracts.tables().collect());
    }
    arguments.table.iter().map(of).collect()
}

/// `app.users` is `app.public.users` as well.
fn is_called(table: &Table, name: &str) -> bool {
    let (database, short) = (table.source.database(), table.source.table());
    table.source.to_string() == name || (table.source.schema() == "public" && format!("{database}.{short}") == name)
}

async fn start(arguments: &Arguments, config: &Config, tables: &[&Table]) -> Result<u8> {
    let stop = stop_on_signal().context("listen for signals")?;
    let (version, count) = (env!("CARGO_PKG_VERSION"), tables.len());
    info!(version, tables = count, "database-to-bigquery {version}: {count} tables");
    let clouds = connect(config).await?;
    match arguments.command.unwrap_or(Command::Run) {
        Command::Run | Command::Schema => Ok(load(arguments, tables, &clouds, stop).await),
        Command::Plan => show_plans(arguments, tables, &clouds).await,
        Command::Check => Ok(show_findings(arguments, &check::check(&config.extracts.databases, tables, &clouds).await)),
        Command::Discover => show_proposals(arguments, config, &clouds).await,
    }
}

async fn load(arguments: &Arguments, tables: &[&Table], clouds: &Clouds, stop: Stop) -> u8 {
    let names: Vec<String> = tables.iter().map(|table| table.source.to_string()).collect();
    let report = Report::new(&names, run::run(tables, clouds, stop).await);
    print!("{}", if arguments.json { report.to_json() + "\n" } else { report.to_text() });
    if !report.unfinished.is_empty() {
        error!("stopped by a signal, unfinished: {}", report.unfinished.join(", "));
    }
    report.exit_code()
}

async fn show_plans(arguments: &Arguments, tables: &[&Table], clouds: &Clouds) -> Result<u8> {
    let (mut plans, mut code) = (Vec::new(), 0);
    for table in tables {
        match plan::plan(table, clouds).await {
            Ok(plan) if arguments.json => plans.push(serde_json::to_value(plan)?),
            Ok(plan) => print!("{}", plan.to_text()),
            Err(failure) => {
                code = 1;
                let (table, reason) = (table.source.to_string(), startup::with_causes(failure.as_ref()));
                error!(table, "{table}: {reason}");
                plans.push(json!({"table": table, "error": reason}));
            }
        }
    }
    print_json(arguments, &json!({"ok": code == 0, "tables": plans}));
    Ok(code)
}

fn show_findings(arguments: &Arguments, findings: &[check::Finding]) -> u8 {
    let ok = findings.iter().all(|finding| finding.ok);
    print_json(arguments, &json!({"ok": ok, "findings": findings}));
    for check::Finding { check, ok, message } in findings.iter().filter(|_| !arguments.json) {
        println!("{} {check}: {message}", if *ok { "✓" } else { "✗" });
    }
    u8::from(!ok)
}

async fn show_proposals(arguments: &Arguments, config: &Config, clouds: &Clouds) -> Result<u8> {
    let mut proposals = Vec::new();
    for database in &config.extracts.databases {
        let connector = clouds.connectors.get(&database.name).context("a database without a connection")?;
        let proposal = discover::discover(database, connector).await;
        proposals.push(proposal.with_context(|| format!("list the tables of {}", database.name))?);
    }
    print_json(arguments, &json!({"ok": true, "databases": proposals}));
    for proposal in proposals.iter().filter(|_| !arguments.json) {
        print!("{}", proposal.to_text());
    }
    Ok(0)
}

fn print_json(arguments: &Arguments, value: &Value) {
    if arguments.json {
        println!("{value}");
    }
}

async fn connect(config: &Config) -> Result<Clouds> {
    // For the databases' TLS. Where a library has chosen a provider, that one stays.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let aws = aws(config).await;
    let google = GoogleCredentials::default().build().context("find the credentials of the service account")?;
    let place = Place {
        endpoint: config.bigquery_endpoint.clone(),
        project: config.project.clone(),
        location: config.location.clone(),
        scratch: config.scratch.clone(),
        audit: config.audit.clone(),
        give_up_after: config.give_up_after,
    };
    let bigquery = BigQuery::connect(place, &google).await?;
    let mut connectors = BTreeMap::new();
    for database in &config.extracts.databases {
        let connector = match (&database.source, config.servers.get(&database.name)) {
            (Source::Program(words), _) => Connector::Program(words.clone()),
            (Source::Server { engine, .. }, Some(settings)) => {
                Connector::Server(*engine, server(&database.name, settings, config, aws.as_ref())?)
            }
            (Source::Server { .. }, None) => continue,
        };
        connectors.insert(database.name.clone(), connector);
    }
    let hmac = config.mask_key.as_ref().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.0.as_bytes()));
    let (dir, parallel, lease) = (config.work_dir.clone(), config.parallel, config.lease);
    Ok(Clouds { bigquery, connectors, hmac, dir, parallel, holder: config.holder.clone(), lease })
}

/// Of the task, where a database asks for it: to look for it elsewhere takes seconds.
async fn aws(config: &Config) -> Option<aws_config::SdkConfig> {
    let needed = config.servers.values().any(|settings| settings.password.is_none());
    let region = config.aws_region.clone().filter(|_| needed)?;
    Some(startup::aws_config().region(aws_config::Region::new(region)).load().await)
}

fn server(name: &str, settings: &ServerSettings, config: &Config, aws: Option<&aws_config::SdkConfig>) -> Result<Server> {
    let login = match &settings.password {
        Some(password) => Login::Password(password.0.clone()),
        None => Login::Iam(aws.context("AWS_REGION is not set")?.clone()),
    };
    let address = settings.address.clone();
    let database = address.database.clone().unwrap_or_else(|| name.to_owned());
    Ok(Server { address, login, ca_file: config.ca_file.clone(), database })
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

fn fail(arguments: &Arguments, reason: &str, code: u8) -> ExitCode {
    error!("{reason}");
    if arguments.json {
        println!("{}", json!({"ok": false, "error": reason}));
    }
    code.into()
}
