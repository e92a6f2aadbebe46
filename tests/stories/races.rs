//! Two executions, or two tasks of one, at the moments that hurt. What is right afterwards: `CURRENT` says what stands.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use local::job::{Finished, Task};
use local::wire::{Effect, Recorded};
use serde_json::json;
use stories::reverse::{OBJECTS, PACKED, Reverse, is_row_put, numbered, outcome};
use stories::{Stage, ended_with};
use tokio::time::sleep;

const STOP: i32 = 19;
const CONTINUE: i32 = 18;

fn is_manifest_put(request: &Recorded) -> bool {
    request.method == "PUT" && request.path.ends_with("/manifest.json")
}

async fn until(what: &str, holds: impl Fn() -> Result<bool>) -> Result<()> {
    for _ in 0..6000 {
        if holds()? {
            return Ok(());
        }
        sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("never: {what}")
}

fn holder(reverse: &Reverse) -> Result<String> {
    let lease = reverse.json("objects/lease.json")?.context("there is no lease")?;
    Ok(lease["holder"].as_str().unwrap_or_default().to_owned())
}

/// Everything stands that `CURRENT` says, and a next run has nothing to do.
async fn is_at_rest(reverse: &Reverse) -> Result<()> {
    let expected = reverse.expected().await?;
    reverse.is_exactly(&[OBJECTS], &expected)?;
    let next = reverse.run().await?;
    ended_with(&next, 0)?;
    let found = outcome(&next, OBJECTS)?;
    ensure!(found["unchanged"] == expected.len() && found["deleted"] == 0, "{found}");
    reverse.is_exactly(&[OBJECTS], &expected)
}

fn failed_with(finished: &Finished, words: &str) -> Result<()> {
    ended_with(finished, 1)?;
    let error = outcome(finished, OBJECTS)?["error"].to_string();
    ensure!(error.contains(words), "{error}");
    Ok(())
}

/// Starts a run and stops its process just before it writes its manifest. The request that it was sending is carried out.
async fn paused_before_the_flip(reverse: &Reverse) -> Result<Task> {
    let wire = &reverse.cloud().wires.s3;
    wire.fault(1, Effect::HoldRequest, is_manifest_put);
    let task = reverse.mortal()?.start(&["--json"])?;
    wire.held().await;
    task.signal(STOP);
    wire.heal();
    wire.release();
    Ok(task)
}

pub async fn of_a_holder_that_slept_before_its_flip_are_lost_by_it(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(stage, "rv-slept", "    shards: 8\n", 400).await?;
    reverse.fill_numbered(380, "").await?;
    let first = paused_before_the_flip(&reverse).await?;
    // The other one has taken the lease and written its rows, and is about to publish, when the first one wakes.
    reverse.fill(&format!("{} UNION ALL {}", numbered(1, 300, ""), numbered(301, 400, " b"))).await?;
    let wire = &reverse.cloud().wires.s3;
    wire.fault(usize::MAX, Effect::HoldRequest, is_manifest_put);
    let second = reverse.execution()?.start(&["--json"])?;
    wire.held().await;
    wire.forget();
    first.signal(CONTINUE);
    failed_with(&first.finish().await?, "took the lease of this run")?;
    let deletes = wire.requests().iter().filter(|request| request.method == "POST").count();
    ensure!(deletes == 0, "it deleted under the lease of another one");
    wire.heal();
    wire.release();
    ended_with(&second.finish().await?, 0)?;
    is_at_rest(&reverse).await
}

/// As when the process stops between the last look at its lease and the flip itself: no gate can help. `CURRENT` has been
/// written once more by the one that took the lease.
pub async fn of_a_flip_that_comes_late_are_lost_by_it(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(stage, "rv-late-flip", "    shards: 8\n", 400).await?;
    let before = reverse.current(OBJECTS)?.context("nothing is published")?;
    reverse.fill_numbered(380, "").await?;
    let wire = &reverse.cloud().wires.s3;
    let is_flip = |request: &Recorded| request.method == "PUT" && request.path.ends_with("/CURRENT");
    wire.fault(1, Effect::HoldRequest, is_flip);
    let first = reverse.mortal()?.start(&["--json"])?;
    wire.held().await;
    first.signal(STOP);
    wire.heal();
    reverse.fill_numbered(390, " b").await?;
    wire.fault(usize::MAX, Effect::HoldRequest, is_manifest_put);
    let second = reverse.execution()?.start(&["--json"])?;
    wire.held().await;
    let fenced = reverse.current(OBJECTS)?.context("nothing is published")?;
    ensure!(fenced["generation"] == before["generation"] && fenced["nonce"] != before["nonce"], "{fenced}");
    // Everything that is held goes on, the old flip too.
    wire.heal();
    wire.release();
    ended_with(&second.finish().await?, 0)?;
    first.signal(CONTINUE);
    ended_with(&first.finish().await?, 1)?;
    // What it had made ready to be published is no generation: nobody can go back to it.
    let listed = reverse.execution()?.run(&["generations", "--json"]).await?;
    let kept = outcome(&listed, OBJECTS)?["generations"].clone();
    let kept: Vec<_> = kept.as_array().into_iter().flatten().map(|kept| kept["generation"].clone()).collect();
    let published = reverse.current(OBJECTS)?.context("nothing is published")?;
    ensure!(kept == [published["generation"].clone(), before["generation"].clone()], "{kept:?}");
    is_at_rest(&reverse).await
}

pub async fn of_two_tasks_that_finish_together_have_one_winner_and_one_line_in_the_log(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(stage, "rv-together", "    shards: 8\n", 400).await?;
    reverse.fill_numbered(380, " b").await?;
    let wire = &reverse.cloud().wires.s3;
    let is_manifest = |request: &Recorded| is_manifest_put(request);
    wire.forget();
    let execution = reverse.execution()?.with("CLOUD_RUN_TASK_COUNT", "2").with("LEASE_SECONDS", "60");
    let task = |n: &str| execution.clone().with("CLOUD_RUN_TASK_INDEX", n).start(&["--json"]);
    // Each looks for what is done when both are: both want to publish.
    let is_done_mark = |request: &Recorded| request.method == "PUT" && request.path.contains("/done/");
    wire.fault(usize::MAX, Effect::HoldRequest, is_done_mark);
    let tasks = [task("0")?, task("1")?];
    let marks = |request: &Recorded| is_done_mark(request).then(|| request.path.clone());
    until("both have written their shards", || {
        let marks: std::collections::BTreeSet<_> = wire.requests().iter().filter_map(marks).collect();
        Ok(marks.len() >= 2)
    })
    .await?;
    let is_look = |request: &Recorded| request.method == "GET" && request.query.contains("%2Fdone%2F");
    let looks = || wire.requests().iter().filter(|request| is_look(request)).count();
    wire.heal();
    let begun = looks();
    wire.fault(usize::MAX, Effect::HoldRequest, is_look);
    wire.release();
    until("both look what is done", || Ok(looks() >= begun + 2)).await?;
    wire.heal();
    wire.fault(usize::MAX, Effect::HoldRequest, is_manifest);
    wire.release();
    until("both publish", || Ok(wire.requests().iter().filter(|request| is_manifest(request)).count() >= 2)).await?;
    wire.heal();
    wire.release();
    let [first, second] = tasks;
    let (first, second) = tokio::try_join!(first.finish(), second.finish())?;
    let mut states = Vec::new();
    for finished in [&first, &second] {
        ended_with(finished, 0)?;
        states.push(outcome(finished, OBJECTS)?["state"].as_str().unwrap_or_default().to_owned());
    }
    states.sort();
    ensure!(states == ["already_published", "published"], "{states:?}");
    let told =
        [&first, &second].iter().map(|finished| finished.log.matches("rows are published").count()).sum::<usize>();
    ensure!(told == 1, "{told} lines say that it is published");
    let flips =
        wire.requests().into_iter().filter(|request| request.method == "PUT" && request.path.ends_with("/CURRENT"));
    let statuses: Vec<_> = flips.map(|flip| flip.status).collect();
    ensure!(statuses.iter().filter(|status| **status == Some(200)).count() == 1, "{statuses:?}");
    reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)
}

