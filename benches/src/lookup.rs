//! lookup as a whole process: warm beside nginx, cold with S3 far away, its memory, and its cold start as a Lambda.

mod load;
mod nginx;
pub mod published;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use handoff::sync::{KeyHash, Layout};
use local::lambda::Lambda;
use local::process::{Process, free_port};
use local::s3::S3;
use local::tools;
use local::wire::{Keep, Wire};
use serde_json::json;

use crate::{Figures, median, mega};
use load::{Connection, Load, percentile};
use nginx::Nginx;
use published::{BUCKET, SYNC, body, key};

const READY_WITHIN: Duration = Duration::from_secs(30);
/// What each answer of S3 takes longer.
const FAR: Duration = Duration::from_millis(30);
const SHARDS: u32 = 4096;
const MILLIONS: u32 = 5_000_000;

struct Lookup {
    process: Process,
    port: u16,
}

impl Lookup {
    /// `core`: on this processor alone.
    async fn start(dir: &Path, s3: &str, core: Option<&str>) -> Result<Self> {
        let (port, program) = (free_port()?, tools::program("lookup")?);
        let mut command = match core {
            Some(core) => {
                let mut pinned = Command::new("taskset");
                pinned.args(["-c", core]).arg(&program);
                pinned
            }
            None => Command::new(&program),
        };
        command.env_clear().envs(variables(s3)).env("HOST", "127.0.0.1").env("PORT", port.to_string());
        let mut process = Process::spawn("lookup", command, &dir.join(format!("lookup-{port}.log")))?;
        let well = async || Connection::open(port).and_then(|mut one| one.get("/healthz")).is_ok();
        process.ready(READY_WITHIN, well).await?;
        Ok(Self { process, port })
    }
}

