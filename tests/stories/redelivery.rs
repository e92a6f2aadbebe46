//! The same event twice.

use anyhow::{Result, ensure};
use serde_json::json;
use stories::{Outcome, Stage, Story, ended_with, table};

pub async fn of_every_event_changes_nothing(stage: &Stage) -> Result<()> {
    let story = Story::begin(stage, "twice", vec![table("orders", 10), table("carts", 0)]).await?;
    story.configure(&["orders", "carts"]).await?;
    let arn = story.snapshot().await?;
    let event = story.export(&story.scheduled()).await?;
    let again = story.start(&story.scheduled()).await?.expect_success()?;
    ensure!((again["started"] == false) && (again["snapshot_arn"] == json!(arn)), "{again}");

    let first = story.publish(&event).await?.expect_success()?;
    ensure!(first["published"].as_array().is_some_and(|tasks| tasks.len() == 1), "{first}");
    let objects = story.objects();
    for same in [event, json!({"kind": "poll"})] {
        let answer = story.publish(&same).await?.expect_success()?;
        ensure!(answer["published"] == json!([]), "{answer}");
        ensure!(story.objects() == objects, "an object changed");
    }

    ended_with(&story.load().await?, 0)?;
    let (audit, runs) = (story.audit().await?, story.runs_started());
    ended_with(&story.load().await?, 0)?;
    ensure!(story.audit().await? == audit, "the audit table changed");
    ensure!(story.runs_started() == runs, "a second run was started");
    ensure!((story.rows("orders").await?, story.rows("carts").await?) == (10, 0));
    Ok(())
}

pub async fn of_the_schedule_at_the_same_moment_starts_one_export(stage: &Stage) -> Result<()> {
    let story = Story::begin(stage, "moment", vec![table("orders", 10)]).await?;
    story.snapshot().await?;
    let event = story.scheduled();
    let (one, two) = tokio::join!(story.start(&event), story.start(&event));
    let (one, two) = (one?.expect_success()?, two?.expect_success()?);
    let started = [&one, &two].iter().filter(|answer| answer["started"] == true).count();
    ensure!(started == 1 && one["task_id"] == two["task_id"], "{one} {two}");
    Ok(())
}
