//! Every answer of RDS, on the wire as RDS gives it. Nothing stands behind the wire: an answer that a test does not
//! give is a connection that closes.

use crate::laptop;

use chrono::{DateTime, Utc};
use laptop::{BUCKET, KEY, ROLE, client, config};
use local::wire::{Effect, Wire};
use serde_json::{Value, json};
use start_export::error::StartExportError;
use start_export::{Started, start_export};

const NOW: &str = "2026-11-21T19:00:05Z";
const SNAPSHOT: &str = "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:rds:shop-2026-11-21-18-10";
const OTHER: &str = "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:before-migration";

struct Rds {
    wire: Wire,
}

impl Rds {
    async fn new() -> Self {
        Self { wire: Wire::start("http://127.0.0.1:9").await.unwrap() }
    }

    fn answers(self, action: &'static str, result: &str) -> Self {
        let body = format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>");
        self.meets(1, action, Effect::Refuse(200, body))
    }

    fn refuses(self, action: &'static str, code: &str) -> Self {
        let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>RDS's own words.</Message></Error>");
        let body = format!("<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>");
        self.meets(5, action, Effect::Refuse(400, body))
    }

    fn meets(self, times: usize, action: &'static str, effect: Effect) -> Self {
        self.wire.fault(times, effect, move |request| request.body_text().contains(&format!("Action={action}&")));
        self
    }

    /// The snapshot of the night, alone.
    fn lists_the_snapshot(self) -> Self {
        self.answers("DescribeDBClusterSnapshots", &page("", &[(SNAPSHOT, "2026-11-21T18:10:00Z")]))
    }

    async fn invoked(&self, event: Value) -> Result<Started, StartExportError> {
        let (rds, now): (_, DateTime<Utc>) = (client(&self.wire.endpoint()).await, NOW.parse().unwrap());
        start_export(&rds, &config(), event, now, now).await
    }

    async fn scheduled(&self) -> Result<Started, StartExportError> {
        self.invoked(json!({"kind": "scheduled", "scheduled_time": "2026-11-21T19:00:00Z"})).await
    }

    /// The forms that were sent, for the calls of one action.
    fn sent(&self, action: &str) -> Vec<Vec<(String, String)>> {
        let forms = self.wire.requests().into_iter().map(|request| form(&request.body_text()));
        forms.filter(|form| form[0] == ("Action".into(), action.into())).collect()
    }
}

fn form(body: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.replace("%3A", ":").replace("%2F", "/"))
    };
    body.split('&').map(pair).collect()
}

fn page(marker: &str, snapshots: &[(&str, &str)]) -> String {
    let snapshot = |(arn, at): &(&str, &str)| {
        format!(
            "<DBClusterSnapshot><DBClusterSnapshotArn>{arn}</DBClusterSnapshotArn><Status>available</Status>\
             <SnapshotType>automated</SnapshotType><SnapshotCreateTime>{at}</SnapshotCreateTime></DBClusterSnapshot>"
        )
    };
    let snapshots = snapshots.iter().map(snapshot).collect::<Vec<String>>().concat();
    let marker = if marker.is_empty() { String::new() } else { format!("<Marker>{marker}</Marker>") };
    format!("{marker}<DBClusterSnapshots>{snapshots}</DBClusterSnapshots>")
}

fn task(id: &str, source: &str, status: &str) -> String {
    format!(
        "<ExportTaskIdentifier>{id}</ExportTaskIdentifier><SourceArn>{source}</SourceArn><Status>{status}</Status>\
         <SnapshotTime>2026-11-21T18:10:00.5Z</SnapshotTime>"
    )
}

fn tasks(tasks: &[String]) -> String {
    format!("<ExportTasks><ExportTask>{}</ExportTask></ExportTasks>", tasks.join("</ExportTask><ExportTask>"))
}

fn told(answer: Result<Started, StartExportError>) -> (&'static str, String) {
    let error = answer.unwrap_err();
    (error.word(), startup::with_causes(&error))
}