fn variables(s3: &str) -> Vec<(String, String)> {
    let variables = [
        ("PATH", std::env::var("PATH").unwrap_or_default()),
        ("ENV", "bench".to_owned()),
        ("SYNCS", format!("{SYNC}=s3://{BUCKET}/{SYNC}")),
        ("AWS_ENDPOINT_URL_S3", s3.to_owned()),
        ("AWS_REGION", "ap-northeast-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

fn path(n: u32) -> String {
    format!("/v1/{SYNC}/{}", key(n))
}

/// 2,000 requests a second for ten seconds, warm, and the same bytes as static files of nginx; each has one core to
/// itself and the callers have the other.
pub async fn warm() -> Result<Figures> {
    const ROWS: u32 = 1000;
    let dir = tempfile::tempdir()?;
    let s3 = S3::start().await?;
    published::publish(s3.store(), Layout::Packed, ROWS, 16)?;
    let lookup = Lookup::start(dir.path(), &s3.endpoint(), Some("0")).await?;
    let nginx = Nginx::start(dir.path(), (0..ROWS).map(|n| (path(n), body(n))), "0").await?;
    load::move_to("1")?;
    let measure = async |port: u16| -> Result<Vec<f64>> {
        let load = Load { port, each_second: 2000, seconds: 10, connections: 32, paths: (0..ROWS).map(path).collect() };
        let taken = tokio::task::spawn_blocking(move || load.run()).await??;
        ensure!(taken.len() == 20_000, "{} answers", taken.len());
        Ok(taken)
    };
    let (theirs, ours) = (measure(nginx.port()).await?, measure(lookup.port).await?);
    load::move_to("0-1")?;
    let (p50, theirs_p50) = (percentile(&ours, 0.5), percentile(&theirs, 0.5));
    Ok(Figures::from([
        ("lookup_p50_ms", p50),
        ("lookup_p99_ms", percentile(&ours, 0.99)),
        ("lookup_nginx_p50_ms", theirs_p50),
        ("lookup_nginx_p99_ms", percentile(&theirs, 0.99)),
        ("lookup_p50_ratio_nginx", p50 / theirs_p50),
    ]))
}

/// With 30 ms added to each answer of S3, without Redis: a row of layout objects, one of a shard that nobody has read,
/// and another one of that shard.
pub async fn cold() -> Result<Figures> {
    const ASKED: u32 = 200;
    let dir = tempfile::tempdir()?;
    let s3 = S3::start().await?;
    published::publish(s3.store(), Layout::Objects, ASKED, 16)?;
    let wire = Wire::start(&s3.endpoint()).await?;
    wire.keep(Keep::Nothing);
    wire.delay(FAR);
    let lookup = Lookup::start(dir.path(), &wire.endpoint(), None).await?;
    let objects = one_by_one(lookup.port, (0..ASKED).collect()).await?;
    drop((lookup, wire, s3));

    // Shards as five million rows make them.
    let rows_of_shard = MILLIONS / SHARDS;
    let s3 = S3::start().await?;
    published::publish(s3.store(), Layout::Packed, ASKED * rows_of_shard, ASKED.next_power_of_two())?;
    let wire = Wire::start(&s3.endpoint()).await?;
    wire.keep(Keep::Nothing);
    wire.delay(FAR);
    let lookup = Lookup::start(dir.path(), &wire.endpoint(), None).await?;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let shards = ASKED.next_power_of_two();
    for shard in 0..shards {
        let mut of_shard = (0..).filter(|n| KeyHash::of(&key(*n)).shard(shards) == shard);
        first.extend(of_shard.next());
        // Far enough behind to stand in another page.
        second.extend(of_shard.nth(700));
    }
    let packed = one_by_one(lookup.port, first).await?;
    let warm_shard = one_by_one(lookup.port, second).await?;
    Ok(Figures::from([
        ("cold_objects_ms", percentile(&objects, 0.5)),
        ("cold_packed_ms", percentile(&packed, 0.5)),
        ("warm_shard_ms", percentile(&warm_shard, 0.5)),
    ]))
}

/// The milliseconds that each row took.
async fn one_by_one(port: u16, rows: Vec<u32>) -> Result<Vec<f64>> {
    let ask = move || {
        let mut connection = Connection::open(port)?;
        let taken = rows.into_iter().map(|n| {
            let began = Instant::now();
            let answer = connection.get(&path(n))?;
            ensure!(answer == body(n).as_bytes(), "another row than {}", key(n));
            Ok(began.elapsed().as_secs_f64() * 1000.0)
        });
        taken.collect()
    };
    tokio::task::spawn_blocking(ask).await?
}

/// Five million rows in 4,096 shards, of which 100,000 are read, spread over all shards.
pub async fn memory() -> Result<Figures> {
    const ASKED: u32 = 100_000;
    let dir = tempfile::tempdir()?;
    let s3 = S3::start().await?;
    published::publish(s3.store(), Layout::Packed, MILLIONS, SHARDS)?;
    let lookup = Lookup::start(dir.path(), &s3.endpoint(), None).await?;
    let began = Instant::now();
    let parts = (0..16).map(|part| {
        let rows = (0..ASKED).filter(|n| n % 16 == part).map(|n| n * (MILLIONS / ASKED)).collect();
        tokio::spawn(one_by_one(lookup.port, rows))
    });
    for part in parts.collect::<Vec<_>>() {
        part.await??;
    }
    let elapsed = began.elapsed().as_secs_f64();
    let peak = lookup.process.peak_memory_kib().context("the peak of lookup")?;
    Ok(Figures::from([("reader_peak_mb", mega(peak)), ("reader_first_reads_per_s", f64::from(ASKED) / elapsed)]))
}

/// A fresh process under the Lambda runtime endpoint, from its start to the answer with a row.
pub async fn cold_start() -> Result<Figures> {
    const RUNS: u32 = 15;
    let dir = tempfile::tempdir()?;
    let s3 = S3::start().await?;
    published::publish(s3.store(), Layout::Packed, 1000, 16)?;
    let program = tools::program("lookup")?;
    let lambda = Lambda::new(&program, dir.path(), variables(&s3.endpoint()));
    let (mut seconds, mut peaks) = (Vec::new(), Vec::new());
    for run in 0..=RUNS {
        let context = json!({"http": {"method": "GET"}});
        let invocation = lambda.invoke(&json!({"rawPath": path(run), "requestContext": context})).await?;
        let reply = invocation.answer.map_err(|error| anyhow::anyhow!("{error}\n{}", invocation.log))?;
        ensure!(reply["body"] == json!(body(run)), "{reply}");
        if run > 0 {
            // The first one reads the program from the disk and does not count.
            seconds.push(invocation.elapsed.as_secs_f64());
            peaks.extend(invocation.peak_memory_kib.map(mega));
        }
    }
    Ok(Figures::from([
        ("lookup_cold_start_ms", median(seconds) * 1000.0),
        ("lookup_cold_start_peak_mb", median(peaks)),
        ("lookup_binary_mb", mega(std::fs::metadata(&program)?.len() / 1024)),
    ]))
}
