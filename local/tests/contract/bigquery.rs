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
