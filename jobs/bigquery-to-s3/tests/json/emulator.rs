//! What an independent BigQuery says of the same rows: generated rows go in by SQL and come back by the Storage Read
//! API, rendered by us, and by REST, in the emulator's own words.
//!
//! Not here, because local-bigquery sends them otherwise than BigQuery: INTERVAL and RANGE, and BIGNUMERIC beyond
//! 38 digits. The hand-built batches have them.

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};
use bigquery_to_s3::json::JsonOptions;
use local::bigquery::BigQuery;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::Value;

use crate::batch::{JSON_MARK, rows, with_extension};
use crate::literals::{
    Kind, bignumeric, boolean, bytes, date, datetime, float64, geography, int64, json, numeric, record, string, time,
    timestamp,
};
use crate::{arrow, rest};

const ROWS: usize = 200;

type Columns<'a> = &'a [(&'a str, Kind)];

/// The same rows in every run: what fails can be tried again.
fn generated(columns: Columns) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let cells: Vec<_> = columns.iter().map(|(_, kind)| kind.nullable()).collect();
    let mut row = |id: usize| format!("({id}, {})", cells.new_tree(&mut runner).unwrap().current().join(", "));
    (0..ROWS).map(&mut row).collect()
}

async fn fill(bigquery: &BigQuery, table: &str, columns: Columns<'_>) {
    let declared: Vec<String> = columns.iter().map(|(name, kind)| format!("{name} {}", kind.sql)).collect();
    bigquery.query(&format!("CREATE TABLE d.{table} (id INT64, {})", declared.join(", "))).await.unwrap();
    bigquery.query(&format!("INSERT INTO d.{table} VALUES {}", generated(columns).join(", "))).await.unwrap();
}

/// The emulator sends JSON as the string it is, without BigQuery's mark.
fn with_marks(batch: &RecordBatch, columns: Columns) -> RecordBatch {
    let is_json = |field: &Field| columns.iter().any(|(name, kind)| name == field.name() && kind.sql == "JSON");
    let schema = batch.schema();
    let fields = schema.fields().iter().map(|field| field.as_ref().clone());
    let fields: Vec<Field> =
        fields.map(|field| if is_json(&field) { with_extension(field, JSON_MARK) } else { field }).collect();
    RecordBatch::try_new(Schema::new(fields).into(), batch.columns().to_vec()).unwrap()
}

async fn same_by_both_ways(bigquery: &BigQuery, table: &str, columns: Columns<'_>) {
    fill(bigquery, table, columns).await;
    let batches = arrow::read(bigquery, "d", table).await;
    let rendered = batches.iter().flat_map(|batch| rows(&with_marks(batch, columns), &JsonOptions::default()));
    let mut rendered: Vec<Value> = rendered.map(|row| serde_json::from_str(&row).unwrap()).collect();
    rendered.sort_by_key(|row| row["id"].as_u64());
    let expected = rest::rows(bigquery, &format!("SELECT * FROM d.{table} ORDER BY id")).await;
    assert_eq!((rendered.len(), expected.len()), (ROWS, ROWS));
    for (rendered, expected) in rendered.iter().zip(&expected) {
        assert_eq!(rendered, expected, "in table {table}");
    }
}

#[tokio::test]
async fn rows_mean_the_same_as_bigquerys_own_values() {
    let dir = tempfile::tempdir().unwrap();
    let bigquery = BigQuery::start(dir.path()).await.unwrap();
    bigquery.create_dataset("d").await.unwrap();
    let numbers = [("i", int64()), ("f", float64()), ("n", numeric()), ("b", bignumeric()), ("ok", boolean())];
    let texts = [("s", string()), ("y", bytes()), ("g", geography()), ("j", json())];
    let moments = [("d", date()), ("t", time()), ("dt", datetime()), ("ts", timestamp())];
    let inside = record(&[("seen", timestamp()), ("tags", string().array())]);
    let nested = [("r", record(&[("n", int64()), ("inside", inside)])), ("price", record(&[("amount", numeric())]))];
    let line = record(&[("price", float64()), ("raw", bytes()), ("day", date())]);
    let repeated = [("list", int64().array()), ("lines", line.array())];
    let tables: [(&str, Columns); 5] =
        [("numbers", &numbers), ("texts", &texts), ("moments", &moments), ("nested", &nested), ("repeated", &repeated)];
    for (table, columns) in tables {
        same_by_both_ways(&bigquery, table, columns).await;
    }
}
