//! A proof of content, not of a count alone.

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use handoff::{TableName, TablePrefix};
use local::export::{Cell, Table};
use serde_json::{Value, json};
use stories::{Stage, Story, ended_with};

/// As many rows each day, all of them others: `visits` has a time, `orders` has none.
fn tables(day: u8) -> Vec<Table> {
    let rows = |id: i64| i64::from(day) * 1000 + id;
    let orders = (1..=40).map(|id| vec![rows(id).into(), format!("order {}", rows(id)).into()]).collect();
    let visits = (1..=40).map(|id| vec![rows(id).into(), Cell::Date(2026, 11, day, 10, 0, 0, 0)]).collect();
    vec![
        Table::new("shop", "orders", &[("id", "bigint"), ("name", "varchar(64)")], orders),
        Table::new("shop", "visits", &[("id", "bigint"), ("at", "datetime")], visits),
    ]
}

async fn states(story: &Story) -> Result<Vec<(Value, Value)>> {
    let sql = format!(
        "SELECT state, proof FROM {}.latest_loads ORDER BY export_date DESC, table_name",
        story.cloud.audit_dataset()
    );
    let rows = story.query(&sql).await?;
    Ok(rows.iter().take(2).map(|row| (row["state"].clone(), row["proof"].clone())).collect())
}

pub async fn of_yesterdays_rows_with_todays_count_fails_where_content_is_compared(stage: &Stage) -> Result<()> {
    let mut story = Story::begin(stage, "content", tables(20)).await?;
    let configure = async |story: &Story, proof: &str| {
        let list = json!({"proof": proof, "databases": {"shop": {"dataset": story.dataset(), "tables": {"orders": {}, "visits": {}}}}});
        story.cloud.apply(&serde_json::from_value(list)?).await
    };
    configure(&story, "counts").await?;
    story.now -= TimeDelta::days(1);
    story.publish_day().await?;
    let parts = |story: &Story, table: &str| -> Result<Vec<String>> {
        let name: TableName = format!("shop.{table}").parse()?;
        let prefix = TablePrefix::of_day(&story.cloud.env, story.date(), &name).to_string();
        let keys = story.cloud.s3.store().keys(&story.cloud.bucket, &prefix);
        Ok(keys.into_iter().filter(|key| key.ends_with(".parquet")).collect())
    };
    let old = [parts(&story, "orders")?, parts(&story, "visits")?];
    story.now += TimeDelta::days(1);
    story.cloud.rds.set_tables(tables(21));
    story.publish_day().await?;
    let new = [parts(&story, "orders")?, parts(&story, "visits")?];

    // Right, under both proofs.
    ended_with(&story.load().await?, 0)?;
    let newest = json!("rows and the newest at");
    ensure!(states(&story).await? == [(json!("loaded"), json!("rows")), (json!("loaded"), newest.clone())]);
    configure(&story, "statistics").await?;
    ended_with(&story.load().await?, 0)?;
    let all = json!("rows, nulls and extremes of 2 columns");
    ensure!(states(&story).await? == [(json!("loaded"), all.clone()), (json!("loaded"), all.clone())]);

    // Yesterday's parts in the place of today's, after the manifest was written.
    for (old, new) in old.iter().flatten().zip(new.iter().flatten()) {
        let store = story.cloud.s3.store();
        let object = store.get(&story.cloud.bucket, old).context("no part of yesterday")?;
        store.put(&story.cloud.bucket, new, object.bytes);
    }
    for table in ["orders", "visits"] {
        story.query(&format!("TRUNCATE TABLE {}.{table}", story.dataset())).await?; // so that it is loaded again
    }
    let finished = story.load().await?;
    ended_with(&finished, 1)?;
    ensure!(
        states(&story).await? == [(json!("different"), all.clone()), (json!("different"), all)],
        "{}",
        finished.log
    );
    ensure!(finished.log.contains("the smallest id is 20001, in the export 21001"), "{}", finished.log);
    // A count alone does not see it; the default looks at a time where there is one.
    configure(&story, "counts").await?;
    ended_with(&story.load().await?, 1)?;
    ensure!(states(&story).await? == [(json!("loaded"), json!("rows")), (json!("different"), newest)]);
    Ok(())
}
