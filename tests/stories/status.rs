//! `isthmus status`, by a person who is logged in to both clouds.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use local::job::{Finished, Job};
use local::rds::REGION;
use serde_json::Value;
use stories::reverse::{OBJECTS, PACKED, Reverse};
use stories::{Stage, Story, ended_with, table};

/// Two tables on their way forward, two syncs on their way back, and nobody was called.
pub async fn of_a_whole_day_is_good_and_ends_with_0(stage: &Stage) -> Result<()> {
    let reverse = whole_day(stage, "st-good").await?;
    let story = &reverse.story;
    let told = status(story, &[]).await?;
    ended_with(&told, 0)?;
    let good = [
        "✓ tables         good    2 of 2 tables proven, 160 rows",
        "✓ syncs          good    2 of 2 syncs of this day",
    ];
    for line in good.into_iter().chain(["✓ export", "✓ manifest", "✓ snapshot", "✓ alarms", "✓ dead letters"])
    {
        ensure!(told.log.contains(line), "no {line:?} in\n{}", told.log);
    }

    // The page is left for the check `browser`, which looks at it.
    let folder = std::env::var_os("ISTHMUS_PAGES").map_or_else(|| story.cloud.dir.clone(), PathBuf::from);
    let file = folder.join("status-story.html");
    ended_with(&status(story, &["--html", &file.display().to_string()]).await?, 0)?;
    let page = std::fs::read_to_string(&file)?;
    ensure!(page.contains("Everything is there") && page.contains("sync packed"), "{page}");

    // Nobody has said that there is no dbt.
    let begin = story.cloud.status_arguments(story.date());
    let all: Vec<&str> = begin.iter().map(String::as_str).chain(["--ready-by", "23:59"]).collect();
    let told = story.cloud.operator()?.run(&all).await?;
    ended_with(&told, 4)?;
    ensure!(told.log.contains("… dbt            waiting no build has left its results"), "{}", told.log);
    // The file of environments says so.
    let file = story.cloud.dir.join("environments.yaml");
    let entry = |region| {
        let entry = "project: shop-data, cluster: a, emails: [a@shop.test], dbt: false";
        std::fs::write(&file, format!("st-good: {{{entry}, aws_region: {region}}}\n"))
    };
    let place = file.display().to_string();
    let begin = || begin.iter().map(String::as_str).chain(["--environments", &place]);
    entry(REGION)?;
    // And the region, whatever AWS_REGION is: the names are in that one's parameters.
    let elsewhere = story.cloud.operator()?.with("AWS_REGION", "eu-west-1");
    ended_with(&elsewhere.run(&begin().collect::<Vec<_>>()).await?, 0)?;
    entry("eu-west-1")?;
    let told = story.cloud.operator()?.run(&begin().collect::<Vec<_>>()).await?;
    ended_with(&told, 3)?;
    ensure!(told.log.contains("/isthmus/st-good/google-workflow is not there"), "{}", told.log);
    let given: Vec<&str> = begin().chain(["--region", REGION]).collect();
    ended_with(&story.cloud.operator()?.run(&given).await?, 0)?;

    // Somebody is called, for each of the two reasons.
    story.cloud.set_alarm("ALARM").await?;
    story.cloud.add_dead_letter("{}").await?;
    let told = status(story, &[]).await?;
    ended_with(&told, 1)?;
    let open = format!("✗ {}", story.cloud.alarm());
    ensure!(told.log.contains(&open) && told.log.contains("✗ dead letters   failed  1 event"), "{}", told.log);
    Ok(())
}

