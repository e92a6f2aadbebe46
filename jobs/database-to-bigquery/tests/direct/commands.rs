//! The commands beside `run`.

use anyhow::Result;
use local::aurora::Engine;
use serde_json::json;

use super::stage::{Stage, ended_with, report};

pub async fn plan_says_what_a_run_would_do_and_does_nothing(stage: &Stage) -> Result<()> {
    for (engine, name) in [(Engine::Mysql, "plan_my"), (Engine::Postgres, "plan_pg")] {
        let story = stage.story(engine, name).await?;
        story
            .execute("CREATE TABLE t (id int PRIMARY KEY, secret varchar(9), v int); INSERT INTO t VALUES (1, 's', 1)")
            .await?;
        let job = story.job("t: {mask: {v: hmac}}")?;
        let planned = job.run(&["plan", "--json"]).await?;
        ended_with(&planned, 0)?;
        let plan = &report(&planned)?["tables"][0];
        assert_eq!(
            plan["columns"],
            json!([{"name": "id", "type": "INT64", "masked": false}, {"name": "v", "type": "STRING", "masked": true}])
        );
        assert_eq!(
            (&plan["mode"], &plan["rows_there"], &plan["left_out"]),
            (&json!("full"), &json!(null), &json!(["secret"]))
        );
        assert!(!stage.bigquery.table_exists(&story.dataset(), "t").await?);
        ended_with(&job.run(&[]).await?, 0)?;
        story.execute("ALTER TABLE t ADD COLUMN w int").await?;
        let planned = job.run(&["plan"]).await?;
        assert!(planned.log.contains("column w was added"), "{}", planned.log);
        assert!(planned.log.contains("1 rows there"), "{}", planned.log);
    }
    Ok(())
}

pub async fn check_tells_everything_that_is_wrong_at_once(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Mysql, "checks").await?;
    story
        .execute(
            "CREATE TABLE good (id int PRIMARY KEY); CREATE TABLE slow (id int PRIMARY KEY, at datetime); \
                   CREATE TABLE keyless (at datetime, KEY (at))",
        )
        .await?;
    let list = "good: {}\nmissing: {}\nslow: {mode: incremental, cursor: at}\nkeyless: {mode: incremental, cursor: at}";
    let checked = story.job(list)?.run(&["check", "--json"]).await?;
    ended_with(&checked, 1)?;
    let findings = report(&checked)?["findings"].clone();
    let told = |check: &str| {
        let found = findings
            .as_array()
            .unwrap()
            .iter()
            .find(|finding| finding["check"] == check)
            .unwrap_or_else(|| panic!("{findings:#}"));
        (found["ok"].as_bool().unwrap(), found["message"].as_str().unwrap().to_owned())
    };
    assert!(told("checks.good").0 && told("BigQuery").0 && told("dataset isthmus_audit").0);
    assert_eq!(told("checks.missing").1, "there is no table checks.missing, or the user may not see it");
    assert_eq!(told("checks.slow").1, "no index begins with the cursor at: each run would read the whole table");
    assert!(told("checks.keyless").1.contains("the table has none"));
    Ok(())
}

pub async fn discover_proposes_what_the_list_does_not_have(stage: &Stage) -> Result<()> {
    for (engine, name) in [(Engine::Mysql, "discover_my"), (Engine::Postgres, "discover_pg")] {
        let story = stage.story(engine, name).await?;
        story
            .execute("CREATE TABLE listed (id int); CREATE TABLE fresh (id int); CREATE VIEW seen AS SELECT 1 AS one")
            .await?;
        let found = story.job("listed: {}")?.run(&["discover"]).await?;
        ended_with(&found, 0)?;
        let expected = format!(
            "# {name}: 2 to add, 0 listed and not there, 0 excluded\ndatabases:\n  {name}:\n    tables:\n      fresh: {{}}"
        );
        assert!(found.log.contains(&expected), "{}", found.log);
        assert!(found.log.contains("      seen: {}"), "{}", found.log);
    }
    Ok(())
}

pub async fn a_wrong_list_or_a_table_that_nobody_knows_ends_with_2(stage: &Stage) -> Result<()> {
    let story = stage.story(Engine::Postgres, "usage").await?;
    story.execute("CREATE TABLE a (id int); CREATE TABLE b (id int); INSERT INTO a VALUES (1)").await?;
    let job = story.job("a: {}\nb: {}")?;
    let unknown = job.run(&["--table", "usage.c"]).await?;
    ended_with(&unknown, 2)?;
    assert!(
        unknown.log.contains("there is no table usage.c in the list; there are: usage.public.a, usage.public.b"),
        "{}",
        unknown.log
    );
    ended_with(&job.run(&["--table", "usage.a"]).await?, 0)?;
    assert!(!stage.bigquery.table_exists(&story.dataset(), "b").await?);
    let wrong = story.job("a: {mod: full}")?.run(&["--json"]).await?;
    ended_with(&wrong, 2)?;
    assert!(wrong.log.contains("extracts.yaml:5:11: usage.tables.a.mod: no such setting"), "{}", wrong.log);
    let schema = story.job("a: {}")?.run(&["schema"]).await?;
    assert!(schema.log.contains("\"title\": \"extracts.yaml\""), "{}", schema.log);
    Ok(())
}
