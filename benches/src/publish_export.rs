//! publish-export on a large export: 400 tables in 2,000 parts, with 20 ms added to each answer of S3.

use std::time::Duration;

use anyhow::{Result, ensure};
use chrono::{TimeDelta, Utc};
use handoff::{ExportDate, ExportKey, Manifest};
use local::export::{Row, Sizes, Table};
use local::lambda::Lambda;
use local::rds::{Options, Rds};
use local::s3::S3;
use local::tools;
use local::wire::Wire;
use serde_json::json;

use crate::Figures;

const TABLES: usize = 400;
const PARTS_OF_TABLE: usize = 5;
const ROWS_OF_PART: usize = 40;
const LATENCY: Duration = Duration::from_millis(20);
const CLUSTER: &str = "bench-cluster";
const BUCKET: &str = "bench-exports";

pub async fn measure() -> Result<Figures> {
    let dir = tempfile::tempdir()?;
    let s3 = S3::start().await?;
    s3.store().create_bucket(BUCKET);
    let sizes = Sizes { batch_rows: 2 * ROWS_OF_PART, part_rows: ROWS_OF_PART };
    let rds = Rds::start(None, s3.store().clone(), Options { sizes, ..Options::default() }).await?;
    export(&s3, &rds).await?;

    let wire = Wire::start(&s3.endpoint()).await?;
    wire.delay(LATENCY);
    let variables = [
        ("ENV", "bench".to_owned()),
        ("S3_BUCKET_NAME", BUCKET.to_owned()),
        ("AWS_ENDPOINT_URL_RDS", rds.endpoint()),
        ("AWS_ENDPOINT_URL_S3", wire.endpoint()),
    ];
    let lambda = Lambda::new(
        &tools::program("publish-export")?,
        dir.path(),
        variables.map(|(name, value)| (name.to_owned(), value)),
    );
    let invocation = lambda.invoke(&json!({"kind": "poll"})).await?;
    if let Err(error) = &invocation.answer {
        anyhow::bail!("{error}\n{}", invocation.log);
    }
    check(&s3)?;
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    let peak_mb = invocation.peak_memory_kib.unwrap_or_default() as f64 / 1024.0;
    Ok(Figures::from([
        ("publish_export_seconds", invocation.elapsed.as_secs_f64()),
        ("publish_export_peak_mb", peak_mb),
    ]))
}

/// Today's daily export, made by the local RDS as it makes every export.
async fn export(s3: &S3, rds: &Rds) -> Result<()> {
    let columns: Vec<(String, &str)> = (0..20).map(|n| (format!("column_{n}"), "bigint unsigned")).collect();
    let columns: Vec<(&str, &str)> = columns.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
    let row = |id: usize| -> Row { (0..20).map(|n| (id * 20 + n).into()).collect() };
    let rows: Vec<Row> = (0..PARTS_OF_TABLE * ROWS_OF_PART).map(row).collect();
    rds.set_tables((0..TABLES).map(|n| Table::new("shop", &format!("table_{n}"), &columns, rows.clone())).collect());
    let arn = rds.snapshot(CLUSTER, Utc::now() - TimeDelta::hours(1)).await?;

    let task = format!("bench-{}", today().compact());
    let client = aws_sdk_rds::Client::new(
        &startup::aws_config()
            .endpoint_url(rds.endpoint())
            .region("ap-northeast-1")
            .credentials_provider(aws_sdk_rds::config::Credentials::new("local", "secret", None, None, "bench"))
            .load()
            .await,
    );
    let start = client.start_export_task().export_task_identifier(&task).source_arn(arn).s3_bucket_name(BUCKET);
    start.iam_role_arn("arn:aws:iam::123456789012:role/rds-export").kms_key_id("key").send().await?;
    rds.ended(&task).await?;
    let parts = s3.store().keys(BUCKET, "").into_iter().filter(|key| key.ends_with(".parquet")).count();
    ensure!(parts == TABLES * PARTS_OF_TABLE, "the export has {parts} parts");
    Ok(())
}

fn today() -> ExportDate {
    ExportDate::of(Utc::now(), chrono_tz::Asia::Tokyo)
}

fn check(s3: &S3) -> Result<()> {
    let env = "bench".parse()?;
    let object = s3.store().get(BUCKET, &ExportKey::Manifest(&env, today()).to_string());
    let manifest = Manifest::parse(&object.map(|object| object.bytes).unwrap_or_default(), &env, today())?;
    let (parts, rows): (u64, u64) =
        manifest.tables.iter().fold((0, 0), |(p, r), table| (p + table.parts, r + table.rows));
    let wanted = (TABLES as u64 * PARTS_OF_TABLE as u64, (TABLES * PARTS_OF_TABLE * ROWS_OF_PART) as u64);
    ensure!(
        manifest.tables.len() == TABLES && (parts, rows) == wanted,
        "{} tables, {parts} parts, {rows} rows",
        manifest.tables.len()
    );
    Ok(())
}
