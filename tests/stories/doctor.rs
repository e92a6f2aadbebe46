//! `isthmus doctor`, by a person who is logged in to both clouds.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use local::cloud::KMS_KEY;
use serde_json::Value;
use stories::{Stage, Story, ended_with};

use crate::status::whole_day;

pub async fn finds_on_a_whole_day_what_is_assumed(stage: &Stage) -> Result<()> {
    let reverse = whole_day(stage, "dr-good").await?;
    let story = &reverse.story;
    // As terraform/aws has it.
    story.cloud.s3.store().encrypt_with_kms(&story.cloud.app_bucket, KMS_KEY);
    let objects = story.cloud.s3.store().keys(&story.cloud.app_bucket, "");
    let found = assumptions(story, &["--write"], 0).await?;
    for (assumed, outcome) in [
        ("clocks of both clouds", "holds"),
        ("exports five tasks at once", "holds"),
        ("exports are encrypted with", "holds"),
        ("live cluster has no SnapshotTime", "not_seen"),
        ("star of a transfer's path", "holds"),
        ("files that are ten minutes old", "holds"),
        ("finds no new file", "not_seen"),
        ("changes while its run is under way", "holds"),
        ("may edit every raw dataset", "holds"),
        ("(If-None-Match)", "holds"),
        ("(If-Match)", "holds"),
        ("application bucket encrypts with the product's key", "holds"),
        ("lastModifiedTime stays", "holds"),
    ] {
        ensure!(is(&found, assumed)?["outcome"] == outcome, "{assumed} is not {outcome}: {found:#?}");
    }
    // Nothing of what it wrote is left.
    ensure!(story.cloud.s3.store().keys(&story.cloud.app_bucket, "") == objects, "an object is left");
    let tables = format!(
        "SELECT table_name FROM {}.INFORMATION_SCHEMA.TABLES WHERE STARTS_WITH(table_name, 'doctor')",
        story.cloud.scratch_dataset()
    );
    let left = story.query(&tables).await?;
    ensure!(left.is_empty(), "{left:?}");

    // Without --write, it writes nothing at all.
    story.cloud.wires.s3.forget();
    let read = assumptions(story, &[], 0).await?;
    ensure!(read.len() == found.len() - 4, "{read:#?}");
    let writes = story.cloud.wires.s3.requests().into_iter().filter(|request| request.method != "GET");
    ensure!(writes.count() == 0, "it wrote to S3");
    Ok(())
}

pub async fn names_what_is_not_as_assumed_and_what_to_set(stage: &Stage) -> Result<()> {
    let reverse = whole_day(stage, "dr-bad").await?;
    let story = &reverse.story;
    let bigquery = &story.cloud.emulators.bigquery;
    // Somebody changed a raw table by hand; the account lost its role; the bucket never had the key.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await; // a second is what two services may differ by
    story.query(&format!("DELETE FROM {}.orders WHERE id = 1", story.dataset())).await?;
    bigquery.grant(&story.dataset(), "somebody@example.com", "OWNER").await?;
    let found = assumptions(story, &["--write"], 1).await?;
    for (assumed, says, set) in [
        ("changes while its run is under way", "shop.orders was changed", "who changes raw tables"),
        ("may edit every raw dataset", "[] on raw_dr_bad", "apply terraform/gcp"),
        ("bucket encrypts with the product's key", "AES256", "apply terraform/aws"),
    ] {
        let found = is(&found, assumed)?;
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        ensure!(text("outcome") == "broken" && text("found").contains(says) && text("set").contains(set), "{found}");
    }

    // A cloud that does not answer is no contradiction.
    story.cloud.wires.bigquery.outage();
    let found = assumptions(story, &[], 3).await?;
    ensure!(is(&found, "may edit every raw dataset")?["outcome"] == "unknown", "{found:#?}");

    // It is a KMS key, and not ours.
    story.cloud.wires.bigquery.restore();
    story.cloud.s3.store().encrypt_with_kms(&story.cloud.app_bucket, "arn:aws:kms:ap-northeast-1:1:key/other");
    let found = assumptions(story, &["--write"], 1).await?;
    let bucket = is(&found, "application bucket encrypts with")?;
    ensure!(bucket["outcome"] == "broken" && bucket["found"].to_string().contains("key/other"), "{bucket}");
    Ok(())
}

async fn assumptions(story: &Story, arguments: &[&str], exit_code: i32) -> Result<BTreeMap<String, Value>> {
    let (tables, date) = (story.cloud.tables_file().display().to_string(), story.date().to_string());
    let begin = ["doctor", "--json", "--day", &date, "--tables", &tables];
    let isthmus = story.cloud.operator()?.with("SCRATCH_DATASET", &story.cloud.scratch_dataset());
    let finished = isthmus.run(&[&begin, arguments].concat()).await?;
    ended_with(&finished, exit_code)?;
    let answer: Value = serde_json::from_str(&finished.log).with_context(|| finished.log.clone())?;
    let all = answer["assumptions"].as_array().context("no assumptions")?;
    Ok(all.iter().map(|found| (found["assumed"].as_str().unwrap_or_default().to_owned(), found.clone())).collect())
}

fn is<'a>(found: &'a BTreeMap<String, Value>, assumed: &str) -> Result<&'a Value> {
    let found = found.iter().find(|(name, _)| name.contains(assumed));
    Ok(found.with_context(|| format!("nothing about {assumed:?}"))?.1)
}
