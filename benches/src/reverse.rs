//! bigquery-to-s3 as a whole process: from BigQuery's generated table to S3 on this machine.

mod ends;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use local::generated::Options;
use local::tls::Front;
use local::tools;
use local::wire::{Keep, Wire};

use crate::put::{Transport, Way, cpu_micros_each, share_of_latency_bound};
use crate::{Figures, mega};
use ends::Bench;

const MILLION: u32 = 1_000_000;

/// Processor time of an object of 1 KiB, from the Arrow batch to the answer, beside clients that only send the bytes.
pub async fn put_cpu() -> Result<Figures> {
    let whole = cpu_micros_of_the_job(Transport::Plain).await?;
    let [hyper, hyper_sigv4, engine, sdk, boto3] = cpu_micros_each(Transport::Plain, Way::ALL).await?;
    Ok(Figures::from([
        ("put_cpu_us", whole),
        ("put_cpu_ratio_hyper", whole / hyper),
        ("put_cpu_ratio_sdk", whole / sdk),
        ("put_cpu_ratio_boto3", whole / boto3),
        ("put_cpu_hyper_us", hyper),
        ("put_cpu_hyper_sigv4_us", hyper_sigv4),
        ("put_cpu_engine_us", engine),
        ("put_cpu_sdk_us", sdk),
        ("put_cpu_boto3_us", boto3),
    ]))
}

/// The same over TLS 1.3.
pub async fn put_cpu_tls() -> Result<Figures> {
    let whole = cpu_micros_of_the_job(Transport::Tls).await?;
    let [hyper, engine] = cpu_micros_each(Transport::Tls, [Way::Hyper, Way::Engine]).await?;
    Ok(Figures::from([
        ("put_cpu_tls_us", whole),
        ("put_cpu_tls_ratio_hyper", whole / hyper),
        ("put_cpu_tls_hyper_us", hyper),
        ("put_cpu_tls_engine_us", engine),
    ]))
}

async fn cpu_micros_of_the_job(transport: Transport) -> Result<f64> {
    const ROWS: u32 = 100_000;
    let bench = Bench::start(ROWS, 256, 830, None).await?;
    bench.sync("objects", 256)?;
    let ran = match transport {
        Transport::Plain => bench.run(&bench.job(&bench.s3.endpoint())?, &[]).await?,
        Transport::Tls => {
            let authority = bench.dir.path().join("authority.pem");
            let front = Front::start(&bench.s3.endpoint(), &authority).await?;
            let job = bench.job(&front.endpoint())?.with("SSL_CERT_FILE", &authority.display().to_string());
            bench.run(&job, &[]).await?
        }
    };
    let bytes = ran.outcome["bytes"].as_f64().unwrap_or_default() / f64::from(ROWS);
    ensure!((960.0..1090.0).contains(&bytes), "an object has {bytes} bytes, not 1 KiB");
    Ok(ran.cpu.as_secs_f64() * 1e6 / f64::from(ROWS))
}

/// The engine alone, with 30 ms added to each answer: the share of what so many connections can carry.
pub async fn latency_bound() -> Result<Figures> {
    let share = async |transport, connections| share_of_latency_bound(transport, Way::Engine, connections).await;
    Ok(Figures::from([
        ("latency_bound_50", share(Transport::Plain, 50).await?),
        ("latency_bound_200", share(Transport::Plain, 200).await?),
        ("latency_bound_800", share(Transport::Plain, 800).await?),
        ("latency_bound_200_tls", share(Transport::Tls, 200).await?),
    ]))
}

/// The job has one core, the generated BigQuery the other.
pub async fn packed() -> Result<Figures> {
    let mut figures = Figures::new();
    for (rows, peak) in [(MILLION, "packed_peak_mb_1m"), (10 * MILLION, "packed_peak_mb_10m")] {
        let bench = Bench::start(rows, 4096, 0, Some("1")).await?;
        bench.sync("packed", 4096)?;
        let ran = bench.run(&bench.pinned(&bench.s3.endpoint())?, &["-c", "0", &program()?]).await?;
        ensure!(ran.outcome["rows"] == rows, "{}", ran.outcome);
        figures.insert(peak, mega(ran.peak_kib));
        figures.insert("packed_rows_per_s_core", f64::from(rows) / ran.elapsed.as_secs_f64());
        figures.insert("packed_row_bytes", ran.outcome["bytes"].as_f64().unwrap_or_default() / f64::from(rows));
    }
    Ok(figures)
}

