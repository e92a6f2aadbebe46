//! What goes wrong in the database.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use local::aurora::Engine;
use serde_json::json;

use super::stage::{Stage, ended_with, report};

/// A filter that takes a while for each row, and lets every row pass.
fn slow(engine: Engine) -> &'static str {
    match engine {
        Engine::Mysql => "t: {where: \"SLEEP(0.01) = 0\"}",
        Engine::Postgres => "t: {where: \"pg_sleep(0.01) IS NOT NULL\"}",
    }
}

fn filled(engine: Engine, rows: u32) -> String {
    let source = match engine {
        Engine::Mysql => format!("seq AS id, 'x' AS v FROM seq_1_to_{rows}"),
        Engine::Postgres => format!("id, 'x'::text AS v FROM generate_series(1, {rows}) AS id"),
    };
    format!("CREATE TABLE t AS SELECT {source}")
}

pub async fn ends_a_connection_and_the_table_is_read_again_from_a_new_snapshot(stage: &Stage) -> Result<()> {
    for (engine, name) in [(Engine::Mysql, "ended_my"), (Engine::Postgres, "ended_pg")] {
        let story = stage.story(engine, name).await?;
        story.execute(&filled(engine, 200)).await?;
        let task = story.job(slow(engine))?.start(&["--json"])?;
        story.a_transaction_is_open().await?;
        story.end_connections().await?;
        let finished = task.finish().await?;
        ended_with(&finished, 0)?;
        assert!(finished.log.contains("reading it again from a new snapshot"), "{}", finished.log);
        assert_eq!(story.rows("t").await?, 200);
        story.no_transaction_is_open().await?;
    }
    Ok(())
}

pub async fn takes_too_long_and_the_transaction_ends_in_time(stage: &Stage) -> Result<()> {
    for (engine, name) in [(Engine::Mysql, "long_my"), (Engine::Postgres, "long_pg")] {
        let story = stage.story(engine, name).await?;
        story.execute(&filled(engine, 1000)).await?;
        let settings = slow(engine).replace('}', ", max_seconds: 1}");
        let finished = story.job(&settings)?.run(&["--json"]).await?;
        ended_with(&finished, 1)?;
        let message = report(&finished)?["tables"][0]["message"].to_string();
        assert!(message.contains("raise max_seconds"), "{message}");
        assert!(finished.elapsed < Duration::from_secs(8), "{:?}", finished.elapsed);
        story.no_transaction_is_open().await?;
    }
    Ok(())
}

/// `ALTER TABLE` has the table when the program comes; its snapshot is older than what the table is then.
pub async fn alters_a_table_after_the_snapshot_and_it_is_read_once_more(stage: &Stage) -> Result<()> {
    for (engine, name) in [(Engine::Mysql, "altered_my"), (Engine::Postgres, "altered_pg")] {
        let story = stage.story(engine, name).await?;
        story.execute(&filled(engine, 3)).await?;
        let alter = match engine {
            Engine::Mysql => {
                "LOCK TABLES t WRITE; DO SLEEP(2); ALTER TABLE t ADD COLUMN w int DEFAULT 7, ALGORITHM = COPY; UNLOCK TABLES"
            }
            Engine::Postgres => {
                "BEGIN; LOCK TABLE t; SELECT pg_sleep(2); ALTER TABLE t ADD COLUMN w int DEFAULT 7, ALTER id TYPE bigint; COMMIT"
            }
        };
        let job = story.job("t: {}")?;
        let (altered, finished) = tokio::join!(story.execute(alter), async {
            tokio::time::sleep(Duration::from_millis(300)).await; // the ALTER comes first
            job.run(&["--json"]).await
        });
        altered?;
        ended_with(&finished?, 0)?;
        assert_eq!(
            story.warehouse("SELECT COUNT(*) AS n, SUM(w) AS w FROM {raw}.t").await?,
            [json!({"n": 3, "w": 21})]
        );
    }
    Ok(())
}

/// Whoever waits longer lets others queue behind it, writers too.
pub async fn holds_a_table_for_ten_seconds_and_it_is_asked_again(stage: &Stage) -> Result<()> {
    let held = async |engine, name| {
        let story = stage.story(engine, name).await?;
        story.execute(&filled(engine, 3)).await?;
        let (hold, let_go) = match engine {
            Engine::Mysql => (
                "LOCK TABLES t WRITE; DO SLEEP(60)",
                "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND INFO LIKE 'DO SLEEP%'",
            ),
            Engine::Postgres => (
                "BEGIN; LOCK TABLE t; SELECT pg_sleep(60)",
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'BEGIN; LOCK%'",
            ),
        };
        let job = story.job("t: {}")?;
        let asked = async {
            tokio::time::sleep(Duration::from_millis(300)).await; // the lock comes first
            let task = job.start(&["--json"])?;
            until("it was told to wait", || task.log().contains("another statement holds the table")).await?;
            for holder in story.source(let_go).await?.iter().filter(|_| engine == Engine::Mysql) {
                story.execute(&format!("KILL {}", holder[0].clone().unwrap_or_default())).await?;
            }
            ended_with(&task.finish().await?, 0)
        };
        let (_, asked) = tokio::join!(story.execute(hold), asked); // who holds it was ended
        asked?;
        anyhow::ensure!(story.rows("t").await? == 3);
        Ok(())
    };
    tokio::try_join!(held(Engine::Mysql, "held_my"), held(Engine::Postgres, "held_pg")).map(|_| ())
}

