//! What goes wrong between the program and BigQuery.

use std::collections::BTreeSet;

use anyhow::Result;
use local::aurora::Engine;
use local::wire::{Effect, Recorded};
use serde_json::json;

use super::stage::{Stage, Story, ended_with, report};

/// Random bytes cannot be compressed: three chunks of 8 MiB.
const CHUNKS: usize = 3;

async fn large<'a>(stage: &'a Stage, name: &str) -> Result<Story<'a>> {
    let story = stage.story(Engine::Mysql, name).await?;
    story.execute("CREATE TABLE t (id int PRIMARY KEY, b longblob)").await?;
    for id in 0..20 {
        let mut bytes = vec![0; 1_000_000];
        aws_lc_rs::rand::fill(&mut bytes)?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        story.execute(&format!("INSERT INTO t VALUES ({id}, x'{digits}'), ({id} + 100, NULL)")).await?;
    }
    Ok(story)
}

fn is_chunk(request: &Recorded) -> bool {
    request.method == "PUT" && request.path.starts_with("/upload/") && !request.body.is_empty()
}

fn begins(request: &Recorded) -> bool {
    request.method == "POST" && request.path.starts_with("/upload/")
}

/// How many load jobs there are of the story's table.
async fn loads(story: &Story<'_>) -> Result<usize> {
    let jobs = story.stage.bigquery.jobs().await?;
    let target = format!("raw_{}", story.name());
    Ok(jobs
        .iter()
        .filter(|job| job["configuration"]["load"]["destinationTable"]["datasetId"] == target.as_str())
        .count())
}

async fn hash(story: &Story<'_>) -> Result<String> {
    let rows = story.warehouse("SELECT COUNT(*) AS n, COUNT(b) AS b, SUM(LENGTH(b)) AS l FROM {raw}.t").await?;
    Ok(rows[0].to_string())
}

pub async fn cut_an_upload_at_every_chunk_and_each_byte_is_stored_once(stage: &Stage) -> Result<()> {
    let story = large(stage, "cut").await?;
    story.run("t: {}").await?;
    let whole = hash(&story).await?;
    assert_eq!(whole, json!({"n": 40, "b": 20, "l": 20_000_000}).to_string());
    let chunks = story.wire.requests().iter().filter(|request| is_chunk(request)).count();
    assert_eq!(chunks, CHUNKS);
    for effect in [Effect::Reset, Effect::LoseAnswer, Effect::Refuse(503, "later".into())] {
        for chunk in 0..CHUNKS {
            story.warehouse("DELETE FROM {raw}.t WHERE TRUE").await?;
            let before = loads(&story).await?;
            story.wire.fault_after(chunk, 1, effect.clone(), is_chunk);
            let outcome = &story.run("t: {}").await?[0];
            assert_eq!(
                (&outcome["state"], &outcome["rows_loaded"]),
                (&json!("loaded"), &json!(40)),
                "{effect:?} at {chunk}"
            );
            assert_eq!(hash(&story).await?, whole, "{effect:?} at {chunk}");
            assert_eq!(loads(&story).await? - before, 1, "{effect:?} at {chunk}");
            story.wire.heal();
        }
    }
    Ok(())
}

pub async fn forget_an_upload_whose_job_was_made_and_the_job_is_found_again(stage: &Stage) -> Result<()> {
    let story = large(stage, "forgotten").await?;
    // The last chunk arrives, its answer does not, and the session is gone when it is asked.
    story.wire.fault_after(CHUNKS - 1, 1, Effect::LoseAnswer, is_chunk);
    let asked =
        |request: &Recorded| request.method == "PUT" && request.path.starts_with("/upload/") && request.body.is_empty();
    story.wire.fault(1, Effect::Refuse(410, "Gone".into()), asked);
    let finished = story.job("t: {}")?.run(&["--json"]).await?;
    ended_with(&finished, 0)?;
    assert!(finished.log.contains("attached to job"), "{}", finished.log);
    assert_eq!(loads(&story).await?, 1);
    assert_eq!(story.rows("t").await?, 40);
    Ok(())
}

/// The places of the calls, but for a job that is asked again for its state: how often is a matter of time.
fn each_once(requests: &[Recorded]) -> Vec<usize> {
    let mut asked = BTreeSet::new();
    let calls = requests.iter().enumerate();
    calls.filter(|(_, call)| call.method != "GET" || asked.insert(call.path.clone())).map(|(place, _)| place).collect()
}

pub async fn lose_the_answer_of_every_call_and_the_rows_are_there_once(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Mysql, "lost").await?;
    story
        .execute(
            "CREATE TABLE events (id bigint PRIMARY KEY, v int, at timestamp(6)); \
                   INSERT INTO events VALUES (1, 1, '2026-11-20 10:00:00'), (2, 1, '2026-11-21 10:00:00')",
        )
        .await?;
    let settings = "events: {mode: incremental, cursor: at, lookback: 1d, reconcile: keys}";
    story.run(settings).await?;
    story.wire.forget();
    story.run(settings).await?;
    let calls = each_once(&story.wire.requests());
    for call in calls.clone() {
        story.execute(&format!("UPDATE events SET v = v + 1, at = at + INTERVAL 1 SECOND WHERE id = 2; INSERT INTO events VALUES ({call} + 10, 0, '2026-11-21 09:00:00')")).await?;
        story.wire.fault_after(call, 1, Effect::LoseAnswer, |_| true);
        story.run(settings).await?;
        story.wire.heal();
        let ours = story.source("SELECT COUNT(*), SUM(v) FROM events").await?;
        let theirs = story
            .warehouse("SELECT CAST(COUNT(*) AS STRING) AS n, CAST(SUM(v) AS STRING) AS v FROM {raw}.events")
            .await?;
        assert_eq!(
            theirs,
            [json!({"n": ours[0][0], "v": ours[0][1]})],
            "the answer to call {call} of {calls:?} was lost"
        );
    }
    Ok(())
}

pub async fn refuse_an_upload_and_the_table_says_why(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Mysql, "refused").await?;
    story
        .execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE u (id int PRIMARY KEY)")
        .await?;
    let denied = r#"{"error": {"code": 403, "message": "Access Denied: Table t: User does not have permission"}}"#;
    story.wire.fault(1, Effect::Refuse(403, denied.into()), begins);
    let finished = story.job("t: {}\nu: {}")?.with("PARALLEL_TABLES", "1").run(&["--json"]).await?;
    ended_with(&finished, 1)?;
    let tables = report(&finished)?["tables"].clone();
    let told = tables[0]["message"].as_str().unwrap_or_default();
    assert!(told.contains("Access Denied: Table t"), "{told}");
    assert_eq!(tables[1]["state"], "loaded", "one table that fails keeps no other from being loaded");
    Ok(())
}
