//! Mode incremental: what was written since the last time, merged by primary key.

use anyhow::{Context, Result};
use local::aurora::Engine;
use serde_json::{Value, json};

use super::stage::{Stage, Story};

const EVENTS: &str = "CREATE TABLE events (id bigint PRIMARY KEY, v varchar(20), updated_at timestamp(6) NULL)";
const ENGINES: [(Engine, &str); 2] = [(Engine::Mysql, "my"), (Engine::Postgres, "pg")];
const SETTINGS: &str = "events: {mode: incremental, cursor: updated_at, lookback: 1h}";

async fn begin<'a>(stage: &'a Stage, engine: Engine, name: &str) -> Result<Story<'a>> {
    let story = stage.story(engine, name).await?;
    story.execute(EVENTS).await?;
    story.execute("INSERT INTO events VALUES (1, 'a', '2026-11-20 10:00:00'), (2, 'b', '2026-11-21 10:00:00'), (3, 'c', NULL)").await?;
    Ok(story)
}

async fn values(story: &Story<'_>) -> Result<Vec<Value>> {
    story.warehouse("SELECT id, v FROM {raw}.events ORDER BY id").await
}

fn rows(pairs: &[(i64, &str)]) -> Vec<Value> {
    pairs.iter().map(|(id, v)| json!({"id": id, "v": v})).collect()
}

fn mode_and_rows(outcome: &Value) -> (&str, &str, u64) {
    let text = |name: &str| outcome[name].as_str().unwrap_or_default();
    (text("mode"), text("state"), outcome["rows_loaded"].as_u64().unwrap_or(u64::MAX))
}

