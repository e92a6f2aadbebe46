//! Both ends of the job, and the job between them as a process.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use local::generated::Options;
use local::job::{Finished, Job, Task};
use local::process::Process;
use local::s3::S3;
use local::tools;
use serde_json::Value;

use crate::put::process::cpu;
use crate::put::role::{self, Role};

const BUCKET: &str = "bench-app";
const READY_WITHIN: Duration = Duration::from_mins(5);

/// What a run of the job took.
pub struct Ran {
    pub outcome: Value,
    pub elapsed: Duration,
    pub cpu: Duration,
    pub peak_kib: u64,
}

/// Both ends of the job.
pub struct Bench {
    pub s3: S3,
    pub dir: tempfile::TempDir,
    role: Role,
    generated: Value,
    _generated: Process,
}

impl Bench {
    /// `core` is the processor that the generated BigQuery gets for itself.
    pub async fn start(rows: u32, shards: u32, note_bytes: usize, core: Option<&str>) -> Result<Self> {
        Self::of(Options { rows, shards, note_bytes, ..Options::default() }, core).await
    }

    pub async fn of(table: Options, core: Option<&str>) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let s3 = S3::start().await?;
        s3.store().create_bucket(BUCKET);
        let role = Role::start(dir.path()).await?;
        let (process, generated) = generated(table, core, dir.path()).await?;
        Ok(Self { s3, role, generated, dir, _generated: process })
    }

    pub fn sync(&self, layout: &str, shards: u32) -> Result<()> {
        self.sync_at(layout, shards, layout)
    }

    pub fn sync_at(&self, layout: &str, shards: u32, prefix: &str) -> Result<()> {
        let text = format!(
            "syncs:\n  bench:\n    query: SELECT 1\n    key: id\n    layout: {layout}\n    shards: {shards}\n    \
             destination: {{bucket: {BUCKET}, prefix: {prefix}}}\n"
        );
        Ok(std::fs::write(self.dir.path().join("syncs.yaml"), text)?)
    }

    pub fn job(&self, s3: &str) -> Result<Job> {
        self.job_of(&tools::program("bigquery-to-s3")?, s3)
    }

    /// Its first arguments are those of `taskset`.
    pub fn pinned(&self, s3: &str) -> Result<Job> {
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

    pub async fn run(&self, job: &Job, before: &[&str]) -> Result<Ran> {
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
