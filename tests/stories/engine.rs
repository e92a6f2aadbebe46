//! A real server of each engine, from its tables to BigQuery's.

use anyhow::{Context, Result, ensure};
use handoff::TableState;
use local::aurora::Engine;
use serde_json::json;
use stories::aurora::OnAurora;
use stories::{Stage, ended_with};

pub async fn of_aurora_mysql_carries_every_value_to_bigquery(stage: &Stage) -> Result<()> {
    let sql = "CREATE TABLE items (
            id INT PRIMARY KEY, big BIGINT UNSIGNED, ratio DOUBLE, price DECIMAL(10,2), fine BOOLEAN, raw VARBINARY(8),
            name VARCHAR(64), born DATE, made DATETIME(6), data JSON, kind ENUM('a', 'b'));
        INSERT INTO items VALUES
            (1, 18446744073709551615, -0.25, -12.50, TRUE, X'00ff', '日本 😀', '2026-11-22',
                '2026-11-22 04:00:00.123456', '{\"a\": [1]}', 'b'),
            (2, 0, 1.5, 0.05, FALSE, X'', '', '1970-01-01', '1970-01-01 00:00:00', 'null', 'a'),
            (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
        CREATE TABLE carts (id INT)";
    let there = OnAurora::begin(stage, "mysql-values", Engine::Mysql, sql).await?;
    there.configure(&["items", "carts"]).await?;
    there.story.publish_day().await?;
    ended_with(&there.story.load().await?, 0)?;
    let columns = [
        ("CAST(id AS CHAR)", "CAST(id AS STRING)"),
        ("CAST(big AS CHAR)", r"REGEXP_REPLACE(CAST(big AS STRING), r'\.0+$', '')"),
        ("CAST(ratio AS CHAR)", "CAST(ratio AS STRING)"),
        ("CAST(CAST(price * 100 AS SIGNED) AS CHAR)", "CAST(CAST(price * 100 AS INT64) AS STRING)"),
        ("CAST(fine AS CHAR)", "CAST(fine AS STRING)"),
        ("LOWER(HEX(raw))", "TO_HEX(raw)"),
        ("name", "name"),
        ("CAST(born AS CHAR)", "born"),
        ("DATE_FORMAT(made, '%Y-%m-%d %H:%i:%s.%f')", "FORMAT_TIMESTAMP('%Y-%m-%d %H:%M:%E6S', made)"),
        ("data", "data"),
        ("kind", "kind"),
    ];
    there.has_the_same_values("items", &columns).await?;
    ensure!(there.story.rows("carts").await? == 0);
    Ok(())
}

