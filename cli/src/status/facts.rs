//! What was found out, each fact from one source. A source that could not be asked says why, and stops nobody else.

use chrono::{DateTime, Utc};
use handoff::sync::{GenerationManifest, Layout};
use handoff::{Environment, ExportDate, Manifest};
use serde::{Serialize, Serializer};

/// The error is why it could not be asked.
pub type Asked<T> = Result<T, String>;

#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    pub env: Environment,
    /// The day that is looked at.
    pub day: ExportDate,
    /// Where commands go.
    pub names: Names,
    /// The tables that are to be loaded.
    #[serde(serialize_with = "asked")]
    pub listed: Asked<Vec<String>>,
    /// The newest automated one that is complete.
    #[serde(serialize_with = "asked")]
    pub snapshot: Asked<Option<Snapshot>>,
    /// Of the day, the oldest first.
    #[serde(serialize_with = "asked")]
    pub tasks: Asked<Vec<Task>>,
    #[serde(serialize_with = "asked_manifest")]
    pub manifest: Asked<Option<Manifest>>,
    /// The newest run of each transfer config.
    #[serde(serialize_with = "asked")]
    pub runs: Asked<Vec<Run>>,
    /// The newest load of each table and day, for as many days as there are.
    #[serde(serialize_with = "asked")]
    pub loads: Asked<Vec<Load>>,
    /// None where there is no dbt.
    #[serde(serialize_with = "maybe_asked")]
    pub dbt: Option<Asked<Option<Build>>>,
    #[serde(serialize_with = "asked")]
    pub syncs: Asked<Vec<Sync>>,
    /// None where no address of lookup is known.
    #[serde(serialize_with = "maybe_asked")]
    pub lookup: Option<Asked<Served>>,
    /// Those that are in ALARM.
    #[serde(serialize_with = "asked")]
    pub alarms: Asked<Vec<Alarm>>,
    #[serde(serialize_with = "asked")]
    pub dead_letters: Asked<u64>,
}

/// Names that commands need; a placeholder where one could not be found out.
#[derive(Debug, Clone, Serialize)]
pub struct Names {
    pub cluster: String,
    pub project: String,
    pub location: String,
    pub region: Option<String>,
    pub export_bucket: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    pub id: String,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Task {
    pub id: String,
    pub status: String,
    pub percent: i32,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub failure: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    pub table: String,
    /// `projects/…/transferConfigs/…/runs/…`
    pub name: String,
    pub state: String,
    /// The moment that its path means: the day's midnight.
    pub run_time: Option<DateTime<Utc>>,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Load {
    pub day: ExportDate,
    pub table: String,
    pub state: String,
    pub rows: Option<u64>,
    pub loaded_at: DateTime<Utc>,
    /// When the day's rows were proven for the first time.
    pub first_good_at: Option<DateTime<Utc>>,
    pub snapshot_at: Option<DateTime<Utc>>,
    /// Of the newest day only.
    pub message: Option<String>,
}

/// What dbt left.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Build {
    pub day: ExportDate,
    pub ended_at: DateTime<Utc>,
    pub seconds: f64,
    pub nodes: usize,
    /// Models and tests, with what was said about each.
    pub failed: Vec<(String, String)>,
    /// Syncs, with the reasons.
    pub not_fresh: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sync {
    pub name: String,
    /// `s3://bucket/prefix`
    pub place: String,
    /// The generations that can be read, the one that is current first; none where nothing was published yet.
    #[serde(serialize_with = "asked")]
    pub generations: Asked<Vec<Published>>,
    /// When something was published, as far back as S3 keeps it.
    pub published_at: Vec<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Published {
    pub generation: String,
    pub began_at: DateTime<Utc>,
    pub published_at: DateTime<Utc>,
    pub rows: u64,
    pub changed: u64,
    pub rejected: u64,
    /// Of rows and shards; the few objects that say what is published are not counted.
    pub puts: u64,
}

impl From<&GenerationManifest> for Published {
    fn from(manifest: &GenerationManifest) -> Self {
        let (totals, generation) = (&manifest.totals, &manifest.generation);
        let files = manifest.records.iter().filter_map(|record| record.file.as_ref());
        let shards = files.filter(|file| file.generation == *generation).count() as u64;
        let rows = match manifest.layout {
            Layout::Objects => totals.created + totals.updated,
            Layout::Packed => 0,
        };
        Self {
            generation: generation.to_string(),
            began_at: generation.began(),
            published_at: manifest.published_at,
            rows: totals.rows,
            changed: totals.created + totals.updated + totals.deleted,
            rejected: totals.rejected,
            puts: rows + shards + manifest.changes.len() as u64,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Served {
    /// What `/healthz` answered.
    pub healthy: Result<(), String>,
    /// The generation that each sync is answered from.
    pub generations: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    pub name: String,
    pub reason: String,
    pub since: Option<DateTime<Utc>>,
}

/// `{"found": …}` or `{"not_asked": "why"}`.
fn asked<T: Serialize, S: Serializer>(asked: &Asked<T>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Shown<'a, T> {
        Found(&'a T),
        NotAsked(&'a str),
    }
    match asked {
        Ok(found) => Shown::Found(found).serialize(serializer),
        Err(why) => Shown::<T>::NotAsked(why).serialize(serializer),
    }
}

#[allow(clippy::ref_option)] // serde gives the field
fn maybe_asked<T: Serialize, S: Serializer>(maybe: &Option<Asked<T>>, serializer: S) -> Result<S::Ok, S::Error> {
    match maybe {
        Some(found) => asked(found, serializer),
        None => serializer.serialize_none(),
    }
}

/// Without the columns, which are most of it.
fn asked_manifest<S: Serializer>(manifest: &Asked<Option<Manifest>>, serializer: S) -> Result<S::Ok, S::Error> {
    let short = |manifest: &Manifest| {
        serde_json::json!({"task_id": manifest.task_id, "published_at": manifest.published_at,
            "tables": manifest.tables.len(), "rows": manifest.tables.iter().map(|table| table.rows).sum::<u64>(),
            "warnings": manifest.warnings})
    };
    asked(&manifest.as_ref().map(|found| found.as_ref().map(short)).map_err(Clone::clone), serializer)
}
