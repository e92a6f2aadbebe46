//! RDS's snapshot and export calls, with the real service's behaviour: statuses that progress, pages, identifier rules,
//! five tasks at once, ids that are never free again, events.

mod clusters;
mod fault;
mod run;
mod snapshots;
mod task;
mod tasks;
mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::routing::post;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::aurora::{Aurora, Engine};
use crate::export::{Sizes, Source, Table};
use crate::s3::Store;

pub use snapshots::Snapshot;
pub use task::{ExportTask, Status};

pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "ap-northeast-1";

/// Events that a listener may be late by.
const EVENTS_KEPT: usize = 1_000;

#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long a task is STARTING; the real service takes most of half an hour.
    pub starting: Duration,
    /// How long a task is `IN_PROGRESS` at least.
    pub exporting: Duration,
    pub sizes: Sizes,
}

impl Default for Options {
    fn default() -> Self {
        let (starting, exporting) = (Duration::from_millis(30), Duration::from_millis(30));
        Self { starting, exporting, sizes: Sizes::default() }
    }
}

/// Stops when dropped; exports that are under way go on to their end.
pub struct Rds {
    endpoint: String,
    state: Arc<State>,
    server: JoinHandle<()>,
}

struct State {
    aurora: Option<Aurora>,
    store: Store,
    options: Options,
    book: Mutex<Book>,
    events: broadcast::Sender<Value>,
}

#[derive(Default)]
struct Book {
    clusters: BTreeSet<String>,
    snapshots: BTreeMap<String, Snapshot>,
    /// Never removed: an id can not be used again.
    tasks: BTreeMap<String, ExportTask>,
    /// What a cluster without a database holds.
    tables: Arc<Vec<Table>>,
    failures: VecDeque<String>,
    refusal: Option<String>,
}

impl Rds {
    /// Without an Aurora, the cluster holds what `set_tables` gave it.
    pub async fn start(aurora: Option<Aurora>, store: Store, options: Options) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind RDS on 127.0.0.1")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let (events, _) = broadcast::channel(EVENTS_KEPT);
        let state = Arc::new(State { aurora, store, options, book: Mutex::default(), events });
        let router = Router::new().route("/", post(wire::answer)).with_state(Arc::clone(&state));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { endpoint, state, server })
    }

    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// What every cluster holds now, and every snapshot from now on.
    pub fn set_tables(&self, tables: Vec<Table>) {
        self.state.lock().tables = Arc::new(tables);
    }

    /// Without an Aurora of its own: all clusters hold the same. Returns its ARN.
    pub fn add_cluster(&self, id: &str) -> String {
        self.state.lock().clusters.insert(id.to_owned());
        arn("cluster", id)
    }

    /// The automated snapshot that the backup window makes of a cluster; returns its ARN.
    pub async fn snapshot(&self, cluster: &str, at: DateTime<Utc>) -> Result<String> {
        self.add_cluster(cluster);
        let id = format!("rds:{cluster}-{}", at.format("%Y-%m-%d-%H-%M"));
        let mut snapshot = Snapshot::new(&id, cluster, "automated", at);
        snapshot.source = Some(self.state.contents().await?);
        let arn = self.add_snapshot(snapshot);
        self.state.tell("RDS-EVENT-0169", "backup", "Automated cluster snapshot created", &id, &arn);
        Ok(arn)
    }

    /// A snapshot of any kind, status and time; replaces one of the same id.
    pub fn add_snapshot(&self, snapshot: Snapshot) -> String {
        let arn = snapshot.arn();
        self.state.lock().snapshots.insert(snapshot.id.clone(), snapshot);
        arn
    }

    /// The next export that starts ends FAILED with this cause.
    pub fn fail_next(&self, cause: &str) {
        self.state.lock().failures.push_back(cause.to_owned());
    }

    /// From now on `StartExportTask` answers this code, for example `IamRoleNotFound`; `None` ends it.
    pub fn refuse_exports(&self, code: Option<&str>) {
        self.state.lock().refusal = code.map(ToOwned::to_owned);
    }

    /// Events from now on, as EventBridge delivers them.
    pub fn events(&self) -> broadcast::Receiver<Value> {
        self.state.events.subscribe()
    }

    pub fn task(&self, id: &str) -> Option<ExportTask> {
        self.state.lock().tasks.get(id).cloned()
    }

    pub fn tasks(&self) -> Vec<ExportTask> {
        self.state.lock().tasks.values().cloned().collect()
    }

    /// Waits until a task is COMPLETE, FAILED or CANCELED.
    pub async fn ended(&self, id: &str) -> Result<ExportTask> {
        loop {
            match self.task(id) {
                Some(task) if task.status.has_ended() => return Ok(task),
                Some(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                None => bail!("there is no export task {id}"),
            }
        }
    }
}

impl Drop for Rds {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl State {
    /// A copy of what the cluster holds now.
    async fn contents(&self) -> Result<Source> {
        match &self.aurora {
            Some(aurora) => Ok(Source::Aurora(aurora.snapshot().await?)),
            None => Ok(Source::Tables(Arc::clone(&self.lock().tables))),
        }
    }

    /// Of every cluster.
    fn engine(&self) -> Engine {
        match &self.aurora {
            Some(aurora) => aurora.engine(),
            None => Source::Tables(Arc::clone(&self.lock().tables)).engine(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn arn(kind: &str, id: &str) -> String {
    format!("arn:aws:rds:{REGION}:{ACCOUNT}:{kind}:{id}")
}
