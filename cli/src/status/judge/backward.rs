//! From BigQuery to the application.

use chrono::{DateTime, SubsecRound, Utc};

use super::{AWS, GOOGLE, Judged, about, count, grouped, is_good};
use crate::operate::invocation;
use crate::status::facts::{Asked, Build, Load, Published, Served, Sync};
use crate::status::report::{Finding, State};

impl Judged<'_> {
    pub(super) fn dbt(&self) -> Finding {
        let Some(dbt) = &self.facts.dbt else {
            return Finding::new("dbt", State::Off, "this environment has none");
        };
        about("dbt", dbt, GOOGLE, |build| {
            let names = &self.facts.names;
            let again = invocation::job(self.env(), "dbt", &names.project, &names.location, "");
            let Some(build) = build else {
                return Finding::new("dbt", self.missing(), "no build has left its results").helped_by(&again);
            };
            let Build { day, ended_at, nodes, failed, .. } = build;
            let logs = invocation::job_logs(self.env(), "dbt", &names.project, "");
            if *day != self.facts.day {
                let found = format!("the newest build is of {day}");
                return Finding::new("dbt", self.missing(), found).helped_by(&again);
            }
            let at = self.clock.time(*ended_at, *day);
            let part = |(name, why): &(String, String)| Finding::new(name, State::Failed, why).helped_by(&logs);
            let mut parts: Vec<Finding> = failed.iter().map(part).collect();
            let stale = |(sync, why): &(String, String)| {
                Finding::new(format!("sync {sync} is not fresh"), State::Late, why).helped_by(&again)
            };
            parts.extend(build.not_fresh.iter().map(stale));
            let found = match failed.len() {
                0 => format!("{nodes} models and tests built, at {at}"),
                failed => format!("{failed} of {nodes} models and tests failed, at {at}"),
            };
            Finding::of("dbt", found, parts).at_least(State::Good)
        })
    }

    pub(super) fn syncs(&self) -> Finding {
        about("syncs", &self.facts.syncs, "isthmus lineage --help", |syncs| {
            if syncs.is_empty() {
                return Finding::new("syncs", State::Off, "none is listed");
            }
            let parts: Vec<Finding> = syncs.iter().map(|sync| self.sync(sync)).collect();
            let good = parts.iter().filter(|part| part.state == State::Good).count();
            Finding::of("syncs", format!("{good} of {} of this day", count(parts.len(), "sync")), parts)
        })
    }

    fn sync(&self, sync: &Sync) -> Finding {
        let names = &self.facts.names;
        let publish = format!("--sync={}", sync.name);
        let publish = invocation::job(self.env(), "bigquery-to-s3", &names.project, &names.location, &publish);
        about(&sync.name, &sync.generations, AWS, |generations| {
            let Some(Published { generation, began_at, rows, rejected, .. }) = generations.first() else {
                let found = format!("nothing was published to {} yet", sync.place);
                return Finding::new(&sync.name, self.missing(), found).helped_by(&publish);
            };
            let fresh = self.fresh_since().is_some_and(|since| *began_at >= since);
            let state = if fresh { State::Good } else { self.missing() };
            let mut found = format!("{generation}, {} old, {} rows", self.clock.ago(*began_at), grouped(*rows));
            if *rejected > 0 {
                found.push_str(&format!(", {} could not be published", grouped(*rejected)));
            }
            Finding::new(&sync.name, state, found).helped_by(&publish)
        })
    }

    /// A generation is of the day where it began after the day's rows stood in BigQuery: when each table was proven for the
    /// first time. What is loaded once more, or by a spot export, makes nothing late that was published before. `None`:
    /// no row of the day stands yet.
    fn fresh_since(&self) -> Option<DateTime<Utc>> {
        if let (Ok(loads), Ok(listed)) = (&self.facts.loads, &self.facts.listed)
            && !listed.is_empty()
        {
            let of_day = loads.iter().filter(|load| load.day == self.facts.day && listed.contains(&load.table));
            let first = |load: &Load| load.first_good_at.or(is_good(&load.state).then_some(load.loaded_at));
            // A generation's name says when it began to the second.
            return of_day.filter_map(first).max().map(|at| at.trunc_subsecs(0));
        }
        // Where BigQuery cannot be asked: a generation that began before the first part was written is not of the day.
        let manifest = self.facts.manifest.as_ref().ok().and_then(Option::as_ref);
        let written =
            manifest.and_then(|manifest| manifest.tables.iter().filter_map(|table| table.newest_part_at).min());
        Some(written.unwrap_or_else(|| self.clock.begins(self.facts.day)))
    }

    pub(super) fn lookup(&self) -> Finding {
        let Some(lookup) = &self.facts.lookup else {
            return Finding::new("lookup", State::Off, "no address is given (--lookup-url)");
        };
        let logs = self.in_region(invocation::function_logs(self.env(), "lookup"));
        about("lookup", lookup, AWS, |Served { healthy, generations }| {
            let syncs = self.facts.syncs.as_ref().ok();
            let current = |name: &str| -> Option<&str> {
                let sync = syncs?.iter().find(|sync| sync.name == name)?;
                let generations: &Asked<Vec<Published>> = &sync.generations;
                Some(&generations.as_ref().ok()?.first()?.generation)
            };
            let part = |(name, served): &(String, String)| match current(name) {
                Some(current) if current != served => {
                    let found = format!("answers from {served}, published is {current}");
                    Finding::new(name, State::Late, found).helped_by(&logs)
                }
                _ => Finding::new(name, State::Good, format!("answers from {served}")),
            };
            let mut parts: Vec<Finding> = generations.iter().map(part).collect();
            if let Err(why) = healthy {
                parts.push(Finding::new("/healthz", State::Failed, why).helped_by(&logs));
            }
            let found = if healthy.is_ok() { "can answer" } else { "cannot answer" };
            let found = format!("{found}, {}", count(generations.len(), "sync"));
            Finding::of("lookup", found, parts).at_least(State::Good)
        })
    }
}
