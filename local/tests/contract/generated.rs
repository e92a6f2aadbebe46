//! The generated table: what a benchmark may rely on.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use aws_lc_rs::digest::{SHA256, digest};
use google_cloud_auth::credentials::anonymous;
use google_cloud_bigquery::model::arrow_serialization_options::CompressionCodec;
use google_cloud_bigquery_v2::client::{JobService, TableService};
use google_cloud_bigquery_v2::model::{Job, JobConfiguration, JobConfigurationQuery, JobReference};
use local::bigquery::PROJECT;
use local::generated::{Generated, Options};
use serde_json::{Value, json};

use crate::reading::{Ask, batches, client, messages, numbers, session, stream};

const OPTIONS: Options =
    Options { rows: 30_000, shards: 64, seed: 0, changed: 0.05, note_bytes: 0, empty_columns: 0, null_keys: 0 };

async fn started() -> Generated {
    let generated = Generated::start(OPTIONS).await.unwrap();
    generated.create_table("scratch", "users");
    generated
}

async fn read(generated: &Generated, ask: Ask) -> Vec<RecordBatch> {
    let client = client(&generated.grpc_endpoint()).await;
    let made = session(&client, "scratch.users", ask).await.unwrap();
    let mut all = Vec::new();
    for index in 0..made.streams.len() {
        all.extend(batches(&made, &messages(stream(&client, &made, index)).await.unwrap()));
    }
    all
}

#[tokio::test]
async fn a_restriction_gives_exactly_the_rows_of_its_shards() {
    let generated = started().await;
    let ask = Ask { restriction: "isthmus_shard >= 3 AND isthmus_shard < 40", streams: 3, ..Ask::default() };
    let mut rows_of: BTreeMap<usize, usize> = BTreeMap::new();
    for batch in read(&generated, ask).await {
        assert!(batch.num_rows() <= 5_000);
        let ids = batch.column_by_name("id").unwrap().as_primitive::<Int64Type>().values().to_vec();
        let keys = batch.column_by_name("isthmus_key").unwrap().as_string::<i32>();
        let shards = batch.column_by_name("isthmus_shard").unwrap().as_primitive::<Int64Type>();
        for ((id, key), shard) in ids.into_iter().zip(keys).zip(shards.values()) {
            let key = key.unwrap();
            assert_eq!(key, id.to_string());
            assert_eq!(i64::from(digest(&SHA256, key.as_bytes()).as_ref()[0] >> 2), *shard);
            *rows_of.entry(usize::try_from(*shard).unwrap()).or_default() += 1;
        }
    }
    let counted: BTreeMap<usize, usize> = generated.shard_rows().into_iter().enumerate().skip(3).take(37).collect();
    assert_eq!(rows_of, counted);
}

#[tokio::test]
async fn rows_without_a_key_are_in_the_first_shard_and_are_left_out_where_that_is_asked_for() {
    let generated = Generated::start(Options { null_keys: 7_000, empty_columns: 20, ..OPTIONS }).await.unwrap();
    generated.create_table("scratch", "users");
    for (restriction, rows, null_keys) in [
        ("", 37_000, 7_000),
        ("isthmus_shard >= 0 AND isthmus_shard < 64", 37_000, 7_000),
        ("isthmus_shard >= 0 AND isthmus_shard < 64 AND isthmus_key IS NOT NULL", 30_000, 0),
    ] {
        let batches = read(&generated, Ask { restriction, streams: 2, ..Ask::default() }).await;
        let keys = batches.iter().map(|batch| batch.column_by_name("isthmus_key").unwrap());
        assert_eq!(keys.map(Array::null_count).sum::<usize>(), null_keys, "{restriction}");
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), rows, "{restriction}");
        let empty = batches[0].column_by_name("column_019").unwrap();
        assert_eq!(empty.null_count(), empty.len());
    }
}

#[tokio::test]
async fn every_compression_gives_the_same_rows() {
    let generated = started().await;
    let with = async |compression| read(&generated, Ask { compression, streams: 1, ..Ask::default() }).await;
    let plain = with(CompressionCodec::CompressionUnspecified).await;
    assert_eq!(plain.iter().map(RecordBatch::num_rows).sum::<usize>(), 30_000);
    assert_eq!(plain, with(CompressionCodec::Lz4Frame).await);
    assert_eq!(plain, with(CompressionCodec::Zstd).await);
}

#[tokio::test]
async fn a_stream_goes_on_at_any_offset_and_only_with_the_fields_that_were_asked_for() {
    let generated = started().await;
    let client = client(&generated.grpc_endpoint()).await;
    let ask = Ask { fields: &["note", "id"], streams: 2, ..Ask::default() };
    let made = session(&client, "scratch.users", ask).await.unwrap();
    assert_eq!(made.streams.len(), 2);
    let whole = messages(stream(&client, &made, 1)).await.unwrap();
    let names: Vec<String> =
        batches(&made, &whole)[0].schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["id", "note"], "in the order of the table");
    let ids = numbers(&made, &whole, "id");
    for offset in [0, 1, 4_999, 5_000, 7_777, ids.len()] {
        let from = stream(&client, &made, 1).set_offset(i64::try_from(offset).unwrap());
        assert_eq!(numbers(&made, &messages(from).await.unwrap(), "id"), ids[offset..]);
    }
}

