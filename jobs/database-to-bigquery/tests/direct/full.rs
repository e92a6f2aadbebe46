//! Mode full: a table is replaced, whole or not at all.

use anyhow::{Result, ensure};
use local::aurora::Engine;
use serde_json::json;

use super::stage::Stage;

const ORDERS: &str =
    "CREATE TABLE orders (id bigint PRIMARY KEY, note varchar(50), total decimal(12,2), at datetime(6))";

pub async fn replaces_a_table_and_proves_it_on_the_second_day_as_on_the_first(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Mysql, "full_orders").await?;
    story.execute(ORDERS).await?;
    story
        .execute("INSERT INTO orders VALUES (1, 'a', 1.50, '2026-11-22 04:05:06.000007'), (2, NULL, -0.01, NULL)")
        .await?;
    let outcome = &story.run("orders: {}").await?[0];
    assert_eq!(
        (&outcome["state"], &outcome["rows_expected"], &outcome["rows_loaded"]),
        (&json!("loaded"), &json!(2), &json!(2))
    );
    let audit = "SELECT table_name, rows_expected, rows_loaded, state, proof, run_name LIKE 'isthmus-raw_full_orders-orders-%' AS job \
                 FROM isthmus_audit.latest_loads WHERE table_name = 'raw_full_orders.orders'";
    let written = json!({"table_name": "raw_full_orders.orders", "rows_expected": 2, "rows_loaded": 2, "state": "loaded", "proof": "count", "job": true});
    assert_eq!(stage.bigquery.query(audit).await?, [written]);
    let all = "SELECT id, note, total, CAST(`at` AS STRING) AS `at` FROM {raw}.orders ORDER BY id";
    let first = json!({"id": 1, "note": "a", "total": "1.5", "at": "2026-11-22 04:05:06.000007"});
    assert_eq!(story.warehouse(all).await?, [first, json!({"id": 2, "note": null, "total": "-0.01", "at": null})]);

    story.execute("DELETE FROM orders WHERE id = 1; INSERT INTO orders VALUES (3, 'c', 3, NULL)").await?;
    let outcome = &story.run("orders: {}").await?[0];
    assert_eq!((&outcome["state"], &outcome["rows_loaded"]), (&json!("loaded"), &json!(2)));
    let ids = story.warehouse("SELECT id FROM {raw}.orders ORDER BY id").await?;
    assert_eq!(ids, [json!({"id": 2}), json!({"id": 3})]);
    let loads = stage
        .bigquery
        .query("SELECT COUNT(*) AS n FROM isthmus_audit.loads WHERE table_name = 'raw_full_orders.orders'")
        .await?;
    assert_eq!(loads, [json!({"n": 2})], "every load has its row");
    assert_eq!(std::fs::read_dir(story.dir.join("work"))?.count(), 0, "nothing is left on the disk");
    story.no_transaction_is_open().await
}

pub async fn of_an_empty_table_leaves_no_row_of_yesterday(stage: &Stage) -> Result<()> {
    for (engine, name) in [(Engine::Mysql, "empty_my"), (Engine::Postgres, "empty_pg")] {
        let story = stage.story(engine, name).await?;
        story.execute("CREATE TABLE carts (id bigint PRIMARY KEY, note varchar(50))").await?;
        story.execute("INSERT INTO carts VALUES (1, 'a')").await?;
        story.run("carts: {}").await?;
        assert_eq!(story.rows("carts").await?, 1);
        story.execute("DELETE FROM carts").await?;
        let outcome = &story.run("carts: {}").await?[0];
        assert_eq!((&outcome["state"], &outcome["rows_loaded"]), (&json!("loaded"), &json!(0)));
        assert_eq!(story.rows("carts").await?, 0);
    }
    Ok(())
}

/// What holds a table in memory grows with it; ten times the rows are a third more here at most, which is the allocator's.
pub async fn of_ten_times_the_rows_takes_no_more_memory(stage: &Stage) -> Result<()> {
    for (engine, name) in [(Engine::Mysql, "memory_my"), (Engine::Postgres, "memory_pg")] {
        let story = stage.story(engine, name).await?;
        let mut peaks = Vec::new();
        for rows in [40_000, 400_000] {
            let source = match engine {
                Engine::Mysql => format!("seq AS id, SHA2(seq, 256) AS a FROM seq_1_to_{rows}"),
                Engine::Postgres => {
                    format!("id, md5(id::text) || md5((-id)::text) AS a FROM generate_series(1, {rows}) AS id")
                }
            };
            story.execute(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT {source}")).await?;
            let task = story.job("t: {}")?.start(&["--json"])?;
            let finished = task.finish().await?;
            super::stage::ended_with(&finished, 0)?;
            peaks.push(finished.peak_memory_kib);
        }
        ensure!(peaks[1] < peaks[0] * 4 / 3 + 8 * 1024, "{name}: {peaks:?} KiB");
        ensure!(peaks[1] < 128 * 1024, "{name}: {peaks:?} KiB");
    }
    Ok(())
}
