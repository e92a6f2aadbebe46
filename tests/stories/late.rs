//! A backup that is late.

use anyhow::{Result, ensure};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Asia::Tokyo;
use local::lambda::Invocation;
use serde_json::{Value, json};
use stories::{Outcome, Stage, Story, ended_with, table};

/// A time of the story's day in Tokyo. That it may not have come yet is nothing to the function.
fn at(story: &Story, hour: u32, minute: u32) -> Result<DateTime<Utc>> {
    let day = story.now.with_timezone(&Tokyo).date_naive().and_hms_opt(hour, minute, 0);
    let time = day.and_then(|time| Tokyo.from_local_datetime(&time).single());
    time.map(|time| time.to_utc()).ok_or_else(|| anyhow::anyhow!("{hour}:{minute} is no time"))
}

/// What the schedule does at a full hour, as it is deployed: a snapshot may be a day old.
async fn tried(story: &Story, hour: u32) -> Result<Invocation> {
    let event = json!({"kind": "scheduled", "scheduled_time": at(story, hour, 0)?});
    story.cloud.start_export()?.invoke(&event).await
}

async fn backup(story: &Story, age: TimeDelta) -> Result<String> {
    story.cloud.rds.snapshot(&story.cloud.cluster, Utc::now() - age).await
}

fn is_waiting(answer: &Value, next_hour: u32, story: &Story) -> Result<()> {
    let next = json!(at(story, next_hour, 0)?);
    ensure!(answer["state"] == "waiting" && answer["reason"] == "StaleSnapshot", "{answer}");
    ensure!(answer["started"] == false && answer["next_try"] == next, "{answer}");
    Ok(())
}

pub async fn is_the_backup_and_the_first_try_that_finds_it_makes_the_day_s_export(stage: &Stage) -> Result<()> {
    let story = Story::begin(stage, "backup", vec![table("orders", 10)]).await?;
    story.configure(&["orders"]).await?;
    backup(&story, TimeDelta::hours(30)).await?;
    let four = tried(&story, 4).await?;
    ensure!(four.log.contains("export_waits") && !four.log.contains("\"ERROR\""), "{}", four.log);
    is_waiting(&four.expect_success()?, 5, &story)?;
    ensure!(story.cloud.rds.tasks().is_empty(), "a stale snapshot was exported");

    story.cloud.rds.set_tables(vec![table("orders", 20)]);
    let snapshot = backup(&story, TimeDelta::hours(7)).await?;
    let five = tried(&story, 5).await?.expect_success()?;
    ensure!(five["state"] == "started" && five["snapshot_arn"] == json!(snapshot), "{five}");
    ensure!(five["task_id"] == json!(format!("backup-{}", story.date().compact())), "{five}");
    // It is old, which is told, and no error.
    ensure!(five["snapshot_age_hours"] == 7 && five["warnings"].as_array().is_some_and(|w| w.len() == 1), "{five}");

    // Meanwhile a newer one appears, and RDS says so; and noon comes.
    let mut events = story.cloud.rds.events();
    backup(&story, TimeDelta::zero()).await?;
    let mut made = events.recv().await?;
    made["time"] = json!(at(&story, 5, 30)?);
    for found in [story.cloud.start_export()?.invoke(&made).await?, tried(&story, 6).await?, tried(&story, 12).await?] {
        ensure!(
            found.log.contains("\"event\":\"export_found\"") && found.log.contains("\"today\":true"),
            "{}",
            found.log
        );
        let found = found.expect_success()?;
        ensure!(found["started"] == false && found["snapshot_arn"] == json!(snapshot), "{found}");
    }
    let [task] = &story.cloud.rds.tasks()[..] else { anyhow::bail!("more than one task") };
    story.cloud.rds.ended(&task.export.task).await?;
    story.publish(&json!({"kind": "poll"})).await?.expect_success()?;
    ended_with(&story.load().await?, 0)?;
    ensure!(story.rows("orders").await? == 20, "the late backup's rows");
    Ok(())
}

pub async fn is_the_backup_and_its_event_starts_the_export_at_once(stage: &Stage) -> Result<()> {
    let story = Story::begin(stage, "made", vec![table("orders", 10)]).await?;
    let mut events = story.cloud.rds.events();
    let snapshot = backup(&story, TimeDelta::zero()).await?;
    let event = events.recv().await?;
    let woken = async |hour, minute| -> Result<Value> {
        let mut event = event.clone();
        event["time"] = json!(at(&story, hour, minute)?);
        story.cloud.start_export()?.invoke(&event).await?.expect_success()
    };
    for (hour, minute) in [(3, 40), (12, 20)] {
        let answer = woken(hour, minute).await?;
        ensure!(answer["state"] == "ignored" && story.cloud.rds.tasks().is_empty(), "{answer}");
    }
    let answer = woken(4, 20).await?;
    ensure!(answer["state"] == "started" && answer["snapshot_arn"] == json!(snapshot), "{answer}");
    ensure!(woken(4, 20).await?["state"] == "found", "delivered twice");

    // The backup of another cluster is none of ours, whatever its name begins with.
    story.cloud.rds.snapshot(&format!("{}-2", story.cloud.cluster), Utc::now()).await?;
    let mut other = events.recv().await?;
    while other["detail"]["EventID"] != "RDS-EVENT-0169" {
        other = events.recv().await?;
    }
    other["time"] = json!(at(&story, 4, 30)?);
    let answer = story.cloud.start_export()?.invoke(&other).await?.expect_success()?;
    ensure!(answer["state"] == "ignored", "{answer}");
    Ok(())
}

pub async fn past_the_last_try_is_one_error_that_says_why(stage: &Stage) -> Result<()> {
    let story = Story::begin(stage, "noon", vec![table("orders", 10)]).await?;
    backup(&story, TimeDelta::hours(30)).await?;
    for hour in 4..12 {
        is_waiting(&tried(&story, hour).await?.expect_success()?, hour + 1, &story)?;
    }
    let error = tried(&story, 12).await?.expect_error()?;
    ensure!(error.error_type == "StaleSnapshot", "{error}");
    // And what it advises helps.
    let advised = error.message.split("on purpose with ").nth(1).unwrap_or_default();
    let answer = story.start(&serde_json::from_str(advised)?).await?.expect_success()?;
    ensure!(answer["started"] == true && answer["export_date"] == json!(story.date().to_string()), "{answer}");
    ensure!(tried(&story, 12).await?.expect_success()?["state"] == "found", "the day has its export");
    Ok(())
}
