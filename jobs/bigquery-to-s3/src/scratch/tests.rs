//! Jobs that fail, and a BigQuery that is away.

use std::time::Instant;

use google_cloud_auth::credentials::anonymous;
use local::generated::{Generated, Options};
use local::wire::{Effect, Recorded, Wire};
use serde_json::json;

use super::*;

const SOURCE: Source<'static> = Source { sync: "users", query: "SELECT 1 AS id", key: "id", shards: 4 };

struct Setting {
    _generated: Generated,
    wire: Wire,
    bigquery: BigQuery,
}

impl Setting {
    async fn start(give_up_after: Duration) -> Self {
        let options = Options { rows: 100, shards: 4, null_keys: 7, ..Options::default() };
        let generated = Generated::start(options).await.unwrap();
        let wire = Wire::start(&generated.endpoint()).await.unwrap();
        let (endpoint, credentials) = (wire.endpoint(), anonymous::Builder::new().build());
        let (project, scratch) = ("acme".parse().unwrap(), "scratch".parse().unwrap());
        let bigquery = BigQuery::connect(Some(&endpoint), &credentials, &project, "US", &scratch, give_up_after).await;
        Self { _generated: generated, wire, bigquery: bigquery.unwrap() }
    }

    async fn table(&self) -> Result<ScratchTable> {
        self.bigquery.scratch_table(&SOURCE, &"20261125T190000Z".parse().unwrap()).await
    }

    /// The ids of the jobs that were asked for, without what is the same in all.
    fn jobs(&self) -> Vec<String> {
        let requests = self.wire.requests();
        let bodies = requests.iter().filter(|request| is_insert(request)).map(Recorded::body_text);
        let ids = bodies.filter_map(|body| serde_json::from_str::<serde_json::Value>(&body).ok());
        let ids = ids.map(|job| job["jobReference"]["jobId"].as_str().unwrap().to_owned());
        ids.map(|id| id.rsplit('-').next().unwrap().to_owned()).collect()
    }
}

fn is_insert(request: &Recorded) -> bool {
    request.method == "POST" && request.path.ends_with("/jobs")
}

fn is_look(request: &Recorded) -> bool {
    request.method == "GET" && request.path.contains("/jobs/")
}

fn failed(reason: &str) -> Effect {
    let error = json!({"reason": reason, "message": "Access Denied: table users"});
    let status = json!({"state": "DONE", "errorResult": error, "errors": [error]});
    Effect::Refuse(200, json!({"jobReference": {"projectId": "acme", "jobId": "x"}, "status": status}).to_string())
}

fn duplicate() -> Effect {
    let errors = json!([{"reason": "duplicate", "message": "Already Exists"}]);
    Effect::Refuse(409, json!({"error": {"code": 409, "message": "Already Exists", "errors": errors}}).to_string())
}

#[tokio::test]
async fn rows_with_a_key_are_counted_by_shard_and_those_without_apart() {
    let setting = Setting::start(Duration::from_secs(20)).await;
    let table = setting.table().await.unwrap();
    assert_eq!((table.rows, table.null_keys, table.shard_rows.iter().sum::<u64>()), (107, 7, 100));
    assert!(table.frame_bytes > 100, "the columns were looked at: {}", table.frame_bytes);
    assert_eq!(setting.jobs(), ["1", "1"], "the table, and the count");
}

#[tokio::test]
async fn a_job_that_had_failed_before_is_made_anew() {
    let setting = Setting::start(Duration::from_secs(20)).await;
    setting.wire.fault(2, duplicate(), is_insert);
    setting.wire.fault(2, failed("accessDenied"), is_look);
    assert_eq!(setting.table().await.unwrap().rows, 107);
    assert_eq!(setting.jobs(), ["1", "2", "3", "1"]);
}

#[tokio::test]
async fn a_job_of_ours_that_fails_by_the_query_s_fault_is_the_end_and_by_google_s_is_made_again() {
    let setting = Setting::start(Duration::from_secs(20)).await;
    setting.wire.fault(1, failed("accessDenied"), is_insert);
    let error = startup::with_causes(setting.table().await.unwrap_err().as_ref());
    assert!(error.ends_with("Access Denied: table users"), "{error}");
    assert_eq!(setting.jobs(), ["1"]);

    setting.wire.forget();
    setting.wire.fault(2, failed("backendError"), is_insert);
    setting.table().await.unwrap();
    assert_eq!(setting.jobs(), ["1", "2", "3", "1"]);
    setting.wire.forget();
    setting.wire.fault(5, failed("backendError"), is_insert);
    setting.table().await.unwrap_err();
    assert_eq!(setting.jobs(), ["1", "2", "3"]);
}

#[tokio::test]
async fn an_outage_is_waited_out_for_as_long_as_the_job_waits_and_no_longer() {
    let patient = Setting::start(Duration::from_mins(1)).await;
    patient.wire.outage();
    let (made, ()) = tokio::join!(patient.table(), async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        patient.wire.restore();
    });
    assert_eq!(made.unwrap().rows, 107);

    let hasty = Setting::start(Duration::from_secs(2)).await;
    hasty.wire.outage();
    let began = Instant::now();
    hasty.table().await.unwrap_err();
    assert!((2..20).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}
