//! What the stories of the reverse path share: a table in BigQuery, syncs that publish it, and a reader of what came
//! out that uses none of the job's own code.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use local::bigquery::PROJECT;
use local::cloud::Cloud;
use local::job::{Finished, Job};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Stage, Story, ended_with};

/// Key and body of every row that a reader gets.
pub type Rows = BTreeMap<String, String>;

pub const OBJECTS: &str = "objects";
pub const PACKED: &str = "packed";

pub struct Reverse {
    pub story: Story,
    executions: AtomicU32,
}

impl Reverse {
    pub async fn begin(stage: &Stage, env: &str) -> Result<Self> {
        let story = Story::begin(stage, env, Vec::new()).await?;
        let bigquery = &story.cloud.emulators.bigquery;
        bigquery.create_dataset(&story.cloud.scratch_dataset()).await?;
        bigquery.create_dataset(&story.dataset()).await?;
        Ok(Self { story, executions: AtomicU32::new(0) })
    }

    /// So many rows in layout objects, published by a first run. `settings` as for `sync`.
    pub async fn begin_published(stage: &Stage, env: &str, settings: &str, rows: u32) -> Result<Self> {
        let reverse = Self::begin(stage, env).await?;
        reverse.sync(&[OBJECTS], settings)?;
        reverse.fill_numbered(rows, "").await?;
        ended_with(&reverse.run().await?, 0)?;
        Ok(reverse)
    }

    pub fn cloud(&self) -> &Cloud {
        &self.story.cloud
    }

    /// The table that the syncs publish.
    pub fn source(&self) -> String {
        format!("`{PROJECT}.{}.source`", self.story.dataset())
    }

    /// `select` gives `id` and whatever else.
    pub async fn fill(&self, select: &str) -> Result<()> {
        self.story.query(&format!("CREATE OR REPLACE TABLE {} AS {select}", self.source())).await?;
        Ok(())
    }

    /// `rows` rows with text that tells them and their `version` apart.
    pub async fn fill_numbered(&self, rows: u32, version: &str) -> Result<()> {
        self.fill(&numbered(1, rows, version)).await
    }

    /// One sync for each layout. `more` are further lines of settings, indented by four.
    pub fn sync(&self, layouts: &[&str], more: &str) -> Result<()> {
        let sync = |layout: &&str| {
            format!(
                "  {layout}:\n    query: SELECT * FROM {source}\n    key: id\n    \
                 destination: {{bucket: {bucket}, prefix: {layout}}}\n    layout: {layout}\n{more}",
                source = self.source(),
                bucket = self.cloud().app_bucket,
            )
        };
        let text: String = layouts.iter().map(sync).collect();
        Ok(std::fs::write(self.cloud().syncs_file(), format!("syncs:\n{text}"))?)
    }

    /// An execution of its own, as Cloud Run numbers them.
    pub fn execution(&self) -> Result<Job> {
        let n = self.executions.fetch_add(1, Ordering::Relaxed);
        Ok(self.cloud().bigquery_to_s3()?.with("CLOUD_RUN_EXECUTION", &format!("bigquery-to-s3-{n}")))
    }

    /// As `execution`; when it dies, the next one need not wait for long.
    pub fn mortal(&self) -> Result<Job> {
        Ok(self.execution()?.with("LEASE_SECONDS", "4"))
    }

    pub async fn run(&self) -> Result<Finished> {
        self.execution()?.run(&["--json"]).await
    }

    /// What must come out: BigQuery's own values, rendered here.
    pub async fn expected(&self) -> Result<Rows> {
        let rows = self.story.query(&format!("SELECT * FROM {} ORDER BY id", self.source())).await?;
        let row = |row: &Value| {
            let key = match &row["id"] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            // The columns of these stories are in alphabetical order, as serde_json's are.
            (key, row.to_string())
        };
        Ok(rows.iter().map(row).collect())
    }

