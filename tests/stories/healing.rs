//! What somebody or something else changes in the bucket is found, and put right.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stories::reverse::{OBJECTS, PACKED, Reverse, numbered, object_path, outcome};
use stories::{Stage, ended_with};

fn faults(report: &Value) -> [Option<u64>; 3] {
    ["missing", "changed", "extra"].map(|name| report[name].as_u64())
}

/// Twenty objects are changed (ten keep their size), twenty deleted, ten added.
fn damage(reverse: &Reverse) {
    let (store, bucket) = (reverse.cloud().s3.store(), &reverse.cloud().app_bucket);
    let object = |n: u32| object_path(OBJECTS, &n.to_string());
    for n in 1..=10 {
        let standing = store.get(bucket, &object(n)).map(|object| object.bytes.to_vec()).unwrap_or_default();
        store.put(bucket, &object(n), standing.iter().rev().copied().collect::<Vec<u8>>());
    }
    (11..=20).for_each(|n| drop(store.put(bucket, &object(n), "{}")));
    (21..=40).for_each(|n| drop(store.delete(bucket, &object(n))));
    (9001..=9010).for_each(|n| drop(store.put(bucket, &object(n), "{\"id\":9001}")));
}

async fn verified(reverse: &Reverse, arguments: &[&str], exit_code: i32) -> Result<Value> {
    let finished = reverse.execution()?.run(&[&["verify", "--json"], arguments].concat()).await?;
    ended_with(&finished, exit_code)?;
    outcome(&finished, OBJECTS)
}

pub async fn of_fifty_objects_that_were_changed_by_hand_is_found_and_done(stage: &Stage) -> Result<()> {
    for (env, kms) in [("rv-repair", false), ("rv-repair-kms", true)] {
        let reverse = Reverse::begin(stage, env).await?;
        if kms {
            // No ETag is the hash of anything then.
            reverse.cloud().s3.store().encrypt_with_kms(&reverse.cloud().app_bucket);
        }
        reverse.sync(&[OBJECTS], "    shards: 64\n    verify_runs: 0\n")?;
        reverse.fill_numbered(500, "").await?;
        ended_with(&reverse.run().await?, 0)?;
        let expected = reverse.expected().await?;
        let healthy = verified(&reverse, &[], 0).await?;
        ensure!(faults(&healthy) == [0, 0, 0].map(Some) && healthy["rows"] == 500, "{healthy}");

        damage(&reverse);
        let (before, current) = (reverse.row_objects(), reverse.current(OBJECTS)?);
        let found = reverse.execution()?.run(&["verify", "--json"]).await?;
        ended_with(&found, 1)?;
        let error = outcome(&found, OBJECTS)?;
        ensure!(faults(&error) == [20, 20, 10].map(Some), "{error}");
        ensure!(reverse.row_objects() == before && reverse.current(OBJECTS)? == current, "verify changes nothing");
        // A run that looks at nothing believes what it wrote.
        let blind = reverse.run().await?;
        ensure!(outcome(&blind, OBJECTS)?["unchanged"] == 500, "{}", blind.log);

        reverse.cloud().wires.s3.forget();
        let repaired = verified(&reverse, &["--repair"], 0).await?;
        ensure!(faults(&repaired["repaired"]) == [20, 20, 10].map(Some), "{repaired}");
        ensure!(reverse.row_puts() == 40, "{} rows were written", reverse.row_puts());
        reverse.is_exactly(&[OBJECTS], &expected)?;
        let healthy = verified(&reverse, &[], 0).await?;
        ensure!(faults(&healthy) == [0, 0, 0].map(Some), "{healthy}");
    }
    Ok(())
}

pub async fn comes_by_itself_within_the_runs_of_a_round(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-heals").await?;
    let both = [OBJECTS, PACKED];
    reverse.sync(&both, "    shards: 32\n    verify_runs: 4\n")?;
    reverse.fill_numbered(500, "").await?;
    ended_with(&reverse.run().await?, 0)?;
    let expected = reverse.expected().await?;
    damage(&reverse);
    // Of layout packed, a shard that readers need.
    let record = reverse.manifest(PACKED)?.context("nothing is published")?["records"][17].clone();
    let shard = format!("{PACKED}/g/{}/00017.parquet", record["file"]["generation"].as_str().unwrap_or_default());
    reverse.cloud().s3.store().delete(&reverse.cloud().app_bucket, &shard);
    let mut found = [0, 0, 0];
    let mut shares = 0;
    for _ in 0..4 {
        let run = reverse.run().await?;
        ended_with(&run, 0)?;
        let repaired = faults(&outcome(&run, OBJECTS)?["repaired"].clone()).map(Option::unwrap_or_default);
        shares += usize::from(repaired != [0, 0, 0]);
        found = std::array::from_fn(|n| found[n] + repaired[n]);
    }
    ensure!(found == [20, 20, 10], "{found:?}");
    ensure!(shares > 1, "each run looks at a share, not one at all of it");
    reverse.is_exactly(&both, &expected)
}

/// The list of what is believed is an object too.
pub async fn of_a_shard_s_own_file_stops_no_run(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-list-gone").await?;
    reverse.sync(&[OBJECTS], "    shards: 8\n    verify_runs: 0\n    guards: {max_deletes: {fraction: 0.5}}\n")?;
    reverse.fill_numbered(400, "").await?;
    ended_with(&reverse.run().await?, 0)?;
    let manifest = reverse.manifest(OBJECTS)?.context("nothing is published")?;
    let generation = manifest["generation"].as_str().unwrap_or_default();
    let file = |shard: u32| format!("{OBJECTS}/g/{generation}/{shard:05}.parquet");
    let (store, bucket) = (reverse.cloud().s3.store(), &reverse.cloud().app_bucket);
    store.delete(bucket, &file(2));
    store.put(bucket, &file(3), "not a shard");
    reverse.fill(&format!("{} UNION ALL {}", numbered(51, 300, ""), numbered(301, 450, " b"))).await?;
    let run = reverse.run().await?;
    ended_with(&run, 0)?;
    ensure!(run.log.contains("00002.parquet is gone or another one"), "{}", run.log);
    reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)?;
    let next = reverse.run().await?;
    ensure!(outcome(&next, OBJECTS)?["unchanged"] == json!(400), "{}", next.log);
    Ok(())
}
