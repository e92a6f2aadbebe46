//! What somebody or something else changes in the bucket is found, and put right.

use anyhow::{Context, Result, ensure};
use local::cloud::KMS_KEY;
use local::wire::Effect;
use serde_json::{Value, json};
use stories::reverse::{OBJECTS, PACKED, Reverse, is_row_put, numbered, object_path, outcome};
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
    for n in 21..=40 {
        store.delete(bucket, &object(n));
    }
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
            reverse.cloud().s3.store().encrypt_with_kms(&reverse.cloud().app_bucket, KMS_KEY);
        }
        reverse.sync(&[OBJECTS], "    shards: 64\n    verify_runs: 0\n")?;
        reverse.fill_numbered(500, "").await?;
        ended_with(&reverse.run().await?, 0)?;
        let expected = reverse.expected().await?;
        let healthy = verified(&reverse, &[], 0).await?;
        ensure!(faults(&healthy) == [0, 0, 0].map(Some) && healthy["rows"] == 500, "{healthy}");

        // As `aws s3 cp` leaves it: the same bytes, without a checksum.
        let (store, bucket) = (reverse.cloud().s3.store(), &reverse.cloud().app_bucket);
        let copied = store.get(bucket, &object_path(OBJECTS, "50")).context("row 50 is not there")?;
        store.put(bucket, &object_path(OBJECTS, "50"), copied.bytes);
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
    // No reader looks for these: what else lies there is nobody's row.
    let strange = [format!("{OBJECTS}/0110/notes.txt"), format!("{OBJECTS}/1101/1.json")];
    let (store, bucket) = (reverse.cloud().s3.store(), &reverse.cloud().app_bucket);
    for key in &strange {
        store.put(bucket, key, "notes");
    }
    // Of layout packed, a shard that readers need, and one with another content.
    store.delete(bucket, &shard_of(&reverse, PACKED, 17)?);
    store.put(bucket, &shard_of(&reverse, PACKED, 3)?, "not a shard");
    let (objects, packed) = a_round(&reverse).await?;
    ensure!(objects.iter().fold([0; 3], add) == [20, 20, 10], "{objects:?}");
    ensure!(objects.iter().filter(|found| **found != [0; 3]).count() > 1, "each run looks at a share: {objects:?}");
    ensure!(packed.iter().fold([0; 3], add) == [1, 1, 0], "{packed:?}");
    ensure!(strange.iter().all(|key| store.delete(bucket, key)), "what is no row's object was deleted");
    reverse.is_exactly(&both, &expected)?;
    let (objects, packed) = a_round(&reverse).await?;
    ensure!(objects.iter().chain(&packed).all(|found| *found == [0; 3]), "{objects:?} {packed:?}");
    Ok(())
}

fn add(one: [u64; 3], other: &[u64; 3]) -> [u64; 3] {
    std::array::from_fn(|n| one[n] + other[n])
}

/// What each of four runs put right, of both layouts.
async fn a_round(reverse: &Reverse) -> Result<(Vec<[u64; 3]>, Vec<[u64; 3]>)> {
    let (mut objects, mut packed) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let run = reverse.run().await?;
        ended_with(&run, 0)?;
        let repaired =
            |sync| Ok::<_, anyhow::Error>(faults(&outcome(&run, sync)?["repaired"]).map(Option::unwrap_or_default));
        let (of_objects, of_packed) = (repaired(OBJECTS)?, repaired(PACKED)?);
        let told = run.log.matches("\"event\":\"verified\"").count();
        ensure!(told == [of_objects, of_packed].iter().filter(|found| **found != [0; 3]).count(), "{}", run.log);
        objects.push(of_objects);
        packed.push(of_packed);
    }
    Ok((objects, packed))
}

fn shard_of(reverse: &Reverse, layout: &str, shard: usize) -> Result<String> {
    let record = reverse.manifest(layout)?.context("nothing is published")?["records"][shard].clone();
    let wrote = record["file"]["generation"].as_str().context("the shard has no rows")?.to_owned();
    Ok(format!("{layout}/g/{wrote}/{shard:05}.parquet"))
}

pub async fn that_is_killed_amid_its_writes_is_done_by_whoever_comes_next(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(stage, "rv-repair-kill", "    shards: 8\n    verify_runs: 0\n", 500).await?;
    let (expected, wire) = (reverse.expected().await?, &reverse.cloud().wires.s3);
    for (point, by_the_same) in [(3, false), (17, false), (17, true), (35, true)] {
        damage(&reverse);
        wire.fault_after(point, 1, Effect::HoldRequest, is_row_put);
        let job = reverse.mortal()?;
        let killed = job.start(&["verify", "--repair", "--json"])?;
        wire.held().await;
        drop(killed);
        wire.heal();
        if by_the_same {
            let again = job.with("CLOUD_RUN_TASK_ATTEMPT", "1").run(&["verify", "--repair", "--json"]).await?;
            ended_with(&again, 0)?;
        } else {
            let left = reverse.execution()?.run(&["verify", "--json"]).await?;
            ended_with(&left, 1)?;
            // What it has written is right, and is not found again.
            let found: u64 = faults(&outcome(&left, OBJECTS)?).into_iter().flatten().sum();
            ensure!(found <= 50 && found + point as u64 + 20 >= 50, "killed at {point}: {}", left.log);
            verified(&reverse, &["--repair"], 0).await?;
        }
        reverse.is_exactly(&[OBJECTS], &expected).with_context(|| format!("killed at row {point}"))?;
        let healthy = verified(&reverse, &[], 0).await?;
        ensure!(faults(&healthy) == [0, 0, 0].map(Some), "{healthy}");
    }
    Ok(())
}

