//! The program killed anywhere, and started again.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use database_to_bigquery::extracts::Extracts;
use local::aurora::Engine;
use local::job::Job;
use local::wire::{Effect, Recorded};
use serde_json::json;

use super::stage::{Stage, Story, ended_with, report};

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;
const POINTS: usize = 20;
const SETTINGS: &str = "a: {}\nb: {mode: incremental, cursor: id, lookback: 10, reconcile: keys}";

/// Slow enough to be met while it reads.
const SLOW: &str = "a: {where: \"SLEEP(0.01) = 0\"}";

async fn two_tables<'a>(stage: &'a Stage, name: &str) -> Result<Story<'a>> {
    let story = stage.story(Engine::Mysql, name).await?;
    for table in ["a", "b"] {
        story.execute(&format!("CREATE TABLE {table} (id bigint PRIMARY KEY, v int); INSERT INTO {table} SELECT seq, 0 FROM seq_1_to_500")).await?;
    }
    Ok(story)
}

async fn is_equal(story: &Story<'_>, tables: &[&str], when: &str) -> Result<()> {
    for table in tables {
        let sql = |place: &str| {
            format!("SELECT COUNT(*) AS n, COALESCE(SUM(id), 0) AS i, COALESCE(SUM(v), 0) AS v FROM {place}")
        };
        let ours = story.source(&sql(table)).await?;
        let number = |n: usize| ours[0][n].as_ref().and_then(|text| text.parse::<i64>().ok());
        let theirs = story.warehouse(&sql(&format!("{{raw}}.{table}"))).await?;
        let expected = [json!({"n": number(0), "i": number(1), "v": number(2)})];
        ensure!(theirs == expected, "{when}: {table} is {theirs:?}, not {expected:?}");
    }
    Ok(())
}

/// One that a killed run leaves behind ends soon.
fn with_a_short_lease(story: &Story<'_>, settings: &str) -> Result<Job> {
    Ok(story.job(settings)?.with("LEASE_SECONDS", "3"))
}

/// As a schedule does.
async fn to_its_end(story: &Story<'_>, settings: &str) -> Result<()> {
    ended_with(&story.job(settings)?.run(&["--json"]).await?, 0)
}

pub async fn by_sigkill_at_twenty_points_both_sides_end_right(stage: &Stage) -> Result<()> {
    let story = two_tables(stage, "killed").await?;
    story.run(SETTINGS).await?;
    story.wire.forget();
    story.run(SETTINGS).await?;
    let calls = story.wire.requests().len();
    let mut killed = 0;
    for point in 0..POINTS {
        story.execute(&format!("DELETE FROM a WHERE id = {point} + 1; DELETE FROM b WHERE id = {point} + 1; UPDATE b SET v = 1 WHERE id > 490; \
             INSERT INTO a VALUES (1000 + {point}, 1); INSERT INTO b VALUES (1000 + {point}, 1)")).await?;
        let effect = if point % 2 == 0 { Effect::HoldRequest } else { Effect::HoldAnswer };
        story.wire.fault_after(point * calls / POINTS, 1, effect.clone(), |_| true);
        let task = with_a_short_lease(&story, SETTINGS)?.start(&["--json"])?;
        // How often a job is asked for its state is a matter of time, so the last calls are not met by every run.
        let held = tokio::time::timeout(Duration::from_secs(10), story.wire.held()).await;
        task.signal(SIGKILL);
        killed += usize::from(held.is_ok() && task.finish().await?.exit_code.is_none());
        story.wire.heal();
        story.no_transaction_is_open().await?;
        to_its_end(&story, SETTINGS).await?;
        is_equal(&story, &["a", "b"], &format!("killed at call {} of {calls}, {effect:?}", point * calls / POINTS))
            .await?;
    }
    ensure!(killed >= POINTS - 3, "{killed} of {POINTS} were killed");
    assert_eq!(std::fs::read_dir(story.dir.join("work"))?.count(), 0, "a file without a name goes with its program");
    Ok(())
}

pub async fn while_it_reads_leaves_no_transaction_open(stage: &Stage) -> Result<()> {
    for (signal, name) in [(SIGKILL, "killed_reading"), (SIGTERM, "stopped_reading")] {
        let story = two_tables(stage, name).await?;
        let task = with_a_short_lease(&story, SLOW)?.start(&["--json"])?;
        story.a_transaction_is_open().await?;
        task.signal(signal);
        let finished = task.finish().await?;
        if signal == SIGTERM {
            ended_with(&finished, 143)?;
            assert!(finished.log.contains(&format!("\"unfinished\":[\"{name}.a\"]")), "{}", finished.log);
        }
        story.no_transaction_is_open().await?;
        assert!(!stage.bigquery.table_exists(&story.dataset(), "a").await?);
        to_its_end(&story, "a: {}").await?;
        assert_eq!(story.rows("a").await?, 500);
    }
    Ok(())
}

