//! `put-client`: sends PUTs of 1 KiB in one of several ways, as a process whose processor time another one reads. It says
//! `ready` when it is warm, begins at a line, says `done`, and ends at the end of its input.

mod ways;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use keyless::aws::KeylessConfig;

use ways::{Load, Sender};

#[derive(Parser)]
struct Arguments {
    way: Way,
    #[arg(long)]
    endpoint: String,
    /// The engine's credentials come from here
    #[arg(long)]
    sts: String,
    #[arg(long)]
    role: String,
    #[arg(long)]
    audience: String,
    #[arg(long)]
    objects: usize,
    #[arg(long)]
    connections: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Way {
    Hyper,
    HyperSigv4,
    Engine,
    Sdk,
}

/// So many rounds open all connections, and the engine's window with them; the first are few, so that a server that shakes
/// hands with all of them at once keeps none waiting for too long.
const WARMING_ROUNDS: usize = 20;
const FIRST_CONNECTIONS: usize = 20;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let connections = arguments.connections;
    let sender = runtime.block_on(sender(&arguments))?;
    for connections in ramp(connections) {
        let warming = Load { objects: WARMING_ROUNDS * connections, connections };
        runtime.block_on(sender.send(warming)).context("warm up")?;
    }
    turn("ready")?;
    runtime.block_on(sender.send(Load { objects: arguments.objects, connections }))?;
    turn("done")
}

/// Twice as many each time: 20, 40, 80, 160, 200.
fn ramp(connections: usize) -> impl Iterator<Item = usize> {
    let doubled = std::iter::successors(Some(FIRST_CONNECTIONS), |before| Some(before * 2));
    doubled.take_while(move |now| *now < connections).chain([connections])
}

async fn sender(arguments: &Arguments) -> Result<Sender> {
    let endpoint = &arguments.endpoint;
    Ok(match arguments.way {
        Way::Hyper => Sender::hyper(endpoint)?,
        Way::HyperSigv4 => Sender::hyper_sigv4(endpoint)?,
        Way::Engine => Sender::engine(endpoint, role(arguments)?, &arguments.sts, arguments.connections).await?,
        Way::Sdk => Sender::sdk(endpoint).await,
    })
}

fn role(arguments: &Arguments) -> Result<KeylessConfig> {
    Ok(KeylessConfig {
        role_arn: arguments.role.parse()?,
        audience: arguments.audience.clone(),
        session_name: "bench".parse()?,
        duration_seconds: keyless::aws::DURATION_SECONDS,
    })
}

/// Says where we are, and waits for a line or the end.
fn turn(word: &str) -> Result<()> {
    println!("{word}");
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}
