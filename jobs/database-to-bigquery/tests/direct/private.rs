//! What must not leave the database, and what BigQuery cannot hold.

use anyhow::Result;
use aws_lc_rs::hmac;
use local::aurora::Engine;
use serde_json::{Value, json};

use super::stage::{MASK_KEY, Stage, ended_with, report};

fn token(text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, MASK_KEY.as_bytes());
    hmac::sign(&key, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub async fn columns_are_left_out_or_masked_before_a_byte_reaches_the_disk(stage: &Stage) -> Result<()> {
    for (engine, name) in [(Engine::Mysql, "private_my"), (Engine::Postgres, "private_pg")] {
        let story = stage.story(engine, name).await?;
        story.execute("CREATE TABLE users (id bigint PRIMARY KEY, email varchar(50), phone varchar(20), password_digest varchar(60), number int)").await?;
        story.execute("INSERT INTO users VALUES (1, 'someone@example.com', '+81-90-0000', 'bcrypt-of-it', 42), (2, NULL, NULL, 'x', 42)").await?;
        let outcome = &story.run("users: {mask: {email: hmac, phone: null, number: hmac}}").await?[0];
        assert_eq!(outcome["left_out"], json!(["password_digest"]));
        let found = story.warehouse("SELECT * FROM {raw}.users ORDER BY id").await?;
        let first = json!({"id": 1, "email": token("someone@example.com"), "phone": null, "number": token("42")});
        assert_eq!(found, [first, json!({"id": 2, "email": null, "phone": null, "number": token("42")})]);
        for request in story.wire.requests() {
            for secret in ["someone@example.com", "+81-90", "bcrypt"] {
                assert!(
                    !String::from_utf8_lossy(&request.body).contains(secret),
                    "{} {}",
                    request.method,
                    request.path
                );
            }
        }
        let listed = &story.run("users: {include: [password_digest]}").await?[0];
        assert_eq!(listed["left_out"], json!([]));
        assert_eq!(
            story.warehouse("SELECT password_digest FROM {raw}.users WHERE id = 2").await?,
            [json!({"password_digest": "x"})]
        );
    }
    Ok(())
}

pub async fn a_rule_for_a_column_that_is_not_there_stops_the_table(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Mysql, "slip").await?;
    story.execute("CREATE TABLE users (id int PRIMARY KEY, email text); INSERT INTO users VALUES (1, 'a@b')").await?;
    let finished = story.job("users: {mask: {emial: hmac}}")?.run(&["--json"]).await?;
    ended_with(&finished, 1)?;
    assert!(finished.log.contains("there is no column emial"), "{}", finished.log);
    assert!(!stage.bigquery.table_exists("raw_slip", "users").await?);
    Ok(())
}

pub async fn values_that_bigquery_cannot_hold_are_null_counted_and_guarded(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Mysql, "beyond").await?;
    story
        .execute(
            "SET sql_mode = ''; CREATE TABLE t (id int PRIMARY KEY, at date, b varbinary(8)); \
                   INSERT INTO t VALUES (1, '0000-00-00', 'abc'), (2, '2026-02-00', x'ff'), (3, '2026-02-03', 'x')",
        )
        .await?;
    let outcome = &story.run("t: {}").await?[0];
    assert_eq!(outcome["nulled"], json!([["at", 2]]));
    assert_eq!(story.warehouse("SELECT id FROM {raw}.t WHERE `at` IS NULL ORDER BY id").await?.len(), 2);

    let held = async |settings: &str| -> Result<Value> {
        let finished = story.job(settings)?.run(&["--json"]).await?;
        ended_with(&finished, 1)?;
        Ok(report(&finished)?["tables"][0].clone())
    };
    story.execute("INSERT INTO t VALUES (4, '2026-02-04', 'y')").await?;
    let guarded = held("t: {guards: {max_nulled: 1}}").await?;
    assert_eq!(guarded["state"], "held");
    assert_eq!(guarded["message"], "2 values have no place in BigQuery, max_nulled is 1: at (2)");
    assert_eq!(story.rows("t").await?, 3, "the table is as it was");

    let rejected = held("t: {types: {b: STRING}}").await?;
    assert_eq!((&rejected["state"], &rejected["rejected"]), (&json!("held"), &json!(1)));
    assert_eq!(rejected["message"], "1 rows cannot be carried, max_rejects is 0: column b: text that is not UTF-8");
    assert_eq!(story.rows("t").await?, 3);
    let outcome = &story.run("t: {types: {b: STRING}, guards: {max_rejects: 1}}").await?[0];
    assert_eq!((&outcome["rows_expected"], &outcome["rows_loaded"]), (&json!(4), &json!(3)));
    Ok(())
}

pub async fn a_table_that_drifted_is_left_where_the_policy_says_so(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Mysql, "drifts").await?;
    story.execute("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)").await?;
    story.run("t: {on_drift: fail}").await?;
    story.execute("ALTER TABLE t ADD COLUMN b int, DROP COLUMN a; INSERT INTO t VALUES (2, 2)").await?;
    let finished = story.job("t: {on_drift: fail}")?.run(&["--json"]).await?;
    ended_with(&finished, 1)?;
    let outcome = &report(&finished)?["tables"][0];
    assert_eq!(
        (&outcome["state"], &outcome["message"]),
        (&json!("drifted"), &json!("column b was added, column a was removed"))
    );
    assert_eq!(story.rows("t").await?, 1);
    let outcome = &story.run("t: {}").await?[0];
    assert_eq!(
        (&outcome["state"], &outcome["drift"]),
        (&json!("loaded"), &json!(["column b was added", "column a was removed"]))
    );
    assert_eq!(story.warehouse("SELECT * FROM {raw}.t ORDER BY id").await?[1], json!({"id": 2, "b": 2}));
    Ok(())
}
