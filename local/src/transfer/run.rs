//! A transfer run: its states, its log, and the times that a request for runs means.
//! <https://docs.cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs.runs>

use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::config::{Config, stamp};
use super::refusal::Refusal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    Pending,
    Running,
    Succeeded,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    Info,
    Error,
}

#[derive(Debug, Clone)]
pub(super) struct Message {
    at: DateTime<Utc>,
    pub(super) severity: Severity,
    text: String,
}

#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) name: String,
    /// What `runTime` is: the moment that the path's parameters mean.
    pub(super) data_time: DateTime<Utc>,
    pub(super) state: RunState,
    pub(super) error: Option<Refusal>,
    pub(super) log: Vec<Message>,
    made: DateTime<Utc>,
    started: Option<DateTime<Utc>>,
    ended: Option<DateTime<Utc>>,
    params: Value,
    dataset: String,
}

/// Both of Google's spellings of an enum: a client may ask for numbers with `$alt=json;enum-encoding=int`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    Name,
    Number,
}

impl Spelling {
    pub(super) fn of(self, name: &str, number: i32) -> Value {
        if self == Self::Name { name.into() } else { number.into() }
    }
}

impl RunState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
        }
    }

    pub(super) fn number(self) -> i32 {
        match self {
            Self::Pending => 2,
            Self::Running => 3,
            Self::Succeeded => 4,
            Self::Failed => 5,
        }
    }

    /// A filter may name a state or give its number.
    pub(super) fn is(self, filter: &str) -> bool {
        filter == self.name() || filter == self.number().to_string()
    }
}

impl Severity {
    pub(super) fn name(self) -> &'static str {
        if self == Self::Info { "INFO" } else { "ERROR" }
    }

    pub(super) fn number(self) -> i32 {
        if self == Self::Info { 1 } else { 3 }
    }
}

impl Run {
    pub(super) fn new(id: &str, config: &Config, run_time: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self {
            name: format!("{}/runs/{id}", config.name),
            data_time: run_time,
            state: RunState::Pending,
            error: None,
            log: Vec::new(),
            made: now,
            started: None,
            ended: None,
            params: config.shown_params(),
            dataset: config.dataset.clone(),
        }
    }

    pub(super) fn id(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    pub(super) fn start(&mut self, now: DateTime<Utc>) {
        self.state = RunState::Running;
        self.started = Some(now);
        self.say(Severity::Info, format!("Dispatched run to data source with id {}", self.id()), now);
    }

    pub(super) fn end(&mut self, outcome: Result<(), Refusal>, now: DateTime<Utc>) {
        self.ended = Some(now);
        match outcome {
            Ok(()) => self.state = RunState::Succeeded,
            Err(error) => {
                self.state = RunState::Failed;
                self.say(Severity::Error, error.message.clone(), now);
                self.error = Some(error);
            }
        }
    }

    pub(super) fn say(&mut self, severity: Severity, text: impl Into<String>, at: DateTime<Utc>) {
        self.log.push(Message { at, severity, text: text.into() });
    }

    /// The real service answers an empty `errorStatus` for a run without an error.
    pub(super) fn shown(&self, spelling: Spelling) -> Value {
        let error = self.error.as_ref().map(|error| json!({"code": error.code.number(), "message": error.message}));
        let mut shown = json!({
            "name": self.name,
            "scheduleTime": stamp(self.made),
            "runTime": stamp(self.data_time),
            "updateTime": stamp(self.ended.or(self.started).unwrap_or(self.made)),
            "state": spelling.of(self.state.name(), self.state.number()),
            "errorStatus": error.unwrap_or_else(|| json!({})),
            "params": self.params,
            "dataSourceId": "amazon_s3",
            "destinationDatasetId": self.dataset,
            "userId": "-1",
        });
        for (field, time) in [("startTime", self.started), ("endTime", self.ended)] {
            if let Some(time) = time {
                shown[field] = stamp(time);
            }
        }
        shown
    }
}

impl Message {
    pub(super) fn shown(&self, spelling: Spelling) -> Value {
        let severity = spelling.of(self.severity.name(), self.severity.number());
        json!({"messageTime": stamp(self.at), "severity": severity, "messageText": self.text})
    }
}

/// The body of `startManualRuns`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct ManualRuns {
    requested_run_time: Option<DateTime<Utc>>,
    requested_time_range: Option<TimeRange>,
    /// The client repeats the path's parameter here.
    #[serde(rename = "parent")]
    _parent: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TimeRange {
    start_time: DateTime<Utc>,
    end_time: DateTime<Utc>,
}

/// The service's default schedule is every 24 hours, and a range means the runs of the schedule in it.
const RUNS_APART: Duration = Duration::hours(24);
/// A bound of ours; a year of days.
const RUNS_AT_ONCE: usize = 366;

impl ManualRuns {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body)
            .map_err(|error| Refusal::invalid(format!("Invalid JSON payload received: {error}")))
    }

    /// The run times that are asked for; none of them may be in the future.
    pub(super) fn run_times(&self, now: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>, Refusal> {
        match (&self.requested_run_time, &self.requested_time_range) {
            (Some(time), None) if *time > now => Err(Refusal::invalid("requested_run_time must not be in the future")),
            (Some(time), None) => Ok(vec![*time]),
            (None, Some(range)) => range.run_times(now),
            _ => Err(Refusal::invalid("either requested_run_time or requested_time_range is required")),
        }
    }
}

