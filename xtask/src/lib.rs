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
use crate::progress::Progress;
use crate::step::{Line, Step};
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
    let progress = Progress::new(steps.iter().map(|step| step.name));
    let outcomes = in_two_lines(&steps, |line, step| step.run_in(line, workspace, &progress));
    let failed = outcomes.iter().filter(|outcome| outcome.failed()).count();
    println!("{}", progress::table(&outcomes));
    println!("{} passed, {failed} failed", outcomes.len() - failed);
    if failed > 0 {
        std::process::exit(1); // the table has said what failed
    }
    Ok(())
}

/// What the checks need is installed first. Then those that need nothing of the others run beside them. The outcomes are in
/// the order of the steps.
fn in_two_lines<T: Send>(steps: &[&'static Step], run: impl Fn(Line, &Step) -> T + Sync) -> Vec<T> {
    let first = steps.iter().take_while(|step| checks::is_setup(step)).count();
    let (setup, checks) = steps.split_at(first);
    let done: Vec<T> = setup.iter().map(|step| run(Line::Main, step)).collect();
    let of = |line: Line| {
        let mine = checks.iter().enumerate().filter(move |(_, step)| checks::is_beside(step) == (line == Line::Beside));
        mine.map(|(place, step)| (place, run(line, step))).collect::<Vec<_>>()
    };
    let mut rest = std::thread::scope(|scope| {
        let beside = scope.spawn(|| of(Line::Beside));
        let mut main = of(Line::Main);
        main.extend(beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        main
    });
    rest.sort_by_key(|(place, _)| *place);
    done.into_iter().chain(rest.into_iter().map(|(_, outcome)| outcome)).collect()
}

fn run_all(workspace: &Workspace, steps: &[Step]) -> Result<()> {
    let progress = Progress::new(steps.iter().map(|step| step.name));
    for step in steps {
        if step.run(workspace, &progress).failed() {
            bail!("set-up stopped at {}; what it printed is above", step.name);
        }
    }
    Ok(())
}

fn read(path: &std::path::Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn checks_run_in_two_lines_after_the_set_up_and_are_told_in_their_order() {
        let steps: Vec<_> = checks::all().collect();
        let begun = Mutex::new(Vec::new());
        let told = in_two_lines(&steps, |line, step| {
            begun.lock().unwrap().push((line == Line::Beside, step.name));
            step.name
        });
        assert_eq!(told, steps.iter().map(|step| step.name).collect::<Vec<_>>());
        let begun = begun.into_inner().unwrap();
        let setup = environments::STEPS.len();
        assert!(begun[..setup].iter().zip(&environments::STEPS).all(|(begun, step)| *begun == (false, step.name)));
        let of = |beside| begun.iter().filter(move |begun| begun.0 == beside).map(|begun| begun.1).collect::<Vec<_>>();
        assert!(of(true).contains(&"terraform-gcp") && of(true).contains(&"sam-build"), "{:?}", of(true));
        // What the tests leave behind is looked at after them.
        let main = of(false);
        let place = |name: &str| main.iter().position(|each| *each == name).unwrap();
        assert!(place("test") < place("googlesql") && place("test") < place("browser"), "{main:?}");
    }
}
