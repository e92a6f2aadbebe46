//! `isthmus doctor`: what this product assumes about two vendors and no source confirms, held against what real accounts
//! show. It only reads; `--write` also tries what cannot be seen without a write, in a prefix and a table of its own.

mod examine;
mod gather;
mod seen;
mod write;

use std::path::PathBuf;

use anyhow::Result;
use chrono::{NaiveTime, Utc};
use clap::Args;
use handoff::ExportDate;
use serde::Serialize;

use crate::status::arguments::{Place, StatusArguments};
use crate::status::clock::Clock;

const EXIT_CODES: &str = "\
Exit codes:
  0 nothing contradicts what is assumed   1 something does
  2 usage                                 3 not everything could be asked";

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct DoctorArguments {
    #[command(flatten)]
    place: Place,
    /// The day whose export and load are looked at [default: today, from 04:00 on]
    #[arg(long, value_name = "DATE")]
    day: Option<ExportDate>,
    /// The list of tables
    #[arg(long, value_name = "FILE", default_value = "config/tables.yaml")]
    tables: PathBuf,
    /// Also write: an object below doctor/ of the application bucket and a table in the scratch dataset, deleted at the end
    #[arg(long)]
    write: bool,
    /// The dataset for --write
    #[arg(long, env = "SCRATCH_DATASET", default_value = "isthmus_scratch", value_name = "DATASET")]
    scratch_dataset: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Holds,
    Broken,
    /// Nothing here has shown it yet, one way or the other.
    NotSeen,
    /// Could not be asked.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assumption {
    pub assumed: &'static str,
    pub outcome: Outcome,
    pub found: String,
    /// What to set or to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<&'static str>,
}

/// The exit code.
pub async fn run(arguments: &DoctorArguments) -> Result<u8> {
    let clock = Clock { now: Utc::now(), zone: arguments.place.timezone.zone(), ready_by: NaiveTime::MIN };
    let status = StatusArguments {
        place: arguments.place.clone(),
        day: arguments.day,
        ready_by: clock.ready_by,
        tables: arguments.tables.clone(),
        syncs: PathBuf::new(), // nothing here is about syncs
        no_dbt: true,
        lookup_url: None,
        json: false,
        html: None,
        watch: None,
    };
    let scratch = arguments.write.then_some(arguments.scratch_dataset.as_str());
    let seen = gather::seen(&status, &clock, scratch).await;
    let assumptions = examine::examine(&seen);
    if arguments.json {
        println!("{}", serde_json::json!({"assumptions": assumptions}));
    } else {
        print!("{}", text(&assumptions));
    }
    Ok(exit_code(&assumptions))
}

fn exit_code(assumptions: &[Assumption]) -> u8 {
    let any = |outcome| assumptions.iter().any(|assumption| assumption.outcome == outcome);
    match (any(Outcome::Broken), any(Outcome::Unknown)) {
        (true, _) => 1,
        (false, true) => 3,
        (false, false) => 0,
    }
}

fn text(assumptions: &[Assumption]) -> String {
    let line = |Assumption { assumed, outcome, found, set }: &Assumption| {
        let sign = match outcome {
            Outcome::Holds => "✓ holds   ",
            Outcome::Broken => "✗ broken  ",
            Outcome::NotSeen => "– not seen",
            Outcome::Unknown => "? unknown ",
        };
        let set = set.map_or(String::new(), |set| format!("             → {set}\n"));
        format!("{sign} {assumed}\n             {found}\n{set}")
    };
    assumptions.iter().map(line).collect()
}
