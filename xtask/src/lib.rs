//! What a person or CI does with this repository, each as one command. Progress goes to stderr, results to stdout.

mod checks;
mod debian;
mod environments;
mod program;
mod progress;
mod python;
mod step;
mod template;
mod venv;
pub mod workspace;

use anyhow::{Context, Result, bail};

pub use crate::environments::Engine;
use crate::progress::{Outcome, Progress};
use crate::step::Step;
use crate::workspace::Workspace;

/// What the demo runs; the first starts the others.
const DEMO: [&str; 8] = [
    "local",
    "start-export",
    "publish-export",
    "load-export",
    "bigquery-to-s3",
    "database-to-bigquery",
    "lookup",
    "isthmus",
];
const BENCH: [&str; 10] = [
    "bench",
    "put-client",
    "local",
    "start-export",
    "publish-export",
    "load-export",
    "bigquery-to-s3",
    "database-to-bigquery",
    "lookup",
    "isthmus",
];
/// As the images are built: their Dockerfiles name the same feature.
const AS_DEPLOYED: [&str; 3] = ["--release", "--features", "bigquery-to-s3/jemalloc"];

/// Everything that any task needs.
pub fn setup(workspace: &Workspace) -> Result<()> {
    run_all(workspace, &environments::STEPS)
}

pub fn demo(workspace: &Workspace, engine: Engine, keep: bool, json: bool) -> Result<()> {
    run_all(workspace, &engine.steps_of_demo())?;
    let given = [("--keep", keep), ("--json", json)];
    let flags = given.into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag);
    let arguments = ["demo", "--engine", engine.name()].into_iter().chain(flags);
    program::build_and_become(workspace, &DEMO, &[], arguments.map(str::to_owned))
}

pub fn bench(workspace: &Workspace, names: &[String], json: bool) -> Result<()> {
    run_all(workspace, &environments::STEPS_OF_BENCH)?;
    let flag = json.then(|| "--json".to_owned());
    program::build_and_become(workspace, &BENCH, &AS_DEPLOYED, names.iter().cloned().chain(flag))
}

pub fn list_checks() {
    for step in checks::all() {
        println!("{:16} {}", step.name, step.about);
    }
}

/// Runs every check, also after one failed, so that one run tells all.
pub fn test(workspace: &Workspace, only: &[String]) -> Result<()> {
    let steps = checks::chosen(only)?;
    let mut progress = Progress::new(steps.iter().map(|step| step.name));
    let outcomes: Vec<Outcome> = steps.iter().map(|step| step.run(workspace, &mut progress)).collect();
    let failed = outcomes.iter().filter(|outcome| outcome.failed()).count();
    println!("{}", progress::table(&outcomes));
    println!("{} passed, {failed} failed", outcomes.len() - failed);
    if failed > 0 {
        std::process::exit(1); // the table has said what failed
    }
    Ok(())
}

fn run_all(workspace: &Workspace, steps: &[Step]) -> Result<()> {
    let mut progress = Progress::new(steps.iter().map(|step| step.name));
    for step in steps {
        if step.run(workspace, &mut progress).failed() {
            bail!("set-up stopped at {}; what it printed is above", step.name);
        }
    }
    Ok(())
}

fn read(path: &std::path::Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
