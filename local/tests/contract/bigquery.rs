//! The BigQuery emulator: what the rest of the laptop cloud rests on.

use std::time::Duration;

use local::bigquery::{BigQuery, PROJECT};
use local::emulator_pool::PooledBigQuery;
use serde_json::{Value, json};

#[tokio::test]
async fn datasets_tables_and_queries_work_as_the_rest_needs_them() {
    let bigquery = PooledBigQuery::take().await.unwrap();

    bigquery.create_dataset("raw_shop").await.unwrap();
    bigquery.create_dataset("raw_shop").await.unwrap();
    assert!(!bigquery.table_exists("raw_shop", "orders").await.unwrap());
    bigquery.create_table("raw_shop", "orders").await.unwrap();
    bigquery.create_table("raw_shop", "orders").await.unwrap();
    assert!(bigquery.table_exists("raw_shop", "orders").await.unwrap());
    assert_eq!(bigquery.row_count("raw_shop", "orders").await.unwrap(), 0);

    let rows = bigquery.query("SELECT 1 AS n, 'x' AS s, CAST(NULL AS STRING) AS nothing, NUMERIC '1.50' AS price");
    assert_eq!(rows.await.unwrap(), [json!({"n": 1, "s": "x", "nothing": null, "price": "1.5"})]);

    bigquery.query("CREATE TABLE raw_shop.many AS SELECT n FROM UNNEST(GENERATE_ARRAY(1, 12000)) AS n").await.unwrap();
    assert_eq!(bigquery.row_count("raw_shop", "many").await.unwrap(), 12_000);
    assert_eq!(bigquery.query("SELECT n FROM raw_shop.many ORDER BY n").await.unwrap().len(), 12_000);

    let error = bigquery.query("SELECT * FROM raw_shop.nowhere").await.unwrap_err().to_string();
    let expected = format!("bigquery POST queries: Not found: Table {PROJECT}:raw_shop.nowhere");
    assert!(error.starts_with(&expected), "{error}");
}

/// <https://docs.cloud.google.com/bigquery/docs/reference/rest/v2/tables#Table.FIELDS.last_modified_time>
#[tokio::test]
async fn a_table_tells_when_its_rows_changed_last() {
    let bigquery = PooledBigQuery::take().await.unwrap();
    bigquery.create_dataset("raw_shop").await.unwrap();
    bigquery.create_table("raw_shop", "orders").await.unwrap();
    let modified = async || {
        let url = format!("{}/bigquery/v2/projects/{PROJECT}/datasets/raw_shop/tables/orders", bigquery.endpoint());
        let table: serde_json::Value =
            serde_json::from_slice(&reqwest::get(url).await.unwrap().bytes().await.unwrap()).unwrap();
        table["lastModifiedTime"].as_str().unwrap().parse::<i64>().unwrap()
    };
    let mut last = modified().await;
    for (sql, changes) in [
        ("CREATE OR REPLACE TABLE raw_shop.orders AS SELECT n FROM UNNEST([1, 2, 3]) AS n", true),
        ("SELECT COUNT(*) AS n FROM raw_shop.orders", false),
        ("DELETE FROM raw_shop.orders WHERE n = 1", true),
        ("UPDATE raw_shop.orders SET n = 9 WHERE n = 2", true),
        ("CREATE TABLE raw_shop.others AS SELECT 1 AS n", false),
        ("TRUNCATE TABLE raw_shop.orders", true),
    ] {
        let before = chrono::Utc::now().timestamp_millis();
        bigquery.query(sql).await.unwrap();
        let now = modified().await;
        assert_eq!(now != last, changes, "{sql}");
        assert!(!changes || now >= before, "{sql}: {now} is before {before}");
        last = now;
    }
}

