//! `local demo`: the laptop cloud and isthmus on it. `local generated` and `local sink`: a big table, and a place for its
//! rows, for benchmarks.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use local::demo::Demo;
use local::generated::{Generated, Options};

/// A laptop cloud, and isthmus on it.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    /// Run both directions on real data
    Demo(Demo),
    /// Serve a generated table as BigQuery does, until it is ended
    Generated(Options),
    /// Serve an S3 that takes every PUT and keeps nothing, until it is ended
    Sink(local::sink::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let (name, ended) = match Command::parse() {
        Command::Demo(demo) => ("demo", demo.run().await),
        Command::Generated(options) => ("generated", generated(options).await),
        Command::Sink(options) => ("sink", options.run().await),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// One line of JSON when it is ready: where it is.
async fn generated(options: Options) -> Result<()> {
    let generated = Generated::start(options).await?;
    println!("{}", generated.ready());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