pub async fn of_a_task_that_comes_late_change_nothing_and_it_says_so(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(stage, "rv-late", "    shards: 8\n", 400).await?;
    reverse.fill_numbered(400, " of the first").await?;
    let first = reverse.mortal()?.with("CLOUD_RUN_TASK_COUNT", "2");
    let share = first.run(&["--json"]).await?;
    ensure!(outcome(&share, OBJECTS)?["state"] == "share_done", "{}", share.log);
    reverse.fill_numbered(400, " of the second").await?;
    ended_with(&reverse.run().await?, 0)?;
    let before = reverse.story_objects();
    let late = first.with("CLOUD_RUN_TASK_INDEX", "1").run(&["--json"]).await?;
    failed_with(&late, "can no longer be published")?;
    ensure!(reverse.story_objects() == before, "it wrote");
    is_at_rest(&reverse).await
}

pub async fn of_a_clock_that_is_ahead_take_no_lease_that_lives(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-clock").await?;
    let (dir, source) = (&reverse.cloud().dir, stories::infrastructure::root().join("tests/stories/skew.c"));
    let library = skewed_clock(&source, dir)?;
    reverse.sync(&[OBJECTS], "    shards: 8\n")?;
    reverse.fill_numbered(400, "").await?;
    let wire = &reverse.cloud().wires.s3;
    wire.fault_after(100, usize::MAX, Effect::HoldAnswer, is_row_put);
    let first = reverse.execution()?;
    let running = first.start(&["--json"])?;
    wire.held().await;
    let ahead = reverse.execution()?.with("LD_PRELOAD", &library).with("SKEW", "120").run(&["--json"]).await?;
    ended_with(&ahead, 3)?;
    ensure!(holder(&reverse)? == "bigquery-to-s3-0", "it is of {}", holder(&reverse)?);
    wire.heal();
    wire.release();
    ended_with(&running.finish().await?, 0)?;
    is_at_rest(&reverse).await
}

