//! bigquery-to-s3 as a whole process: from BigQuery's generated table to S3 on this machine.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use local::generated::Options;
use local::job::{Finished, Job, Task};
use local::process::Process;
use local::s3::S3;
use local::tools;
use local::wire::{Keep, Wire};
use serde_json::Value;

use crate::put::process::cpu;
use crate::put::role::{self, Role};
use crate::put::{Way, cpu_micros_each, share_of_latency_bound};
use crate::{Figures, mega};

const BUCKET: &str = "bench-app";
const READY_WITHIN: Duration = Duration::from_mins(5);
const MILLION: u32 = 1_000_000;

/// What a run of the job took.
struct Ran {
    outcome: Value,
    elapsed: Duration,
    cpu: Duration,
    peak_kib: u64,
}

/// Processor time of an object of 1 KiB, from the Arrow batch to the answer, beside clients that only send the bytes.
pub async fn put_cpu() -> Result<Figures> {
    const ROWS: u32 = 100_000;
    let bench = Bench::start(ROWS, 256, 830, None).await?;
    bench.sync("objects", 256)?;
    let ran = bench.run(&bench.job(&bench.s3.endpoint())?, &[]).await?;
    let bytes = ran.outcome["bytes"].as_f64().unwrap_or_default() / f64::from(ROWS);
    ensure!((960.0..1090.0).contains(&bytes), "an object has {bytes} bytes, not 1 KiB");
    let whole = ran.cpu.as_secs_f64() * 1e6 / f64::from(ROWS);
    drop(bench);
    let ways = cpu_micros_each().await?;
    let of = |way: Way| ways.iter().find(|(other, _)| *other == way).map_or(f64::NAN, |(_, micros)| *micros);
    let (hyper, engine, sdk, boto3) = (of(Way::Hyper), of(Way::Engine), of(Way::Sdk), of(Way::Boto3));
    Ok(Figures::from([
        ("put_cpu_us", whole),
        ("put_cpu_ratio_hyper", whole / hyper),
        ("put_cpu_ratio_sdk", whole / sdk),
        ("put_cpu_ratio_boto3", whole / boto3),
        ("put_cpu_hyper_us", hyper),
        ("put_cpu_engine_us", engine),
        ("put_cpu_sdk_us", sdk),
        ("put_cpu_boto3_us", boto3),
    ]))
}