#[tokio::test]
async fn the_newest_snapshot_is_found_on_whichever_page_it_is() {
    let rds = Rds::new()
        .await
        .answers("DescribeDBClusterSnapshots", &page("m1", &[("arn:a", "2026-11-20T20:00:00Z")]))
        .answers("DescribeDBClusterSnapshots", &page("m2", &[(SNAPSHOT, "2026-11-21T18:10:00Z")]))
        .answers("DescribeDBClusterSnapshots", &page("", &[("arn:c", "2026-11-21T02:00:00Z")]))
        .answers("StartExportTask", &task("prod-20261122", SNAPSHOT, "STARTING"));
    let answer = serde_json::to_value(rds.scheduled().await.unwrap()).unwrap();
    let expected = json!({
        "task_id": "prod-20261122", "snapshot_arn": SNAPSHOT, "snapshot_time": "2026-11-21T18:10:00.500Z",
        "export_date": "2026-11-22", "started": true
    });
    assert_eq!(answer, expected);
    let listed = rds.sent("DescribeDBClusterSnapshots");
    let markers: Vec<_> = listed.iter().map(|form| form.iter().find(|(name, _)| name == "Marker")).collect();
    assert_eq!(markers, [None, Some(&("Marker".into(), "m1".into())), Some(&("Marker".into(), "m2".into()))]);
    for form in listed {
        assert!(form.contains(&("DBClusterIdentifier".into(), "shop".into())), "{form:?}");
        assert!(form.contains(&("SnapshotType".into(), "automated".into())), "{form:?}");
    }
}

#[tokio::test]
async fn the_request_carries_the_settings_and_nothing_else() {
    let rds = Rds::new().await.lists_the_snapshot();
    let rds = rds.answers("StartExportTask", &task("prod-20261122", SNAPSHOT, "STARTING"));
    rds.scheduled().await.unwrap();
    let expected = [
        ("Action", "StartExportTask"),
        ("Version", "2014-10-31"),
        ("ExportTaskIdentifier", "prod-20261122"),
        ("SourceArn", SNAPSHOT),
        ("S3BucketName", BUCKET),
        ("IamRoleArn", ROLE),
        ("KmsKeyId", KEY),
    ];
    assert_eq!(rds.sent("StartExportTask"), [expected.map(|(name, value)| (name.to_owned(), value.to_owned()))]);
}

#[tokio::test]
async fn every_refusal_has_its_word_and_says_what_was_attempted_and_what_rds_said() {
    for (code, word, advice) in [
        ("DBClusterSnapshotNotFoundFault", "SnapshotNotFound", "--db-cluster-identifier shop"),
        ("DBSnapshotNotFound", "SnapshotNotFound", "no such cluster snapshot or cluster"),
        ("DBClusterNotFoundFault", "SnapshotNotFound", "no such cluster snapshot or cluster"),
        ("InvalidExportSourceState", "SnapshotNotReady", "another export of it is running"),
        ("InvalidExportOnly", "InvalidTables", "database.table for MySQL"),
        ("InvalidS3BucketFault", "BucketRefused", "bucket acme-export (S3_BUCKET_NAME)"),
        ("IamRoleNotFound", "RoleNotFound", "trust export.rds.amazonaws.com"),
        ("IamRoleMissingPermissions", "RoleRefused", "s3:GetBucketLocation on acme-export"),
        ("KMSKeyNotAccessibleFault", "KeyRefused", "kms:CreateGrant"),
        ("InvalidParameterValue", "InvalidName", "check S3_BUCKET_NAME acme-export"),
        ("AccessDenied", "Denied", "iam:PassRole on arn:aws:iam::123456789012:role/export"),
        ("ExportTaskQuotaExceeded", "TooManyExports", "five export tasks at once"),
        ("NeverHeardOf", "RdsFailed", "look up the code"),
    ] {
        let rds = Rds::new().await.lists_the_snapshot().refuses("StartExportTask", code);
        let (said, text) = told(rds.scheduled().await);
        assert_eq!(said, word, "{text}");
        let attempt = format!("could not start export task prod-20261122 of {SNAPSHOT} into acme-export: ");
        assert!(text.starts_with(&attempt), "{text}");
        assert!(text.contains(advice), "{text}");
        assert!(text.ends_with(&format!(": RDS answered 400 {code}, RDS's own words.")), "{text}");
    }
}

#[tokio::test]
async fn a_refused_listing_is_told_as_such() {
    let rds = Rds::new().await.refuses("DescribeDBClusterSnapshots", "AccessDenied");
    let (word, text) = told(rds.scheduled().await);
    assert_eq!(word, "Denied");
    assert!(text.starts_with("could not list the automated snapshots of cluster shop: grant this function "), "{text}");
    let rds = Rds::new().await.refuses("DescribeExportTasks", "AccessDenied");
    let (word, text) = told(rds.invoked(json!({"kind": "manual", "spot": true, "snapshot_arn": OTHER})).await);
    assert_eq!(word, "Denied");
    assert!(text.starts_with(&format!("could not list the export tasks of {OTHER}: ")), "{text}");
}