fn is_last_chunk(call: &Recorded) -> bool {
    call.method == "PUT" && call.path.starts_with("/upload/")
}

fn is_merge(call: &Recorded) -> bool {
    call.path.ends_with("/jobs") && call.body_text().contains("MERGE `isthmus-local.raw_")
}

fn is_delete(call: &Recorded) -> bool {
    call.path.ends_with("/jobs") && call.body_text().contains("DELETE FROM `isthmus-local.raw_")
}

/// Where the call that is to be held never comes, the story ends all the same.
async fn held(story: &Story<'_>) -> Result<()> {
    tokio::time::timeout(Duration::from_mins(1), story.wire.held()).await.context("nothing was held")
}

/// Its last call is held on the way, and it sleeps. Another execution takes over and loads what is newer; then the call
/// arrives, and the sleeper wakes up.
pub async fn no_sleeper_that_wakes_late_puts_older_rows_over_newer_ones(stage: &Stage) -> Result<()> {
    type Held = fn(&Recorded) -> bool;
    let cases: [(&str, &str, Held); 3] = [
        ("late_load", "a: {}", is_last_chunk),
        ("late_merge", "a: {mode: incremental, cursor: v, lookback: 10}", is_merge),
        ("late_delete", "a: {mode: incremental, cursor: v, lookback: 10, reconcile: keys}", is_delete),
    ];
    for (name, settings, last_call) in cases {
        let story = two_tables(stage, name).await?;
        ended_with(&story.job(settings)?.run(&["--json"]).await?, 0)?;
        story.execute("UPDATE a SET v = 1 WHERE id = 7").await?;
        story.wire.fault(1, Effect::HoldRequest, last_call);
        let sleeper = with_a_short_lease(&story, settings)?.start(&["--json"])?;
        held(&story).await?;
        sleeper.signal(SIGSTOP);
        // The sleeper has neither of them: it would put the old row back, and delete the new one.
        story.execute("UPDATE a SET v = 2 WHERE id = 7; INSERT INTO a VALUES (501, 2)").await?;
        let next = with_a_short_lease(&story, settings)?.run(&["--json"]).await?;
        ended_with(&next, 0)?;
        story.wire.release();
        sleeper.signal(SIGCONT);
        let woken = sleeper.finish().await?;
        ended_with(&woken, 1)?;
        assert!(woken.log.contains("another execution has taken the table over"), "{}", woken.log);
        is_equal(&story, &["a"], &format!("{name}: the sleeper's call came late")).await?;
        ended_with(&story.job(settings)?.run(&["--json"]).await?, 0)?;
        is_equal(&story, &["a"], &format!("{name}: the next run")).await?;
    }
    Ok(())
}

pub async fn no_two_executions_load_a_table_at_once(stage: &Stage) -> Result<()> {
    let story = two_tables(stage, "twice").await?;
    let slow = with_a_short_lease(&story, SLOW)?.start(&["--json"])?;
    story.a_transaction_is_open().await?;
    let second = with_a_short_lease(&story, SLOW)?.run(&["--json"]).await?;
    ended_with(&second, 3)?;
    assert!(second.log.contains("is loading it"), "{}", second.log);
    ended_with(&slow.finish().await?, 0)?;
    assert_eq!(story.rows("a").await?, 500);
    ended_with(&story.job("a: {}")?.run(&["--json"]).await?, 0)?;
    is_equal(&story, &["a"], "after two at once").await
}

/// Two names of one table, or one twice: it is loaded once.
pub async fn nor_does_one_execution_load_a_table_twice(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Postgres, "named_twice").await?;
    story.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)").await?;
    let names = ["--table", "named_twice.t", "--table", "named_twice.public.t", "--table", "named_twice.t"];
    let finished = story.job("t: {}")?.run(&[&["--json"], &names[..]].concat()).await?;
    ended_with(&finished, 0)?;
    assert_eq!(report(&finished)?["tables"].as_array().map(Vec::len), Some(1), "{}", finished.log);
    assert_eq!(finished.log.matches("named_twice.public.t: loaded").count(), 1, "{}", finished.log);

    // Below that: whose name stands in the lease already is as busy as everybody else, and the first one keeps it.
    let bigquery = story.bigquery().await?;
    let list = Extracts::parse("databases: {named_twice: {engine: postgres, tables: {t: {}}}}", Path::new("list"))?;
    let table = list.tables().next().context("no table")?;
    let take = || bigquery.take_lease(table, "task-1", Duration::from_secs(30));
    let first = take().await?;
    assert_eq!(take().await.err().context("it joined")?.to_string(), "task-1 is loading it");
    first.check().await?;
    first.give_back(true).await;
    take().await?.give_back(true).await;
    Ok(())
}
