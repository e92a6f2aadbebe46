//! Figures of whole programs: release binaries, beside a peer in the same run. A slow figure is only told; a wrong result
//! fails.

mod publish_export;
#[expect(dead_code, reason = "its figures join the others together with those of the whole job")]
mod put;
mod start_export;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};

/// Measures the release binaries on the laptop cloud.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What to measure; everything where none is named.
    names: Vec<Bench>,
    /// Print one flat JSON object as the last line.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    StartExport,
    PublishExport,
}

/// By name; the unit is the end of the name.
type Figures = BTreeMap<&'static str, f64>;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let chosen = |bench| arguments.names.is_empty() || arguments.names.contains(&bench);
    let mut figures = Figures::new();
    if chosen(Bench::StartExport) {
        figures.extend(start_export::measure().await?);
    }
    if chosen(Bench::PublishExport) {
        figures.extend(publish_export::measure().await?);
    }
    for (name, value) in &figures {
        println!("{name:32} {value:>12.3}");
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&figures)?);
    }
    Ok(())
}

/// Of an odd or even number of runs; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}
