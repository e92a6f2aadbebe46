//! Back to what was published before, where more than the rows has changed since.

use anyhow::{Context, Result, ensure};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stories::reverse::{OBJECTS, Reverse, outcome};
use stories::{Stage, ended_with};

/// The lists of what is published, as a version of the program wrote them that knew no MD5: the same rows in other bytes.
fn as_an_older_version_wrote_it(reverse: &Reverse) -> Result<Value> {
    let (store, bucket) = (reverse.cloud().s3.store(), &reverse.cloud().app_bucket);
    let mut manifest = reverse.manifest(OBJECTS)?.context("nothing is published")?;
    for record in manifest["records"].as_array_mut().into_iter().flatten() {
        let key = list_of(record)?;
        let list = store.get(bucket, &key).context(key.clone())?.bytes;
        let mut older: Option<ArrowWriter<Vec<u8>>> = None;
        for batch in ParquetRecordBatchReaderBuilder::try_new(list)?.build()? {
            let batch = batch?.project(&[0, 1])?;
            let writer = match &mut older {
                Some(writer) => writer,
                None => older.insert(ArrowWriter::try_new(Vec::new(), batch.schema(), None)?),
            };
            writer.write(&batch)?;
        }
        let older = older.context("a list without rows")?.into_inner()?;
        record["file"]["bytes"] = json!(older.len());
        let sha256: String = Sha256::digest(&older).iter().map(|byte| format!("{byte:02x}")).collect();
        record["file"]["sha256"] = json!(sha256);
        store.put(bucket, &key, older);
    }
    let key = format!("{OBJECTS}/g/{}/manifest.json", manifest["generation"].as_str().unwrap_or_default());
    store.put(bucket, &key, manifest.to_string());
    Ok(manifest)
}

fn list_of(record: &Value) -> Result<String> {
    let generation = record["file"]["generation"].as_str().context("the shard has no rows")?;
    Ok(format!("{OBJECTS}/g/{generation}/{:05}.parquet", record["shard"].as_u64().context("no shard")?))
}

pub async fn over_another_version_of_the_program_are_the_rows_of_then(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(stage, "rv-back-upgrade", "    shards: 8\n", 300).await?;
    let (good, first) = (reverse.expected().await?, as_an_older_version_wrote_it(&reverse)?);
    reverse.fill_numbered(300, " b").await?;
    ended_with(&reverse.run().await?, 0)?;

    let to = first["generation"].as_str().unwrap_or_default();
    let rollback = ["rollback", "--sync", OBJECTS, "--to", to, "--json"];
    ended_with(&reverse.execution()?.run(&rollback).await?, 0)?;
    reverse.is_exactly(&[OBJECTS], &good)?;
    ended_with(&reverse.run().await?, 0)?;

    // Without the list of then nobody knows.
    let before = reverse.row_objects();
    ensure!(reverse.cloud().s3.store().delete(&reverse.cloud().app_bucket, &list_of(&first["records"][3])?));
    let refused = reverse.execution()?.run(&rollback).await?;
    ended_with(&refused, 1)?;
    let error = outcome(&refused, OBJECTS)?["error"].to_string();
    ensure!(error.contains(&format!("shard 3: its list of {to} is gone or damaged")), "{error}");
    ensure!(reverse.row_objects() == before, "it wrote rows");
    // Nor does it keep others waiting: nothing of it is on its way.
    ended_with(&reverse.run().await?, 0)
}
