//! The end of the job: for people a table, for scripts one JSON object.

use std::fmt::Write;

use serde::Serialize;

use crate::STOPPED;
use crate::outcome::{Outcome, State};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub ok: bool,
    pub tables: Vec<Outcome>,
    /// Not settled when the job was stopped.
    pub unfinished: Vec<String>,
    /// Why the audit table was not written.
    pub audit_error: Option<String>,
}

impl Report {
    /// `all` are the tables that the job was to load.
    pub fn new(all: &[String], tables: Vec<Outcome>) -> Self {
        let settled = |name: &&String| tables.iter().any(|outcome| outcome.table == **name);
        let unfinished: Vec<String> = all.iter().filter(|name| !settled(name)).cloned().collect();
        let ok = unfinished.is_empty() && tables.iter().all(|outcome| outcome.state.is_good());
        Self { ok, tables, unfinished, audit_error: None }
    }

    pub fn good(&self) -> usize {
        self.tables.iter().filter(|outcome| outcome.state.is_good()).count()
    }

    pub fn audit_failed(&mut self, why: String) {
        self.ok = false;
        self.audit_error = Some(why);
    }

    pub fn exit_code(&self) -> u8 {
        let bad = |state| self.tables.iter().any(|outcome| outcome.state == state);
        match self.ok {
            true => 0,
            false if !self.unfinished.is_empty() => STOPPED,
            // Nothing else went wrong: somebody else is at work.
            false
                if bad(State::Busy)
                    && !self.tables.iter().any(|outcome| !outcome.state.is_good() && outcome.state != State::Busy) =>
            {
                3
            }
            false => 1,
        }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn to_text(&self) -> String {
        let names = self.tables.iter().map(|outcome| outcome.table.len());
        let width = names.chain([5]).max().unwrap_or_default();
        let mut text = String::new();
        let head = ["state", "mode", "snapshot", "BigQuery", "s"];
        let [state, mode, expected, loaded, seconds] = head;
        let _ = writeln!(text, "{:width$}  {state:9}  {mode:11}  {expected:>13}  {loaded:>13}  {seconds:>7}", "table");
        for outcome in &self.tables {
            let count = |rows: Option<u64>| rows.map_or("-".to_owned(), |rows| rows.to_string());
            let (table, state, mode, seconds) = (&outcome.table, outcome.state.word(), outcome.mode, outcome.seconds);
            let (expected, loaded) = (count(outcome.rows_expected), count(outcome.rows_loaded));
            let _ =
                writeln!(text, "{table:width$}  {state:9}  {mode:11}  {expected:>13}  {loaded:>13}  {seconds:>7.1}");
            for note in outcome.notes() {
                let _ = writeln!(text, "{:width$}  {note}", "");
            }
        }
        if !self.unfinished.is_empty() {
            let _ = writeln!(text, "unfinished: {}", self.unfinished.join(", "));
        }
        if let Some(error) = &self.audit_error {
            let _ = writeln!(text, "the audit table was not written: {error}");
        }
        text
    }
}

impl Outcome {
    fn notes(&self) -> impl Iterator<Item = String> {
        let nulled =
            self.nulled.iter().map(|(column, count)| format!("{count} values of {column} are null in BigQuery"));
        let rejected = (self.rejected > 0).then(|| format!("{} rows were rejected", self.rejected));
        let left_out = (!self.left_out.is_empty())
            .then(|| format!("left out, because their names look like secrets: {}", self.left_out.join(", ")));
        let drift = (!self.drift.is_empty()).then(|| self.drift.join(", "));
        self.message.clone().into_iter().chain(drift).chain(rejected).chain(nulled).chain(left_out)
    }
}
