//! Sources that are programs.

use std::path::Path;

use anyhow::Result;
use axum::extract::Query;
use axum::routing::get;
use axum::{Json, Router};
use local::aurora::Engine;
use serde::Deserialize;
use serde_json::{Value, json};

use super::stage::{Stage, Story, ended_with, report};

const CHARGES: u64 = 250;

#[derive(Deserialize)]
struct Page {
    limit: u64,
    starting_after: Option<String>,
}

/// As Stripe's lists: newest last here, a page at a time, the key in the header.
async fn page(Query(page): Query<Page>) -> Json<Value> {
    let after = page.starting_after.and_then(|id| id.trim_start_matches("ch_").parse::<u64>().ok()).unwrap_or(0);
    let last = (after + page.limit).min(CHARGES);
    let charge = |n| json!({"id": format!("ch_{n}"), "amount": n * 10, "currency": "jpy", "created": 1_795_000_000 + n, "metadata": {"order": n}});
    Json(json!({"data": (after + 1..=last).map(charge).collect::<Vec<_>>(), "has_more": last < CHARGES}))
}

fn python() -> Result<String> {
    Ok(local::tools::emulator("python")?.display().to_string())
}

fn list(story: &Story<'_>, words: &[&str]) -> String {
    format!(
        "databases:\n  {}:\n    source: {{exec: {}}}\n    tables:\n      charges: {{}}\n",
        story.name(),
        json!(words)
    )
}

pub async fn fill_a_table_with_the_same_proof(stage: &Stage) -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}/v1", listener.local_addr()?);
    let server =
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/charges", get(page))).await });
    let story = stage.story(Engine::Mysql, "pages").await?;
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/json_pages.py").display().to_string();
    for _ in 0..2 {
        let finished = story.job_of(&list(&story, &[&python()?, &sample, &base]))?.run(&["--json"]).await?;
        ended_with(&finished, 0)?;
        let outcome = &report(&finished)?["tables"][0];
        assert_eq!((&outcome["state"], &outcome["rows_loaded"]), (&json!("loaded"), &json!(CHARGES)));
    }
    let found = story
        .warehouse(
            "SELECT id, amount, CAST(created AS STRING) AS created, metadata FROM {raw}.charges WHERE id = 'ch_250'",
        )
        .await?;
    let expected =
        json!({"id": "ch_250", "amount": 2500, "created": "2026-11-18 11:10:50+00", "metadata": "{\"order\": 250}"});
    assert_eq!(found, [expected]);
    server.abort();
    Ok(())
}

/// Half a table is no table, and the passwords of databases are none of a program's business.
pub async fn that_fail_or_stop_half_way_replace_nothing(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Mysql, "half").await?;
    let whole = "import pyarrow as pa, sys, os; s = pa.schema([('n', pa.int64())]); w = pa.ipc.new_stream(sys.stdout.buffer, s); \
                 w.write_batch(pa.record_batch([[1, 2, 3]], schema=s)); ";
    let run = async |code: &str| {
        story.job_of(&list(&story, &[&python()?, "-c", &format!("{whole}{code}")]))?.run(&["--json"]).await
    };
    let told = "assert not [n for n in os.environ if n.startswith('DATABASE_PASSWORD') or n == 'MASK_KEY']; w.close()";
    ended_with(&run(told).await?, 0)?;
    assert_eq!(story.rows("charges").await?, 3);
    let failing = [
        ("w.close(); sys.exit(3)", "ended with exit status: 3"),
        (
            "sys.stdout.buffer.write(b'\\xff\\xff\\xff\\xff\\x10\\x01\\x00\\x00half'); sys.stdout.flush()",
            "Arrow IPC stream",
        ),
        ("os.kill(os.getpid(), 9)", "ended with signal: 9"),
    ];
    for (code, why) in failing {
        let finished = run(code).await?;
        ended_with(&finished, 1)?;
        let message = report(&finished)?["tables"][0]["message"].to_string();
        assert!(message.contains(why), "{code}: {message}");
        assert_eq!(story.rows("charges").await?, 3, "{code}");
    }
    let missing = story.job_of(&list(&story, &["no-such-program"]))?.run(&["--json"]).await?;
    ended_with(&missing, 1)?;
    assert!(missing.log.contains("start no-such-program"), "{}", missing.log);
    Ok(())
}
