//! The layers between load and publication: what goes wrong in one of them holds back what is made of it, and nothing else.

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use local::export::{Cell, Table};
use local::job::Job;
use serde_json::{Value, json};
use stories::warehouse::Warehouse;
use stories::{Stage, ended_with, table};

const BOTH: [&str; 2] = ["items", "orders"];
const EXPOSURES_BY_BIGQUERY: [&str; 15] = [
    "dbt",
    "exposures",
    "--check",
    "--syncs",
    "syncs.yaml",
    "--tables",
    "tables.yaml",
    "--extracts",
    "extracts.yaml",
    "--federated",
    "federated.yaml",
    "--project",
    "isthmus-local",
    "--location",
    "asia-northeast1",
];

pub async fn holds_back_the_sync_whose_column_was_dropped_and_publishes_the_others(stage: &Stage) -> Result<()> {
    let mut day = Warehouse::begin(stage, "wh-drift", vec![table("orders", 50), table("items", 70)]).await?;
    day.story.now -= TimeDelta::days(1);
    day.configure(&BOTH).await?;
    day.load_and_deploy().await?;
    day.story.cloud.isthmus_failing(&EXPOSURES_BY_BIGQUERY)?; // there is no mart yet
    ended_with(&day.build(&[]).await?, 0)?;
    day.story.cloud.isthmus(&EXPOSURES_BY_BIGQUERY)?;
    ended_with(&day.publish().await?, 0)?;
    ensure!((day.published("orders")?, day.published("items")?) == (50, 70));

    day.story.now += TimeDelta::days(1);
    let rows = (0..60).map(|id| vec![id.into()]).collect();
    day.story.cloud.rds.set_tables(vec![Table::new("shop", "orders", &[("id", "bigint")], rows), table("items", 80)]);
    let said = day.load_and_deploy().await?;
    // Before anything is built, the models of yesterday tell what the drift breaks: to the load, and to whoever asks.
    let breaks = "column shop.orders.name was removed since the last export: breaks staging.stg_shop__orders";
    ensure!(said.contains(breaks), "{said}");
    let impact = day.story.cloud.isthmus_failing(&[
        "lineage",
        "--impact",
        "manifest.json",
        "--dbt",
        "dbt/manifest.json",
        "--syncs",
        "syncs.yaml",
    ])?;
    let expected =
        "column shop.orders.name was removed: breaks staging.stg_shop__orders; stale then: mart.orders, sync orders\n";
    ensure!(impact == expected, "{impact}");

    ended_with(&day.build(&[]).await?, 1)?;
    ensure!(day.gate("items")?["fresh"] == true, "{:#}", day.gate("items")?);
    ensure!(day.gate("orders")?["because"][0].as_str().is_some_and(|why| why.starts_with("model orders: skipped")));
    ensure!(day.because("orders")?.contains("model stg_shop__orders: Database Error"), "{}", day.because("orders")?);
    // The mart keeps its last good rows.
    ensure!(day.rows("mart.orders").await? == 50 && day.rows("mart.items").await? == 80);
    let finished = day.publish().await?;
    ended_with(&finished, 1)?;
    ensure!(
        finished.log.contains("orders: not published, it requires fresh marts: model orders: skipped"),
        "{}",
        finished.log
    );
    ensure!((day.published("orders")?, day.published("items")?) == (50, 80));
    Ok(())
}

pub async fn holds_back_the_sync_whose_test_failed_or_whose_table_is_late(stage: &Stage) -> Result<()> {
    let mut day = Warehouse::begin(stage, "wh-test", vec![table("orders", 5), table("items", 7)]).await?;
    day.story.now -= TimeDelta::days(1);
    day.configure(&BOTH).await?;
    let columns = [("id", "bigint"), ("name", "varchar(64)")];
    let twice = || Table::new("shop", "items", &columns, vec![vec![1.into(), Cell::NULL], vec![1.into(), Cell::NULL]]);
    day.story.cloud.rds.set_tables(vec![table("orders", 5), twice()]);
    day.load_and_deploy().await?;
    let finished = day.build(&[]).await?;
    ended_with(&finished, 1)?;
    // A line for the test, as alerts read it, and the rows to look at.
    let line = finished.log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = line.into_iter().find(|line| line["model"] == "unique_items_id" && line["severity"] == "ERROR");
    let line = line.with_context(|| finished.log.clone())?;
    ensure!(
        (&line["event"], &line["kind"], &line["failures"]) == (&json!("node"), &json!("test"), &json!(1)),
        "{line}"
    );
    ensure!(day.rows("isthmus_dbt.unique_items_id").await? == 1);
    ensure!(day.because("items")?.contains("test unique_items_id: Got 1 result"), "{}", day.because("items")?);
    ended_with(&day.publish().await?, 1)?;
    ensure!(day.published("orders")? == 5 && day.published("items").is_err());

    // The next day the items are not in the export at all: the load says so, and the layers go on with the rest.
    day.story.now += TimeDelta::days(1);
    day.story.cloud.rds.set_tables(vec![table("orders", 6)]);
    day.story.publish_day().await?;
    ended_with(&day.story.load().await?, 1)?;
    day.deploy().await?;
    day.build(&[]).await?;
    ensure!(day.because("items")?.contains("table shop.items: missing"), "{}", day.because("items")?);
    ended_with(&day.publish().await?, 1)?;
    ensure!(day.published("orders")? == 6 && day.published("items").is_err());
    Ok(())
}