/// The engine alone, with 30 ms added to each answer: the share of what so many connections can carry.
pub async fn latency_bound() -> Result<Figures> {
    Ok(Figures::from([
        ("latency_bound_50", share_of_latency_bound(Way::Engine, 50).await?),
        ("latency_bound_200", share_of_latency_bound(Way::Engine, 200).await?),
        ("latency_bound_800", share_of_latency_bound(Way::Engine, 800).await?),
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

/// The most that is resident where BigQuery's own bytes say little of what a row takes here.
pub async fn memory() -> Result<Figures> {
    let sparse = Options { rows: 60_000, shards: 256, empty_columns: 1000, ..Options::default() };
    let null_keys = Options { rows: 100_000, shards: 256, null_keys: 1_500_000, ..Options::default() };
    let skewed = Options { rows: 600_000, shards: 4, ..Options::default() };
    let mut figures = Figures::new();
    for (name, options) in
        [("memory_sparse_mb", sparse), ("memory_null_keys_mb", null_keys), ("memory_large_shards_mb", skewed)]
    {
        let bench = Bench::of(options, None).await?;
        bench.sync("packed", options.shards)?;
        let list = bench.dir.path().join("syncs.yaml");
        let any = "    guards: {max_rejects: {fraction: 1}}\n";
        std::fs::write(&list, std::fs::read_to_string(&list)? + any)?;
        let ran = bench.run(&bench.job(&bench.s3.endpoint())?, &[]).await?;
        ensure!(ran.outcome["rows"] == options.rows, "{}", ran.outcome);
        figures.insert(name, mega(ran.peak_kib));
    }
    Ok(figures)
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
    let (first, again) = (first.elapsed.as_secs_f64(), again.elapsed.as_secs_f64());
    Ok(Figures::from([
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

/// Both ends of the job.
struct Bench {
    s3: S3,
    role: Role,
    generated: Value,
    dir: tempfile::TempDir,
    _generated: Process,
}

impl Bench {
    /// `core` is the processor that the generated BigQuery gets for itself.
    async fn start(rows: u32, shards: u32, note_bytes: usize, core: Option<&str>) -> Result<Self> {
        Self::of(Options { rows, shards, note_bytes, ..Options::default() }, core).await
    }

    async fn of(table: Options, core: Option<&str>) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let s3 = S3::start().await?;
        s3.store().create_bucket(BUCKET);
        let role = Role::start(dir.path()).await?;
        let (process, generated) = generated(table, core, dir.path()).await?;
        Ok(Self { s3, role, generated, dir, _generated: process })
    }

    fn sync(&self, layout: &str, shards: u32) -> Result<()> {
        self.sync_at(layout, shards, layout)
    }

    fn sync_at(&self, layout: &str, shards: u32, prefix: &str) -> Result<()> {
        let text = format!(
            "syncs:\n  bench:\n    query: SELECT 1\n    key: id\n    layout: {layout}\n    shards: {shards}\n    \
             destination: {{bucket: {BUCKET}, prefix: {prefix}}}\n"
        );
        Ok(std::fs::write(self.dir.path().join("syncs.yaml"), text)?)
    }

    fn job(&self, s3: &str) -> Result<Job> {
        self.job_of(&tools::program("bigquery-to-s3")?, s3)
    }

    /// Its first arguments are those of `taskset`.
    fn pinned(&self, s3: &str) -> Result<Job> {
        self.job_of(Path::new("/usr/bin/taskset"), s3)
    }

    fn job_of(&self, program: &Path, s3: &str) -> Result<Job> {
        let endpoint = |name: &str| self.generated[name].as_str().map(str::to_owned).context("no endpoint");
        let variables = [
            ("SYNCS_FILE", self.dir.path().join("syncs.yaml").display().to_string()),
            ("AWS_REGION", "ap-northeast-1".to_owned()),
            ("AWS_ROLE_ARN", role::ARN.to_owned()),
            ("AWS_AUDIENCE", role::AUDIENCE.to_owned()),
            ("GOOGLE_CLOUD_PROJECT", local::bigquery::PROJECT.to_owned()),
            ("BIGQUERY_LOCATION", "asia-northeast1".to_owned()),
            ("BIGQUERY_ENDPOINT", endpoint("endpoint")?),
            ("BIGQUERY_STORAGE_ENDPOINT", endpoint("grpc_endpoint")?),
            ("AWS_ENDPOINT_URL_S3", s3.to_owned()),
            ("AWS_ENDPOINT_URL_STS", self.role.sts()),
            ("GCE_METADATA_HOST", self.role.metadata()),
        ];
        let execution = format!("bench-{:?}", Instant::now());
        let job = Job::new(program, self.dir.path(), variables.map(|(name, value)| (name.to_owned(), value)));
        Ok(job.with("CLOUD_RUN_EXECUTION", &execution))
    }

    async fn run(&self, job: &Job, before: &[&str]) -> Result<Ran> {
        let task = job.start(&[before, &["--json"]].concat())?;
        let (cpu, peak_kib) = watch(&task).await;
        let finished = task.finish().await?;
        ensure!(finished.exit_code == Some(0), "the job ended with {:?}\n{}", finished.exit_code, finished.log);
        Ok(Ran { outcome: outcome(&finished)?, elapsed: finished.elapsed, cpu, peak_kib })
    }
}

/// The last that could be read of it before it ended.
async fn watch(task: &Task) -> (Duration, u64) {
    let (mut spent, mut peak_kib) = (Duration::ZERO, 0);
    while let (Ok(now), Some(peak)) = (cpu(task.id()), task.peak_memory_kib()) {
        (spent, peak_kib) = (now, peak);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (spent, peak_kib)
}

fn outcome(finished: &Finished) -> Result<Value> {
    let mut lines = finished.log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let report = lines.rfind(|line| line["syncs"].is_array()).with_context(|| finished.log.clone())?;
    Ok(report["syncs"][0].clone())
}

async fn generated(table: Options, core: Option<&str>, dir: &Path) -> Result<(Process, Value)> {
    let local = tools::program("local")?;
    let mut command = match core {
        Some(core) => {
            let mut pinned = std::process::Command::new("taskset");
            pinned.args(["-c", core]).arg(&local);
            pinned
        }
        None => std::process::Command::new(&local),
    };
    let Options { rows, shards, note_bytes, empty_columns, null_keys, .. } = table;
    command.args(["generated", "--rows", &rows.to_string(), "--shards", &shards.to_string()]);
    command.args(["--note-bytes", &note_bytes.to_string(), "--empty-columns", &empty_columns.to_string()]);
    command.args(["--null-keys", &null_keys.to_string()]);
    let log = dir.join("generated.log");
    let mut process = Process::spawn("local generated", command, &log)?;
    let says = || std::fs::read_to_string(&log).unwrap_or_default();
    process.ready(READY_WITHIN, async || says().ends_with('\n')).await?;
    let ready = serde_json::from_str(says().trim()).with_context(says)?;
    Ok((process, ready))
}
