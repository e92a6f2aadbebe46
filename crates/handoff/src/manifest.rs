//! The export manifest: the last object that AWS writes for a day, and the first that Google reads.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Drift, Environment, ExportDate, ExportTaskId, TableName};

/// Readers refuse every other version: a manifest that is half understood loads half the truth.
pub const MANIFEST_VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub version: u32,
    pub env: Environment,
    pub export_date: ExportDate,
    /// The export task whose snapshot the day now shows: the daily one, or the last spot export.
    pub task_id: ExportTaskId,
    /// Every export task that the day is made of: the whole export, and each spot export laid over it, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<ExportTaskId>,
    pub snapshot_arn: String,
    pub snapshot_time: DateTime<Utc>,
    pub published_at: DateTime<Utc>,
    /// In the order of their names.
    pub tables: Vec<Table>,
    /// Against the manifest that was published before this one.
    #[serde(default)]
    pub drift: Vec<Drift>,
    /// What RDS said about tables it could not export as asked.
    #[serde(default)]
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub name: TableName,
    pub prefix: String,
    pub state: TableState,
    /// Counted in the footers of the parts.
    pub rows: u64,
    pub bytes: u64,
    pub parts: u64,
    /// The export task that wrote the parts; a spot export of some tables leaves the others as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<ExportTaskId>,
    /// How old the table's data are: its own, after a spot export of some tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_time: Option<DateTime<Utc>>,
    /// The newest `LastModified` of its parts. A transfer run that began earlier has read other files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_part_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub columns: Vec<Column>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableState {
    /// Has parts, and every part was verified.
    Exported,
    /// Was exported and has no rows: RDS wrote no part, so a transfer alone would leave yesterday's rows.
    Empty,
    /// Was not exported; the manifest's warnings say why.
    Skipped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub source_type: String,
    pub parquet_type: String,
    /// What the footers of all parts say about the column together; absent where one of them does not say it.
    #[serde(flatten)]
    pub statistics: Statistics,
}

/// The smallest and the largest value are text, written as `docs/spec/manifest.md` says; they are exact or absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nulls: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum InvalidManifest {
    #[error("not a manifest")]
    Json(#[from] serde_json::Error),
    #[error("manifest version {0} is not {MANIFEST_VERSION}: deploy the same release of isthmus on both clouds")]
    Version(u64),
    #[error("the manifest is of {found}, not of {wanted}")]
    OtherDay { found: String, wanted: String },
    #[error("the manifest names table {0} twice")]
    Repeated(TableName),
    #[error("table {table} is {state:?} but has {rows} rows in {parts} parts")]
    Contradiction { table: TableName, state: TableState, rows: u64, parts: u64 },
}

impl Manifest {
    /// Reads the manifest of a day and refuses one that contradicts itself or is of another day.
    pub fn parse(bytes: &[u8], env: &Environment, date: ExportDate) -> Result<Self, InvalidManifest> {
        let manifest = Self::of_any_day(bytes)?;
        let day = |env: &Environment, date: ExportDate| format!("{env}-{}", date.compact());
        let (found, wanted) = (day(&manifest.env, manifest.export_date), day(env, date));
        if found != wanted {
            return Err(InvalidManifest::OtherDay { found, wanted });
        }
        manifest.check()?;
        Ok(manifest)
    }

