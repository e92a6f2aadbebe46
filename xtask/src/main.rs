//! `cargo xtask setup | demo | test | bench`.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use xtask::Engine;
use xtask::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set up, try, check and measure isthmus")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what demo and test need into target/tools (both do it by themselves)
    Setup,
    /// Run the whole path on this machine, on real data
    Demo(Demo),
    /// Run every check; says at the end what passed and what failed
    Test(Test),
    /// Measure release builds
    Bench(Bench),
}

#[derive(Args)]
struct Demo {
    /// What the application's database is
    #[arg(long, value_enum, default_value_t)]
    engine: Engine,
    /// Leave everything running, to look around; Ctrl-C stops it
    #[arg(long)]
    keep: bool,
    /// Print one JSON object of results as the last line
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Test {
    /// Only the checks of these names
    #[arg(long, num_args = 1.., value_name = "NAME")]
    only: Vec<String>,
    /// Only print the names of the checks
    #[arg(long)]
    list: bool,
}

#[derive(Args)]
struct Bench {
    /// Only the figures of these names
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print one JSON object of figures as the last line
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let workspace = Workspace::of_this_build();
    match Cli::parse().task {
        Task::Setup => xtask::setup(&workspace),
        Task::Demo(demo) => xtask::demo(&workspace, demo.engine, demo.keep, demo.json),
        Task::Test(test) if test.list => {
            xtask::list_checks();
            Ok(())
        }
        Task::Test(test) => xtask::test(&workspace, &test.only),
        Task::Bench(bench) => xtask::bench(&workspace, &bench.names, bench.json),
    }
}