fn skewed_clock(source: &Path, dir: &Path) -> Result<String> {
    let library = dir.join("skew.so");
    let mut compile = std::process::Command::new("cc");
    compile.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
    ensure!(compile.status()?.success(), "compile {}", source.display());
    Ok(library.display().to_string())
}

pub async fn of_a_holder_that_slept_amid_its_rows_write_none_of_them_late(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(stage, "rv-asleep", "    shards: 8\n", 3000).await?;
    reverse.fill_numbered(3000, " of the first").await?;
    let wire = &reverse.cloud().wires.s3;
    wire.delay(Duration::from_millis(10));
    wire.forget();
    let first = reverse.mortal()?.start(&["--json"])?;
    until("it writes rows", || Ok(reverse.row_puts() > 800)).await?;
    first.signal(STOP);
    wire.delay(Duration::ZERO);
    reverse.fill_numbered(3000, " of the second").await?;
    ended_with(&reverse.run().await?, 0)?;
    let before = reverse.row_objects();
    first.signal(CONTINUE);
    failed_with(&first.finish().await?, "took the lease of this run")?;
    let late = reverse.row_objects().into_iter().filter(|(key, etag)| before.get(key) != Some(etag)).count();
    ensure!(late == 0, "{late} rows were written late");
    is_at_rest(&reverse).await
}

pub async fn of_an_outage_longer_than_the_lease_are_lost_by_who_had_it(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(stage, "rv-away", "    shards: 8\n", 1500).await?;
    reverse.fill_numbered(1500, " of the first").await?;
    let wire = &reverse.cloud().wires.s3;
    wire.delay(Duration::from_millis(50));
    wire.forget();
    let first = reverse.mortal()?.with("MAX_CONCURRENCY", "10").start(&["--json"])?;
    until("it writes rows", || Ok(reverse.row_puts() > 150)).await?;
    wire.outage();
    // The other one reaches S3 by another way.
    reverse.fill_numbered(1500, " of the second").await?;
    let direct = reverse.execution()?.with("AWS_ENDPOINT_URL_S3", &reverse.cloud().s3.endpoint());
    let second = direct.start(&["--json"])?;
    until("the other one has the lease", || Ok(holder(&reverse)? != "bigquery-to-s3-1")).await?;
    wire.forget();
    wire.restore();
    failed_with(&first.finish().await?, "took the lease of this run")?;
    ensure!(
        reverse.row_puts() == 0,
        "{} rows of the first were written under the lease of another one",
        reverse.row_puts()
    );
    wire.delay(Duration::ZERO);
    ended_with(&second.finish().await?, 0)?;
    is_at_rest(&reverse).await
}

