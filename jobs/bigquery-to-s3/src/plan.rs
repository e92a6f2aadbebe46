//! What a run would do, and what it would cost. It runs the query and reads what stands in S3; it writes nothing there.

use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::Utc;
use handoff::sync::{Generation, Layout, Totals};
use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use crate::current::generations;
use crate::inspection::Inspect;
use crate::progress::Progress;
use crate::publish::Finished;
use crate::run::source;
use crate::scratch::Source;
use crate::shards::Pass;
use crate::standing::Standing;
use crate::syncs::{Mode, Sync};
use crate::work::{work, workshop};
use crate::{Clouds, RunError, Stop, guard, price};

/// CURRENT, its manifest, the summary and the lease a few times.
const CONTROL_PUTS: u64 = 6;

#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    pub sync: String,
    pub layout: Layout,
    #[serde(flatten)]
    pub totals: Totals,
    pub put_requests: u64,
    /// None where the price of the region is not known.
    pub put_usd_a_month: Option<f64>,
    pub runs_a_month: u32,
    /// What BigQuery bills for the query.
    pub query_bytes: u64,
    /// Why the run would not begin: the marts are not fresh.
    pub gate: Option<String>,
    /// Why the run would not be published.
    pub guard: Option<String>,
}

/// `gate`: what a run would be told before its query.
pub async fn plan(
    sync: &Sync,
    clouds: &Clouds,
    gate: Result<()>,
    runs_a_month: u32,
    stop: Stop,
) -> Result<Plan, RunError> {
    let bucket = clouds.bucket(sync);
    let latest = generations(&bucket, &sync.destination).await?;
    let generation = Generation::next(Utc::now(), latest.last());
    let nothing = Inspect::Share(0);
    let standing = Standing::before(&bucket, &sync.destination, sync.layout, &generation, nothing).await?;
    let query_bytes = clouds.bigquery.dry_run_bytes(&source(sync)).await?;
    // A name of its own, so that a run of the same second does not find this table.
    let name = format!("plan_{}", sync.name);
    let progress = Progress::start(sync.name.as_str());
    progress.say("running the query");
    let table = clouds.bigquery.scratch_table(&Source { sync: &name, ..source(sync) }, &generation).await?;
    let published = standing.rows();
    let early = guard::at_the_beginning(&sync.guards, &table, published).err();
    let workshop = Arc::new(workshop(sync, &generation, standing, table, progress.counters(), None));
    let (all, none) = (0..sync.shards, Finished::default());
    let finished = work(&workshop, Pass::Compare, &clouds.reader, all, &none, &progress, &stop).await?;
    let totals = finished.totals();
    let guard = early.or_else(|| guard::at_the_end(&sync.guards, &totals, published).err());
    let put_requests = requests(sync, &totals, finished.files_of(&generation));
    let price = price::put_price_usd(&clouds.put.region, put_requests * u64::from(runs_a_month));
    Ok(Plan {
        sync: sync.name.to_string(),
        layout: sync.layout,
        totals,
        put_requests,
        put_usd_a_month: price,
        runs_a_month,
        query_bytes,
        gate: gate.err().map(|closed| startup::with_causes(closed.as_ref())),
        guard: guard.map(|guard| guard.to_string()),
    })
}

fn requests(sync: &Sync, totals: &Totals, files: u64) -> u64 {
    let rows = match (sync.layout, sync.mode) {
        (Layout::Packed, _) => 0,
        (Layout::Objects, Mode::Full) => totals.rows,
        (Layout::Objects, Mode::Delta) => totals.created + totals.updated,
    };
    rows + files + CONTROL_PUTS
}

impl Plan {
    pub fn to_text(&self) -> String {
        let Totals { rows, bytes, created, updated, unchanged, deleted, rejected } = self.totals;
        let count = |n: u64| HumanCount(n).to_string();
        let price = self.put_usd_a_month.map_or("price of this region not known".to_owned(), |usd| {
            format!("{usd:.2} USD a month with {} runs", self.runs_a_month)
        });
        let text = format!(
            "{}: {} rows, {}\n  create {}, update {}, delete {}, leave {}, reject {}\n  {} PUT requests ({price})\n  \
             the query reads {}\n",
            self.sync,
            count(rows),
            HumanBytes(bytes),
            count(created),
            count(updated),
            count(deleted),
            count(unchanged),
            count(rejected),
            count(self.put_requests),
            HumanBytes(self.query_bytes),
        );
        let held_back = [&self.gate, &self.guard].into_iter().flatten();
        held_back.fold(text, |text, why| text + &format!("  would be held back: {why}\n"))
    }

    pub fn to_json(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).context("write the plan")
    }
}
