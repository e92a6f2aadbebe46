//! The BigQuery emulator: what the rest of the laptop cloud rests on.

use local::bigquery::{BigQuery, PROJECT};
use serde_json::json;

#[tokio::test]
async fn datasets_tables_and_queries_work_as_the_rest_needs_them() {
    let dir = tempfile::tempdir().unwrap();
    let bigquery = BigQuery::start(dir.path()).await.unwrap();

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
    let dir = tempfile::tempdir().unwrap();
    let bigquery = BigQuery::start(dir.path()).await.unwrap();
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