#[tokio::test]
async fn what_the_table_cannot_answer_is_refused() {
    let generated = started().await;
    let client = client(&generated.grpc_endpoint()).await;
    let unknown = session(&client, "scratch.nobody", Ask::default()).await.unwrap_err();
    assert!(unknown.to_string().contains("Not found: Table"), "{unknown}");
    let restricted = Ask { restriction: "id < 3", ..Ask::default() };
    session(&client, "scratch.users", restricted).await.unwrap_err();
    let (status, body) = insert(&generated, "a", "SELECT name FROM t").await;
    assert_eq!((status, &body["error"]["errors"][0]["reason"]), (400, &json!("invalidQuery")));
}

async fn insert(generated: &Generated, id: &str, sql: &str) -> (u16, Value) {
    let url = format!("{}/bigquery/v2/projects/{PROJECT}/jobs", generated.endpoint());
    let job = json!({
        "jobReference": {"projectId": PROJECT, "jobId": id, "location": "asia-northeast1"},
        "configuration": {"query": {"query": sql, "useLegacySql": false}},
    });
    let answer = reqwest::Client::new().post(url).json(&job).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn get(generated: &Generated, path: &str) -> (u16, Value) {
    let url = format!("{}/bigquery/v2/projects/{PROJECT}/{path}", generated.endpoint());
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_query_makes_the_table_once_whatever_it_selects() {
    let generated = started().await;
    assert_eq!(get(&generated, "datasets/scratch/tables/users__1").await.0, 404);
    let sql = format!("CREATE TABLE IF NOT EXISTS `{PROJECT}.scratch.users__1` CLUSTER BY isthmus_shard AS SELECT 1");
    let (status, job) = insert(&generated, "isthmus-users__1", &sql).await;
    assert_eq!((status, &job["status"]["state"]), (200, &json!("DONE")));
    let (status, again) = insert(&generated, "isthmus-users__1", &sql).await;
    assert_eq!((status, &again["error"]["errors"][0]["reason"]), (409, &json!("duplicate")));
    assert_eq!(get(&generated, "jobs/isthmus-users__1").await.1["status"]["state"], "DONE");
    assert_eq!(get(&generated, "jobs/nobody").await.0, 404);
    let (status, table) = get(&generated, "datasets/scratch/tables/users__1").await;
    assert_eq!((status, &table["numRows"]), (200, &json!("30000")));
    assert_eq!(table["schema"]["fields"][5], json!({"name": "balance", "type": "NUMERIC", "mode": "NULLABLE"}));
}

#[tokio::test]
async fn the_rows_of_each_shard_are_counted_in_pages() {
    let generated = started().await;
    let sql = "SELECT isthmus_shard, COUNT(*) AS shard_rows FROM `p.scratch.users` GROUP BY isthmus_shard";
    insert(&generated, "counts", sql).await;
    let (mut counts, mut pages, mut token) = (vec![0; 64], 0, String::new());
    loop {
        let (_, page) = get(&generated, &format!("queries/counts?maxResults=30&pageToken={token}")).await;
        let cell = |row: &Value, n: usize| row["f"][n]["v"].as_str().unwrap().parse::<usize>().unwrap();
        for row in page["rows"].as_array().unwrap() {
            counts[cell(row, 0)] += cell(row, 1);
        }
        pages += 1;
        let Some(next) = page["pageToken"].as_str() else { break };
        token = next.to_owned();
    }
    assert_eq!((counts, pages), (generated.shard_rows(), 3));
}

#[tokio::test]
async fn googles_client_understands_every_answer() {
    let generated = started().await;
    let credentials = || anonymous::Builder::new().build();
    let jobs = JobService::builder().with_endpoint(generated.endpoint()).with_credentials(credentials());
    let jobs = jobs.build().await.unwrap();
    let tables = TableService::builder().with_endpoint(generated.endpoint()).with_credentials(credentials());
    let tables = tables.build().await.unwrap();
    let insert = |id: &str, sql: &str, dry_run: bool| {
        let query = JobConfigurationQuery::new().set_query(sql).set_use_legacy_sql(false);
        let configuration = JobConfiguration::new().set_query(query).set_dry_run(dry_run);
        let reference = JobReference::new().set_project_id(PROJECT).set_job_id(id);
        let job = Job::new().set_job_reference(reference).set_configuration(configuration);
        jobs.insert_job().set_project_id(PROJECT).set_job(job).send()
    };
    let dry = insert("dry", "SELECT name FROM anything", true).await.unwrap();
    assert!(dry.statistics.unwrap().total_bytes_processed.unwrap() > 0);

    let sql = "SELECT isthmus_shard, COUNT(*) AS n FROM `p.d.t` GROUP BY isthmus_shard";
    assert_eq!(insert("counts", sql, false).await.unwrap().status.unwrap().state, "DONE");
    assert_eq!(insert("counts", sql, false).await.unwrap_err().http_status_code(), Some(409));
    let job = jobs.get_job().set_project_id(PROJECT).set_job_id("counts").set_location("US").send().await.unwrap();
    assert_eq!(job.status.unwrap().state, "DONE");
    let results = jobs.get_query_results().set_project_id(PROJECT).set_job_id("counts").send().await.unwrap();
    assert_eq!((results.job_complete, results.rows.len(), results.page_token.as_str()), (Some(true), 64, ""));

    let table = tables.get_table().set_project_id(PROJECT).set_dataset_id("scratch").set_table_id("users");
    let table = table.send().await.unwrap();
    assert_eq!((table.num_rows, table.schema.unwrap().fields.len()), (Some(30_000), 11));
}