impl TimeRange {
    fn run_times(&self, now: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>, Refusal> {
        if self.end_time > now {
            return Err(Refusal::invalid("requested_time_range.end_time must not be in the future"));
        }
        if self.start_time >= self.end_time {
            return Err(Refusal::invalid("requested_time_range.start_time must be before end_time"));
        }
        let times = std::iter::successors(Some(self.start_time), |time| time.checked_add_signed(RUNS_APART));
        let times: Vec<_> = times.take_while(|time| *time < self.end_time).take(RUNS_AT_ONCE + 1).collect();
        if times.len() > RUNS_AT_ONCE {
            return Err(Refusal::invalid(format!("requested_time_range means more than {RUNS_AT_ONCE} runs")));
        }
        Ok(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T00:00:00Z";

    fn run_times(body: &str) -> Result<Vec<String>, String> {
        let times = ManualRuns::parse(body.as_bytes()).and_then(|asked| asked.run_times(NOW.parse().unwrap()));
        times.map(|times| times.iter().map(DateTime::to_rfc3339).collect()).map_err(|refusal| refusal.message)
    }

    #[test]
    fn one_time_in_the_past_is_one_run() {
        let times = run_times(r#"{"requestedRunTime":"2026-11-21T15:00:00Z"}"#).unwrap();
        assert_eq!(times, ["2026-11-21T15:00:00+00:00"]);
    }

    #[test]
    fn a_range_is_a_run_a_day_without_its_end() {
        let range = |start: &str, end: &str| {
            run_times(&format!(r#"{{"requestedTimeRange":{{"startTime":"{start}","endTime":"{end}"}}}}"#))
        };
        let days = range("2026-11-19T15:00:00Z", "2026-11-21T15:00:00Z").unwrap();
        assert_eq!(days, ["2026-11-19T15:00:00+00:00", "2026-11-20T15:00:00+00:00"]);
        assert!(range("2026-11-21T15:00:00Z", "2026-11-21T15:00:00Z").is_err());
        assert!(range("2026-11-21T15:00:00Z", "2026-11-23T15:00:00Z").is_err());
        assert!(range("1026-11-21T15:00:00Z", "2026-11-21T15:00:00Z").is_err());
    }

    #[test]
    fn the_future_and_unclear_requests_are_refused() {
        let future = run_times(r#"{"requestedRunTime":"2026-11-22T00:00:01Z"}"#).unwrap_err();
        assert_eq!(future, "requested_run_time must not be in the future");
        for bad in ["{}", "", "[]", r#"{"requestedRunTime":"today"}"#, r#"{"params":{}}"#] {
            assert!(run_times(bad).is_err(), "{bad}");
        }
    }
}
