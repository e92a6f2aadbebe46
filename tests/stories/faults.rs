//! Faults between each program and each endpoint: refused, reset, and done but the answer lost.

use anyhow::{Context, Result, ensure};
use local::wire::{Effect, Wire};
use serde_json::json;
use stories::{Outcome, Stage, Story, ended_with, table};

fn faults() -> [Effect; 3] {
    [Effect::Refuse(503, String::new()), Effect::Reset, Effect::LoseAnswer]
}

pub async fn between_start_export_and_rds_cost_nothing(stage: &Stage) -> Result<()> {
    for (number, effect) in faults().into_iter().enumerate() {
        for action in ["Action=DescribeExportTasks", "Action=DescribeDBClusterSnapshots", "Action=StartExportTask"] {
            let env = format!("start-{number}-{}", action.len());
            let story = Story::begin(stage, &env, vec![table("orders", 5)]).await?;
            story.snapshot().await?;
            story.cloud.wires.rds.fault(1, effect.clone(), move |request| request.body_text().contains(action));
            let answer = story.start(&story.scheduled()).await?.expect_success();
            let answer = answer.with_context(|| format!("{effect:?} on {action}"))?;
            ensure!(answer["task_id"].as_str().is_some_and(|id| id.starts_with(&env)), "{answer}");
        }
    }
    Ok(())
}

pub async fn between_publish_export_and_its_endpoints_cost_nothing(stage: &Stage) -> Result<()> {
    for (number, effect) in faults().into_iter().enumerate() {
        let story =
            Story::begin(stage, &format!("publish-{number}"), vec![table("orders", 50), table("carts", 0)]).await?;
        story.snapshot().await?;
        let event = story.export(&story.scheduled()).await?;
        story.cloud.wires.rds.fault(1, effect.clone(), |_| true);
        // The first listing, a footer, and the manifest itself.
        let wire = &story.cloud.wires.s3;
        wire.fault(1, effect.clone(), |request| request.query.contains("list-type"));
        wire.fault(1, effect.clone(), |request| request.path.ends_with(".parquet"));
        wire.fault(1, effect.clone(), |request| request.method == "PUT" && request.path.ends_with("/manifest.json"));
        let answer = story.publish(&event).await?.expect_success().with_context(|| format!("{effect:?}"))?;
        ensure!(answer["published"].as_array().is_some_and(|tasks| tasks.len() == 1), "{effect:?}: {answer}");
        ensure!(story.manifest()?.tables.iter().map(|table| table.rows).sum::<u64>() == 50);
    }
    Ok(())
}

pub async fn between_load_export_and_its_endpoints_cost_nothing(stage: &Stage) -> Result<()> {
    for (number, effect) in faults().into_iter().enumerate() {
        let story =
            Story::begin(stage, &format!("load-{number}"), vec![table("orders", 50), table("carts", 0)]).await?;
        story.configure(&["orders", "carts"]).await?;
        story.publish_day().await?;
        let wires = &story.cloud.wires;
        wires.sts.fault(1, effect.clone(), |_| true);
        wires.s3.fault(1, effect.clone(), |_| true);
        for part in ["transferConfigs", ":startManualRuns", "/runs/"] {
            wires
                .transfer
                .fault(1, effect.clone(), move |request| request.path.ends_with(part) || request.path.contains(part));
        }
        wires.bigquery.fault(1, effect.clone(), |_| true);
        ended_with(&story.load().await?, 0).with_context(|| format!("{effect:?}"))?;
        ensure!((story.rows("orders").await?, story.rows("carts").await?) == (50, 0));
        ensure!(story.runs().await? == 1, "{effect:?}: a lost answer must not start a second run");
    }
    Ok(())
}

pub async fn that_last_fail_with_the_name_of_what_failed(stage: &Stage) -> Result<()> {
    let story = Story::begin(stage, "outage", vec![table("orders", 5)]).await?;
    story.configure(&["orders"]).await?;
    story.snapshot().await?;
    let down = |wire: &Wire| wire.fault(usize::MAX, Effect::Refuse(503, String::new()), |_| true);

    down(&story.cloud.wires.rds);
    let error = story.start(&story.scheduled()).await?.expect_error()?;
    ensure!(!error.error_type.is_empty() && error.message.contains("RDS"), "{error}");
    story.cloud.wires.rds.heal();

    let event = story.export(&story.scheduled()).await?;
    down(&story.cloud.wires.s3);
    let error = story.publish(&event).await?.expect_error()?;
    ensure!(error.message.contains(&story.cloud.bucket), "{error}");
    story.cloud.wires.s3.heal();
    story.publish(&json!({"kind": "poll"})).await?.expect_success()?;

    // Refused for good: repeating would only take time.
    let denied = json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "no bigquery.transfers.get"}});
    story.cloud.wires.transfer.fault(usize::MAX, Effect::Refuse(403, denied.to_string()), |_| true);
    let finished = story.load().await?;
    ended_with(&finished, 1)?;
    ensure!(finished.log.contains("no bigquery.transfers.get"), "{}", finished.log);
    story.cloud.wires.transfer.heal();
    ended_with(&story.load().await?, 0)
}
