//! What goes wrong in the database.

use std::time::Duration;

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

pub async fn is_written_to_meanwhile_and_every_snapshot_is_whole(stage: &Stage) -> Result<()> {
    for (engine, name) in [(Engine::Mysql, "busy_my"), (Engine::Postgres, "busy_pg")] {
        let story = stage.story(engine, name).await?;
        story.execute(&filled(engine, 20_000)).await?;
        let writing = async {
            for n in 0..40 {
                let (from, to) = (n * 500 + 1, n * 500 + 500);
                story.execute(&format!("UPDATE t SET id = id + 100000 WHERE id BETWEEN {from} AND {to}")).await?;
                story
                    .execute(&format!("INSERT INTO t SELECT id - 100000, 'y' FROM t WHERE id = {from} + 100000"))
                    .await?;
            }
            anyhow::Ok(())
        };
        let reading = async {
            for _ in 0..4 {
                let outcome = &story.run("t: {}").await?[0];
                // What was read is what was counted, or nothing would have been loaded.
                assert_eq!(outcome["rows_expected"], outcome["rows_loaded"]);
                assert!(outcome["rows_loaded"].as_u64() >= Some(20_000), "{outcome}");
            }
            anyhow::Ok(())
        };
        tokio::try_join!(writing, reading)?;
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
