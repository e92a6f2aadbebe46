//! Export task ids. RDS never lets an id be used twice and has no call to delete a task, so an id says what it is for:
//! `{env}-{YYYYMMDD}` is the one daily export of a date, `{env}-{YYYYMMDD}-s{HHMMSS}` a spot export.

use std::fmt;
use std::str::FromStr;

use chrono::{NaiveTime, Timelike};
use serde::{Deserialize, Serialize};

use crate::{Environment, ExportDate};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExportTaskId {
    environment: Environment,
    date: ExportDate,
    kind: TaskKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskKind {
    Daily,
    Spot(NaiveTime),
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not an export task id of the form env-YYYYMMDD or env-YYYYMMDD-sHHMMSS")]
pub struct InvalidExportTaskId(String);

impl ExportTaskId {
    pub fn daily(environment: Environment, date: ExportDate) -> Self {
        Self { environment, date, kind: TaskKind::Daily }
    }

    /// To the second: an id has no more, and two ids that read the same are equal.
    pub fn spot(environment: Environment, date: ExportDate, at: NaiveTime) -> Self {
        Self { environment, date, kind: TaskKind::Spot(at.with_nanosecond(0).unwrap_or(at)) }
    }

    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    pub fn date(&self) -> ExportDate {
        self.date
    }

    pub fn kind(&self) -> TaskKind {
        self.kind
    }

    pub fn is_spot(&self) -> bool {
        matches!(self.kind, TaskKind::Spot(_))
    }
}

impl fmt::Display for ExportTaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.environment, self.date.compact())?;
        match self.kind {
            TaskKind::Daily => Ok(()),
            TaskKind::Spot(at) => write!(f, "-s{}", at.format("%H%M%S")),
        }
    }
}

impl FromStr for ExportTaskId {
    type Err = InvalidExportTaskId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| InvalidExportTaskId(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<ExportTaskId> {
    let (head, last) = text.rsplit_once('-')?;
    let Some(time) = last.strip_prefix('s') else {
        return Some(ExportTaskId::daily(head.parse().ok()?, ExportDate::from_compact(last)?));
    };
    let (environment, date) = head.rsplit_once('-')?;
    let digits = time.len() == 6 && time.bytes().all(|b| b.is_ascii_digit());
    let time = NaiveTime::parse_from_str(time, "%H%M%S").ok().filter(|_| digits)?;
    Some(ExportTaskId::spot(environment.parse().ok()?, ExportDate::from_compact(date)?, time))
}

impl TryFrom<String> for ExportTaskId {
    type Error = InvalidExportTaskId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ExportTaskId> for String {
    fn from(id: ExportTaskId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RDS's rule: a letter first; ASCII letters, digits, hyphens; no `--`; no trailing hyphen; at most 60 characters.
    fn rds_accepts(id: &str) -> bool {
        id.starts_with(|c: char| c.is_ascii_alphabetic())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !id.contains("--")
            && !id.ends_with('-')
            && id.len() <= 60
    }

    proptest! {
        #[test]
        fn every_id_is_one_that_rds_accepts_and_reads_back(
            environment in "[a-z][a-z0-9-]{0,50}", days in 0_i64..40_000, second in proptest::option::of(0_u32..86_400),
        ) {
            let Ok(environment) = environment.parse::<Environment>() else { return Ok(()) };
            let date = ExportDate::of(chrono::DateTime::UNIX_EPOCH + chrono::Duration::days(days), chrono_tz::UTC);
            let id = match second.and_then(|s| NaiveTime::from_num_seconds_from_midnight_opt(s, 0)) {
                Some(at) => ExportTaskId::spot(environment, date, at),
                None => ExportTaskId::daily(environment, date),
            };
            prop_assert!(rds_accepts(&id.to_string()), "{id}");
            prop_assert_eq!(id.to_string().parse::<ExportTaskId>(), Ok(id));
        }
    }

    #[test]
    fn ids_of_one_second_are_one_id() {
        let environment: Environment = "prod".parse().unwrap();
        let date = "2026-11-22".parse().unwrap();
        let id = ExportTaskId::spot(environment, date, NaiveTime::from_hms_milli_opt(10, 15, 0, 250).unwrap());
        assert_eq!(id, "prod-20261122-s101500".parse().unwrap());
    }

    #[test]
    fn ids_of_others_are_not_ours() {
        for other in
            ["prod", "prod-2026112", "prod-20261122-x", "Prod-20261122", "prod-20261122-s1", "-20261122", "20261122"]
        {
            assert!(other.parse::<ExportTaskId>().is_err(), "{other}");
        }
    }

    #[test]
    fn environments_are_held_to_what_fits_into_an_id() {
        for bad in ["", "Prod", "1prod", "a--b", "prod-", "pro_d", "本番", &"a".repeat(44)] {
            assert!(bad.parse::<Environment>().is_err(), "{bad}");
        }
        assert!("a".repeat(43).parse::<Environment>().is_ok());
    }
}
