//! `isthmus deploy` and `isthmus first-day`.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use isthmus::deploy::{
    Answer, Command, Environment, Facts, Images, Key, Run, Samples, check_key, first, first_day as day, incomplete,
    look, look_first, shell, then, tools, wrong_account,
};

const FILE: &str = "config/environments.yaml";

#[derive(Debug, Args)]
pub struct Place {
    /// The environment: an entry of config/environments.yaml
    env: String,
    /// A clone of the repository
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    root: PathBuf,
    /// Print the commands as a shell script, and run none
    #[arg(long)]
    print: bool,
}

#[derive(Debug, Args)]
pub struct Deploy {
    #[command(flatten)]
    place: Place,
    /// Show what Terraform would change, and change nothing
    #[arg(long, conflicts_with = "print")]
    plan: bool,
    /// Change without asking
    #[arg(long)]
    yes: bool,
    /// Who builds the images of the jobs
    #[arg(long, value_enum, default_value_t = By::CloudBuild)]
    images: By,
}

#[derive(Debug, Args)]
pub struct FirstDay {
    #[command(flatten)]
    place: Place,
    /// Between two looks at what is waited for
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    CloudBuild,
    Docker,
}

pub fn deploy(deploy: &Deploy) -> Result<bool> {
    let Deploy { place, plan, yes, images } = deploy;
    let by = match images {
        By::CloudBuild => Images::CloudBuild,
        By::Docker => Images::Docker,
    };
    let environment = environment(place)?;
    if place.print {
        let first_time = then(&environment, &Facts::default(), by, true);
        let steps = [vec![tools(&environment)], first(&environment), first_time].concat();
        let head = format!(
            "isthmus deploy {}, the first time: later, the command leaves out what would take back what is there",
            place.env
        );
        print!("{}", shell(&head, &steps, Duration::ZERO));
        return Ok(true);
    }
    ensure!(*yes || *plan || std::io::stdin().is_terminal(), "nobody is there to ask: --yes, --plan or --print");
    let mut run = Run::new(&place.root, Duration::ZERO, |question| if *yes { Ok(Answer::Do) } else { ask(question) });
    run.steps(&[tools(&environment)])?;
    refuse(&environment, &Facts::default(), &run)?;
    run.steps(&if *plan { look_first(&environment) } else { first(&environment) })?;
    let mut facts = facts(&run, place)?;
    refuse(&environment, &facts, &run)?;
    for key in facts.keep_keys(|key| lives(&environment, key, &run))? {
        let Key { access_key_id, secret_version } = key;
        eprintln!(
            "{access_key_id} with version {secret_version} of its secret was the key of Data Transfer and is gone: it is not used"
        );
    }
    ensure!(
        !*plan || facts.aws_account.is_none() || !facts.keys.is_empty(),
        "the key of Data Transfer is gone, and without one a plan would take the transfers away: `isthmus deploy {}` makes a new one",
        place.env
    );
    if *plan {
        run.steps(&look(&environment, &facts))?;
        return Ok(true);
    }
    run.steps(&then(&environment, &facts, by, *yes))?;
    println!("{}", after(&place.env));
    Ok(true)
}

pub fn first_day(first: &FirstDay) -> Result<bool> {
    let place = &first.place;
    let environment = environment(place)?;
    let (steps, pause) = (day(&environment), Duration::from_secs(first.seconds));
    if place.print {
        print!("{}", shell(&format!("isthmus first-day {}", place.env), &steps, pause));
        return Ok(true);
    }
    Run::new(&place.root, pause, |_| Ok(Answer::Do)).steps(&steps)?;
    println!("the day of {} is loaded, proven and published", place.env);
    Ok(true)
}

fn environment(place: &Place) -> Result<Environment> {
    let samples = if place.print { Samples::Allowed } else { Samples::Refused };
    let read = Environment::read(&place.root.join(FILE), &place.env, samples);
    let mut problems = incomplete(&place.root, &place.env);
    match read {
        Ok(environment) if problems.is_empty() => return Ok(environment),
        Ok(_) => {}
        Err(error) => problems.insert(0, error.to_string()),
    }
    bail!("{}", problems.join("\n"))
}

fn refuse(environment: &Environment, facts: &Facts, run: &Run<'_>) -> Result<()> {
    let wrong = wrong_account(environment, facts, run.answer("AWS_ACCOUNT").unwrap_or_default());
    wrong.map_or(Ok(()), |text| bail!("{text}"))
}

fn lives(environment: &Environment, key: &Key, run: &Run<'_>) -> Result<bool> {
    match run.ends(&check_key(environment, key))? {
        (Some(0), _) => Ok(true),
        (Some(1), _) => Ok(false),
        (_, said) => bail!("whether the key of Data Transfer is there: {said}"),
    }
}

fn facts(run: &Run<'_>, place: &Place) -> Result<Facts> {
    let outputs = run.output(&Command::new("terraform -chdir=terraform/gcp output -json"))?;
    let key = place.root.join(format!("terraform/gcp/generated/{}.key.tfvars.json", place.env));
    let key = match std::fs::read_to_string(&key) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("read {}", key.display())),
    };
    Facts::read(&place.env, &outputs, key.as_deref())
}

fn ask(question: &str) -> Result<Answer> {
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(if ["y", "yes"].contains(&answer.trim()) { Answer::Do } else { Answer::Stop })
}

fn after(env: &str) -> String {
    format!(
        "\n{env} is there. Next: isthmus first-day {env}\n\
         What costs money by the month, used or not: a KMS key, alarms and log metrics, secrets. By use: each export (RDS \n\
         bills the size of the snapshot), S3, the traffic from AWS to Google, BigQuery, Lambda, Cloud Run, log lines.\n\
         The biggest alone is Redis for lookup, where terraform/aws has `cache`. To stop it: docs/spec/deploy.md, Tear down"
    )
}
