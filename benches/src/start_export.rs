//! start-export cold: a fresh process under the Lambda runtime endpoint, from its start to its answer, beside a Python
//! handler that makes the same calls with boto3. In turn, so that the machine's moods meet both.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use chrono::{Duration, NaiveDate, Utc};
use local::lambda::{Invocation, Lambda};
use local::rds::{Options, Rds};
use local::s3::Store;
use local::tools;
use serde_json::json;

use crate::{Figures, median, mega};

const RUNS: usize = 15;
const CLUSTER: &str = "bench-cluster";
const BUCKET: &str = "bench-exports";

pub async fn measure() -> Result<Figures> {
    let dir = tempfile::tempdir()?;
    let store = Store::default();
    store.create_bucket(BUCKET);
    let rds = Rds::start(None, store, Options::default()).await?;
    let arn = rds.snapshot(CLUSTER, Utc::now() - Duration::hours(1)).await?;
    let program = tools::program("start-export")?;
    let ours = lambda(&program, dir.path(), &rds);
    let peer = lambda(&peer(dir.path())?, dir.path(), &rds);

    let (mut rust, mut python) = (Vec::new(), Vec::new());
    for run in 0..=RUNS {
        let answers = (start(&ours, "rust", run, &rds, &arn).await?, start(&peer, "python", run, &rds, &arn).await?);
        if run > 0 {
            // The first pair reads both programs from the disk and does not count.
            rust.push(answers.0);
            python.push(answers.1);
        }
    }
    let seconds = |runs: &[Invocation]| median(runs.iter().map(|run| run.elapsed.as_secs_f64()).collect());
    let memory = |runs: &[Invocation]| median(runs.iter().filter_map(|run| run.peak_memory_kib).map(mega).collect());
    let bytes = std::fs::metadata(&program)?.len();
    Ok(Figures::from([
        ("start_export_speedup", seconds(&python) / seconds(&rust)),
        ("start_export_seconds", seconds(&rust)),
        ("start_export_peak_mb", memory(&rust)),
        ("start_export_memory_ratio", memory(&rust) / memory(&python)),
        ("start_export_binary_mb", mega(bytes / 1024)),
    ]))
}

fn lambda(program: &Path, dir: &Path, rds: &Rds) -> Lambda {
    let variables = [
        ("DB_CLUSTER_IDENTIFIER", CLUSTER.to_owned()),
        ("EXPORT_ROLE_ARN", "arn:aws:iam::123456789012:role/rds-export".to_owned()),
        ("S3_BUCKET_NAME", BUCKET.to_owned()),
        ("KMS_KEY_ID", "arn:aws:kms:ap-northeast-1:123456789012:key/8c5b1f4e-0000-4000-8000-000000000000".to_owned()),
        ("AWS_ENDPOINT_URL_RDS", rds.endpoint()),
    ];
    Lambda::new(program, dir, variables.map(|(name, value)| (name.to_owned(), value)))
}

/// The Python handler as a program: with the interpreter of the emulators' environment, which has boto3.
fn peer(dir: &Path) -> Result<PathBuf> {
    let script = include_str!("../boto3_start_export.py");
    let program = dir.join("boto3-start-export");
    std::fs::write(&program, format!("#!{}\n{script}", tools::emulator("python")?.display()))?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    Ok(program)
}

/// A date of its own for each run: an id can be used once.
async fn start(lambda: &Lambda, env: &str, run: usize, rds: &Rds, arn: &str) -> Result<Invocation> {
    let first = NaiveDate::from_ymd_opt(2020, 1, 1).context("a date")?;
    let date = first + Duration::days(i64::try_from(run)?);
    let event = json!({"kind": "manual", "export_date": date.to_string()});
    let invocation = lambda.clone().with("ENV", env).invoke(&event).await?;
    let task = format!("{env}-{}", date.format("%Y%m%d"));
    let answer = invocation.answer.as_ref().map_err(|error| anyhow::anyhow!("{error}\n{}", invocation.log))?;
    ensure!(answer["task_id"] == json!(task) && answer["snapshot_arn"] == json!(arn), "{env} answered {answer}");
    rds.ended(&task).await?;
    Ok(invocation)
}
