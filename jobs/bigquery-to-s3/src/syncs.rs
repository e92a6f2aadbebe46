//! `syncs.yaml`: what is published, where to, and how much may change in one run. See `docs/spec/syncs.md`.

mod overlap;
mod rules;
mod schema;
mod settings;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use handoff::sync::{Destination, Layout};
use schemars::JsonSchema;
use yaml::InvalidFile;

use crate::digest::{hex, sha256};
use crate::json::JsonOptions;

pub use schema::schema;

/// Every sync of one file, by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Syncs(BTreeMap<SyncName, Sync>);

impl Syncs {
    /// Reads the file and the queries it names. Everything that is wrong with them is told at once. A destination that
    /// names no bucket is in `bucket`.
    pub fn read(file: &Path, bucket: Option<&Bucket>) -> Result<Self, InvalidFile> {
        Self::parse(&yaml::read(file)?, file, bucket)
    }

    /// `file` is named in the errors, and query files are looked for beside it.
    pub fn parse(text: &str, file: &Path, bucket: Option<&Bucket>) -> Result<Self, InvalidFile> {
        let root = yaml::parse(text).map_err(|problem| InvalidFile::new(file, vec![problem]))?;
        let bucket = bucket.map(Bucket::as_str);
        let mut problems = overlap::problems(&root, bucket);
        let dir = file.parent().unwrap_or(Path::new(""));
        let syncs = settings::syncs(&root, dir, bucket, &mut problems);
        if problems.is_empty() { Ok(Self(syncs)) } else { Err(InvalidFile::new(file, problems)) }
    }

    pub fn get(&self, name: &str) -> Option<&Sync> {
        self.0.get(name)
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Sync> {
        self.0.values()
    }
}

/// One query whose result is published to one prefix.
#[derive(Debug, Clone, PartialEq)]
pub struct Sync {
    pub name: SyncName,
    /// One statement, without a last semicolon; its lines have the numbers that they have in the file.
    pub query: String,
    /// The column of the query's result that names a row.
    pub key: String,
    pub destination: Destination,
    pub layout: Layout,
    pub mode: Mode,
    /// A power of two.
    pub shards: u32,
    pub keep_generations: usize,
    /// All that stands is compared with what is believed within so many runs; 0: never.
    pub verify_runs: u32,
    pub max_body_bytes: usize,
    pub json: JsonOptions,
    pub guards: Guards,
    /// None where the list says nothing: fresh where there are gates.
    pub require: Option<Require>,
}

impl Sync {
    /// Changes with the query, so that a manifest says which one made it.
    pub fn query_sha256(&self) -> String {
        hex(&sha256(&self.query))
    }
}

/// `user-profiles`: lower-case letters, digits and hyphens, so that it can stand in a table's, a job's and an object's
/// name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyncName(String);

impl SyncName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SyncName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if rules::is_name(text) { Ok(Self(text.to_owned())) } else { Err(rules::NAME.to_owned()) }
    }
}

impl fmt::Display for SyncName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for SyncName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// By S3's naming rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket(String);

impl Bucket {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Bucket {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if rules::is_bucket(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("{text:?} is not {}", rules::BUCKET))
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Require {
    /// Published whatever its tables are made of.
    Any,
    /// Published only if dbt built its marts today, of loads that were proven.
    Fresh,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Mode {
    /// Only rows that are new or changed since the last generation are written.
    Delta,
    /// Every row is written each time. For layout objects only.
    Full,
}

/// What stops a generation before it is published.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guards {
    pub on_empty: OnEmpty,
    pub max_deletes: Limit,
    pub max_rejects: Limit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum OnEmpty {
    /// A query without any row is taken for a mistake.
    Fail,
    /// No rows are published as no rows.
    Publish,
}

/// So many rows, or such a part of all: whichever is more. The rows let a tiny sync lose a few, the fraction lets a
/// large one do so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    pub rows: u64,
    /// From 0 to 1.
    pub fraction: f64,
}

impl Limit {
    #[allow(clippy::cast_precision_loss)] // a count of rows is far below 2^52
    pub fn allows(&self, affected: u64, of: u64) -> bool {
        affected <= self.rows || affected as f64 <= self.fraction * of as f64
    }
}
