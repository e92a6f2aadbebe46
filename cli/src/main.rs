mod dbt_command;
mod deploy_command;
mod lineage_command;
mod shell_command;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser, Subcommand};
use handoff::{Manifest, TableList, table_list_schema};
use isthmus::{Comparison, List, doctor, operate, proposal, shared, status};

const AFTER_HELP: &str = "\
Examples:
  aws s3 cp s3://BUCKET/stg-20261122/manifest.json - | isthmus tables discover --manifest -
  isthmus tables check --manifest manifest.json
  isthmus lineage --table shop.orders --column total
  isthmus lineage --impact manifest.json
  isthmus deploy stg --print
Exit codes:
  0 done; what is compared agrees   1 it differs, breaks something, or a file is wrong   2 usage";

/// The operator's command of isthmus.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The list of tables that are loaded into BigQuery
    #[command(subcommand)]
    Tables(Tables),
    /// What dbt is told: sources, exposures, staging models
    #[command(subcommand)]
    Dbt(dbt_command::Dbt),
    /// Make or update an environment on both clouds; shows what it would change and asks
    Deploy(deploy_command::Deploy),
    /// Export, load and publish one day by hand, and wait for each
    FirstDay(deploy_command::FirstDay),
    /// What comes of a table or column, what a sync is made of, what breaks by a drift
    Lineage(lineage_command::LineageArguments),
    /// Print completions for a shell
    Completions(shell_command::Completions),
    /// Write the manual's pages
    Man(shell_command::Man),
    /// How the day stands in both clouds: what is late, why, and what helps
    Status(status::StatusArguments),
    /// What is assumed about both clouds, held against what these accounts show
    Doctor(doctor::DoctorArguments),
    #[command(flatten)]
    Operate(operate::Operate),
}

#[derive(Debug, Subcommand)]
enum Tables {
    /// Propose what to add to the list and what to take from it, as YAML
    Discover(Discover),
    /// Fail where the list is wrong or, with a manifest, is not what the export holds
    Check(Check),
    /// Print the JSON Schema of the list
    Schema,
}

#[derive(Debug, clap::Args)]
struct Discover {
    #[command(flatten)]
    list: TablesFile,
    /// The manifest of an export; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Check {
    #[command(flatten)]
    list: TablesFile,
    /// The manifest of an export; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// The list of database-to-bigquery, which must load other tables [default: extracts.yaml beside the list of tables]
    #[arg(long, value_name = "FILE")]
    extracts: Option<PathBuf>,
    /// The list of federated tables, as well [default: federated.yaml beside the list of tables]
    #[arg(long, value_name = "FILE")]
    federated: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct TablesFile {
    /// The list of tables
    #[arg(long, value_name = "FILE", default_value = "config/tables.yaml")]
    tables: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let result = match &Arguments::parse().command {
        Command::Tables(Tables::Discover(discover)) => propose(discover),
        Command::Tables(Tables::Check(check)) => judge(check),
        Command::Tables(Tables::Schema) => {
            println!("{:#}", table_list_schema());
            Ok(true)
        }
        Command::Dbt(command) => dbt_command::run(command),
        Command::Deploy(deploy) => deploy_command::deploy(deploy),
        Command::FirstDay(day) => deploy_command::first_day(day),
        Command::Lineage(arguments) => lineage_command::run(arguments),
        Command::Completions(arguments) => {
            shell_command::completions(arguments, Arguments::command());
            Ok(true)
        }
        Command::Man(arguments) => shell_command::man(arguments, Arguments::command()).map(|()| true),
        Command::Doctor(arguments) => return in_the_clouds(doctor::run(arguments)),
        Command::Operate(operate) => return in_the_clouds(operate::run(operate)),
        Command::Status(arguments) => return in_the_clouds(status::run(arguments)),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// For commands with exit codes of their own.
fn in_the_clouds(command: impl Future<Output = Result<u8>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(command)) {
        Ok(code) => code.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            2.into()
        }
    }
}

fn propose(discover: &Discover) -> Result<bool> {
    let file = &discover.list.tables;
    // The first list of all is made from the proposal.
    let list = if file.exists() { TableList::read(file)? } else { TableList::default() };
    let comparison = Comparison::of(&list, &read_manifest(&discover.manifest)?)?;
    if discover.list.json {
        println!("{}", serde_json::to_string(&comparison)?);
    } else {
        print!("{}", proposal(&comparison, &file.display().to_string()));
    }
    Ok(true)
}

fn judge(check: &Check) -> Result<bool> {
    let list = TableList::read(&check.list.tables)?;
    let manifest = check.manifest.as_deref().map(read_manifest).transpose()?;
    let env = manifest.as_ref().map_or_else(|| "any".parse(), |manifest| Ok(manifest.env.clone()))?;
    // Names and destinations first: they are wrong whatever the export holds.
    let listed = list.transfers(&env)?.len();
    let shared = shared_with_other_lists(check)?;
    if !shared.is_empty() {
        tell(check.list.json, &shared, "");
        return Ok(false);
    }
    let Some(manifest) = manifest else {
        tell(check.list.json, &[], &format!("{listed} tables, nothing wrong with the list itself"));
        return Ok(true);
    };
    let comparison = Comparison::of(&list, &manifest)?;
    let problems = comparison.problems();
    tell(check.list.json, &problems, &format!("{listed} tables agree with {}", manifest.task_id));
    Ok(problems.is_empty())
}

/// A file that was named must be there.
fn shared_with_other_lists(check: &Check) -> Result<Vec<String>> {
    let tables = &check.list.tables;
    let beside = |named: &Option<PathBuf>, name: &str| {
        let found = || Some(tables.with_file_name(name)).filter(|file| file.exists());
        named.clone().or_else(found)
    };
    let [extracts, federated] = [beside(&check.extracts, "extracts.yaml"), beside(&check.federated, "federated.yaml")];
    let others = [(List::Extracts, &extracts), (List::Federated, &federated)];
    let others = others.into_iter().filter_map(|(list, file)| Some((list, file.as_deref()?)));
    let lists: Vec<(List, &Path)> = std::iter::once((List::Tables, tables.as_path())).chain(others).collect();
    Ok(shared(&lists)?
        .iter()
        .flat_map(|wrong| wrong.to_string().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect())
}

fn tell(json: bool, problems: &[String], good: &str) {
    if json {
        println!("{}", serde_json::json!({"ok": problems.is_empty(), "problems": problems}));
    } else if problems.is_empty() {
        println!("{good}");
    } else {
        for problem in problems {
            eprintln!("{problem}");
        }
    }
}

fn read_manifest(file: &Path) -> Result<Manifest> {
    let name = file.display();
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).context("read the manifest from standard input")?;
    } else {
        bytes = std::fs::read(file).with_context(|| format!("read the manifest {name}"))?;
    }
    Manifest::read(&bytes).with_context(|| format!("the manifest {name}"))
}
