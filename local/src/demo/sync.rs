//! The demo's two syncs, and their rows as each side shows them: BigQuery's answer to the query, and what stands in S3
//! as an application reads it. None of the job's own code has a part in either.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use serde::Serialize;
use serde_json::Value;

use crate::cloud::Cloud;

/// What the deployment of the job carries; the queries are looked for beside the list.
pub(super) const FILES: [(&str, &str); 3] = [
    ("syncs.yaml", include_str!("syncs/syncs.yaml")),
    ("planes.sql", include_str!("syncs/planes.sql")),
    ("routes.sql", include_str!("syncs/routes.sql")),
];

/// The plane whose flights to Boston get late, so that its row changes.
pub(super) const LATE: &str = "N14228";

/// As the list of syncs has them.
pub(super) const SYNCS: [Sync; 2] = [
    Sync {
        name: "planes",
        key: "tailnum",
        layout: Layout::Objects,
        query: include_str!("syncs/planes.sql"),
        columns: "* REPLACE (FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%S.000000Z', last_flight) AS last_flight)",
    },
    Sync {
        name: "routes",
        key: "route",
        layout: Layout::Packed,
        query: include_str!("syncs/routes.sql"),
        columns: "*",
    },
];

pub(super) struct Sync {
    pub(super) name: &'static str,
    key: &'static str,
    pub(super) layout: Layout,
    query: &'static str,
    /// The query's columns, as JSON has them.
    columns: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Layout {
    Objects,
    Packed,
}

impl Layout {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Packed => "packed",
        }
    }
}

/// By their keys.
pub(super) type Rows = BTreeMap<String, Value>;

impl Sync {
    pub(super) async fn in_bigquery(&self, cloud: &Cloud) -> Result<Rows> {
        let sql = format!("SELECT {} FROM (\n{}\n)", self.columns, self.query);
        let rows = cloud.emulators.bigquery.query(&sql).await?;
        let rows = rows.into_iter().map(|row| Ok((self.key_of(&row)?, row)));
        rows.collect()
    }

    pub(super) fn in_s3(&self, cloud: &Cloud) -> Result<Rows> {
        match self.layout {
            Layout::Objects => self.objects(cloud),
            Layout::Packed => self.packed(cloud),
        }
    }

    /// Every row's object that is there, so one that should have gone is found too.
    fn objects(&self, cloud: &Cloud) -> Result<Rows> {
        let listed = cloud.s3.store().list(&cloud.app_bucket, &format!("{}/", self.name));
        let keys = listed.iter().map(|object| object.key.as_str()).filter(|key| is_row(key));
        keys.map(|path| {
            let row = json(cloud, path)?;
            let key = self.key_of(&row)?;
            ensure!(path.ends_with(&format!("/{key}.json")), "{path} holds {key}");
            Ok((key, row))
        })
        .collect()
    }

    /// From `CURRENT` to the manifest to the Parquet files that it names.
    fn packed(&self, cloud: &Cloud) -> Result<Rows> {
        let current = json(cloud, &format!("{}/CURRENT", self.name))?;
        let manifest = json(cloud, current["manifest"].as_str().context("CURRENT names no manifest")?)?;
        let mut rows = Rows::new();
        for record in manifest["records"].as_array().context("the manifest lists no shards")? {
            let (shard, generation) = (record["shard"].as_u64(), record["file"]["generation"].as_str());
            let (Some(shard), Some(generation)) = (shard, generation) else { continue };
            let file = get(cloud, &format!("{}/g/{generation}/{shard:05}.parquet", self.name))?;
            for row in SerializedFileReader::new(file)?.get_row_iter(None)? {
                let row = row?;
                let twice = rows.insert(row.get_string(0)?.clone(), serde_json::from_str(row.get_string(1)?)?);
                ensure!(twice.is_none(), "{} is there twice", row.get_string(0)?);
            }
        }
        Ok(rows)
    }

    fn key_of(&self, row: &Value) -> Result<String> {
        row[self.key].as_str().map(str::to_owned).with_context(|| format!("{row} has no {}", self.key))
    }
}

/// The object of a row in layout objects: `planes/0110/N14228.json`.
pub(super) fn is_row(path: &str) -> bool {
    let folder = path.split('/').nth(1).unwrap_or_default();
    folder.len() == 4 && folder.bytes().all(|digit| digit == b'0' || digit == b'1')
}

fn json(cloud: &Cloud, path: &str) -> Result<Value> {
    serde_json::from_slice(&get(cloud, path)?).with_context(|| format!("read {path}"))
}

fn get(cloud: &Cloud, path: &str) -> Result<bytes::Bytes> {
    let object = cloud.s3.store().get(&cloud.app_bucket, path);
    Ok(object.with_context(|| format!("s3://{}/{path} is not there", cloud.app_bucket))?.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_of_rows_count_as_rows() {
        assert!(is_row("planes/0110/N14228.json"));
        for other in ["planes/CURRENT", "planes/g/20261125T190000Z/00000.parquet", "planes/lease.json", "planes/2014/a"]
        {
            assert!(!is_row(other), "{other}");
        }
    }

    #[test]
    fn every_sync_is_in_the_list_with_its_query_beside_it() {
        let file = |name: &str| FILES.iter().find(|(file, _)| *file == name).map(|(_, text)| *text);
        let list = file("syncs.yaml").unwrap();
        for sync in SYNCS {
            assert!(list.contains(&format!("  {}:\n    query_file: {0}.sql\n    key: {}\n", sync.name, sync.key)));
            assert_eq!(file(&format!("{}.sql", sync.name)), Some(sync.query));
        }
    }
}
