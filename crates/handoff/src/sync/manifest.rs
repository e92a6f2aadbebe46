use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Generation;

/// Readers refuse a version that they do not know.
pub const SYNC_VERSION: u32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One object for each row.
    Objects,
    /// One Parquet object for each shard.
    Packed,
}

/// What a generation holds. Everything that it names is immutable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationManifest {
    pub version: u32,
    pub sync: String,
    /// Which list's sync of that name: its scratch dataset, one for each environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scratch: Option<String>,
    pub layout: Layout,
    pub generation: Generation,
    /// The generation that it was compared with.
    pub previous: Option<Generation>,
    pub published_at: DateTime<Utc>,
    /// The column that is the key.
    pub key: String,
    pub query_sha256: String,
    pub shards: u32,
    pub totals: Totals,
    /// Which part of what stands was looked at in this run; the next run looks at the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<u32>,
    /// The objects that list changed keys.
    pub changes: Vec<String>,
    /// The objects that list rejected rows.
    pub rejects: Vec<String>,
    /// One for each shard, in order.
    pub records: Vec<ShardRecord>,
}

/// One shard. What stands in it was perhaps written by an earlier generation, when nothing has changed since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRecord {
    pub shard: u32,
    #[serde(flatten)]
    pub totals: Totals,
    /// None where the shard has no rows.
    pub file: Option<ShardFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardFile {
    /// Who wrote it: the object is `g/{generation}/{shard}.parquet`.
    pub generation: Generation,
    pub bytes: u64,
    pub sha256: String,
}

/// Rows by what became of them, and the bytes of their JSON bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub rows: u64,
    pub bytes: u64,
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub deleted: u64,
    pub rejected: u64,
}

impl Totals {
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.deleted += other.deleted;
        self.rejected += other.rejected;
    }
}

#[derive(Debug, thiserror::Error)]
pub enum InvalidGenerationManifest {
    #[error("is not a manifest of a generation")]
    Json(#[from] serde_json::Error),
    #[error("has version {0}, this program knows {SYNC_VERSION}: update it")]
    Version(u32),
    #[error("lists {records} shards of {shards}")]
    Shards { records: usize, shards: u32 },
}

impl GenerationManifest {
    pub fn parse(json: &[u8]) -> Result<Self, InvalidGenerationManifest> {
        let manifest: Self = serde_json::from_slice(json)?;
        if manifest.version != SYNC_VERSION {
            return Err(InvalidGenerationManifest::Version(manifest.version));
        }
        let (records, shards) = (manifest.records.len(), manifest.shards);
        let numbered = manifest.records.iter().enumerate().all(|(n, record)| record.shard as usize == n);
        if records != shards as usize || !numbered || !shards.is_power_of_two() {
            return Err(InvalidGenerationManifest::Shards { records, shards });
        }
        Ok(manifest)
    }

    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest() -> serde_json::Value {
        let file = json!({"generation": "20261124T190000Z", "bytes": 10, "sha256": "ab"});
        let totals =
            json!({"rows": 1, "bytes": 9, "created": 0, "updated": 0, "unchanged": 1, "deleted": 0, "rejected": 0});
        let mut record = totals.clone();
        record["shard"] = 0.into();
        record["file"] = file;
        json!({
            "version": 1, "sync": "users", "layout": "packed", "generation": "20261125T190000Z",
            "previous": "20261124T190000Z", "published_at": "2026-11-25T19:01:00Z", "key": "id", "query_sha256": "cd",
            "shards": 1, "totals": totals, "changes": [], "rejects": [], "records": [record],
        })
    }

    #[test]
    fn a_manifest_comes_back_as_it_was_written() {
        let written = GenerationManifest::parse(manifest().to_string().as_bytes()).unwrap();
        assert_eq!(GenerationManifest::parse(&written.to_json()).unwrap(), written);
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&written.to_json()).unwrap(), manifest());
    }

    #[test]
    fn a_manifest_that_lacks_a_shard_or_is_of_another_version_is_refused() {
        for (field, value, error) in [
            ("version", json!(2), "has version 2, this program knows 1: update it"),
            ("shards", json!(2), "lists 1 shards of 2"),
            ("records", json!([]), "lists 0 shards of 1"),
            ("generation", json!("yesterday"), "is not a manifest of a generation"),
        ] {
            let mut manifest = manifest();
            manifest[field] = value;
            assert_eq!(GenerationManifest::parse(manifest.to_string().as_bytes()).unwrap_err().to_string(), error);
        }
    }
}