pub async fn is_built_by_one_execution_at_a_time_and_goes_on_after_a_kill(stage: &Stage) -> Result<()> {
    let day = Warehouse::begin(stage, "wh-kill", vec![table("orders", 5), table("items", 7)]).await?;
    day.configure(&BOTH).await?;
    day.load_and_deploy().await?;
    ended_with(&day.build(&[]).await?, 0)?;
    ensure!(day.gate("orders")?["fresh"] == true);
    let of = |execution: &str| -> Result<Job> { Ok(day.story.cloud.dbt()?.with("CLOUD_RUN_EXECUTION", execution)) };
    let task = of("dbt-1")?.start(&["--without-catalog"])?;
    while day.rows("isthmus_dbt.running").await.unwrap_or_default() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let finished = of("dbt-2")?.run(&["--without-catalog"]).await?;
    ended_with(&finished, 4)?;
    ensure!(finished.log.contains("dbt-1 builds the warehouse since "), "{}", finished.log);
    drop(task); // SIGKILL, somewhere in the middle
    // What an earlier build of the day said holds no more.
    let finished = day.publish().await?;
    ended_with(&finished, 1)?;
    let closed = format!(
        "items: not published, it requires fresh marts: the build of {} by dbt-1 has not ended",
        day.story.date()
    );
    ensure!(finished.log.contains(&closed) && day.published("items").is_err(), "{}", finished.log);
    // Another execution keeps its hands off, the next attempt of the same one goes on.
    ended_with(&of("dbt-2")?.run(&["--without-catalog"]).await?, 4)?;
    ended_with(&of("dbt-1")?.run(&["--without-catalog"]).await?, 0)?;
    ensure!(day.rows("mart.orders").await? == 5 && day.rows("mart.items").await? == 7);
    ensure!(day.gate("orders")?["fresh"] == true && day.gate("items")?["fresh"] == true);
    // And what it held is free.
    ended_with(&of("dbt-2")?.run(&["--without-catalog", "--select", "orders"]).await?, 0)?;
    ensure!(day.because("items")?.contains("this run did not build it"), "{}", day.because("items")?);
    Ok(())
}

/// The project that a team begins with: rows of two nights, every model, unit test, test and snapshot.
pub async fn of_the_repository_follows_what_changes_from_night_to_night(stage: &Stage) -> Result<()> {
    let day = Warehouse::begin(stage, "wh-shop", Vec::new()).await?;
    day.shop().await?;
    let first = day.build(&["--export-date", "2026-11-22"]).await?;
    ended_with(&first, 0)?;
    ensure!(day.rows("warehouse.fct_orders").await? == 3 && day.rows("warehouse.customers_history").await? == 2);
    let profiles = "SELECT user_id, plan, orders, CAST(spent * 100 AS INT64) AS cents, ARRAY_LENGTH(recent_items) AS items \
                    FROM mart.user_profiles ORDER BY user_id";
    let expected = json!([
        {"user_id": 1, "plan": "plus", "orders": 1, "cents": 120_050, "items": 1},
        {"user_id": 2, "plan": "free", "orders": 1, "cents": 0, "items": 2},
    ]);
    ensure!(json!(day.story.query(profiles).await?) == expected, "{:#?}", day.story.query(profiles).await?);

    // Order 10 moves to another day, order 12 is gone, and a customer pays for a plan.
    for change in [
        "UPDATE raw_shop.orders SET ordered_on = '2026-11-20', updated_at = TIMESTAMP '2026-11-23 09:00:00' WHERE id = 10",
        "DELETE FROM raw_shop.orders WHERE id = 12",
        "DELETE FROM raw_shop.order_items WHERE order_id = 12",
        "UPDATE raw_shop.customers SET plan = 'pro' WHERE id = 2",
    ] {
        day.story.query(change).await?;
    }
    ended_with(&day.build(&["--export-date", "2026-11-23"]).await?, 0)?;
    let days = "SELECT order_id, CAST(ordered_on AS STRING) AS day FROM warehouse.fct_orders ORDER BY order_id";
    let expected = json!([{"order_id": 10, "day": "2026-11-20"}, {"order_id": 11, "day": "2026-11-22"}]);
    ensure!(json!(day.story.query(days).await?) == expected, "{:#?}", day.story.query(days).await?);
    ensure!(day.rows("warehouse.customers_history").await? == 3, "the plan that customer 2 had is kept");
    let catalog = std::fs::read_to_string(day.story.cloud.artifacts().join("catalog.json"))?;
    ensure!(catalog.contains("user_profiles"), "the catalog knows the marts");
    Ok(())
}
