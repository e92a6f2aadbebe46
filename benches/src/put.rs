//! The PUT engine beside other ways to send the same PUTs: each a process of its own, against a sink that is a process of
//! its own. What is measured is the client's processor time, and how near it comes to what the latency allows.

pub mod process;
pub mod role;

use std::path::{Path, PathBuf};

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

/// Between the client and the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Plain,
    /// TLS 1.3, which S3 has too.
    Tls,
}

/// Microseconds of user and system time that the client spends on one PUT of 1 KiB, for each of these ways: the median of
/// three fresh processes each, in turn.
pub async fn cpu_micros_each<const N: usize>(transport: Transport, ways: [Way; N]) -> Result<[f64; N]> {
    let place = Place::start(transport, &[]).await?;
    let mut micros = ways.map(|way| (way, Vec::new()));
    for _ in 0..ROUNDS {
        for (way, micros) in &mut micros {
            let load = Load { objects: way.objects(), connections: CONNECTIONS };
            micros.push(place.spent(*way, load).await?.cpu_micros_each(load));
        }
    }
    Ok(micros.map(|(_, micros)| median(micros)))
}

/// Objects a second, as a share of `connections` / 30 ms, which is what so many connections can carry.
pub async fn share_of_latency_bound(transport: Transport, way: Way, connections: u32) -> Result<f64> {
    let place = Place::start(transport, &["--latency-ms", &LATENCY_MS.to_string()]).await?;
    let objects = usize::try_from(connections * 1000 * LATENCY_SECONDS / LATENCY_MS)?;
    let load = Load { objects, connections: usize::try_from(connections)? };
    let bound = f64::from(connections) * 1000.0 / f64::from(LATENCY_MS);
    Ok(place.spent(way, load).await?.objects_a_second(load) / bound)
}

/// Where the PUTs go, and with which credentials.
pub struct Place {
    endpoint: String,
    /// Whom the client has to trust.
    authority: Option<PathBuf>,
    role: Role,
    dir: tempfile::TempDir,
    _sink: Process,
}

impl Place {
    async fn start(transport: Transport, sink_options: &[&str]) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let authority = (transport == Transport::Tls).then(|| dir.path().join("authority.pem"));
        let secure = authority.iter().flat_map(|file| ["--authority".to_owned(), file.display().to_string()]);
        let options: Vec<String> = sink_options.iter().map(ToString::to_string).chain(secure).collect();
        let (sink, endpoint) = sink(&options, dir.path()).await?;
        let role = Role::start(dir.path()).await?;
        Ok(Self { endpoint, authority, role, dir, _sink: sink })
    }

    async fn spent(&self, way: Way, load: Load) -> Result<Spent> {
        let program = match way {
            Way::Boto3 => tools::emulator("python")?,
            _ => tools::program("put-client")?,
        };
        let script = self.dir.path().join("boto3_put.py");
        std::fs::write(&script, include_str!("../boto3_put.py"))?;
        let script: Option<&Path> = (way == Way::Boto3).then_some(&script);
        let mut client = Client::start(&program, script, way.name(), self, load).await?;
        let spent = client.load().await?;
        client.end().await?;
        Ok(spent)
    }
}
