//! What is said about the day.

use chrono::{DateTime, Utc};
use handoff::{Environment, ExportDate};
use serde::Serialize;

/// In the order of how much it matters: the worst one is that of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not in use here.
    Off,
    Good,
    /// Not there yet, and not due yet.
    Waiting,
    /// Could not be asked.
    Unknown,
    Late,
    Failed,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Good => "good",
            Self::Waiting => "waiting",
            Self::Unknown => "unknown",
            Self::Late => "late",
            Self::Failed => "failed",
        }
    }

    /// A sign that is told apart without its colour.
    pub fn sign(self) -> char {
        match self {
            Self::Off => '–',
            Self::Good => '✓',
            Self::Waiting => '…',
            Self::Unknown => '?',
            Self::Late => '!',
            Self::Failed => '✗',
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub name: String,
    pub state: State,
    /// What was found, or why not.
    pub found: String,
    /// What helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What it is made of: tables, syncs, alarms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Finding>,
}

impl Finding {
    pub fn new(name: impl Into<String>, state: State, found: impl Into<String>) -> Self {
        Self { name: name.into(), state, found: found.into(), command: None, parts: Vec::new() }
    }

    /// Only where there is something to do about it.
    #[must_use]
    pub fn helped_by(self, command: &impl ToString) -> Self {
        let command = (self.state > State::Good).then(|| command.to_string());
        Self { command, ..self }
    }

    /// Its state is that of the worst part.
    #[must_use]
    pub fn of(name: &str, found: impl Into<String>, parts: Vec<Self>) -> Self {
        let state = parts.iter().map(|part| part.state).max().unwrap_or(State::Off);
        Self { name: name.into(), state, found: found.into(), command: None, parts }
    }

    /// Where there is more to it than its parts.
    #[must_use]
    pub fn at_least(self, state: State) -> Self {
        Self { state: self.state.max(state), ..self }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub env: Environment,
    pub day: ExportDate,
    pub at: DateTime<Utc>,
    pub state: State,
    pub exit_code: u8,
    pub findings: Vec<Finding>,
}

impl Report {
    pub fn new(env: Environment, day: ExportDate, at: DateTime<Utc>, findings: Vec<Finding>) -> Self {
        let state = findings.iter().map(|finding| finding.state).max().unwrap_or(State::Unknown);
        Self { env, day, at, state, exit_code: exit_code(state), findings }
    }

    pub fn headline(&self) -> &'static str {
        match self.state {
            State::Off | State::Good => "everything is there",
            State::Waiting => "on its way, nothing is late",
            State::Unknown => "not everything could be asked",
            State::Late => "something is late",
            State::Failed => "something failed",
        }
    }
}

fn exit_code(state: State) -> u8 {
    match state {
        State::Off | State::Good => 0,
        State::Late | State::Failed => 1,
        State::Unknown => 3,
        State::Waiting => 4,
    }
}
