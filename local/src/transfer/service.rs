//! What the service knows: configs, their runs, and what each has appended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Options;
use super::call::{Call, ConfigId};
use super::config::Config;
use super::page::Query;
use super::refusal::Refusal;
use super::run::{ManualRuns, Run};
use super::selection::Appended;
use super::work;
use crate::bigquery::BigQuery;
use crate::s3::Store;

/// Names in answers carry the project's number, whatever name the request used.
const PROJECT_NUMBER: u64 = 123_456_789_012;

pub(super) struct Service {
    pub(super) store: Store,
    pub(super) bigquery: BigQuery,
    pub(super) options: Options,
    entries: Mutex<BTreeMap<ConfigId, Entry>>,
    /// Messages of the next runs, which fail whatever they do.
    failures: Mutex<Vec<String>>,
    pub(super) work: Mutex<JoinSet<()>>,
}

pub(super) struct Entry {
    pub(super) config: Config,
    /// In the order in which they were made.
    runs: Vec<Run>,
    pub(super) appended: Appended,
    /// The runs of one config go one after the other.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Entry {
    fn run(&self, id: &str) -> Result<&Run, Refusal> {
        self.runs.iter().find(|run| run.id() == id).ok_or_else(|| Refusal::not_found(id))
    }
}

impl Service {
    pub(super) fn new(store: Store, bigquery: BigQuery, options: Options) -> Self {
        let (entries, failures, work) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { store, bigquery, options, entries, failures, work }
    }

    pub(super) fn call(self: &Arc<Self>, call: Call, query: &Query, body: &[u8]) -> Result<Value, Refusal> {
        let now = Utc::now();
        match call {
            Call::CreateConfig { location } => self.create(location, &json_of(body)?, now),
            Call::ListConfigs { location } => self.list_configs(&location, query),
            Call::GetConfig(id) => self.with(&id, |entry| Ok(entry.config.shown())),
            Call::PatchConfig(id) => {
                let body = json_of(body)?;
                self.with(&id, |entry| {
                    entry.config = entry.config.patched(&body, query.get("updateMask"), now)?;
                    Ok(entry.config.shown())
                })
            }
            Call::DeleteConfig(id) => {
                let gone = lock(&self.entries).remove(&id);
                gone.map(|_| json!({})).ok_or_else(|| Refusal::not_found(&id.id))
            }
            Call::StartManualRuns(id) => self.start_manual_runs(&id, &ManualRuns::parse(body)?, query, now),
            Call::ListRuns(id) => self.with(&id, |entry| self.list_runs(entry, query)),
            Call::GetRun(id, run) => self.with(&id, |entry| Ok(entry.run(&run)?.shown(query.spelling()))),
            Call::DeleteRun(id, run) => self.with(&id, |entry| {
                entry.run(&run)?;
                entry.runs.retain(|other| other.id() != run);
                Ok(json!({}))
            }),
            Call::ListLogs(id, run) => self.with(&id, |entry| self.list_logs(entry.run(&run)?, query)),
        }
    }

    pub(super) fn create(&self, location: String, body: &Value, now: DateTime<Utc>) -> Result<Value, Refusal> {
        let id = uuid::Uuid::new_v4().to_string();
        let name = format!("projects/{PROJECT_NUMBER}/locations/{location}/transferConfigs/{id}");
        let config = Config::create(name, body, now)?;
        let shown = config.shown();
        let entry = Entry { config, runs: Vec::new(), appended: Appended::new(), turn: Arc::default() };
        lock(&self.entries).insert(ConfigId { location, id }, entry);
        Ok(shown)
    }

    pub(super) fn has_config(&self, display_name: &str) -> bool {
        lock(&self.entries).values().any(|entry| entry.config.shown()["displayName"] == display_name)
    }

    /// Fails with `NOT_FOUND` where there is no such config.
    pub(super) fn with<T>(
        &self,
        id: &ConfigId,
        act: impl FnOnce(&mut Entry) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut entries = lock(&self.entries);
        act(entries.get_mut(id).ok_or_else(|| Refusal::not_found(&id.id))?)
    }

    /// Nothing happens if the run was deleted meanwhile.
    pub(super) fn change(&self, id: &ConfigId, run: &str, act: impl FnOnce(&mut Run)) {
        let _ = self.with(id, |entry| {
            if let Some(run) = entry.runs.iter_mut().find(|other| other.id() == run) {
                act(run);
            }
            Ok(())
        });
    }

    pub(super) fn fail_next(&self, message: &str, times: usize) {
        lock(&self.failures).extend(std::iter::repeat_n(message.to_owned(), times));
    }

    pub(super) fn next_failure(&self) -> Option<String> {
        lock(&self.failures).pop()
    }

    fn list_configs(&self, location: &str, query: &Query) -> Result<Value, Refusal> {
        let entries = lock(&self.entries);
        let here = entries.iter().filter(|(id, _)| id.location == location);
        let shown = here.map(|(_, entry)| entry.config.shown()).collect();
        query.page("transferConfigs", shown, self.options.page_size)
    }

    fn start_manual_runs(
        self: &Arc<Self>,
        id: &ConfigId,
        asked: &ManualRuns,
        query: &Query,
        now: DateTime<Utc>,
    ) -> Result<Value, Refusal> {
        let runs = self.with(id, |entry| {
            let times = asked.run_times(now)?;
            let new = |time: DateTime<Utc>| Run::new(&uuid::Uuid::new_v4().to_string(), &entry.config, time, now);
            let runs: Vec<Run> = times.into_iter().map(new).collect();
            entry.runs.extend(runs.iter().cloned());
            Ok(runs)
        })?;
        for run in &runs {
            lock(&self.work).spawn(work::carry_out(Arc::clone(self), id.clone(), run.id().to_owned()));
        }
        let shown: Vec<Value> = runs.iter().map(|run| run.shown(query.spelling())).collect();
        Ok(json!({"runs": shown}))
    }

    /// The newest first. `runAttempt=LATEST` leaves one run for each run time.
    fn list_runs(&self, entry: &Entry, query: &Query) -> Result<Value, Refusal> {
        let states = query.all("states");
        let latest = ["LATEST", "1"].contains(&query.get("runAttempt"));
        let is_latest = |at: usize| entry.runs[at + 1..].iter().all(|run| run.data_time != entry.runs[at].data_time);
        let wanted = |(at, run): &(usize, &Run)| {
            (states.is_empty() || states.iter().any(|state| run.state.is(state))) && (!latest || is_latest(*at))
        };
        let runs = entry.runs.iter().enumerate().filter(wanted).rev();
        let shown = runs.map(|(_, run)| run.shown(query.spelling())).collect();
        query.page("transferRuns", shown, self.options.page_size)
    }

    fn list_logs(&self, run: &Run, query: &Query) -> Result<Value, Refusal> {
        let kinds = query.all("messageTypes");
        let is = |kind: &&str, name: &str, number: i32| *kind == name || *kind == number.to_string();
        let logged = run.log.iter().filter(|message| {
            let severity = message.severity;
            kinds.is_empty() || kinds.iter().any(|kind| is(kind, severity.name(), severity.number()))
        });
        let shown = logged.map(|message| message.shown(query.spelling())).collect();
        query.page("transferMessages", shown, self.options.page_size)
    }
}

fn json_of(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::invalid(format!("Invalid JSON payload received: {error}")))
}
