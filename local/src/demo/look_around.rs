//! What there is to see while the demo is kept running.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::report::Object;
use super::source::DATABASE;
use crate::bigquery::PROJECT;
use crate::cloud::Cloud;

/// Commands that work as they stand while the demo is kept running.
pub(super) fn commands(cloud: &Cloud, prompt: &str, object: &Object, row: &str) -> Result<String> {
    let (s3, rds) = (cloud.s3.endpoint(), cloud.rds.endpoint());
    let (transfer, bigquery) = (cloud.transfer.endpoint(), cloud.emulators.bigquery.endpoint());
    let (exports, app) = (&cloud.bucket, &cloud.app_bucket);
    let (variables, program) = bigquery_to_s3(cloud)?;
    let job = format!("env -i $(cat {}) {}", variables.display(), program.display());
    Ok(format!(
        "Look around (Ctrl-C stops everything):
  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=ap-northeast-1
  export CLOUDSDK_AUTH_ACCESS_TOKEN=local
  aws --endpoint-url {rds} rds describe-export-tasks
  aws --endpoint-url {s3} s3 ls --recursive s3://{exports}/
  bq --api {bigquery} --project_id {PROJECT} query --nouse_legacy_sql \\
    'SELECT * FROM {audit}.loads ORDER BY table_name'
  bq --api {bigquery} --project_id {PROJECT} query --nouse_legacy_sql \\
    'SELECT dest, COUNT(*) AS flights FROM raw_{DATABASE}.flights GROUP BY dest ORDER BY flights DESC LIMIT 5'
  aws --endpoint-url {s3} s3 ls s3://{app}/planes/
  aws --endpoint-url {s3} s3 cp s3://{app}/planes/CURRENT -
  aws --endpoint-url {s3} s3 cp s3://{app}/{key} -
  curl -i {row}
  {job} plan
  {job} generations
  curl {transfer}/v1/projects/{PROJECT}/locations/asia-northeast1/transferConfigs
  {prompt}
",
        audit = cloud.audit_dataset(),
        key = object.key,
    ))
}

/// A file with the job's variables, and the job. `env -i` runs it as Cloud Run does, without what the shell has set.
fn bigquery_to_s3(cloud: &Cloud) -> Result<(PathBuf, PathBuf)> {
    let job = cloud.bigquery_to_s3()?;
    let lines: String = job.variables().map(|(name, value)| format!("{name}={value}\n")).collect();
    let file = cloud.dir.join("bigquery-to-s3.env");
    std::fs::write(&file, lines).with_context(|| format!("write {}", file.display()))?;
    Ok((file, job.program().to_owned()))
}
