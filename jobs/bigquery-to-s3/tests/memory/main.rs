//! The most that the whole program has resident, where BigQuery's count of bytes says little of what rows take here.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use local::generated::{Generated, Options};
use local::job::Job;
use local::metadata::{Metadata, ServiceAccount};
use local::moto::Moto;
use local::s3::S3;
use local::sts::{Sts, Trust};
use tempfile::TempDir;

const ROLE: &str = "arn:aws:iam::123456789012:role/bigquery-to-s3";
const AUDIENCE: &str = "isthmus-test";
const BUCKET: &str = "acme-app-data";
/// As documented; this build is not optimised, and has some 50 MB before the first row.
const LIMIT_MB: u64 = 200;
/// No run of it is so small: where less was measured, nothing was.
const LEAST_MB: u64 = 20;

struct Setting {
    s3: S3,
    sts: Sts,
    metadata: Metadata,
    dir: TempDir,
    _moto: Moto,
}

impl Setting {
    async fn start(shards: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let s3 = S3::start().await.unwrap();
        s3.store().create_bucket(BUCKET);
        let account = ServiceAccount { email: "writer@local".into(), unique_id: "117".into() };
        let metadata = Metadata::start(account).await.unwrap();
        let moto = Moto::start(dir.path()).await.unwrap();
        let trust = Trust { role_arn: ROLE.into(), aud: "117".into(), oaud: AUDIENCE.into(), sub: "117".into() };
        let sts = Sts::start(trust, &metadata, &moto).await.unwrap();
        let setting = Self { s3, sts, metadata, dir, _moto: moto };
        setting.sync("packed", shards);
        setting
    }

    fn sync(&self, layout: &str, shards: u32) {
        let syncs = format!(
            "syncs:\n  users:\n    query: SELECT 1\n    key: id\n    layout: {layout}\n    shards: {shards}\n    \
             destination: {{bucket: {BUCKET}, prefix: users}}\n    guards: {{max_rejects: {{fraction: 1}}}}\n"
        );
        std::fs::write(self.dir.path().join("syncs.yaml"), syncs).unwrap();
    }

    /// Its peak in MB, once it has published.
    async fn publish(&self, table: Options) -> u64 {
        let bigquery = Generated::start(table).await.unwrap();
        let variables = [
            ("SYNCS_FILE", self.dir.path().join("syncs.yaml").display().to_string()),
            ("AWS_REGION", "ap-northeast-1".to_owned()),
            ("AWS_ROLE_ARN", ROLE.to_owned()),
            ("AWS_AUDIENCE", AUDIENCE.to_owned()),
            ("GOOGLE_CLOUD_PROJECT", "acme".to_owned()),
            ("BIGQUERY_LOCATION", "US".to_owned()),
            ("BIGQUERY_ENDPOINT", bigquery.endpoint()),
            ("BIGQUERY_STORAGE_ENDPOINT", bigquery.grpc_endpoint()),
            ("AWS_ENDPOINT_URL_S3", self.s3.endpoint()),
            ("AWS_ENDPOINT_URL_STS", self.sts.endpoint()),
            ("GCE_METADATA_HOST", self.metadata.host()),
            ("CLOUD_RUN_EXECUTION", format!("run-{}", table.seed)),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        let job = Job::new(env!("CARGO_BIN_EXE_bigquery-to-s3").as_ref(), self.dir.path(), variables);
        let task = job.start(&["--json"]).unwrap();
        let mut peak_kib = 0;
        while let Some(now) = task.peak_memory_kib() {
            peak_kib = now;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let finished = task.finish().await.unwrap();
        assert_eq!(finished.exit_code, Some(0), "{}", finished.log);
        assert!(finished.log.contains(&format!("\"rows\":{},", table.rows)), "{}", finished.log);
        let peak = peak_kib >> 10;
        assert!(peak >= LEAST_MB, "{peak} MB: the memory of the program was not measured");
        peak
    }
}

/// 80 bytes a row by BigQuery's count, and 26,000 here.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_columns_that_are_null_is_bounded() {
    let setting = Setting::start(16).await;
    let table = Options { rows: 20_000, shards: 16, empty_columns: 1000, ..Options::default() };
    let peak = setting.publish(table).await;
    assert!(peak < LIMIT_MB, "{peak} MB");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rows_without_a_key_is_nothing() {
    let setting = Setting::start(16).await;
    let table = Options { rows: 1_000, shards: 16, null_keys: 600_000, ..Options::default() };
    let peak = setting.publish(table).await;
    assert!(peak < LIMIT_MB / 2, "{peak} MB");
}

/// Each of the new shards is a small part of an old one, which has to be read for each of them.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_shards_that_were_few_before_is_bounded() {
    let setting = Setting::start(2).await;
    let table = Options { rows: 200_000, shards: 2, changed: 0.05, ..Options::default() };
    setting.publish(table).await;
    setting.sync("packed", 256);
    let peak = setting.publish(Options { seed: 1, shards: 256, ..table }).await;
    assert!(peak < LIMIT_MB, "{peak} MB");
}

/// And where they are compared with as many that stand in S3.
#[tokio::test(flavor = "multi_thread")]
async fn of_few_and_large_shards_is_bounded() {
    let setting = Setting::start(2).await;
    let table = Options { rows: 300_000, shards: 2, changed: 0.05, ..Options::default() };
    for seed in [0, 1] {
        let peak = setting.publish(Options { seed, ..table }).await;
        assert!(peak < LIMIT_MB, "{peak} MB in run {seed}");
    }
}
