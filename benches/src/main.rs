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
    let chosen = |bench| arguments.names.is_empty() || arguments.names.contains(&bench);
    let mut figures = Figures::new();
    if chosen(Bench::StartExport) {
        figures.extend(start_export::measure().await?);
    }
    if chosen(Bench::PublishExport) {
        figures.extend(publish_export::measure().await?);
    }
    if chosen(Bench::Extract) {
        figures.extend(extract::measure().await?);
    }
    if chosen(Bench::PutCpu) {
        figures.extend(reverse::put_cpu().await?);
    }
    if chosen(Bench::PutCpuTls) {
        figures.extend(reverse::put_cpu_tls().await?);
    }
    if chosen(Bench::LatencyBound) {
        figures.extend(reverse::latency_bound().await?);
    }
    if chosen(Bench::Packed) {
        figures.extend(reverse::packed().await?);
    }
    if chosen(Bench::Memory) {
        figures.extend(reverse::memory().await?);
    }
    if chosen(Bench::Unchanged) {
        figures.extend(reverse::unchanged().await?);
    }
    if chosen(Bench::Tasks) {
        figures.extend(reverse::tasks().await?);
    }
    if chosen(Bench::Lineage) {
        figures.extend(warehouse::lineage()?);
    }
    if chosen(Bench::DbtBuild) {
        figures.extend(warehouse::build()?);
    }
    if chosen(Bench::LookupWarm) {
        figures.extend(lookup::warm().await?);
    }
    if chosen(Bench::LookupCold) {
        figures.extend(lookup::cold().await?);
    }
    if chosen(Bench::LookupMemory) {
        figures.extend(lookup::memory().await?);
    }
    if chosen(Bench::LookupStart) {
        figures.extend(lookup::cold_start().await?);
    }
    if chosen(Bench::Reader) {
        figures.extend(reader::measure().await?);
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

#[allow(clippy::cast_precision_loss)] // far below 2^52
fn mega(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
