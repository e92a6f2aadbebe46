//! From facts to what is said about them: what is late, why, and what helps. Pure.

mod backward;
mod forward;
mod health;
#[cfg(test)]
pub(crate) mod tests;

use indicatif::HumanCount;

pub use forward::is_good;

use super::clock::Clock;
use super::facts::{Asked, Facts};
use super::report::{Finding, Report, State};
use crate::operate::invocation::Invocation;

pub fn judge(facts: &Facts, clock: &Clock) -> Report {
    let judged = Judged { facts, clock };
    let findings = vec![
        judged.snapshot(),
        judged.export(),
        judged.manifest(),
        judged.transfers(),
        judged.tables(),
        judged.extractor(),
        judged.dbt(),
        judged.syncs(),
        judged.lookup(),
        judged.alarms(),
        judged.dead_letters(),
    ];
    Report::new(facts.env.clone(), facts.day, clock.now, findings)
}

struct Judged<'a> {
    facts: &'a Facts,
    clock: &'a Clock,
}

/// Who is logged in, where a source could not be asked.
const AWS: &str = "aws sts get-caller-identity";
const GOOGLE: &str = "gcloud auth application-default login";

impl Judged<'_> {
    /// What is not there.
    fn missing(&self) -> State {
        if self.clock.is_due(self.facts.day) { State::Late } else { State::Waiting }
    }

    fn env(&self) -> &str {
        self.facts.env.as_str()
    }

    /// A line of `aws`, for the region that was asked.
    fn in_region(&self, line: Invocation) -> Invocation {
        line.in_region(self.facts.names.region.as_deref())
    }
}

/// The finding about what was found, or that it could not be asked.
fn about<T>(name: &str, asked: &Asked<T>, login: &str, found: impl FnOnce(&T) -> Finding) -> Finding {
    match asked {
        Ok(facts) => found(facts),
        Err(why) => Finding::new(name, State::Unknown, format!("could not be asked: {why}")).helped_by(&login),
    }
}

/// `1,234,567`
pub fn grouped(number: u64) -> String {
    HumanCount(number).to_string()
}

/// `1 table`, `2 tables`
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
