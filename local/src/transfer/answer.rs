//! What each call answers.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::call::{Call, ConfigId};
use super::page::Query;
use super::refusal::Refusal;
use super::run::{ManualRuns, Run};
use super::service::{Entry, Service, lock};
use super::work;

impl Service {
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
