//! What the service knows: configs, their runs, and what each has appended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::task::JoinSet;

use super::Options;
use super::call::ConfigId;
use super::config::Config;
use super::refusal::Refusal;
use super::run::Run;
use super::selection::Appended;
use crate::bigquery::BigQuery;
use crate::s3::Store;

/// Names in answers carry the project's number, whatever name the request used.
const PROJECT_NUMBER: u64 = 123_456_789_012;

pub(super) struct Service {
    pub(super) store: Store,
    pub(super) bigquery: BigQuery,
    pub(super) options: Options,
    pub(super) entries: Mutex<BTreeMap<ConfigId, Entry>>,
    /// Messages of the next runs, which fail whatever they do.
    failures: Mutex<Vec<String>>,
    pub(super) work: Mutex<JoinSet<()>>,
}

pub(super) struct Entry {
    pub(super) config: Config,
    /// In the order in which they were made.
    pub(super) runs: Vec<Run>,
    pub(super) appended: Appended,
    /// The runs of one config go one after the other.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Entry {
    pub(super) fn run(&self, id: &str) -> Result<&Run, Refusal> {
        self.runs.iter().find(|run| run.id() == id).ok_or_else(|| Refusal::not_found(id))
    }
}

impl Service {
    pub(super) fn new(store: Store, bigquery: BigQuery, options: Options) -> Self {
        let (entries, failures, work) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { store, bigquery, options, entries, failures, work }
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
}