pub async fn of_a_rollback_and_a_run_keep_what_was_read_a_moment_ago(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin(stage, "rv-kept").await?;
    reverse.sync(&[PACKED], "    shards: 8\n    keep_generations: 2\n")?;
    let mut manifests = Vec::new();
    for version in ["", " b"] {
        reverse.fill_numbered(400, version).await?;
        ended_with(&reverse.run().await?, 0)?;
        manifests.push(reverse.manifest(PACKED)?.context("nothing is published")?);
    }
    let oldest = manifests[0]["generation"].as_str().unwrap_or_default();
    let back = reverse.execution()?.run(&["rollback", "--sync", PACKED, "--to", oldest, "--json"]).await?;
    ended_with(&back, 0)?;
    reverse.fill_numbered(400, " c").await?;
    ended_with(&reverse.run().await?, 0)?;
    // Whoever holds the oldest one, which was CURRENT until now, reads on.
    for record in manifests[0]["records"].as_array().into_iter().flatten() {
        reverse.shard(PACKED, record)?;
    }
    let listed = reverse.execution()?.run(&["generations", "--json"]).await?;
    let kept = outcome(&listed, PACKED)?["generations"].clone();
    ensure!(kept.as_array().map(Vec::len) == Some(2) && kept[1]["generation"] == oldest, "{kept}");
    Ok(())
}

pub async fn of_another_sync_on_the_prefix_write_nothing_until_it_adopts_it(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(stage, "rv-owner", "    shards: 8\n", 300).await?;
    reverse.fill_numbered(300, " b").await?;
    let text = std::fs::read_to_string(reverse.cloud().syncs_file())?;
    std::fs::write(reverse.cloud().syncs_file(), text.replace("  objects:\n", "  renamed:\n"))?;
    let before = reverse.story_objects();
    let refused = reverse.run().await?;
    ended_with(&refused, 1)?;
    let error = outcome(&refused, "renamed")?["error"].to_string();
    ensure!(error.contains("belongs to sync objects") && error.contains("adopt --sync renamed"), "{error}");
    // The same name in the list of another environment is another sync.
    std::fs::write(reverse.cloud().syncs_file(), &text)?;
    let elsewhere = reverse.execution()?.with("SCRATCH_DATASET", "isthmus_prod").run(&["--json"]).await?;
    ended_with(&elsewhere, 1)?;
    ensure!(reverse.story_objects() == before, "something was written");

    std::fs::write(reverse.cloud().syncs_file(), text.replace("  objects:\n", "  renamed:\n"))?;
    ended_with(&reverse.execution()?.run(&["adopt", "--sync", "renamed", "--json"]).await?, 0)?;
    let published = reverse.manifest(OBJECTS)?.context("nothing is published")?;
    ensure!(published["sync"] == "objects", "adopting publishes nothing");
    ended_with(&reverse.run().await?, 0)?;
    ensure!(reverse.manifest(OBJECTS)?.is_some_and(|manifest| manifest["sync"] == "renamed"));
    reverse.is_exactly(&[OBJECTS], &reverse.expected().await?)
}

pub async fn of_a_rollback_and_settings_that_changed_end_as_it_was_or_with_the_reason(stage: &Stage) -> Result<()> {
    let reverse = Reverse::begin_published(stage, "rv-as-then", "    shards: 8\n", 300).await?;
    let (good, first) = (reverse.expected().await?, reverse.manifest(OBJECTS)?.context("nothing is published")?);
    let to = first["generation"].as_str().unwrap_or_default().to_owned();
    reverse.sync(&[OBJECTS], "    shards: 16\n")?;
    reverse.fill_numbered(300, " b").await?;
    ended_with(&reverse.run().await?, 0)?;

    // Another number of shards is no matter: it goes back with those of then.
    let rollback = ["rollback", "--sync", OBJECTS, "--to", &to, "--json"];
    ended_with(&reverse.execution()?.run(&rollback).await?, 0)?;
    reverse.is_exactly(&[OBJECTS], &good)?;
    ended_with(&reverse.run().await?, 0)?;

    // Rows that would be rendered otherwise are not what was good.
    reverse.sync(&[OBJECTS], "    shards: 16\n    json: {int64: string}\n")?;
    let before = reverse.row_objects();
    failed_with(
        &reverse.execution()?.run(&rollback).await?,
        "json or max_body_bytes of the sync, or how this program writes JSON, changed since",
    )?;
    ensure!(reverse.row_objects() == before, "it wrote rows");
    let published = reverse.manifest(OBJECTS)?.context("nothing is published")?;
    ensure!(published["shards"] == json!(16), "{published}");
    Ok(())
}