async fn until(what: &str, holds: impl Fn() -> bool) -> Result<()> {
    let began = Instant::now();
    while !holds() {
        anyhow::ensure!(began.elapsed() < Duration::from_secs(50), "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// As a replica that has to replay what we read says it; a function says so until it is told to stop.
pub async fn ends_a_read_for_its_replay_and_says_which_setting_helps(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Postgres, "replica").await?;
    story.execute(&filled(Engine::Postgres, 3)).await?;
    let conflict = "CREATE TABLE conflict (); INSERT INTO conflict DEFAULT VALUES;
        CREATE FUNCTION replayed() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
          IF EXISTS (SELECT FROM conflict) THEN
            RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'canceling statement due to conflict with recovery';
          END IF;
          RETURN true;
        END $$";
    story.execute(conflict).await?;
    let job = story.job("t: {where: replayed()}")?;
    let (finished, ended) = tokio::join!(job.run(&["--json"]), async {
        tokio::time::sleep(Duration::from_secs(2)).await; // it fails meanwhile
        story.execute("DELETE FROM conflict").await
    });
    ended?;
    let finished = finished?;
    ended_with(&finished, 0)?;
    assert!(finished.log.contains("raise max_standby_streaming_delay"), "{}", finished.log);
    assert_eq!(story.rows("t").await?, 3);
    Ok(())
}

/// Each statement moves something from one half of its rows to the other: a snapshot that is torn has another sum.
pub async fn is_written_to_five_thousand_times_a_second_and_every_snapshot_is_whole(stage: &Stage) -> Result<()> {
    for (engine, name) in [(Engine::Mysql, "busy_my"), (Engine::Postgres, "busy_pg")] {
        let story = stage.story(engine, name).await?;
        let source = match engine {
            Engine::Mysql => "seq AS id, 0 AS v FROM seq_1_to_20000",
            Engine::Postgres => "id::bigint, 0 AS v FROM generate_series(1, 20000) AS id",
        };
        let key = "CREATE TABLE t (id bigint PRIMARY KEY, v int)";
        story.execute(&format!("{key}; INSERT INTO t SELECT {source}")).await?;
        let read = AtomicBool::new(false);
        let writing = async {
            let (began, mut written) = (Instant::now(), 0_u32);
            for n in (0..40).cycle() {
                let rows = format!("id BETWEEN {} AND {}", n * 500 + 1, n * 500 + 500);
                let moved = format!("UPDATE t SET v = v + CASE WHEN id % 2 = 0 THEN 1 ELSE -1 END WHERE {rows}");
                story.execute(&moved).await?;
                written += 500;
                if read.load(Ordering::Relaxed) {
                    break;
                }
            }
            anyhow::Ok(f64::from(written) / began.elapsed().as_secs_f64())
        };
        let reading = async {
            for _ in 0..3 {
                let outcome = &story.run("t: {}").await?[0];
                assert_eq!((&outcome["rows_expected"], &outcome["rows_loaded"]), (&json!(20_000), &json!(20_000)));
                let sum = story.warehouse("SELECT SUM(v) AS v, COUNT(DISTINCT id) AS n FROM {raw}.t").await?;
                assert_eq!(sum, [json!({"v": 0, "n": 20_000})]);
            }
            read.store(true, Ordering::Relaxed);
            anyhow::Ok(())
        };
        let (writes_a_second, ()) = tokio::try_join!(writing, reading)?;
        anyhow::ensure!(writes_a_second >= 5_000.0, "{name}: only {writes_a_second:.0} rows were written a second");
    }
    Ok(())
}

pub async fn shows_its_certificate_or_is_not_talked_to(stage: &Stage) -> Result<()> {
    for (engine, name) in [(Engine::Mysql, "tls_my"), (Engine::Postgres, "tls_pg")] {
        let story = stage.story(engine, name).await?;
        story.execute(&filled(engine, 3)).await?;
        // Every story is by TLS; the connection says so itself.
        let checked = story.job("t: {}")?.run(&["check", "--json"]).await?;
        ended_with(&checked, 0)?;
        assert!(
            checked.log.contains("answers by TLS, TLS_") || checked.log.contains("answers by TLS, ECDHE"),
            "{}",
            checked.log
        );
        // Somebody else's authority.
        let other = local::aurora::Certificates::make(&story.dir.join("other"))?;
        let refused =
            story.job("t: {}")?.with("DATABASE_CA_FILE", &other.ca.display().to_string()).run(&["--json"]).await?;
        ended_with(&refused, 1)?;
        assert!(refused.log.contains("DATABASE_CA_FILE"), "{}", refused.log);
        assert!(!refused.log.contains("reading it again"), "a wrong certificate stays wrong\n{}", refused.log);
        // Another name than the certificate's.
        let url = format!("DATABASE_URL_{}", name.to_uppercase());
        let job = story.job("t: {}")?;
        let address = job.variable(&url).unwrap_or_default().replace("127.0.0.1", "localhost");
        let refused = job.with(&url, &address).run(&["--json"]).await?;
        ended_with(&refused, 1)?;
        assert!(!stage.bigquery.table_exists(&story.dataset(), "t").await?);
    }
    Ok(())
}
