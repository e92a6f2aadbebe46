//! A table by BigQuery's REST API, and its cells by the published rules of that format ("Data types" of
//! `TableDataList`): everything is text, a record is `{"f": [{"v": …}]}`, an array `[{"v": …}]`, a TIMESTAMP the
//! microseconds since 1970, and a fraction of a second is there only where there is one.

use chrono::{DateTime, SecondsFormat};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use local::bigquery::{BigQuery, PROJECT};
use serde_json::{Value, json};

pub async fn rows(bigquery: &BigQuery, sql: &str) -> Vec<Value> {
    let url = format!("{}/bigquery/v2/projects/{PROJECT}/queries", bigquery.endpoint());
    let body = json!({"query": sql, "useLegacySql": false, "formatOptions": {"useInt64Timestamp": true}}).to_string();
    let request = Request::post(url).header("content-type", "application/json");
    let request = request.body(Full::<Bytes>::from(body)).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["error"], Value::Null);
    assert_eq!(answer["pageToken"], Value::Null);
    let fields = &answer["schema"]["fields"];
    answer["rows"].as_array().unwrap().iter().map(|row| record(fields, row)).collect()
}

fn record(fields: &Value, row: &Value) -> Value {
    let cells = row["f"].as_array().unwrap().iter().map(|cell| &cell["v"]);
    let fields = fields.as_array().unwrap();
    assert_eq!(cells.len(), fields.len());
    let named =
        fields.iter().zip(cells).map(|(field, cell)| (field["name"].as_str().unwrap().to_owned(), any(field, cell)));
    Value::Object(named.collect())
}

fn any(field: &Value, cell: &Value) -> Value {
    match cell {
        Value::Null => Value::Null,
        Value::Array(items) => items.iter().map(|item| any(field, &item["v"])).collect(),
        Value::Object(_) => record(&field["fields"], cell),
        Value::String(text) => scalar(field["type"].as_str().unwrap(), text),
        other => panic!("a cell of REST is text, this is {other}"),
    }
}

fn scalar(kind: &str, text: &str) -> Value {
    match kind {
        "INTEGER" => text.parse::<i64>().unwrap().into(),
        "FLOAT" => as_read_from_json(text.parse().unwrap()),
        "BOOLEAN" => text.parse::<bool>().unwrap().into(),
        "JSON" => serde_json::from_str(text).unwrap(),
        "TIMESTAMP" => {
            let moment = DateTime::from_timestamp_micros(text.parse().unwrap()).unwrap();
            moment.to_rfc3339_opts(SecondsFormat::Micros, true).into()
        }
        "TIME" | "DATETIME" if !text.contains('.') => format!("{text}.000000").into(),
        "NUMERIC" | "BIGNUMERIC" | "STRING" | "BYTES" | "DATE" | "TIME" | "DATETIME" | "GEOGRAPHY" => text.into(),
        other => panic!("no rule for {other}"),
    }
}

/// `serde_json` reads some doubles one bit off. Both sides go through it; `values.rs` looks at all the bits.
fn as_read_from_json(number: f64) -> Value {
    serde_json::from_str(&Value::from(number).to_string()).unwrap()
}
