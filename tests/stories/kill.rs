//! SIGKILL at every step, and the same end.

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use local::job::Job;
use local::wire::{Effect, Wire};
use serde_json::{Value, json};
use stories::{Outcome, Stage, Story, ended_with, table};

/// Kills publish-export at its first request to S3, then at its second, and so on, until it gets through; each time a
/// fresh process takes up what the last one left. Returns how often it was killed.
async fn kill_at_every_request(story: &Story, event: &Value, effect: &Effect) -> Result<usize> {
    let wire = &story.cloud.wires.s3;
    for survived in 0..500 {
        wire.heal();
        wire.fault_after(survived, 1, effect.clone(), |_| true);
        let running = story.cloud.publish_export(None)?.start(event).await?;
        tokio::select! {
            () = wire.held() => {}
            done = running.finish() => {
                wire.heal();
                done?.expect_success()?;
                return Ok(survived);
            }
        }
        story.is_whole().with_context(|| format!("after a kill at request {survived}"))?;
    }
    anyhow::bail!("publish-export never came to its end")
}

pub async fn publish_export_at_every_write_and_the_next_poll_finishes(stage: &Stage) -> Result<()> {
    for (env, effect) in [("kill-request", Effect::HoldRequest), ("kill-answer", Effect::HoldAnswer)] {
        let story = Story::begin(stage, env, vec![table("orders", 100), table("items", 20), table("carts", 0)]).await?;
        story.snapshot().await?;
        story.export(&story.scheduled()).await?;
        let killed = kill_at_every_request(&story, &json!({"kind": "poll"}), &effect).await?;
        ensure!(killed > 5, "{env}: only {killed} requests were seen");
        ensure!(story.manifest()?.tables.iter().map(|table| table.rows).sum::<u64>() == 120);
    }
    Ok(())
}

pub async fn publish_export_in_the_middle_of_a_spot_export_and_nobody_reads_half_of_it(stage: &Stage) -> Result<()> {
    for (env, effect) in [("spot-request", Effect::HoldRequest), ("spot-answer", Effect::HoldAnswer)] {
        let mut story = Story::begin(stage, env, vec![table("orders", 100), table("items", 20)]).await?;
        story.publish_day().await?;
        story.now += TimeDelta::minutes(1);
        story.cloud.rds.set_tables(vec![table("orders", 130), table("items", 20)]);
        story.snapshot().await?;
        let event = story.export(&json!({"kind": "manual", "spot": true})).await?;
        let killed = kill_at_every_request(&story, &event, &effect).await?;
        ensure!(killed > 10, "{env}: only {killed} requests were seen");
        let manifest = story.manifest()?;
        ensure!(manifest.task_id.is_spot() && manifest.tables.iter().map(|table| table.rows).sum::<u64>() == 150);
        story.is_whole()?;
        ensure!(!story.objects().keys().any(|key| key.contains("withdrawn")), "the withdrawn manifest stayed");
    }
    Ok(())
}

pub async fn load_export_anywhere_and_the_next_run_ends_the_same(stage: &Stage) -> Result<()> {
    let story =
        Story::begin(stage, "kill-load", vec![table("orders", 100), table("items", 20), table("carts", 0)]).await?;
    story.configure(&["orders", "items", "carts"]).await?;
    story.publish_day().await?;
    let (wires, execution) = (&story.cloud.wires, story.cloud.load_export()?);
    for wire in [&wires.sts, &wires.s3, &wires.transfer, &wires.bigquery] {
        for (point, effect) in
            [(0, Effect::HoldRequest), (0, Effect::HoldAnswer), (1, Effect::HoldAnswer), (3, Effect::HoldAnswer)]
        {
            kill_at(&story, &execution, wire, point, effect).await?;
        }
    }
    // Another execution, which waits until the lease of the killed one has ended.
    ended_with(&story.load().await?, 0)?;
    ensure!((story.rows("orders").await?, story.rows("items").await?, story.rows("carts").await?) == (100, 20, 0));
    ensure!(story.audit().await?.len() == 3, "{:#?}", story.audit().await?);
    let runs = story.runs().await?;
    ensure!(runs == 2, "one run for each table with rows, however often the job was killed: {runs}");
    Ok(())
}

/// Runs the job until its request number `point` on this wire is held, and kills it there; or until it ends.
async fn kill_at(story: &Story, execution: &Job, wire: &Wire, point: usize, effect: Effect) -> Result<()> {
    wire.fault_after(point, 1, effect, |_| true);
    let task = execution.start(&["--export-date", &story.date().to_string()])?;
    tokio::select! {
        () = wire.held() => {}
        done = task.finish() => { done?; }
    }
    wire.heal();
    Ok(())
}