    /// What a reader finds; an error where `CURRENT` points to anything that is not whole.
    pub fn published(&self, layout: &str) -> Result<Option<Rows>> {
        let Some(manifest) = self.manifest(layout)? else { return Ok(None) };
        let mut rows = Rows::new();
        for record in manifest["records"].as_array().context("no records")? {
            for (key, value) in self.shard(layout, record)? {
                let body = if layout == PACKED { String::from_utf8(value)? } else { self.object(layout, &key)? };
                ensure!(rows.insert(key.clone(), body).is_none(), "{key} is there twice");
            }
        }
        ensure!(
            manifest["totals"]["rows"] == rows.len(),
            "{} rows, the manifest says {}",
            rows.len(),
            manifest["totals"]
        );
        Ok(Some(rows))
    }

    pub fn current(&self, layout: &str) -> Result<Option<Value>> {
        self.json(&format!("{layout}/CURRENT"))
    }

    pub fn manifest(&self, layout: &str) -> Result<Option<Value>> {
        let Some(current) = self.current(layout)? else { return Ok(None) };
        let key = current["manifest"].as_str().context("CURRENT names no manifest")?;
        let manifest = self.json(key)?.with_context(|| format!("CURRENT names {key}, which is not there"))?;
        ensure!(manifest["generation"] == current["generation"], "CURRENT and {key} differ");
        Ok(Some(manifest))
    }

    /// Only the shards' own files, while objects may be written under a reader's eyes.
    pub fn shard(&self, layout: &str, record: &Value) -> Result<Vec<(String, Vec<u8>)>> {
        let Some(generation) = record["file"]["generation"].as_str() else { return Ok(Vec::new()) };
        let shard = record["shard"].as_u64().context("no shard")?;
        let key = format!("{layout}/g/{generation}/{shard:05}.parquet");
        let bytes = self.get(&key)?.with_context(|| format!("{key} is not there"))?;
        ensure!(
            hex(&Sha256::digest(&bytes)) == record["file"]["sha256"].as_str().unwrap_or_default(),
            "{key} is another"
        );
        let file = SerializedFileReader::new(bytes::Bytes::from(bytes))?;
        let rows = file.get_row_iter(None)?.map(|row| {
            let row = row?;
            let value = row.get_string(1).map(|text| text.clone().into_bytes());
            Ok((row.get_string(0)?.clone(), value.or_else(|_| row.get_bytes(1).map(|bytes| bytes.data().to_vec()))?))
        });
        rows.collect()
    }

    /// The object of a key, found as an application finds it.
    fn object(&self, layout: &str, key: &str) -> Result<String> {
        let path = object_path(layout, key);
        let bytes = self.get(&path)?.with_context(|| format!("{path} is not there"))?;
        Ok(String::from_utf8(bytes)?)
    }

    /// Every row's object that is there, whoever wrote it: nothing lost, nothing extra.
    pub fn all_objects(&self, layout: &str) -> Result<BTreeMap<String, String>> {
        let mut objects = BTreeMap::new();
        for object in self.cloud().s3.store().list(&self.cloud().app_bucket, &format!("{layout}/")) {
            if object.key.split('/').nth(1).is_some_and(is_folder) {
                objects.insert(object.key.clone(), String::from_utf8(self.get(&object.key)?.context("gone")?)?);
            }
        }
        Ok(objects)
    }

    /// Both layouts hold exactly these rows.
    pub fn is_exactly(&self, layouts: &[&str], rows: &Rows) -> Result<()> {
        for layout in layouts {
            let published = self.published(layout)?.with_context(|| format!("{layout}: nothing is published"))?;
            same(layout, &published, rows)?;
            if *layout == OBJECTS {
                let expected: BTreeMap<_, _> =
                    rows.iter().map(|(key, body)| (object_path(layout, key), body.clone())).collect();
                same("objects in the bucket", &self.all_objects(layout)?, &expected)?;
            }
        }
        Ok(())
    }

