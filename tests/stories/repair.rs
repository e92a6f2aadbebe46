//! What an error advises helps, also on the next day.

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use serde_json::Value;
use stories::{Outcome, Stage, Story, ended_with, table};

pub async fn of_a_broken_day_is_the_event_that_the_error_names(stage: &Stage) -> Result<()> {
    let mut story = Story::begin(stage, "repair", vec![table("orders", 100)]).await?;
    story.configure(&["orders"]).await?;
    story.snapshot().await?;
    let ended = story.export(&story.scheduled()).await?;
    let part = story.objects().into_keys().find(|key| key.ends_with(".parquet")).context("no part")?;
    story.cloud.s3.store().put(&story.cloud.bucket, &part, "half a part");
    let error = story.publish(&ended).await?.expect_error()?;
    ensure!(error.error_type == "PartUnreadable", "{error:?}");
    let (_, advice) = error.message.split_once("invoke start-export with ").context(error.message.clone())?;
    let advice: Value = serde_json::from_str(advice)?;

    // The next day there are other rows, and another snapshot of them.
    story.now += TimeDelta::days(1);
    story.cloud.rds.set_tables(vec![table("orders", 140)]);
    story.publish_day().await?;
    let ended = story.export(&advice).await?;
    story.publish(&ended).await?.expect_success()?;
    story.now -= TimeDelta::days(1);
    story.is_whole()?;
    ended_with(&story.load().await?, 0)?;
    ensure!(story.rows("orders").await? == 100, "the day should have the rows that it had");
    Ok(())
}