/// Most types are text there, and the text is PostgreSQL's own.
pub async fn of_aurora_postgresql_carries_every_value_to_bigquery(stage: &Stage) -> Result<()> {
    let sql = "CREATE TYPE kind AS ENUM ('a', 'b');
        CREATE TABLE items (
            id INT PRIMARY KEY, small SMALLINT, big BIGINT, ratio DOUBLE PRECISION, half REAL, fine BOOLEAN, raw BYTEA,
            name VARCHAR(64), price NUMERIC(10,2), born DATE, made TIMESTAMP, seen TIMESTAMPTZ, data JSONB, tags TEXT[],
            token UUID, paid MONEY, kind KIND);
        INSERT INTO items VALUES
            (1, -32768, 9223372036854775807, -0.25, 1.5, TRUE, '\\x00ff', '日本 😀', -12.50, '2026-11-22',
                '2026-11-22 04:00:00.123456', '2026-11-22 04:00:00+09', '{\"a\": [1]}', ARRAY['x,y', NULL, 'q\"r'],
                'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 1234.5, 'b'),
            (2, 0, 0, 1.5, -2, FALSE, '\\x', '', 'NaN', 'infinity', '-infinity', '1970-01-01', 'null', '{}',
                '00000000-0000-0000-0000-000000000000', 0, 'a'),
            (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
        CREATE TABLE carts (id INT)";
    let there = OnAurora::begin(stage, "postgres-values", Engine::Postgres, sql).await?;
    there.configure(&["public.items", "public.carts"]).await?;
    there.story.publish_day().await?;
    ended_with(&there.story.load().await?, 0)?;
    let mut columns = vec![
        ("id::text", "CAST(id AS STRING)"),
        ("small::text", "CAST(small AS STRING)"),
        ("big::text", "CAST(big AS STRING)"),
        ("ratio::text", "CAST(ratio AS STRING)"),
        ("(half * 2)::text", "CAST(CAST(half * 2 AS INT64) AS STRING)"),
        ("fine::text", "CAST(fine AS STRING)"),
        ("encode(raw, 'hex')", "TO_HEX(raw)"),
    ];
    let texts = ["name", "price", "born", "made", "seen", "data", "tags", "token", "paid", "kind"];
    columns.extend(texts.map(|name| (name, name)));
    there.has_the_same_values("public.items", &columns).await?;
    ensure!(there.story.rows("public_carts").await? == 0);

    // The server has a database of its own without any table: it is told, and holds nothing up.
    let manifest = there.story.manifest()?;
    ensure!(manifest.tables.len() == 2, "{:?}", manifest.tables);
    ensure!(manifest.warnings.iter().any(|warning| warning.contains("postgres")), "{:?}", manifest.warnings);
    Ok(())
}

pub async fn of_aurora_postgresql_has_a_spot_export_of_one_table_and_the_others_stay(stage: &Stage) -> Result<()> {
    let sql = "CREATE TABLE users AS SELECT id, 'user ' || id AS name FROM generate_series(1, 100) AS id;
        CREATE TABLE orders AS SELECT id FROM generate_series(1, 300) AS id;";
    let there = OnAurora::begin(stage, "postgres-spot", Engine::Postgres, sql).await?;
    there.configure(&["public.users", "public.orders"]).await?;
    there.story.publish_day().await?;
    ended_with(&there.story.load().await?, 0)?;

    there.execute("UPDATE users SET name = 'nobody' WHERE id = 7; DELETE FROM users WHERE id > 60").await?;
    there.execute("INSERT INTO orders VALUES (301)").await?;
    there.story.snapshot().await?;
    there.publish_spot(&["app.public.users"]).await?;
    let manifest = there.story.manifest()?;
    ensure!(manifest.task_id.is_spot(), "the manifest should name the spot export: {}", manifest.task_id);
    let rows = |name: &str| manifest.tables.iter().find(|t| t.name.to_string() == name).map(|t| t.rows);
    ensure!((rows("app.public.users"), rows("app.public.orders")) == (Some(60), Some(300)), "{:?}", manifest.tables);
    there.story.is_whole()?;

    ended_with(&there.story.load().await?, 0)?;
    there.has_the_same_values("public.users", &[("id::text", "CAST(id AS STRING)"), ("name", "name")]).await?;
    ensure!(there.story.rows("public_orders").await? == 300, "the table that nobody asked for is as it was");
    Ok(())
}

pub async fn of_aurora_postgresql_brings_drift_and_an_emptied_table_on_the_next_day(stage: &Stage) -> Result<()> {
    let sql = "CREATE TABLE users (id INT, name TEXT); INSERT INTO users VALUES (1, 'a'), (2, 'b');
        CREATE TABLE carts AS SELECT id FROM generate_series(1, 40) AS id;";
    let mut there = OnAurora::begin(stage, "postgres-drift", Engine::Postgres, sql).await?;
    there.configure(&["public.users", "public.carts"]).await?;
    there.story.now -= chrono::TimeDelta::days(1);
    there.story.publish_day().await?;
    ended_with(&there.story.load().await?, 0)?;
    ensure!(there.story.rows("public_carts").await? == 40);

    there.story.now += chrono::TimeDelta::days(1);
    there
        .execute(
            "ALTER TABLE users ADD COLUMN email TEXT; INSERT INTO users VALUES (3, 'c', 'c@example.com');
            TRUNCATE carts; CREATE SCHEMA gifts; CREATE TABLE gifts.log (id INT)",
        )
        .await?;
    there.story.publish_day().await?;
    let drift: Vec<String> = there.story.manifest()?.drift.iter().map(ToString::to_string).collect();
    ensure!(drift == ["table app.gifts.log was added", "column app.public.users.email was added"], "{drift:?}");

    let finished = there.story.load().await?;
    ended_with(&finished, 0)?;
    ensure!(finished.log.contains("app.gifts.log"), "the table that nobody loads is not named\n{}", finished.log);
    let columns = [("id::text", "CAST(id AS STRING)"), ("name", "name"), ("email", "email")];
    there.has_the_same_values("public.users", &columns).await?;
    ensure!(there.story.rows("public_carts").await? == 0, "yesterday's rows stayed");
    let audit = there.story.audit().await?;
    let emptied = audit.iter().rfind(|row| row["table_name"] == "app.public.carts");
    ensure!(emptied.context("carts in the audit")?["state"] == json!("truncated"), "{audit:#?}");
    Ok(())
}

/// `app.app.users` is no table of MySQL.
pub async fn of_aurora_postgresql_may_have_a_schema_with_the_name_of_the_database(stage: &Stage) -> Result<()> {
    let sql = "CREATE SCHEMA app;
        CREATE TABLE app.users AS SELECT id, 'of the schema' AS name FROM generate_series(1, 5) AS id;
        CREATE TABLE users AS SELECT id, 'public' AS name FROM generate_series(1, 9) AS id;";
    let there = OnAurora::begin(stage, "postgres-schema", Engine::Postgres, sql).await?;
    there.configure(&["app.users", "public.users"]).await?;
    there.story.publish_day().await?;
    ended_with(&there.story.load().await?, 0)?;
    let columns = [("id::text", "CAST(id AS STRING)"), ("name", "name")];
    for table in ["app.users", "public.users"] {
        there.has_the_same_values(table, &columns).await?;
    }

    there.execute("INSERT INTO app.users VALUES (6, 'new'); INSERT INTO users VALUES (10, 'new')").await?;
    there.story.snapshot().await?;
    there.publish_spot(&["app.app.users"]).await?;
    let states: Vec<_> = there.story.manifest()?.tables.iter().map(|t| (t.name.schema().to_owned(), t.rows)).collect();
    ensure!(states == [("app".to_owned(), 6), ("public".to_owned(), 9)], "{states:?}");
    let finished = there.story.load().await?;
    ended_with(&finished, 0)?;
    there.has_the_same_values("app.users", &columns).await?;
    ensure!(there.story.rows("public_users").await? == 9);
    ensure!(there.story.manifest()?.tables.iter().all(|table| table.state == TableState::Exported));
    Ok(())
}
