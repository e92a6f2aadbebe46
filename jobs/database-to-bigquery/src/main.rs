use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::Utc;
use clap::{Parser, Subcommand};
use database_to_bigquery::config::Config;
use database_to_bigquery::connect::connect;
use database_to_bigquery::extracts::{self, Table};
use database_to_bigquery::report::Report;
use database_to_bigquery::run::{self, Clouds};
use database_to_bigquery::{Stop, check, discover, plan};
use handoff::ExportDate;
use serde_json::{Value, json};
use startup::{LogFormat, Vars};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{error, info};

/// For the audit. ECS and Cloud Run kill a task some time after SIGTERM.
const LAST_WORDS: Duration = Duration::from_mins(1);

const AFTER_HELP: &str = "\
Environment, required:
  EXTRACTS_FILE or EXTRACTS, GOOGLE_CLOUD_PROJECT, BIGQUERY_LOCATION, and for each database of the list DATABASE_URL_{NAME} and, unless
  its auth is iam, DATABASE_PASSWORD_{NAME}; MASK_KEY where a column is masked by hmac, AWS_REGION where an auth is iam
Environment, with defaults:
  AUDIT_DATASET (isthmus_audit), SCRATCH_DATASET (isthmus_scratch), WORK_DIR (the temporary directory), PARALLEL_TABLES (2),
  GIVE_UP_MINUTES (15), LEASE_SECONDS (60), EXPORT_TIMEZONE (Asia/Tokyo), BIGQUERY_ENDPOINT,
  DATABASE_CA_FILE (/etc/isthmus/rds-global-bundle.pem); on AWS GOOGLE_AUDIENCE and GOOGLE_SERVICE_ACCOUNT,
  GOOGLE_STS_ENDPOINT, GOOGLE_IAM_CREDENTIALS_ENDPOINT
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

/// The tables that were named, each once, or all.
fn chosen<'a>(arguments: &Arguments, config: &'a Config) -> Result<Vec<&'a Table>, String> {
    let of = |name: &String| {
        let found = config.extracts.tables().find(|table| is_called(table, name));
        let known = || config.extracts.tables().map(|table| table.source.to_string()).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| format!("there is no table {name} in the list; there are: {}", known()))
    };
    if arguments.table.is_empty() {
        return Ok(config.extracts.tables().collect());
    }
    let mut tables: Vec<&Table> = Vec::new();
    for name in &arguments.table {
        let table = of(name)?;
        if !tables.iter().any(|named| named.target() == table.target()) {
            tables.push(table);
        }
    }
    Ok(tables)
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
        Command::Run | Command::Schema => Ok(load(arguments, config, tables, &clouds, stop).await),
        Command::Plan => show_plans(arguments, tables, &clouds).await,
        Command::Check => {
            Ok(show_findings(arguments, &check::check(&config.extracts.databases, tables, &clouds).await))
        }
        Command::Discover => show_proposals(arguments, config, &clouds).await,
    }
}

async fn load(arguments: &Arguments, config: &Config, tables: &[&Table], clouds: &Clouds, stop: Stop) -> u8 {
    let names: Vec<String> = tables.iter().map(|table| table.source.to_string()).collect();
    let date = ExportDate::of(Utc::now(), config.time_zone);
    let mut report = Report::new(&names, run::run(tables, clouds, stop).await);
    let written = timeout(LAST_WORDS, write_down(clouds, &config.holder, date, &report)).await;
    // The proof stands whether or not it could be written down, but one that nobody can look up is a failure.
    if let Err(error) = written.map_err(anyhow::Error::from).and_then(|written| written) {
        report.audit_failed(startup::with_causes(error.as_ref()));
    }
    print!("{}", if arguments.json { report.to_json() + "\n" } else { report.to_text() });
    if let Some(error) = &report.audit_error {
        error!("the audit table was not written: {error}");
    }
    // What an alarm of silence looks for.
    info!(event = "extracted", ok = report.ok, "{} of {} tables are good", report.good(), tables.len());
    if !report.unfinished.is_empty() {
        error!("stopped by a signal, unfinished: {}", report.unfinished.join(", "));
    }
    report.exit_code()
}

/// Others write to the same table, and BigQuery lets only so many statements change one at a time.
async fn write_down(clouds: &Clouds, load_id: &str, date: ExportDate, report: &Report) -> Result<()> {
    for pause in [1, 4] {
        if clouds.bigquery.write_loads(load_id, date, &report.tables).await.is_ok() {
            return Ok(());
        }
        sleep(Duration::from_secs(pause)).await;
    }
    clouds.bigquery.write_loads(load_id, date, &report.tables).await
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