/// The most that is resident where BigQuery's own bytes say little of what a row takes here, and where shards are large.
pub async fn memory() -> Result<Figures> {
    let table = Options { rows: 60_000, shards: 256, ..Options::default() };
    let sparse = Options { empty_columns: 1000, ..table };
    let wide = Options { note_bytes: 10_000, ..table };
    let null_keys = Options { rows: 100_000, null_keys: 1_500_000, ..table };
    let large = Options { rows: 600_000, shards: 4, ..table };
    let mut figures = Figures::new();
    for (name, layout, options) in [
        ("memory_sparse_mb", "packed", sparse),
        ("memory_wide_mb", "packed", wide),
        ("memory_null_keys_mb", "packed", null_keys),
        ("memory_large_shards_mb", "packed", large),
        ("memory_large_shards_objects_mb", "objects", large),
    ] {
        figures.insert(name, mega(peak_kib(layout, options).await?));
    }
    Ok(figures)
}

async fn peak_kib(layout: &str, options: Options) -> Result<u64> {
    let bench = Bench::of(options, None).await?;
    bench.sync(layout, options.shards)?;
    let list = bench.dir.path().join("syncs.yaml");
    let any = "    guards: {max_rejects: {fraction: 1}}\n";
    std::fs::write(&list, std::fs::read_to_string(&list)? + any)?;
    let ran = bench.run(&bench.job(&bench.s3.endpoint())?, &[]).await?;
    ensure!(ran.outcome["rows"] == options.rows, "{}", ran.outcome);
    Ok(ran.peak_kib)
}

/// A million objects, and the same million again.
pub async fn unchanged() -> Result<Figures> {
    let bench = Bench::start(MILLION, 1024, 0, None).await?;
    bench.sync("objects", 1024)?;
    let first = bench.run(&bench.job(&bench.s3.endpoint())?, &[]).await?;
    let wire = Wire::start(&bench.s3.endpoint()).await?;
    wire.keep(Keep::Heads);
    let again = bench.run(&bench.job(&wire.endpoint())?, &[]).await?;
    ensure!((&first.outcome["created"], &again.outcome["unchanged"]) == (&MILLION.into(), &MILLION.into()));
    let requests = wire.requests();
    let puts = |of: fn(&str) -> bool| requests.iter().filter(|put| put.method == "PUT" && of(&put.path)).count();
    ensure!(puts(|path| path.contains(".parquet")) == 0, "shards were written, though nothing changed");
    let compared = first.outcome["compared_in_seconds"].as_f64().unwrap_or_default();
    let (first, again) = (first.elapsed.as_secs_f64(), again.elapsed.as_secs_f64());
    Ok(Figures::from([
        ("compared_time_ratio", compared / first),
        ("unchanged_data_puts", f64::from(u32::try_from(puts(is_row))?)),
        ("unchanged_time_ratio", again / first),
        ("objects_first_run_per_s", f64::from(MILLION) / first),
    ]))
}

fn is_row(path: &str) -> bool {
    let folder = path.split('/').nth(3).unwrap_or_default();
    folder.len() == 4 && folder.bytes().all(|digit| digit == b'0' || digit == b'1')
}

/// With 30 ms added to each answer of S3, and 50 PUTs under way in each task: what a second and a third pair bring.
pub async fn tasks() -> Result<Figures> {
    const ROWS: u32 = 30_000;
    let bench = Bench::start(ROWS, 256, 0, None).await?;
    let mut seconds = Vec::new();
    for (n, tasks) in [1, 2, 4].into_iter().enumerate() {
        let wire = Wire::start(&bench.s3.endpoint()).await?;
        wire.keep(Keep::Nothing);
        wire.delay(Duration::from_millis(30));
        bench.sync_at("objects", 256, &format!("tasks-{tasks}"))?;
        let job = bench.job(&wire.endpoint())?.with("MAX_CONCURRENCY", "50");
        let job =
            job.with("CLOUD_RUN_EXECUTION", &format!("bench-{n}")).with("CLOUD_RUN_TASK_COUNT", &tasks.to_string());
        let began = Instant::now();
        let running =
            (0..tasks).map(|task| job.clone().with("CLOUD_RUN_TASK_INDEX", &task.to_string()).start(&["--json"]));
        let running = running.collect::<Result<Vec<_>>>()?;
        for task in running {
            let finished = task.finish().await?;
            ensure!(finished.exit_code == Some(0), "{}", finished.log);
        }
        seconds.push(began.elapsed().as_secs_f64());
    }
    Ok(Figures::from([("tasks_speedup_2", seconds[0] / seconds[1]), ("tasks_speedup_4", seconds[0] / seconds[2])]))
}

fn program() -> Result<String> {
    Ok(tools::program("bigquery-to-s3")?.display().to_string())
}
