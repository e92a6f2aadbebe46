//! An object under `g/` that the next runs need is gone or damaged: no run stops for it, none publishes what points at it.

use anyhow::{Context, Result, ensure};
use local::wire::Effect;
use serde_json::{Value, json};
use stories::reverse::{OBJECTS, Reverse, numbered, outcome};
use stories::{Stage, ended_with};

fn lists(manifest: &Value) -> Vec<String> {
    let records = manifest["records"].as_array().into_iter().flatten();
    let list = |record: &Value| {
        let (generation, shard) = (record["file"]["generation"].as_str()?, record["shard"].as_u64()?);
        Some(format!("{OBJECTS}/g/{generation}/{shard:05}.parquet"))
    };
    records.filter_map(list).collect()
}

fn delete(reverse: &Reverse, keys: &[String]) -> Result<()> {
    let (store, bucket) = (reverse.cloud().s3.store(), &reverse.cloud().app_bucket);
    for key in keys {
        ensure!(store.delete(bucket, key), "{key} was not there");
    }
    Ok(())
}

/// The second run looks at the objects of shards 4 to 7 and at the lists of 3 and 4: of shard 6 it needs the list, and
/// nobody was to look whether it stands.
pub async fn a_list_that_a_run_needs_and_does_not_find_is_written_anew_although_no_row_changed(
    stage: &Stage,
) -> Result<()> {
    let reverse =
        Reverse::begin_published(stage, "rv-lost-list", "    shards: 64\n    verify_runs: 30\n", 1000).await?;
    let manifest = reverse.manifest(OBJECTS)?.context("nothing is published")?;
    delete(&reverse, &lists(&manifest)[6..7])?;
    let run = reverse.run().await?;
    ended_with(&run, 0)?;
    ensure!(run.log.contains("00006.parquet is gone or another one"), "{}", run.log);
    reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)
}

pub async fn a_list_that_is_gone_lets_no_more_keys_vanish_than_the_guard_does(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(stage, "rv-lost-guard", "    shards: 8\n    verify_runs: 0\n", 1000).await?;
    let manifest = reverse.manifest(OBJECTS)?.context("nothing is published")?;
    delete(&reverse, &lists(&manifest))?;
    let before = reverse.row_objects();
    // As many come as go, so only the keys themselves tell.
    reverse.fill(&format!("{} UNION ALL {}", numbered(1, 880, ""), numbered(2001, 2120, ""))).await?;
    let refused = reverse.run().await?;
    ended_with(&refused, 1)?;
    let error = outcome(&refused, OBJECTS)?["error"].to_string();
    ensure!(error.contains("guard max_deletes: 120 of 1000 published keys would be deleted"), "{error}");
    ensure!(reverse.row_objects() == before, "a row object is another one, or gone");

    reverse.fill(&format!("{} UNION ALL {}", numbered(1, 980, ""), numbered(2001, 2030, ""))).await?;
    let run = reverse.run().await?;
    ended_with(&run, 0)?;
    let found = outcome(&run, OBJECTS)?;
    let counts = ["created", "updated", "unchanged", "deleted"].map(|name| found[name].as_u64());
    ensure!(counts == [30, 980, 0, 20].map(Some), "what stood is updated, not created: {found}");
    reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)
}

/// Killed after the flip, before the objects of vanished keys were deleted, a run leaves only `changes` to say which.
pub async fn a_list_of_changes_stops_no_run_and_the_objects_that_it_named_go(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-lost-changes").await?;
    reverse.sync(&[OBJECTS], "    shards: 8\n    verify_runs: 0\n")?;
    let wire = &reverse.cloud().wires.s3;
    for (same_execution, damage) in [(false, None), (false, Some("not a list")), (true, None)] {
        reverse.fill_numbered(500, "").await?;
        ended_with(&reverse.run().await?, 0)?;
        reverse.fill_numbered(470, "").await?;
        wire.fault_after(0, 1, Effect::HoldRequest, |request| {
            request.method == "POST" && request.body_text().contains(".json</Key>")
        });
        let job = reverse.mortal()?;
        let killed = job.start(&["--json"])?;
        wire.held().await;
        drop(killed);
        wire.heal();
        let manifest = reverse.manifest(OBJECTS)?.context("nothing is published")?;
        ensure!(manifest["totals"]["deleted"] == json!(30), "it was killed after the flip: {}", manifest["totals"]);
        let changes = manifest["changes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let changes: Vec<String> = changes.map(str::to_owned).collect();
        match damage {
            None => delete(&reverse, &changes)?,
            Some(bytes) => changes
                .iter()
                .for_each(|key| drop(reverse.cloud().s3.store().put(&reverse.cloud().app_bucket, key, bytes))),
        }
        if same_execution {
            let again = job.with("CLOUD_RUN_TASK_ATTEMPT", "1").run(&["--json"]).await?;
            ended_with(&again, 0)?;
        }
        wire.forget();
        let run = reverse.run().await?;
        ended_with(&run, 0)?;
        ensure!(reverse.row_puts() == 0, "{} rows were written although none is doubted", reverse.row_puts());
        ensure!(outcome(&run, OBJECTS)?["deleted"] == json!(0), "they were deleted, and counted, before: {}", run.log);
        reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)?;
    }
    Ok(())
}