/// <https://cloud.google.com/bigquery/docs/reference/api-uploads#resumable>
#[tokio::test]
async fn a_resumable_upload_goes_on_from_what_it_holds_and_stores_no_byte_twice() {
    const PIECE: usize = 256 * 1024;
    let bigquery = PooledBigQuery::take().await.unwrap();
    bigquery.create_dataset("raw_shop").await.unwrap();
    let csv = "12345678\n".repeat(70_000).into_bytes();
    let (client, total) = (reqwest::Client::new(), csv.len());
    let job = |id: &str| {
        json!({"jobReference": {"projectId": PROJECT, "jobId": id}, "configuration": {"load": {
            "destinationTable": {"projectId": PROJECT, "datasetId": "raw_shop", "tableId": "numbers"}, "sourceFormat": "CSV",
            "schema": {"fields": [{"name": "n", "type": "INT64"}]}, "writeDisposition": "WRITE_TRUNCATE"}}})
    };
    let begin = async |id: &str| {
        let url = format!("{}/upload/bigquery/v2/projects/{PROJECT}/jobs?uploadType=resumable", bigquery.endpoint());
        let answer = client.post(url).body(job(id).to_string()).send().await.unwrap();
        answer.headers()["location"].to_str().unwrap().to_owned()
    };
    let put = async |session: &str, range: String, body: &[u8]| {
        let answer = client.put(session).header("content-range", range).body(body.to_vec()).send().await.unwrap();
        let held = answer.headers().get("range").map(|held| held.to_str().unwrap().to_owned());
        (answer.status().as_u16(), held)
    };
    let session = begin("upload-1").await;
    assert_eq!(put(&session, format!("bytes */{total}"), b"").await, (308, None), "nothing yet");
    let first = format!("bytes 0-{}/{total}", PIECE - 1);
    let held = Some(format!("bytes=0-{}", PIECE - 1));
    for _ in 0..2 {
        assert_eq!(put(&session, first.clone(), &csv[..PIECE]).await, (308, held.clone()));
    }
    assert_eq!(put(&session, format!("bytes */{total}"), b"").await, (308, held));
    let gap = format!("bytes {}-{}/{total}", 2 * PIECE, total - 1);
    assert_eq!(put(&session, gap, &csv[2 * PIECE..]).await.0, 400, "a gap");
    let odd = format!("bytes {PIECE}-{}/{total}", PIECE + 9);
    assert_eq!(put(&session, odd, &csv[PIECE..PIECE + 10]).await.0, 400, "no multiple of 256 KiB, and not the last");
    let rest = format!("bytes {PIECE}-{}/{total}", total - 1);
    for _ in 0..2 {
        assert_eq!(put(&session, rest.clone(), &csv[PIECE..]).await.0, 200);
    }
    assert_eq!(put(&session, format!("bytes */{total}"), b"").await.0, 200, "the answer that was lost");
    let rows = loop {
        match bigquery.row_count("raw_shop", "numbers").await {
            Ok(rows) if rows > 0 => break rows,
            _ => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    };
    assert_eq!(rows, 70_000);
    let again = begin("upload-1").await;
    assert_eq!(put(&again, format!("bytes 0-{}/{total}", total - 1), &csv).await.0, 409, "there is such a job");
    assert_eq!(put(&again.replace("upload_id=", "upload_id=x"), format!("bytes */{total}"), b"").await.0, 404);
}

/// Measured on BigQuery: <https://github.com/dlt-hub/dlt/pull/4130>
#[tokio::test]
async fn a_load_that_replaces_a_table_keeps_its_description_and_labels_and_takes_its_columns_from_the_job() {
    let bigquery = PooledBigQuery::take().await.unwrap();
    bigquery.create_dataset("raw_shop").await.unwrap();
    bigquery
        .query(
            "CREATE TABLE raw_shop.t (n INT64 OPTIONS (description = 'a number')) \
             OPTIONS (description = 'ours', labels = [('team', 'a')])",
        )
        .await
        .unwrap();
    std::fs::create_dir_all(bigquery.gcs_dir().join("b")).unwrap();
    std::fs::write(bigquery.gcs_dir().join("b/t.csv"), "1\n2\n").unwrap();
    let load = json!({"configuration": {"load": {
        "destinationTable": {"projectId": PROJECT, "datasetId": "raw_shop", "tableId": "t"}, "sourceUris": ["gs://b/t.csv"],
        "sourceFormat": "CSV", "schema": {"fields": [{"name": "m", "type": "INT64"}]}, "writeDisposition": "WRITE_TRUNCATE"}}});
    let url = format!("{}/bigquery/v2/projects/{PROJECT}/jobs", bigquery.endpoint());
    let client = reqwest::Client::new();
    let begun: Value = client.post(&url).json(&load).send().await.unwrap().json().await.unwrap();
    let job = format!("{url}/{}", begun["jobReference"]["jobId"].as_str().unwrap_or_else(|| panic!("{begun}")));
    let ended = loop {
        let job: Value = client.get(&job).send().await.unwrap().json().await.unwrap();
        if job["status"]["state"] == "DONE" {
            break job;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert!(ended["status"]["errorResult"].is_null(), "{ended}");
    assert_eq!(bigquery.row_count("raw_shop", "t").await.unwrap(), 2);
    let table = bigquery.table("raw_shop", "t").await.unwrap();
    assert_eq!((&table["description"], &table["labels"]), (&json!("ours"), &json!({"team": "a"})));
    assert_eq!(table["schema"]["fields"].as_array().unwrap().len(), 1);
    assert_eq!(table["schema"]["fields"][0]["name"], "m");
    assert!(table["schema"]["fields"][0]["description"].is_null(), "{table}");
}

/// The stories leave hundreds of tables behind, and each of them sends hundreds of statements.
#[tokio::test]
async fn a_statement_costs_about_the_same_among_a_hundred_tables() {
    let dir = tempfile::tempdir().unwrap();
    let bigquery = BigQuery::start(dir.path()).await.unwrap();
    bigquery.create_dataset("raw_shop").await.unwrap();
    let cost = async || -> Duration {
        let before = bigquery.processor_time().unwrap();
        for _ in 0..10 {
            bigquery.query("CREATE OR REPLACE TABLE raw_shop.orders AS SELECT 1 AS n").await.unwrap();
            bigquery.table("raw_shop", "orders").await.unwrap();
        }
        bigquery.processor_time().unwrap().saturating_sub(before)
    };
    cost().await; // what only the first statements cost
    let alone = cost().await;
    let tables: Vec<_> = (0..100).map(|n| format!("CREATE TABLE raw_shop.other_{n} AS SELECT {n} AS n")).collect();
    bigquery.query(&tables.join(";")).await.unwrap();
    let among_many = cost().await;
    assert!(among_many < 2 * alone, "{alone:?}, among a hundred tables {among_many:?}");
}

#[tokio::test]
async fn one_that_is_shared_is_empty_for_whoever_takes_it() {
    for _ in 0..2 {
        let bigquery = PooledBigQuery::take().await.unwrap();
        assert!(bigquery.query("SELECT * FROM raw_shop.orders").await.is_err());
        bigquery.create_dataset("raw_shop").await.unwrap();
        bigquery.query("CREATE TABLE raw_shop.orders AS SELECT 1 AS n").await.unwrap();
        bigquery.query("CREATE VIEW raw_shop.recent AS SELECT n FROM raw_shop.orders").await.unwrap();
        assert_eq!(bigquery.row_count("raw_shop", "recent").await.unwrap(), 1);
        assert_eq!(bigquery.table("raw_shop", "orders").await.unwrap()["numRows"], "1");
    }
}
