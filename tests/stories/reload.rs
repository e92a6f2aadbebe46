//! Loading any day, as often as wanted.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use local::export::{Cell, Table};
use local::job::{Finished, Job};
use local::wire::Effect;
use serde_json::{Value, json};
use stories::{Outcome, Stage, Story, ended_with, table};

/// By table, the rows of a day: key and name.
type Day = BTreeMap<&'static str, Vec<(i64, String)>>;

/// The tables are empty on one of the days, have as many rows with other content, or more.
fn days() -> [Day; 2] {
    let rows = |ids: std::ops::RangeInclusive<i64>, name: &str| ids.map(|id| (id, format!("{name} {id}"))).collect();
    [
        Day::from([
            ("carts", rows(1..=4, "cart")),
            ("items", rows(1..=3, "item")),
            ("orders", rows(1..=50, "first")),
            ("returns", Vec::new()),
        ]),
        Day::from([
            ("carts", rows(1..=6, "cart")),
            ("items", Vec::new()),
            ("orders", rows(1..=50, "second")),
            ("returns", rows(7..=8, "return")),
        ]),
    ]
}

fn tables(day: &Day) -> Vec<Table> {
    let columns = [("id", "bigint"), ("name", "varchar(64)")];
    let cells = |(id, name): &(i64, String)| vec![(*id).into(), name.as_str().into()];
    day.iter().map(|(name, rows)| Table::new("shop", name, &columns, rows.iter().map(cells).collect())).collect()
}

/// Both days are published; the story stands on the second.
async fn two_days(stage: &Stage, env: &str) -> Result<Story> {
    let [first, second] = days();
    let mut story = Story::begin(stage, env, tables(&first)).await?;
    story.configure(&first.keys().copied().collect::<Vec<_>>()).await?;
    story.now -= TimeDelta::days(1);
    story.publish_day().await?;
    story.now += TimeDelta::days(1);
    story.cloud.rds.set_tables(tables(&second));
    story.publish_day().await?;
    Ok(story)
}

fn dates(story: &Story) -> [String; 2] {
    [story.date().days_before(1), story.date()].map(|date| date.to_string())
}

/// Compared with BigQuery's own rows.
async fn has_the_rows_of(story: &Story, day: &Day) -> Result<()> {
    for (table, rows) in day {
        let found = if story.rows(table).await? == 0 {
            Vec::new() // a table that was never loaded has no columns to ask for
        } else {
            story.query(&format!("SELECT id, name FROM {}.{table} ORDER BY id", story.dataset())).await?
        };
        let expected: Vec<Value> = rows.iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
        ensure!(found == expected, "{table} has other rows: {:?} …, not {:?} …", found.first(), expected.first());
    }
    Ok(())
}

fn runs_started(finished: &Finished) -> Result<Value> {
    let mut lines = finished.log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let report = lines.rfind(|line| line.get("runs_started").is_some());
    Ok(report.with_context(|| format!("no report\n{}", finished.log))?["runs_started"].clone())
}

/// One attempt is killed when its first run has just been started, the next goes to the end.
async fn killed_and_loaded(story: &Story, date: &str) -> Result<()> {
    let wire = &story.cloud.wires.transfer;
    wire.fault(1, Effect::HoldAnswer, |request| request.path.ends_with(":startManualRuns"));
    let execution = story.cloud.load_export()?;
    let attempt = execution.start(&["--export-date", date])?;
    wire.held().await;
    drop(attempt);
    wire.heal();
    ended_with(&execution.run(&["--export-date", date]).await?, 0)
}

pub async fn of_days_in_turn_brings_each_days_rows_whatever_was_done_in_between(stage: &Stage) -> Result<()> {
    let story = two_days(stage, "turns").await?;
    for (turn, (day, date)) in days().iter().zip(dates(&story)).cycle().take(4).enumerate() {
        killed_and_loaded(&story, &date).await.with_context(|| format!("turn {turn}"))?;
        has_the_rows_of(&story, day).await.with_context(|| format!("turn {turn}, {date}"))?;

        // Once more, nothing is to be done; and a row that somebody deleted comes back.
        let again = story.cloud.load_export()?.run(&["--export-date", &date, "--json"]).await?;
        ended_with(&again, 0)?;
        ensure!(runs_started(&again)? == 0, "turn {turn}: everything stood\n{}", again.log);
        story.query(&format!("DELETE FROM {}.orders WHERE id = 7", story.dataset())).await?;
        let again = story.cloud.load_export()?.run(&["--export-date", &date, "--json"]).await?;
        ended_with(&again, 0)?;
        ensure!(runs_started(&again)? == 1, "turn {turn}: one table lacked a row\n{}", again.log);
        has_the_rows_of(&story, day).await.with_context(|| format!("turn {turn}, after a deletion"))?;
    }
    let audit = story.cloud.audit_dataset();
    let loads = story.query(&format!("SELECT DISTINCT load_id FROM {audit}.loads")).await?;
    ensure!(loads.len() == 12, "each load is in the history: {loads:?}");
    Ok(())
}

