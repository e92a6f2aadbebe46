//! Figures of whole programs: release binaries, beside a peer in the same run. A slow figure is only told; a wrong result
//! fails.

mod extract;
mod lookup;
mod publish_export;
mod put;
mod reader;
mod reverse;
mod start_export;
mod warehouse;

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
    Extract,
    PutCpu,
    PutCpuTls,
    LatencyBound,
    Packed,
    Memory,
    Unchanged,
    Tasks,
    LookupWarm,
    LookupCold,
    LookupMemory,
    LookupStart,
    Reader,
    Lineage,
    DbtBuild,
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
    let mut figures = Figures::new();
    for bench in Bench::value_variants() {
        if arguments.names.is_empty() || arguments.names.contains(bench) {
            figures.extend(bench.measure().await?);
        }
    }
    for (name, value) in &figures {
        println!("{name:32} {value:>12.3}");
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&figures)?);
    }
    Ok(())
}

impl Bench {
    async fn measure(self) -> Result<Figures> {
        match self {
            Self::StartExport => start_export::measure().await,
            Self::PublishExport => publish_export::measure().await,
            Self::Extract => extract::measure().await,
            Self::PutCpu => reverse::put_cpu().await,
            Self::PutCpuTls => reverse::put_cpu_tls().await,
            Self::LatencyBound => reverse::latency_bound().await,
            Self::Packed => reverse::packed().await,
            Self::Memory => reverse::memory().await,
            Self::Unchanged => reverse::unchanged().await,
            Self::Tasks => reverse::tasks().await,
            Self::LookupWarm => lookup::warm().await,
            Self::LookupCold => lookup::cold().await,
            Self::LookupMemory => lookup::memory().await,
            Self::LookupStart => lookup::cold_start().await,
            Self::Lineage => warehouse::lineage(),
            Self::DbtBuild => warehouse::build(),
            Self::Reader => reader::measure().await,
        }
    }
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

#[allow(clippy::cast_precision_loss)] // far below 2^52
fn mega(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
