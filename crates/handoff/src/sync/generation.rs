use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

const FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// One publication of a sync, such as `20261125T190000Z`: when it began, in UTC. Later ones sort after earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Generation(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a generation, such as 20261125T190000Z")]
pub struct InvalidGeneration(String);

impl Generation {
    /// The generation that begins now. It comes after `latest` even where that clock was ahead of ours.
    pub fn next(now: DateTime<Utc>, latest: Option<&Self>) -> Self {
        let after_latest = latest.map(|latest| latest.began() + TimeDelta::seconds(1));
        let began = after_latest.map_or(now, |after| after.max(now));
        Self(began.format(FORMAT).to_string())
    }

    pub fn began(&self) -> DateTime<Utc> {
        NaiveDateTime::parse_from_str(&self.0, FORMAT).unwrap_or_default().and_utc()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Generation {
    type Err = InvalidGeneration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || InvalidGeneration(text.to_owned());
        let began = NaiveDateTime::parse_from_str(text, FORMAT).map_err(|_| refused())?;
        // One way to write each, so that they can be compared as text.
        let written = began.format(FORMAT).to_string();
        if written == text { Ok(Self(written)) } else { Err(refused()) }
    }
}

impl TryFrom<String> for Generation {
    type Error = InvalidGeneration;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Generation> for String {
    fn from(generation: Generation) -> Self {
        generation.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_the_moment_it_began() {
        let generation: Generation = "20261125T190000Z".parse().unwrap();
        assert_eq!(generation.began().to_rfc3339(), "2026-11-25T19:00:00+00:00");
        for bad in ["", "20261125", "20261125T190000", "20261325T190000Z", "20261125T190000Z ", "2026-11-25T19:00:00Z"]
        {
            assert_eq!(bad.parse::<Generation>(), Err(InvalidGeneration(bad.into())));
        }
    }

    #[test]
    fn the_next_one_sorts_last_whatever_the_clock_says() {
        let now = "2026-11-25T19:00:00Z".parse().unwrap();
        assert_eq!(Generation::next(now, None).as_str(), "20261125T190000Z");
        let ahead: Generation = "20261125T190010Z".parse().unwrap();
        let next = Generation::next(now, Some(&ahead));
        assert_eq!(next.as_str(), "20261125T190011Z");
        assert!(next > ahead);
        let behind: Generation = "20261124T190000Z".parse().unwrap();
        assert_eq!(Generation::next(now, Some(&behind)).as_str(), "20261125T190000Z");
    }
}
