//! A publication starts the load.

use std::sync::Arc;

use anyhow::{Result, ensure};
use local::completion::Completion;
use local::google::Work;
use serde_json::{Value, json};
use stories::{Outcome, Stage, Story, ended_with, table};

/// What the daily workflow does: load-export for the date and the task that it was told.
fn workflow(story: &Story) -> Result<Work> {
    let job = story.cloud.load_export()?;
    Ok(Arc::new(move |argument: Value| {
        let job = job.clone();
        Box::pin(async move {
            let told = |name: &str| argument[name].as_str().map(str::to_owned).ok_or(format!("no {name}"));
            let (date, task) = (told("export_date")?, told("task_id")?);
            let arguments = ["--export-date", &date, "--task-id", &task];
            let finished = job.run(&arguments).await.map_err(|error| error.to_string())?;
            if finished.exit_code == Some(0) { Ok(Value::Null) } else { Err(finished.log) }
        })
    }))
}

/// The workflow's own schedule. It waits no longer than a test can.
async fn by_the_clock(story: &Story) -> Result<local::job::Finished> {
    let job = story.cloud.load_export()?.with("WAIT_MINUTES", "0");
    job.run(&["--export-date", &story.date().to_string()]).await
}

pub async fn of_an_export_after_the_clock_gave_up_starts_the_load(stage: &Stage) -> Result<()> {
    let story = Story::begin(stage, "complete", vec![table("orders", 70), table("items", 5)]).await?;
    story.configure(&["orders", "items"]).await?;
    let completion = Completion::start(&story.cloud, workflow(&story)?).await?;
    let publish_export = completion.publish_export(&story.cloud, None)?;
    // 05:00 and the wait: no manifest yet.
    ended_with(&by_the_clock(&story).await?, 3)?;
    ensure!(story.runs_started() == 0);

    // 09:00: the export is complete.
    story.snapshot().await?;
    let event = story.export(&story.scheduled()).await?;
    let answer = publish_export.invoke(&event).await?.expect_success()?;
    let task = story.manifest()?.task_id.to_string();
    ensure!(answer["started"] == json!([task]), "{answer}");
    let executions = completion.google.settled().await;
    let [execution] = &executions[..] else { anyhow::bail!("{executions:?}") };
    ensure!(execution.argument == json!({"export_date": story.date(), "task_id": task}), "{execution:?}");
    ensure!(execution.result == Some(Ok(Value::Null)), "{execution:?}");
    ensure!((story.rows("orders").await?, story.rows("items").await?) == (70, 5));

    // Polls start it no second time, and the clock's next run finds everything proven.
    let answer = publish_export.invoke(&json!({"kind": "poll"})).await?.expect_success()?;
    ensure!(answer["started"] == json!([]) && completion.google.executions().len() == 1, "{answer}");
    let (runs, audit) = (story.runs_started(), story.audit().await?);
    ended_with(&by_the_clock(&story).await?, 0)?;
    ensure!((story.runs_started(), story.audit().await?) == (runs, audit), "the second run loaded again");
    Ok(())
}

pub async fn that_google_did_not_hear_of_is_loaded_by_the_clock_and_started_by_a_poll(stage: &Stage) -> Result<()> {
    let story = Story::begin(stage, "unheard", vec![table("orders", 7)]).await?;
    story.configure(&["orders"]).await?;
    let completion = Completion::start(&story.cloud, workflow(&story)?).await?;
    let publish_export = completion.publish_export(&story.cloud, None)?;
    completion.wire.outage();
    story.snapshot().await?;
    let event = story.export(&story.scheduled()).await?;
    let error = publish_export.invoke(&event).await?.expect_error()?;
    ensure!(error.error_type == "LoadNotStarted", "{error}");
    ensure!(story.manifest().is_ok(), "the day is published all the same");
    // Lambda's retry, and the next poll: told once.
    publish_export.invoke(&event).await?.expect_success()?;

    ended_with(&by_the_clock(&story).await?, 0)?;
    ensure!(story.rows("orders").await? == 7);
    let runs = story.runs_started();
    completion.wire.restore();
    let answer = publish_export.invoke(&json!({"kind": "poll"})).await?.expect_success()?;
    ensure!(answer["started"].as_array().map(Vec::len) == Some(1), "{answer}");
    let executions = completion.google.settled().await;
    ensure!(executions.len() == 1 && executions[0].result == Some(Ok(Value::Null)), "{executions:?}");
    ensure!(story.runs_started() == runs, "what the clock loaded was loaded again");
    Ok(())
}