/// What that run writes would be among what is found.
pub async fn is_refused_while_a_run_writes_and_takes_nothing_of_it_for_a_fault(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(stage, "rv-verify-busy", "    shards: 8\n    verify_runs: 1\n", 400).await?;
    reverse.fill(&format!("{} UNION ALL {}", numbered(21, 300, ""), numbered(301, 450, " b"))).await?;
    let wire = &reverse.cloud().wires.s3;
    wire.fault_after(60, usize::MAX, Effect::HoldAnswer, is_row_put);
    let job = reverse.mortal()?;
    let running = job.start(&["--json"])?;
    wire.held().await;
    let refused = reverse.execution()?.run(&["verify", "--json"]).await?;
    ended_with(&refused, 3)?;
    // Killed there, its next attempt looks at all objects: those that it has written already are as they should be.
    drop(running);
    wire.heal();
    let again = job.with("CLOUD_RUN_TASK_ATTEMPT", "1").run(&["--json"]).await?;
    ended_with(&again, 0)?;
    let found = outcome(&again, OBJECTS)?["repaired"].clone();
    ensure!(faults(&found) == [0, 0, 0].map(Some), "{found}");
    reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)
}

/// The list of what is believed is an object too.
pub async fn of_a_shard_s_own_file_stops_no_run(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(
        stage,
        "rv-list-gone",
        "    shards: 8\n    verify_runs: 0\n    guards: {max_deletes: {fraction: 0.5}}\n",
        400,
    )
    .await?;
    let (store, bucket) = (reverse.cloud().s3.store(), &reverse.cloud().app_bucket);
    store.delete(bucket, &shard_of(&reverse, OBJECTS, 2)?);
    store.put(bucket, &shard_of(&reverse, OBJECTS, 3)?, "not a shard");
    reverse.fill(&format!("{} UNION ALL {}", numbered(51, 300, ""), numbered(301, 450, " b"))).await?;
    let run = reverse.run().await?;
    ended_with(&run, 0)?;
    ensure!(run.log.contains("00002.parquet is gone or another one"), "{}", run.log);
    reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)?;
    let next = reverse.run().await?;
    ensure!(outcome(&next, OBJECTS)?["unchanged"] == json!(400), "{}", next.log);

    // Where no row changes either, a run that looks writes the list anew.
    store.delete(bucket, &shard_of(&reverse, OBJECTS, 2)?);
    let found = reverse.execution()?.run(&["verify", "--json"]).await?;
    ended_with(&found, 1)?;
    ensure!(faults(&outcome(&found, OBJECTS)?) == [1, 0, 0].map(Some), "{}", found.log);
    let repaired = verified(&reverse, &["--repair"], 0).await?;
    ensure!(faults(&repaired["repaired"]) == [1, 0, 0].map(Some), "{repaired}");
    reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)?;
    let healthy = verified(&reverse, &[], 0).await?;
    ensure!(faults(&healthy) == [0, 0, 0].map(Some), "{healthy}");
    Ok(())
}

/// No ETag says anything there, so each object that is due is asked for. Comparing and writing are two passes, and the
/// second one knows what the first one heard.
pub async fn in_a_bucket_with_a_kms_key_asks_for_each_object_once(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-kms-heads").await?;
    reverse.cloud().s3.store().encrypt_with_kms(&reverse.cloud().app_bucket, KMS_KEY);
    reverse.sync(&[OBJECTS], "    shards: 16\n    verify_runs: 1\n")?;
    reverse.fill_numbered(300, "").await?;
    ended_with(&reverse.run().await?, 0)?;
    reverse.fill(&format!("{} UNION ALL {}", numbered(1, 280, ""), numbered(281, 300, " b"))).await?;
    reverse.cloud().wires.s3.forget();
    let run = reverse.run().await?;
    ended_with(&run, 0)?;
    ensure!(outcome(&run, OBJECTS)?["updated"] == json!(20), "{}", run.log);
    let requests = reverse.cloud().wires.s3.requests();
    let heads = requests.iter().filter(|request| request.method == "HEAD" && request.path.contains(".json"));
    let heads = heads.count();
    ensure!(heads == 300, "{heads} HEAD requests for 300 objects");
    reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)
}
