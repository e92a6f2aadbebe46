//! `local demo`: the laptop cloud and isthmus on it.

use std::process::ExitCode;

use clap::Parser;
use local::demo::Demo;

/// A laptop cloud, and isthmus on it.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    /// Run the whole forward path on real data
    Demo(Demo),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Demo(demo) = Command::parse();
    match demo.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