pub async fn merges_what_was_written_since_and_what_was_committed_late(stage: &Stage) -> Result<()> {
    for (engine, suffix) in ENGINES {
        let story = begin(stage, engine, &format!("incremental_{suffix}")).await?;
        let first = &story.run(SETTINGS).await?[0];
        assert_eq!(mode_and_rows(first), ("full", "loaded", 3));
        assert!(first["watermark"].as_str().unwrap().starts_with("2026-11-21 10:00:00"), "{first}");
        // A new row, a changed one, one that was written before the watermark and committed after it, and one that is
        // older than the lookback, which nobody looks for.
        story
            .execute("INSERT INTO events VALUES (4, 'd', '2026-11-22 10:00:00'), (5, 'late', '2026-11-21 09:30:00')")
            .await?;
        story.execute("INSERT INTO events VALUES (6, 'too late', '2026-11-21 08:30:00')").await?;
        story.execute("UPDATE events SET v = 'B', updated_at = '2026-11-22 09:00:00' WHERE id = 2").await?;
        let second = &story.run(SETTINGS).await?[0];
        // The row without a cursor is read each time: nothing says whether it changed.
        assert_eq!(mode_and_rows(second), ("incremental", "loaded", 4));
        assert_eq!(values(&story).await?, rows(&[(1, "a"), (2, "B"), (3, "c"), (4, "d"), (5, "late")]));
        let scratch = stage.bigquery.query("SELECT table_name FROM isthmus_scratch.INFORMATION_SCHEMA.TABLES").await?;
        let left: Vec<_> = scratch
            .iter()
            .filter(|row| row.to_string().contains(&story.dataset()) && !row.to_string().contains("lease__"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
        story.no_transaction_is_open().await?;
    }
    Ok(())
}

pub async fn without_news_reads_the_last_rows_again_and_changes_nothing(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Mysql, "no_news").await?;
    story.execute("CREATE TABLE events (id bigint PRIMARY KEY, v varchar(20))").await?;
    story.execute("INSERT INTO events VALUES (1, 'a'), (2, 'b')").await?;
    let settings = "events: {mode: incremental, cursor: id}";
    story.run(settings).await?;
    for _ in 0..2 {
        assert_eq!(
            mode_and_rows(&story.run(settings).await?[0]),
            ("incremental", "loaded", 1),
            "the watermark's own row"
        );
        assert_eq!(values(&story).await?, rows(&[(1, "a"), (2, "b")]));
    }
    story.execute("DELETE FROM events").await?;
    assert_eq!(mode_and_rows(&story.run(settings).await?[0]), ("incremental", "unchanged", 0));
    Ok(())
}

pub async fn with_reconcile_deletes_what_is_gone_from_the_source(stage: &Stage) -> Result<()> {
    for (engine, suffix) in ENGINES {
        let story = begin(stage, engine, &format!("reconcile_{suffix}")).await?;
        let settings = "events: {mode: incremental, cursor: updated_at, reconcile: keys}";
        story.run(settings).await?;
        story.execute("DELETE FROM events WHERE id = 1").await?;
        story.execute("INSERT INTO events VALUES (4, 'd', '2026-11-22 10:00:00')").await?;
        assert_eq!(mode_and_rows(&story.run(settings).await?[0]).1, "loaded");
        assert_eq!(values(&story).await?, rows(&[(2, "b"), (3, "c"), (4, "d")]));
        story.execute("DELETE FROM events").await?;
        assert_eq!(mode_and_rows(&story.run(settings).await?[0]).1, "loaded");
        assert_eq!(values(&story).await?, rows(&[]));
    }
    Ok(())
}

pub async fn of_a_partitioned_table_reads_the_partitions_that_the_rows_are_in_and_go_to(stage: &Stage) -> Result<()> {
    let story = begin(stage, Engine::Mysql, "partitions").await?;
    let made = "CREATE TABLE {raw}.events (id INT64, v STRING OPTIONS (description = 'ours'), updated_at TIMESTAMP) \
                PARTITION BY DATE(updated_at) CLUSTER BY id OPTIONS (description = 'all events', labels = [('team', 'a')])";
    story.warehouse(made).await?;
    story.run(SETTINGS).await?;
    story.execute("UPDATE events SET v = 'A', updated_at = '2026-11-22 09:00:00' WHERE id = 1").await?;
    story.run(SETTINGS).await?;
    assert_eq!(values(&story).await?, rows(&[(1, "A"), (2, "b"), (3, "c")]), "the row moved from one day to another");
    let merge = story
        .wire
        .requests()
        .iter()
        .map(local::wire::Recorded::body_text)
        .find(|body| body.contains("MERGE `isthmus-local.raw_"));
    let merge = merge.context("no MERGE")?;
    let within = "old.`updated_at` BETWEEN TIMESTAMP '2026-11-20 10:00:00+00' AND TIMESTAMP '2026-11-22 09:00:00+00'";
    assert!(merge.contains(within), "{merge}");
    let table = stage.bigquery.table("raw_partitions", "events").await?;
    assert_eq!(table["timePartitioning"]["field"], "updated_at", "{table}");
    assert_eq!((&table["description"], &table["labels"]["team"]), (&json!("all events"), &json!("a")));
    assert_eq!(table["schema"]["fields"][1]["description"], "ours", "{table}");
    Ok(())
}

pub async fn is_not_led_astray_by_a_row_from_the_future(stage: &Stage) -> Result<()> {
    for (engine, suffix) in ENGINES {
        let story = begin(stage, engine, &format!("future_{suffix}")).await?;
        story.execute("INSERT INTO events VALUES (9, 'never ends', '2037-12-31 00:00:00')").await?;
        story.run(SETTINGS).await?;
        story.execute("INSERT INTO events VALUES (4, 'd', '2026-11-22 10:00:00')").await?;
        story.run(SETTINGS).await?;
        assert_eq!(values(&story).await?.len(), 5, "the row of today came in");
    }
    Ok(())
}

pub async fn follows_a_new_column_keeps_a_dropped_one_and_loads_a_retyped_one_in_full(stage: &Stage) -> Result<()> {
    for (engine, suffix) in ENGINES {
        let story = begin(stage, engine, &format!("evolves_{suffix}")).await?;
        story.run(SETTINGS).await?;
        story.execute("ALTER TABLE events ADD COLUMN w int").await?;
        story.execute("INSERT INTO events VALUES (4, 'd', '2026-11-22 10:00:00', 7)").await?;
        let outcome = &story.run(SETTINGS).await?[0];
        assert_eq!(
            mode_and_rows(outcome),
            ("incremental", "loaded", 3),
            "the new row, that of the watermark, that without a cursor"
        );
        assert_eq!(outcome["drift"], json!(["column w was added"]));
        let both = "SELECT id, v, w FROM {raw}.events WHERE id IN (1, 4) ORDER BY id";
        assert_eq!(
            story.warehouse(both).await?,
            [json!({"id": 1, "v": "a", "w": null}), json!({"id": 4, "v": "d", "w": 7})]
        );

        story.execute("ALTER TABLE events DROP COLUMN v").await?;
        let outcome = &story.run(SETTINGS).await?[0];
        assert_eq!((mode_and_rows(outcome).1, &outcome["drift"]), ("loaded", &json!(["column v was removed"])));
        assert_eq!(story.warehouse(both).await?[0], json!({"id": 1, "v": "a", "w": null}), "old values stay");

        let retype = match engine {
            Engine::Mysql => "ALTER TABLE events MODIFY w varchar(10)",
            Engine::Postgres => "ALTER TABLE events ALTER w TYPE varchar(10)",
        };
        story.execute(retype).await?;
        let outcome = &story.run(SETTINGS).await?[0];
        assert_eq!(mode_and_rows(outcome), ("full", "loaded", 4));
        assert_eq!(story.warehouse("SELECT w FROM {raw}.events WHERE id = 4").await?, [json!({"w": "7"})]);
    }
    Ok(())
}

pub async fn of_a_table_without_primary_key_says_so(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Mysql, "keyless").await?;
    story
        .execute("CREATE TABLE logs (at datetime, line text); INSERT INTO logs VALUES (NULL, 'a'), (NULL, 'a')")
        .await?;
    let finished = story.job("logs: {mode: incremental, cursor: at}")?.run(&["--json"]).await?;
    super::stage::ended_with(&finished, 1)?;
    assert!(
        finished.log.contains("merges by primary key, and the table has none: mode full loads it"),
        "{}",
        finished.log
    );
    assert_eq!(
        mode_and_rows(&story.run("logs: {}").await?[0]),
        ("full", "loaded", 2),
        "twice the same row are two rows"
    );
    Ok(())
}