    /// Reads a manifest and refuses one of another version. For who does not know of which day it is.
    fn of_any_day(bytes: &[u8]) -> Result<Self, InvalidManifest> {
        let value: serde_json::Value = serde_json::from_slice(bytes)?;
        // The version first: another version may have other fields, and "unknown field" would send people astray.
        if let Some(version) = value["version"].as_u64().filter(|v| *v != u64::from(MANIFEST_VERSION)) {
            return Err(InvalidManifest::Version(version));
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// Reads the manifest of whatever day it is of, and refuses one that contradicts itself.
    pub fn read(bytes: &[u8]) -> Result<Self, InvalidManifest> {
        let manifest = Self::of_any_day(bytes)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), InvalidManifest> {
        let mut seen = std::collections::BTreeSet::new();
        for table in &self.tables {
            if !seen.insert(&table.name) {
                return Err(InvalidManifest::Repeated(table.name.clone()));
            }
            table.check()?;
        }
        Ok(())
    }

    /// Whether the day shows what this task exported, alone or below later spot exports.
    pub fn contains(&self, task: &ExportTaskId) -> bool {
        self.task_id == *task || self.tasks.contains(task)
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    pub fn table(&self, name: &TableName) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == *name)
    }
}

impl Table {
    /// RDS writes no part for a table without rows, so rows and parts come and go together.
    fn check(&self) -> Result<(), InvalidManifest> {
        let holds = match self.state {
            TableState::Exported => self.rows > 0 && self.parts > 0,
            TableState::Empty | TableState::Skipped => self.rows == 0 && self.parts == 0,
        };
        if holds {
            return Ok(());
        }
        let (table, state, rows, parts) = (self.name.clone(), self.state, self.rows, self.parts);
        Err(InvalidManifest::Contradiction { table, state, rows, parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of `docs/spec/manifest.md`.
    const SAMPLE: &str = r#"{"version":1,"env":"prod","export_date":"2026-11-22","task_id":"prod-20261122",
        "tasks":["prod-20261122"],
        "snapshot_arn":"arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:rds:shop-2026-11-21-17-05",
        "snapshot_time":"2026-11-21T17:05:00Z","published_at":"2026-11-21T19:40:00Z",
        "tables":[{"name":"shop.orders","prefix":"prod-20261122/shop/shop.orders/","state":"exported","rows":123456,
            "bytes":987654,"parts":12,"task_id":"prod-20261122","snapshot_time":"2026-11-21T17:05:00Z",
            "newest_part_at":"2026-11-21T19:31:40Z",
            "columns":[{"name":"id","source_type":"bigint unsigned","parquet_type":"DECIMAL(20,0)",
                "nulls":0,"min":"1","max":"130501"}]}],
        "drift":[{"table":"shop.orders","change":"column_added","column":"coupon"}],"warnings":[]}"#;

    fn parse(text: &str) -> Result<Manifest, InvalidManifest> {
        Manifest::parse(text.as_bytes(), &"prod".parse().unwrap(), "2026-11-22".parse().unwrap())
    }

    #[test]
    fn the_sample_of_the_contract_reads_back_as_it_was_written() {
        let manifest = parse(SAMPLE).unwrap();
        let written: serde_json::Value = serde_json::from_slice(&manifest.to_json()).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(SAMPLE).unwrap());
        assert_eq!(manifest.table(&"shop.orders".parse().unwrap()).unwrap().rows, 123_456);
    }

    #[test]
    fn what_a_newer_release_adds_does_not_stop_an_older_reader() {
        let newer = SAMPLE
            .replace("\"state\"", "\"colour\":\"red\",\"state\"")
            .replace("\"warnings\"", "\"more\":{},\"warnings\"");
        assert_ne!(newer, SAMPLE);
        assert_eq!(parse(&newer).unwrap(), parse(SAMPLE).unwrap());
    }

    #[test]
    fn what_an_older_release_did_not_write_is_missing_and_not_invented() {
        let mut older: serde_json::Value = serde_json::from_str(SAMPLE).unwrap();
        older.as_object_mut().unwrap().remove("tasks");
        let table = older["tables"][0].as_object_mut().unwrap();
        table.retain(|field, _| !["task_id", "snapshot_time", "newest_part_at"].contains(&field.as_str()));
        table["columns"][0]
            .as_object_mut()
            .unwrap()
            .retain(|field, _| !["nulls", "min", "max"].contains(&field.as_str()));
        let manifest = parse(&older.to_string()).unwrap();
        let table = &manifest.tables[0];
        assert_eq!((&table.task_id, table.snapshot_time, table.newest_part_at), (&None, None, None));
        assert_eq!(table.columns[0].statistics, Statistics::default());
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&manifest.to_json()).unwrap(), older);
    }

    #[test]
    fn a_day_contains_the_tasks_that_lie_below_the_newest() {
        let layered = SAMPLE.replace(
            "\"task_id\":\"prod-20261122\",\n        \"tasks\":[\"prod-20261122\"]",
            "\"task_id\":\"prod-20261122-s101500\",\"tasks\":[\"prod-20261122\",\"prod-20261122-s101500\"]",
        );
        let manifest = parse(&layered).unwrap();
        assert!(manifest.contains(&"prod-20261122".parse().unwrap()));
        assert!(manifest.contains(&"prod-20261122-s101500".parse().unwrap()));
        assert!(!manifest.contains(&"prod-20261122-s111500".parse().unwrap()));
        assert!(parse(SAMPLE).unwrap().contains(&"prod-20261122".parse().unwrap()));
    }

    #[test]
    fn a_manifest_that_does_not_hold_is_refused_and_says_why() {
        let refused = |from: &str, to: &str| {
            let text = SAMPLE.replace(from, to);
            assert_ne!(text, SAMPLE, "{from} is not in the sample");
            let error = parse(&text).unwrap_err();
            std::error::Error::source(&error).map_or(error.to_string(), |cause| format!("{error}: {cause}"))
        };
        assert_eq!(
            refused("\"version\":1", "\"version\":2,\"new\":1"),
            "manifest version 2 is not 1: deploy the same release of isthmus on both clouds"
        );
        assert_eq!(refused("2026-11-22", "2026-11-21"), "the manifest is of prod-20261121, not of prod-20261122");
        assert_eq!(
            refused("\"rows\":123456", "\"rows\":0"),
            "table shop.orders is Exported but has 0 rows in 12 parts"
        );
        assert_eq!(refused("exported", "empty"), "table shop.orders is Empty but has 123456 rows in 12 parts");
        assert!(refused("column_added", "column_painted").contains("unknown variant `column_painted`"));
        assert!(parse("{").unwrap_err().to_string().contains("not a manifest"));
        let twice = SAMPLE.replace("}],\n        \"drift\"", "},{\"name\":\"shop.orders\",\"prefix\":\"\",\"state\":\"empty\",\"rows\":0,\"bytes\":0,\"parts\":0}],\n        \"drift\"");
        assert_eq!(parse(&twice).unwrap_err().to_string(), "the manifest names table shop.orders twice");
    }
}
