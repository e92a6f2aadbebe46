//! A day, and the day after.

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use handoff::TableState;
use local::export::{Cell, Table};
use serde_json::json;
use stories::{Outcome, Stage, Story, ended_with, table};

pub async fn flows_from_aurora_to_bigquery_and_every_row_is_proven(stage: &Stage) -> Result<()> {
    // `events` is large enough to be written in several batches (T2); `returns` has no row and so no file (T6).
    let story =
        Story::begin(stage, "day", vec![table("orders", 1_000), table("events", 250_000), table("returns", 0)]).await?;
    story.configure(&["orders", "events", "returns"]).await?;
    story.publish_day().await?;

    let manifest = story.manifest()?;
    let events = manifest.table(&"shop.events".parse()?).context("events in the manifest")?;
    ensure!((events.rows, events.state) == (250_000, TableState::Exported), "{events:?}");
    let batches = story.objects().into_keys().filter(|key| key.contains("/shop.events/2/")).count();
    ensure!(batches > 0, "the big table should have a second batch");
    ensure!(manifest.table(&"shop.returns".parse()?).context("returns")?.state == TableState::Empty);

    ended_with(&story.load().await?, 0)?;
    ensure!(
        (story.rows("orders").await?, story.rows("events").await?, story.rows("returns").await?) == (1_000, 250_000, 0)
    );
    let audit = story.audit().await?;
    let states: Vec<_> = audit.iter().map(|row| (row["table_name"].clone(), row["state"].clone())).collect();
    ensure!(
        states
            == [
                (json!("shop.events"), json!("loaded")),
                (json!("shop.orders"), json!("loaded")),
                (json!("shop.returns"), json!("truncated"))
            ],
        "{audit:#?}"
    );
    Ok(())
}

pub async fn after_it_brings_drift_an_emptied_table_and_no_row_of_yesterday(stage: &Stage) -> Result<()> {
    let mut story = Story::begin(stage, "next-day", vec![table("orders", 500), table("carts", 40)]).await?;
    story.configure(&["orders", "carts"]).await?;
    // Yesterday: two days are needed, so the story begins a day early.
    story.now -= TimeDelta::days(1);
    story.publish_day().await?;
    ended_with(&story.load().await?, 0)?;
    ensure!((story.rows("orders").await?, story.rows("carts").await?) == (500, 40));

    story.now += TimeDelta::days(1);
    let columns = [("id", "bigint"), ("name", "varchar(64)"), ("coupon", "varchar(20)")];
    let rows = (0..700).map(|id| vec![id.into(), "x".into(), Cell::NULL]).collect();
    story.cloud.rds.set_tables(vec![
        Table::new("shop", "orders", &columns, rows),
        table("carts", 0),
        table("gifts", 3),
    ]);
    story.publish_day().await?;
    let drift: Vec<String> = story.manifest()?.drift.iter().map(ToString::to_string).collect();
    ensure!(drift == ["table shop.gifts was added", "column shop.orders.coupon was added"], "{drift:?}");

    ended_with(&story.load().await?, 0)?;
    ensure!((story.rows("orders").await?, story.rows("carts").await?) == (700, 0), "yesterday's rows stayed");
    Ok(())
}

pub async fn is_replaced_by_a_spot_export_without_a_doubled_row(stage: &Stage) -> Result<()> {
    let mut story = Story::begin(stage, "spot", vec![table("orders", 100), table("items", 300)]).await?;
    story.configure(&["orders", "items"]).await?;
    story.publish_day().await?;
    ended_with(&story.load().await?, 0)?;

    story.now += TimeDelta::minutes(1);
    // Rows that no snapshot has: a spot export is of now.
    story.cloud.rds.set_tables(vec![table("orders", 150), table("items", 999)]);
    let spot = json!({"kind": "manual", "spot": true, "tables": ["shop.orders"]});
    let event = story.export(&spot).await?;
    story.publish(&event).await?.expect_success()?;
    let manifest = story.manifest()?;
    ensure!(manifest.task_id.is_spot(), "the manifest should name the spot export: {}", manifest.task_id);
    let rows = |name: &str| manifest.tables.iter().find(|t| t.name.to_string() == name).map(|t| t.rows);
    ensure!((rows("shop.orders"), rows("shop.items")) == (Some(150), Some(300)), "only the asked table is replaced");

    ended_with(&story.load().await?, 0)?;
    ensure!((story.rows("orders").await?, story.rows("items").await?) == (150, 300), "the spot export was not loaded");
    Ok(())
}

pub async fn that_drifted_is_not_loaded_where_the_policy_says_fail(stage: &Stage) -> Result<()> {
    let mut story = Story::begin(stage, "policy", vec![table("orders", 10), table("items", 20)]).await?;
    story.configure(&["orders", "items"]).await?;
    story.now -= TimeDelta::days(1);
    story.publish_day().await?;
    ended_with(&story.load().await?, 0)?;

    story.now += TimeDelta::days(1);
    let columns = [("id", "varchar(36)"), ("name", "varchar(64)")];
    let retyped = Table::new("shop", "orders", &columns, vec![vec!["a".into(), "b".into()]]);
    story.cloud.rds.set_tables(vec![retyped, table("items", 21)]);
    story.publish_day().await?;
    let job = story.cloud.load_export()?.with("ON_DRIFT", "fail");
    let finished = job.run(&["--export-date", &story.date().to_string()]).await?;
    ended_with(&finished, 1)?;
    ensure!((story.rows("orders").await?, story.rows("items").await?) == (10, 21), "only the drifted table waits");
    let audit = story.audit().await?;
    ensure!(audit.iter().any(|row| row["table_name"] == "shop.orders" && row["state"] == "drifted"), "{audit:#?}");
    Ok(())
}

pub async fn with_a_skipped_a_missing_and_an_unlisted_table_names_all_three(stage: &Stage) -> Result<()> {
    let skipped = Table::new("shop", "odd", &[("a b", "int")], vec![vec![1.into()]]);
    let story = Story::begin(stage, "named", vec![table("orders", 5), table("unlisted", 5), skipped]).await?;
    story.configure(&["orders", "odd", "absent"]).await?;
    story.publish_day().await?;
    let finished = story.load().await?;
    ended_with(&finished, 1)?;
    let audit = story.audit().await?;
    let state = |table: &str| audit.iter().find(|row| row["table_name"] == table).map(|row| row["state"].clone());
    ensure!(state("shop.odd") == Some(json!("skipped")), "{audit:#?}");
    ensure!(state("shop.absent") == Some(json!("missing")), "{audit:#?}");
    ensure!(state("shop.orders") == Some(json!("loaded")), "{audit:#?}");
    ensure!(finished.log.contains("shop.unlisted"), "the table that nobody loads is not named\n{}", finished.log);
    Ok(())
}

pub async fn waits_for_the_manifest_however_late_it_is(stage: &Stage) -> Result<()> {
    // T7: the load is started before the export has even begun.
    let story = Story::begin(stage, "late", vec![table("orders", 7)]).await?;
    story.configure(&["orders"]).await?;
    let (loaded, published) = tokio::join!(story.load(), story.publish_day());
    published?;
    ended_with(&loaded?, 0)?;
    ensure!(story.rows("orders").await? == 7);

    // And it gives up with an exit code of its own where none comes.
    let job = story.cloud.load_export()?.with("WAIT_MINUTES", "0");
    ended_with(&job.run(&["--export-date", "2020-01-01"]).await?, 3)
}