#[tokio::test]
async fn a_task_that_is_there_already_is_the_answer() {
    let rds = Rds::new().await.lists_the_snapshot().refuses("StartExportTask", "ExportTaskAlreadyExists");
    let rds = rds.answers("DescribeExportTasks", &tasks(&[task("prod-20261122", SNAPSHOT, "IN_PROGRESS")]));
    let answer = rds.scheduled().await.unwrap();
    assert_eq!((answer.task_id.to_string().as_str(), answer.started), ("prod-20261122", false));
    let asked = ("ExportTaskIdentifier".to_owned(), "prod-20261122".to_owned());
    assert!(rds.sent("DescribeExportTasks")[0].contains(&asked));
}

#[tokio::test]
async fn a_task_of_another_source_a_failed_one_and_one_that_is_not_told_are_errors() {
    for (described, word) in [
        (tasks(&[task("prod-20261122", OTHER, "COMPLETE")]), "IdTaken"),
        (tasks(&[task("prod-20261122", SNAPSHOT, "FAILED")]), "TaskFailed"),
        ("<ExportTasks/>".to_owned(), "RdsFailed"),
    ] {
        let rds = Rds::new().await.lists_the_snapshot().refuses("StartExportTask", "ExportTaskAlreadyExists");
        let rds = rds.answers("DescribeExportTasks", &described);
        assert_eq!(told(rds.scheduled().await).0, word);
    }
}

#[tokio::test]
async fn a_second_try_of_a_spot_export_finds_the_task_of_the_first() {
    let running = tasks(&[task("prod-20261122-s035900", OTHER, "STARTING")]);
    let rds = Rds::new().await.answers("DescribeExportTasks", &running);
    let answer = rds.invoked(json!({"kind": "manual", "spot": true, "snapshot_arn": OTHER})).await.unwrap();
    assert_eq!((answer.task_id.to_string().as_str(), answer.started), ("prod-20261122-s035900", false));
    assert!(rds.sent("StartExportTask").is_empty());
    let filter = [("Filters.Filter.1.Name", "source-arn"), ("Filters.Filter.1.Values.Value.1", OTHER)];
    for (name, value) in filter {
        let sent = &rds.sent("DescribeExportTasks")[0];
        assert!(sent.contains(&(name.to_owned(), value.to_owned())), "{sent:?}");
    }
}

#[tokio::test]
async fn a_spot_export_names_its_tables_and_its_second_in_tokyo() {
    let rds = Rds::new().await.answers("DescribeExportTasks", "<ExportTasks/>");
    let rds = rds.answers("StartExportTask", &task("prod-20261122-s040005", OTHER, "STARTING"));
    let event = json!({"kind": "manual", "spot": true, "snapshot_arn": OTHER, "tables": ["shop.orders", "shop.items"]});
    let answer = rds.invoked(event).await.unwrap();
    assert_eq!((answer.task_id.to_string().as_str(), answer.started), ("prod-20261122-s040005", true));
    // A source that was named by hand has the time that RDS tells.
    assert_eq!(answer.snapshot_time, "2026-11-21T18:10:00.5Z".parse().ok());
    let sent = &rds.sent("StartExportTask")[0];
    for (name, value) in [("ExportOnly.member.1", "shop.items"), ("ExportOnly.member.2", "shop.orders")] {
        assert!(sent.contains(&(name.to_owned(), value.to_owned())), "{sent:?}");
    }
}

#[tokio::test]
async fn what_passes_is_waited_out_and_what_does_not_is_told() {
    let unavailable = Effect::Refuse(503, "<html>busy</html>".into());
    let rds = Rds::new().await.lists_the_snapshot().meets(2, "StartExportTask", unavailable.clone());
    let rds = rds.answers("StartExportTask", &task("prod-20261122", SNAPSHOT, "STARTING"));
    assert!(rds.scheduled().await.unwrap().started);

    let rds = Rds::new().await.lists_the_snapshot().meets(5, "StartExportTask", unavailable);
    let (word, text) = told(rds.scheduled().await);
    assert_eq!(word, "RdsFailed");
    assert!(text.ends_with(": RDS answered 503 without a code"), "{text}");

    let rds = Rds::new().await.lists_the_snapshot().refuses("StartExportTask", "Throttling");
    assert_eq!(told(rds.scheduled().await).0, "Throttled");
    assert_eq!(rds.sent("StartExportTask").len(), 5);

    let (word, text) = told(Rds::new().await.scheduled().await);
    assert_eq!(word, "Unreachable");
    assert!(text.starts_with("could not list the automated snapshots of cluster shop: no answer came: "), "{text}");
}
