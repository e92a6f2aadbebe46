//! The environment: `stg`, `prod`. It is the first word of every export task id and of every prefix.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest environment whose spot task id, `{env}-{YYYYMMDD}-s{HHMMSS}`, still fits RDS's 60 characters.
/// Source: RDS API reference, `StartExportTask`, `ExportTaskIdentifier`.
const LONGEST: usize = 60 - "-20261122-s101500".len();

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Environment(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "environment {0:?} must be 1 to {LONGEST} lower-case letters, digits and single hyphens, \
     begin with a letter and not end with a hyphen"
)]
pub struct InvalidEnvironment(String);

impl Environment {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Environment {
    type Err = InvalidEnvironment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
        let hyphens = !text.contains("--") && !text.ends_with('-');
        let valid = letters && begins && hyphens && text.len() <= LONGEST;
        valid.then(|| Self(text.to_owned())).ok_or_else(|| InvalidEnvironment(text.to_owned()))
    }
}

impl TryFrom<String> for Environment {
    type Error = InvalidEnvironment;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Environment> for String {
    fn from(environment: Environment) -> Self {
        environment.0
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