    /// Why each rejected key was rejected; `null` for rows without one.
    pub fn rejects(&self, layout: &str) -> Result<Rows> {
        let manifest = self.manifest(layout)?.context("nothing is published")?;
        let mut rejects = Rows::new();
        for key in manifest["rejects"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let lines = self.get(key)?.with_context(|| format!("{key} is not there"))?;
            for line in String::from_utf8(lines)?.lines() {
                let reject: Value = serde_json::from_str(line)?;
                let text = |name: &str| reject[name].as_str().unwrap_or("null").to_owned();
                rejects.insert(text("key"), text("reason"));
            }
        }
        Ok(rejects)
    }

    /// Every object of the application's bucket with its `ETag`.
    pub fn story_objects(&self) -> BTreeMap<String, String> {
        let listed = self.cloud().s3.store().list(&self.cloud().app_bucket, "");
        listed.into_iter().map(|object| (object.key, object.etag)).collect()
    }

    pub fn json(&self, key: &str) -> Result<Option<Value>> {
        self.get(key)?.map(|bytes| serde_json::from_slice(&bytes).with_context(|| key.to_owned())).transpose()
    }

    #[allow(clippy::unnecessary_wraps)]
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.cloud().s3.store().get(&self.cloud().app_bucket, key).map(|object| object.bytes.to_vec()))
    }

    /// The row objects of layout objects with their `ETag`s: what readers get, whatever `CURRENT` says.
    pub fn row_objects(&self) -> BTreeMap<String, String> {
        let is_row = |key: &str| key.split('/').nth(1).is_some_and(is_folder);
        self.story_objects().into_iter().filter(|(key, _)| is_row(key)).collect()
    }

    /// PUTs of row objects that S3 carried out since the wire last forgot.
    pub fn row_puts(&self) -> usize {
        let requests = self.cloud().wires.s3.requests();
        requests.iter().filter(|request| is_row_put(request)).count()
    }
}

/// A PUT of a row's object in layout objects: `/{bucket}/objects/0110/7.json`.
pub fn is_row_put(request: &local::wire::Recorded) -> bool {
    request.method == "PUT" && request.path.split('/').nth(3).is_some_and(is_folder)
}

/// `0110`
fn is_folder(name: &str) -> bool {
    name.len() == 4 && name.bytes().all(|digit| digit == b'0' || digit == b'1')
}

/// SQL of rows `first..=last`.
pub fn numbered(first: u32, last: u32, version: &str) -> String {
    format!(
        "SELECT n AS id, CONCAT('user ', CAST(n AS STRING), '{version}') AS name, MOD(n, 7) = 0 AS vip \
         FROM UNNEST(GENERATE_ARRAY({first}, {last})) AS n"
    )
}

/// `objects/0110/1.json`: worked out here once more, from the specification.
pub fn object_path(prefix: &str, key: &str) -> String {
    let first = Sha256::digest(key.as_bytes())[0] >> 4;
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let name: String = key.bytes().map(encoded).collect();
    format!("{prefix}/{first:04b}/{name}.json")
}

fn same(what: &str, found: &BTreeMap<String, String>, expected: &BTreeMap<String, String>) -> Result<()> {
    let missing: Vec<_> = expected.keys().filter(|key| !found.contains_key(*key)).take(3).collect();
    let extra: Vec<_> = found.keys().filter(|key| !expected.contains_key(*key)).take(3).collect();
    let other: Vec<_> = expected.iter().filter(|(k, v)| found.get(*k).is_some_and(|f| f != *v)).take(3).collect();
    ensure!(
        missing.is_empty() && extra.is_empty() && other.is_empty(),
        "{what}: {} rows, {} expected; missing {missing:?}, extra {extra:?}, other {other:?} ({:?})",
        found.len(),
        expected.len(),
        other.first().and_then(|(key, _)| found.get(*key))
    );
    Ok(())
}

fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The outcome of one sync in the job's JSON.
pub fn outcome(finished: &Finished, sync: &str) -> Result<Value> {
    let mut lines = finished.log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let report = lines.rfind(|line| line.get("syncs").is_some_and(Value::is_array));
    let report = report.with_context(|| format!("no report\n{}", finished.log))?;
    let syncs = report["syncs"].as_array().into_iter().flatten();
    syncs.clone().find(|outcome| outcome["sync"] == sync).cloned().with_context(|| format!("no {sync} in {report}"))
}