pub async fn of_a_day_with_a_missing_table_names_it_and_what_helps(stage: &Stage) -> Result<()> {
    let reverse = whole_day(stage, "st-missing").await?;
    let story = &reverse.story;
    // Listed by now, and in no export yet.
    story.cloud.apply(&story.table_list(&["orders", "items", "coupons"])?).await?;
    for (ready_by, state, exit_code) in [("00:00", "late", 1), ("23:59", "waiting", 4)] {
        let found = json(&status(story, &["--ready-by", ready_by, "--json"]).await?, exit_code)?;
        let tables = finding(&found, "tables")?;
        ensure!(tables["found"] == "2 of 3 tables proven, 160 rows", "{tables}");
        let coupons =
            tables["parts"].as_array().context("no parts")?.iter().find(|part| part["name"] == "shop.coupons");
        let coupons = coupons.context("shop.coupons is not named")?;
        ensure!(coupons["state"] == state, "{coupons}");
        let command = format!(
            "gcloud workflows run isthmus-st-missing-daily --location asia-northeast1 --project isthmus-local --data '{{\"export_date\":\"{}\"}}'",
            story.date()
        );
        ensure!(coupons["command"] == command, "{coupons}");
    }
    // A watch ends by itself when the day is there: here, when the table is expected no more.
    let (begin, before) = (story.cloud.status_arguments(story.date()), story.cloud.wires.bigquery.passed());
    let all: Vec<&str> =
        begin.iter().map(String::as_str).chain(["--no-dbt", "--watch", "1", "--ready-by", "23:59"]).collect();
    let watching = story.cloud.operator()?.start(&all)?;
    while story.cloud.wires.bigquery.passed() == before {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    story.cloud.apply(&story.table_list(&["orders", "items"])?).await?;
    let watched = watching.finish().await?;
    ended_with(&watched, 0)?;
    let (waiting, good) = (watched.log.find("on its way, nothing is late"), watched.log.find("everything is there"));
    ensure!(waiting.is_some() && waiting < good, "{}", watched.log);
    story.cloud.apply(&story.table_list(&["orders", "items", "coupons"])?).await?;

    // The load says the same in its own words, and then it is more than late.
    ended_with(&story.load().await?, 1)?;
    let found = json(&status(story, &["--ready-by", "23:59", "--json"]).await?, 1)?;
    let tables = finding(&found, "tables")?.to_string();
    ensure!(tables.contains("missing at "), "{tables}");
    Ok(())
}

pub async fn with_one_cloud_down_tells_what_the_other_one_says(stage: &Stage) -> Result<()> {
    let reverse = whole_day(stage, "st-down").await?;
    let story = &reverse.story;
    let wires = &story.cloud.wires;
    let google = [&wires.bigquery, &wires.transfer, &wires.storage];
    for wire in google {
        wire.outage();
    }
    let found = json(&status(story, &["--json"]).await?, 3)?;
    for (name, state) in [
        ("export", "good"),
        ("manifest", "good"),
        ("tables", "unknown"),
        ("transfer runs", "unknown"),
        ("syncs", "good"),
    ] {
        ensure!(finding(&found, name)?["state"] == state, "{name}: {}", found["report"]);
    }
    for wire in google {
        wire.restore();
    }

    for wire in [&wires.aws, &wires.rds, &wires.s3] {
        wire.outage();
    }
    // Names are asked of AWS: a person who knows them can do without.
    let given = story
        .cloud
        .operator()?
        .with("GOOGLE_CLOUD_PROJECT", "isthmus-local")
        .with("BIGQUERY_LOCATION", "asia-northeast1");
    let found = json(&with(story, &given, &["--json"]).await?, 3)?;
    for (name, state) in [("export", "unknown"), ("manifest", "unknown"), ("tables", "good"), ("alarms", "unknown")] {
        let finding = finding(&found, name)?;
        ensure!(finding["state"] == state, "{name}: {finding}");
        ensure!(
            state == "good" || finding["found"].as_str().is_some_and(|why| why.starts_with("could not be asked: ")),
            "{finding}"
        );
    }
    Ok(())
}

pub async fn whole_day(stage: &Stage, env: &str) -> Result<Reverse> {
    let reverse = Reverse::begin(stage, env).await?;
    let story = &reverse.story;
    story.cloud.deploy_stack().await?;
    story.cloud.rds.set_tables(vec![table("orders", 120), table("items", 40)]);
    story.configure(&["orders", "items"]).await?;
    story.publish_day().await?;
    ended_with(&story.load().await?, 0)?;
    reverse.sync(&[OBJECTS, PACKED], "    shards: 4\n")?;
    reverse.fill_numbered(50, "").await?;
    ended_with(&reverse.run().await?, 0)?;
    Ok(reverse)
}

/// The line that a person would type, with the names that AWS knows.
pub async fn is_asked_by_names_that_nobody_typed_and_so_is_what_is_run_by_hand(stage: &Stage) -> Result<()> {
    let story = Story::begin(stage, "st-hand", vec![table("orders", 1)]).await?;
    story.cloud.deploy_stack().await?;
    let job = "gcloud run jobs execute isthmus-st-hand-bigquery-to-s3 --region asia-northeast1 --project isthmus-local";
    for (words, line) in [
        (vec!["load", "2026-11-21"], "gcloud workflows run isthmus-st-hand-daily --location asia-northeast1 --project isthmus-local --data '{\"export_date\":\"2026-11-21\"}'".to_owned()),
        (vec!["verify", "users"], format!("{job} --args=verify,--sync=users --wait")),
    ] {
        let printed = story.cloud.operator()?.run(&[&words[..], &["--print"]].concat()).await?;
        ended_with(&printed, 0)?;
        ensure!(printed.log.trim() == line, "{}", printed.log);
    }
    // Without AWS nobody knows the project, and nothing is run.
    story.cloud.wires.aws.outage();
    let refused = story.cloud.operator()?.run(&["load", "2026-11-21"]).await?;
    ended_with(&refused, 2)?;
    ensure!(refused.log.contains("error: the names in /isthmus/st-hand: "), "{}", refused.log);
    Ok(())
}

async fn status(story: &Story, arguments: &[&str]) -> Result<Finished> {
    with(story, &story.cloud.operator()?, arguments).await
}

async fn with(story: &Story, isthmus: &Job, arguments: &[&str]) -> Result<Finished> {
    let begin = story.cloud.status_arguments(story.date());
    // No story here builds the warehouse.
    let all = begin.iter().map(String::as_str).chain(["--no-dbt"]).chain(arguments.iter().copied());
    isthmus.run(&all.collect::<Vec<_>>()).await
}

fn json(finished: &Finished, exit_code: i32) -> Result<Value> {
    ended_with(finished, exit_code)?;
    serde_json::from_str(&finished.log).with_context(|| finished.log.clone())
}

fn finding<'a>(found: &'a Value, name: &str) -> Result<&'a Value> {
    let findings = found["report"]["findings"].as_array().context("no findings")?;
    findings.iter().find(|finding| finding["name"] == name).with_context(|| format!("nothing about {name}"))
}