pub async fn of_an_older_day_while_another_is_loaded_waits_or_is_refused_by_name(stage: &Stage) -> Result<()> {
    let story = two_days(stage, "at-once").await?;
    let [older, newer] = dates(&story);
    let wire = &story.cloud.wires.transfer;
    // The daily load is under way: it does not see yet that its runs have ended.
    wire.fault(usize::MAX, Effect::Refuse(503, String::new()), |request| request.path.contains("/runs/"));
    let daily = story.cloud.load_export()?;
    let name = daily.variable("CLOUD_RUN_EXECUTION").context("no name")?.to_owned();
    let daily = daily.start(&["--export-date", &newer])?;
    while story.runs_started() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let refused = story.cloud.load_export()?.with("WAIT_MINUTES", "0").run(&["--export-date", &older]).await?;
    ended_with(&refused, 4)?;
    ensure!(refused.log.contains(&format!("{name} has loaded {newer} since")), "{}", refused.log);

    let looks = || {
        let requests = story.cloud.wires.s3.requests();
        requests.iter().filter(|request| request.method == "GET" && request.path.contains("/leases/")).count()
    };
    let before = looks();
    let backfill = story.cloud.load_export()?.start(&["--export-date", &older])?;
    while looks() < before + 6 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await; // until it has seen that the lease lives
    }
    wire.heal();
    let (daily, backfill) = (daily.finish().await?, backfill.finish().await?);
    ended_with(&daily, 0)?;
    ended_with(&backfill, 0)?;
    ensure!(backfill.log.contains(&format!("waiting for {name}, which loads {newer}")), "{}", backfill.log);
    has_the_rows_of(&story, &days()[0]).await?;
    let states = story.audit().await?;
    ensure!(states.iter().all(|row| row["state"] == "loaded" || row["state"] == "truncated"), "{states:#?}");
    Ok(())
}

pub async fn of_a_spot_export_waits_for_it_and_transfers_its_table_alone(stage: &Stage) -> Result<()> {
    let mut story = Story::begin(stage, "spot-load", vec![table("orders", 100), table("items", 300)]).await?;
    story.configure(&["orders", "items"]).await?;
    story.publish_day().await?;
    ended_with(&story.load().await?, 0)?;
    let before = story.runs_started();

    story.now += TimeDelta::minutes(1);
    story.cloud.rds.set_tables(vec![table("orders", 150), table("items", 999)]);
    let spot = json!({"kind": "manual", "spot": true, "tables": ["shop.orders"]});
    let answer = story.start(&spot).await?.expect_success()?;
    let task = answer["task_id"].as_str().context("no task id")?.to_owned();
    // The load is started before the export has ended: it waits.
    let load: Job = story.cloud.load_export()?;
    let load = load.start(&["--task-id", &task])?;
    story.cloud.rds.ended(&task).await?;
    ensure!(story.runs_started() == before, "nothing is loaded before the spot export is published");
    story.publish(&json!({"kind": "poll"})).await?.expect_success()?;
    ended_with(&load.finish().await?, 0)?;
    ensure!(story.runs_started() == before + 1, "one table, one run: {}", story.runs_started() - before);
    ensure!((story.rows("orders").await?, story.rows("items").await?) == (150, 300));
    Ok(())
}

pub async fn of_a_table_with_a_dot_in_its_name_reads_its_own_folder(stage: &Stage) -> Result<()> {
    let columns = [("id", "bigint"), ("name", "varchar(64)")];
    let dotted = Table::new("shop", "core.user", &columns, vec![vec![Cell::from(1), "Ada".into()]]);
    let story = Story::begin(stage, "dotted", vec![table("orders", 5), dotted]).await?;
    story.publish_day().await?;
    let list = |settings: &str| -> Result<_> {
        let mut database = json!({"dataset": story.dataset(), "tables": {"core.user": {}, "orders": {}}});
        if !settings.is_empty() {
            database["engine"] = settings.into();
        }
        Ok(serde_json::from_value(json!({"databases": {"shop": database}}))?)
    };
    // The dot means a schema, unless the list says otherwise.
    story.cloud.apply(&list("")?).await?;
    let finished = story.load().await?;
    ended_with(&finished, 1)?;
    ensure!(
        finished.log.contains("but shop.`core.user` is: set engine for its database in tables.yaml"),
        "{}",
        finished.log
    );
    story.cloud.apply(&list("mysql")?).await?;
    story.load().await?;
    ensure!(story.rows("core_user").await? == 1, "{:#?}", story.audit().await?);
    Ok(())
}
