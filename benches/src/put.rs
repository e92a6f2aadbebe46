//! The PUT engine beside other ways to send the same PUTs: each a process of its own, against a sink that is a process of
//! its own. What is measured is the client's processor time, and how near it comes to what the latency allows.

pub mod process;
pub mod role;

use std::path::Path;

use anyhow::Result;
use local::process::Process;
use local::tools;

use crate::median;
use process::{Client, Spent, sink};
use role::Role;

const ROUNDS: usize = 3;
/// As S3 has it in one region, for an object of 1 KiB.
const LATENCY_MS: u32 = 30;
const LATENCY_SECONDS: u32 = 5;
/// Without latency a few connections keep both sides busy.
const CONNECTIONS: usize = 20;

/// A way to send many small PUTs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// hyper-util's client, without a signature.
    Hyper,
    /// The same, signed by aws-sigv4.
    HyperSigv4,
    Engine,
    /// aws-sdk-s3, one task for each connection.
    Sdk,
    /// boto3 in Python, one thread for each connection.
    Boto3,
}

impl Way {
    pub const ALL: [Self; 5] = [Self::Hyper, Self::HyperSigv4, Self::Engine, Self::Sdk, Self::Boto3];

    fn name(self) -> &'static str {
        match self {
            Self::Hyper => "hyper",
            Self::HyperSigv4 => "hyper-sigv4",
            Self::Engine => "engine",
            Self::Sdk => "sdk",
            Self::Boto3 => "boto3",
        }
    }

    /// Some seconds of processor time, since the kernel counts it in hundredths.
    fn objects(self) -> usize {
        match self {
            Self::Hyper => 120_000,
            Self::HyperSigv4 | Self::Engine => 80_000,
            Self::Sdk => 20_000,
            Self::Boto3 => 3_000,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub objects: usize,
    pub connections: usize,
}

/// Microseconds of user and system time that the client spends on one PUT of 1 KiB, for each of `Way::ALL`: the median of
/// three fresh processes each, in turn.
pub async fn cpu_micros_each() -> Result<[(Way, f64); 5]> {
    let place = Place::start(&[]).await?;
    let mut micros = Way::ALL.map(|way| (way, Vec::new()));
    for _ in 0..ROUNDS {
        for (way, micros) in &mut micros {
            let load = Load { objects: way.objects(), connections: CONNECTIONS };
            micros.push(place.spent(*way, load).await?.cpu_micros_each(load));
        }
    }
    Ok(micros.map(|(way, micros)| (way, median(micros))))
}

/// Objects a second, as a share of `connections` / 30 ms, which is what so many connections can carry.
pub async fn share_of_latency_bound(way: Way, connections: u32) -> Result<f64> {
    let bound = f64::from(connections) * 1000.0 / f64::from(LATENCY_MS);
    Ok(objects_a_second(way, connections, &[]).await? / bound)
}

/// With 30 ms added to each answer, and whatever else `sink` asks of `local sink`.
pub async fn objects_a_second(way: Way, connections: u32, sink: &[&str]) -> Result<f64> {
    let latency = LATENCY_MS.to_string();
    let place = Place::start(&[&["--latency-ms", &latency], sink].concat()).await?;
    let objects = usize::try_from(connections * 1000 * LATENCY_SECONDS / LATENCY_MS)?;
    let load = Load { objects, connections: usize::try_from(connections)? };
    Ok(place.spent(way, load).await?.objects_a_second(load))
}

/// Where the PUTs go, and with which credentials.
struct Place {
    endpoint: String,
    role: Role,
    dir: tempfile::TempDir,
    _sink: Process,
}

impl Place {
    async fn start(sink_options: &[&str]) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let (sink, endpoint) = sink(sink_options, dir.path()).await?;
        let role = Role::start(dir.path()).await?;
        Ok(Self { endpoint, role, dir, _sink: sink })
    }

    async fn spent(&self, way: Way, load: Load) -> Result<Spent> {
        let program = match way {
            Way::Boto3 => tools::emulator("python")?,
            _ => tools::program("put-client")?,
        };
        let script = self.dir.path().join("boto3_put.py");
        std::fs::write(&script, include_str!("../boto3_put.py"))?;
        let script: Option<&Path> = (way == Way::Boto3).then_some(&script);
        let mut client = Client::start(&program, script, way.name(), &self.endpoint, &self.role, load).await?;
        let spent = client.load().await?;
        client.end().await?;
        Ok(spent)
    }
}
