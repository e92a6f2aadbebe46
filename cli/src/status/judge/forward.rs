//! From the database to BigQuery.

use std::collections::BTreeMap;

use handoff::ExportDate;
use serde_json::json;

use super::{AWS, GOOGLE, Judged, about, count, grouped};
use crate::operate::invocation::{self, Invocation};
use crate::status::facts::{Load, Run, Snapshot, Task};
use crate::status::report::{Finding, State};

/// What load-export and the extractor call good.
const GOOD: [&str; 4] = ["loaded", "truncated", "unchanged", "awaited"];
/// A poll publishes what ended; two of them and a little more have passed without.
const PUBLISHED_WITHIN_MINUTES: i64 = 35;

pub fn is_good(state: &str) -> bool {
    GOOD.contains(&state)
}

impl Judged<'_> {
    pub(super) fn snapshot(&self) -> Finding {
        let about_snapshot = |newest: &Option<Snapshot>| {
            let Some(Snapshot { id, created_at }) = newest else {
                let none = "there is no automated snapshot that is complete: look at the backup retention";
                return Finding::new("snapshot", self.missing(), none).helped_by(&self.list_snapshots());
            };
            let age = self.clock.begins(self.facts.day) - *created_at;
            let stale = age > chrono::TimeDelta::hours(24);
            let state = if stale && !self.exported() { self.missing() } else { State::Good };
            let found = format!("{id}, made {} ago", self.clock.ago(*created_at));
            let found = if stale { format!("{found}: last night's backup is not there") } else { found };
            Finding::new("snapshot", state, found).helped_by(&self.list_snapshots())
        };
        about("snapshot", &self.facts.snapshot, AWS, about_snapshot)
    }

    /// Whether the day has rows of its own, whatever is said about its snapshot.
    fn exported(&self) -> bool {
        matches!(&self.facts.manifest, Ok(Some(_))) || matches!(&self.facts.tasks, Ok(tasks) if !tasks.is_empty())
    }

    fn list_snapshots(&self) -> Invocation {
        self.in_region(invocation::list_snapshots(&self.facts.names.cluster))
    }

    pub(super) fn export(&self) -> Finding {
        about("export", &self.facts.tasks, AWS, |tasks| {
            let Some(newest) = tasks.last() else {
                let state = self.missing();
                let found = format!("no export task of {} was started", self.facts.day);
                return Finding::new("export", state, found)
                    .helped_by(&self.in_region(invocation::start_export(self.env())));
            };
            let failed = |task: &&Task| matches!(task.status.as_str(), "FAILED" | "CANCELED" | "CANCELING");
            let complete = tasks.iter().any(|task| task.status.eq_ignore_ascii_case("complete"));
            let shown = tasks.iter().rev().find(|task| !failed(task)).unwrap_or(newest);
            let (state, found) = match shown {
                task if failed(&task) => (State::Failed, self.told(task)),
                task if task.status.eq_ignore_ascii_case("complete") => (State::Good, self.told(task)),
                task if complete => (State::Good, format!("{}; an earlier one is complete", self.told(task))),
                task => (self.missing(), self.told(task)),
            };
            // An id is never used twice: what failed is exported again by a spot export of the whole cluster.
            let helps = if state == State::Failed {
                self.in_region(invocation::spot(self.env(), &[]))
            } else {
                self.in_region(invocation::function_logs(self.env(), "start-export"))
            };
            Finding::new("export", state, found).helped_by(&helps)
        })
    }

    fn told(&self, task: &Task) -> String {
        let time = |at: Option<_>| at.map(|at| self.clock.time(at, self.facts.day));
        let Task { id, status, percent, failure, .. } = task;
        match (status.as_str(), time(task.started_at), time(task.ended_at)) {
            ("FAILED" | "CANCELED", ..) => {
                format!("{id} {status}: {}", failure.as_deref().unwrap_or("no cause is given"))
            }
            ("COMPLETE" | "complete", Some(started), Some(ended)) => format!("{id} is complete, {started} to {ended}"),
            ("COMPLETE" | "complete", ..) => format!("{id} is complete"),
            (_, Some(started), _) => format!("{id} {status}, {percent} % since {started}"),
            _ => format!("{id} {status}, {percent} %"),
        }
    }

    pub(super) fn manifest(&self) -> Finding {
        about("manifest", &self.facts.manifest, AWS, |manifest| {
            let Some(manifest) = manifest else {
                return self.no_manifest();
            };
            let rows = manifest.tables.iter().map(|table| table.rows).sum();
            let at = self.clock.time(manifest.published_at, self.facts.day);
            let mut found =
                format!("{}, {} rows, published at {at}", count(manifest.tables.len(), "table"), grouped(rows));
            if !manifest.drift.is_empty() {
                found.push_str(&format!(", {} of columns or tables", count(manifest.drift.len(), "change")));
            }
            let skipped = manifest.tables.iter().filter(|table| table.state == handoff::TableState::Skipped);
            let part = |table: &handoff::Table| {
                let name = table.name.to_string();
                let why = manifest.warnings.iter().find(|warning| warning.starts_with(&format!("{name}:")));
                Finding::new(&name, State::Failed, why.map_or("RDS did not export it", String::as_str))
                    .helped_by(&self.in_region(invocation::spot(self.env(), std::slice::from_ref(&name))))
            };
            let parts: Vec<Finding> = skipped.map(part).collect();
            Finding::of("manifest", found, parts).at_least(State::Good)
        })
    }

    fn no_manifest(&self) -> Finding {
        let tasks = self.facts.tasks.as_ref().ok();
        let ended = tasks.and_then(|tasks| tasks.iter().filter_map(|task| task.ended_at).max());
        let overdue = ended.filter(|ended| (self.clock.now - *ended).num_minutes() > PUBLISHED_WITHIN_MINUTES);
        let (state, found) = match (overdue, ended) {
            (Some(ended), _) => {
                (State::Late, format!("the export ended {} ago and was not published", self.clock.ago(ended)))
            }
            (None, Some(_)) => {
                (State::Waiting, "the export has ended, publish-export looks each 15 minutes".to_owned())
            }
            (None, None) => (self.missing(), "waits for the export".to_owned()),
        };
        Finding::new("manifest", state, found).helped_by(&self.in_region(invocation::publish(self.env())))
    }

    pub(super) fn transfers(&self) -> Finding {
        about("transfer runs", &self.facts.runs, GOOGLE, |runs| {
            let midnight = self.facts.day.midnight(self.clock.zone);
            let of_day: Vec<&Run> = runs.iter().filter(|run| run.run_time == Some(midnight)).collect();
            let in_state = |states: &[&str]| of_day.iter().filter(|run| states.contains(&run.state.as_str())).count();
            let parts: Vec<Finding> = of_day.iter().map(|run| self.transfer(run)).collect();
            if parts.is_empty() {
                // Rows that stand need no run; whether they do is what the tables say.
                let state = if self.all_proven() { State::Good } else { self.missing() };
                return Finding::new("transfer runs", state, "none of this day").helped_by(&self.load());
            }
            let done = in_state(&["SUCCEEDED"]);
            let under_way = in_state(&["PENDING", "RUNNING"]);
            let mut found = format!("{done} of {} ended well", count(parts.len(), "run"));
            if under_way > 0 {
                found.push_str(&format!(", {under_way} under way"));
            }
            Finding::of("transfer runs", found, parts)
        })
    }

    fn transfer(&self, run: &Run) -> Finding {
        let proven = self.loads_of_day().any(|load| load.table == run.table && is_good(&load.state));
        let (state, found) = match run.state.as_str() {
            "SUCCEEDED" => (State::Good, "ended well".to_owned()),
            "PENDING" | "RUNNING" => (self.missing(), run.state.to_lowercase()),
            _ if proven => (State::Good, "failed, and the rows are there".to_owned()),
            state => {
                (State::Failed, run.error.clone().unwrap_or_else(|| format!("{} without a word", state.to_lowercase())))
            }
        };
        Finding::new(&run.table, state, found).helped_by(&self.load())
    }

    pub(super) fn load(&self) -> String {
        let names = &self.facts.names;
        let day = json!({"export_date": self.facts.day});
        invocation::load(self.env(), &names.project, &names.location, &day).to_string()
    }

    fn loads_of_day(&self) -> impl Iterator<Item = &Load> {
        self.facts.loads.iter().flatten().filter(|load| load.day == self.facts.day)
    }

    fn all_proven(&self) -> bool {
        let Ok(listed) = &self.facts.listed else { return false };
        let good = |table: &String| self.loads_of_day().any(|load| load.table == *table && is_good(&load.state));
        listed.iter().all(good)
    }

    pub(super) fn tables(&self) -> Finding {
        about("tables", &self.facts.loads, GOOGLE, |_| {
            about("tables", &self.facts.listed, "isthmus tables check", |listed| {
                let parts: Vec<Finding> = listed.iter().map(|table| self.table(table)).collect();
                let good = parts.iter().filter(|part| part.state == State::Good).count();
                // The audit has the extractor's tables too, which are another line.
                let of_export = self.loads_of_day().filter(|load| listed.contains(&load.table));
                let rows: u64 = of_export.filter_map(|load| load.rows).sum();
                let found = format!("{good} of {} proven, {} rows", count(parts.len(), "table"), grouped(rows));
                Finding::of("tables", found, parts)
            })
        })
    }

    fn table(&self, table: &str) -> Finding {
        let Some(load) = self.loads_of_day().find(|load| load.table == table) else {
            let found = format!("no load of {} was proven", self.facts.day);
            return Finding::new(table, self.missing(), found).helped_by(&self.load());
        };
        self.loaded(load)
    }

    fn loaded(&self, load: &Load) -> Finding {
        let at = self.clock.time(load.loaded_at, self.facts.day);
        if is_good(&load.state) {
            let rows = load.rows.map_or(String::new(), |rows| format!(" {} rows,", grouped(rows)));
            return Finding::new(&load.table, State::Good, format!("{},{rows} at {at}", load.state));
        }
        let why = load.message.as_ref().map_or(String::new(), |why| format!(": {why}"));
        Finding::new(&load.table, State::Failed, format!("{} at {at}{why}", load.state)).helped_by(&self.load())
    }

    /// Tables that the audit knows and the list of transfers does not: what was loaded in the days that are looked at is
    /// expected, however long ago.
    pub(super) fn extractor(&self) -> Finding {
        let known = self
            .facts
            .loads
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|loads| Ok((loads, self.facts.listed.as_ref().map_err(Clone::clone)?)));
        about("extractor", &known, GOOGLE, |(loads, listed)| {
            let mut newest: BTreeMap<&str, ExportDate> = BTreeMap::new();
            for load in loads.iter().filter(|load| load.day <= self.facts.day && !listed.contains(&load.table)) {
                let day = newest.entry(&load.table).or_insert(load.day);
                *day = load.day.max(*day);
            }
            if newest.is_empty() {
                return Finding::new("extractor", State::Off, "loads nothing here");
            }
            let part = |(name, day): (&&str, &ExportDate)| match self.loads_of_day().find(|load| load.table == **name) {
                Some(load) => Finding { command: None, ..self.loaded(load) },
                None => Finding::new(
                    *name,
                    self.missing(),
                    format!("not loaded for {} yet, last for {day}", self.facts.day),
                ),
            };
            let parts: Vec<Finding> = newest.iter().map(part).collect();
            let good = parts.iter().filter(|part| part.state == State::Good).count();
            Finding::of("extractor", format!("{good} of {} loaded", count(parts.len(), "table")), parts)
        })
    }
}
