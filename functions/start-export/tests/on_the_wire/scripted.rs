//! An RDS that answers what a test gives it, on the wire as RDS gives it. Nothing stands behind the wire: an answer that
//! a test does not give is a connection that closes.

use crate::laptop;

use chrono::{DateTime, Utc};
use laptop::{client, config};
use local::wire::{Effect, Wire};
use serde_json::{Value, json};
use start_export::answer::Answer;
use start_export::error::StartExportError;
use start_export::start_export;

pub(crate) const NOW: &str = "2026-11-21T19:00:05Z";
pub(crate) const SNAPSHOT: &str = "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:rds:shop-2026-11-21-18-10";
pub(crate) const NEWER: &str = "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:rds:shop-2026-11-21-19-40";
pub(crate) const CLUSTER: &str = "arn:aws:rds:ap-northeast-1:123456789012:cluster:shop";
pub(crate) const OTHER: &str = "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:before-migration";

pub(crate) struct Rds {
    pub(crate) wire: Wire,
}

impl Rds {
    pub(crate) async fn new() -> Self {
        Self { wire: Wire::start("http://127.0.0.1:9").await.unwrap() }
    }

    pub(crate) fn answers(self, action: &'static str, result: &str) -> Self {
        self.meets(1, action, Effect::Refuse(200, answer_of(action, result)))
    }

    pub(crate) fn refuses(self, action: &'static str, code: &str) -> Self {
        self.meets(5, action, Effect::Refuse(400, refusal(code)))
    }

    pub(crate) fn meets(self, times: usize, action: &'static str, effect: Effect) -> Self {
        self.wire.fault(times, effect, move |request| request.body_text().contains(&format!("Action={action}&")));
        self
    }

    pub(crate) fn finds_no_task(self) -> Self {
        let body = "<ErrorResponse><Error><Code>ExportTaskNotFound</Code></Error></ErrorResponse>";
        self.meets(1, "DescribeExportTasks", Effect::Refuse(404, body.into()))
    }

    /// No task of the day, and the snapshot of the night, alone.
    pub(crate) fn lists_the_snapshot(self) -> Self {
        self.finds_no_task().answers("DescribeDBClusterSnapshots", &page("", &[(SNAPSHOT, "2026-11-21T18:10:00Z")]))
    }

    /// The snapshot that was made by hand, of this cluster.
    pub(crate) fn describes_the_other(self, cluster: &str) -> Self {
        self.answers("DescribeDBClusterSnapshots", &snapshot_of(OTHER, cluster, "aurora-mysql"))
    }

    pub(crate) fn describes_the_cluster(self, arn: &str, engine: &str) -> Self {
        let cluster = format!("<DBClusterArn>{arn}</DBClusterArn><Engine>{engine}</Engine>");
        self.answers("DescribeDBClusters", &format!("<DBClusters><DBCluster>{cluster}</DBCluster></DBClusters>"))
    }

    pub(crate) async fn invoked(&self, event: Value) -> Result<Answer, StartExportError> {
        let (rds, now): (_, DateTime<Utc>) = (client(&self.wire.endpoint()).await, NOW.parse().unwrap());
        start_export(&rds, &config(), event, now, now).await
    }

    /// What a caller gets.
    pub(crate) async fn answered(&self, event: Value) -> Value {
        serde_json::to_value(self.invoked(event).await.unwrap()).unwrap()
    }

    /// The first try of the day.
    pub(crate) async fn scheduled(&self) -> Result<Answer, StartExportError> {
        self.invoked(at("2026-11-21T19:00:00Z")).await
    }

    /// The last one, at noon.
    pub(crate) async fn scheduled_last(&self) -> Result<Answer, StartExportError> {
        self.invoked(at("2026-11-22T03:00:00Z")).await
    }

    /// The forms that were sent, for the calls of one action.
    pub(crate) fn sent(&self, action: &str) -> Vec<Vec<(String, String)>> {
        let forms = self.wire.requests().into_iter().map(|request| form(&request.body_text()));
        forms.filter(|form| form[0] == ("Action".into(), action.into())).collect()
    }
}

pub(crate) fn answer_of(action: &str, result: &str) -> String {
    format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>")
}

pub(crate) fn refusal(code: &str) -> String {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>RDS's own words.</Message></Error>");
    format!("<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>")
}

pub(crate) fn at(time: &str) -> Value {
    json!({"kind": "scheduled", "scheduled_time": time})
}

pub(crate) fn form(body: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.replace("%3A", ":").replace("%2F", "/"))
    };
    body.split('&').map(pair).collect()
}

pub(crate) fn page(marker: &str, snapshots: &[(&str, &str)]) -> String {
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

pub(crate) fn snapshot_of(arn: &str, cluster: &str, engine: &str) -> String {
    format!(
        "<DBClusterSnapshots><DBClusterSnapshot><DBClusterSnapshotArn>{arn}</DBClusterSnapshotArn><Engine>{engine}\
         </Engine><DBClusterIdentifier>{cluster}</DBClusterIdentifier></DBClusterSnapshot></DBClusterSnapshots>"
    )
}

pub(crate) fn task(id: &str, source: &str, status: &str) -> String {
    format!(
        "<ExportTaskIdentifier>{id}</ExportTaskIdentifier><SourceArn>{source}</SourceArn><Status>{status}</Status>\
         <SnapshotTime>2026-11-21T18:10:00.5Z</SnapshotTime>"
    )
}

pub(crate) fn tasks(tasks: &[String]) -> String {
    format!("<ExportTasks><ExportTask>{}</ExportTask></ExportTasks>", tasks.join("</ExportTask><ExportTask>"))
}

pub(crate) fn told(answer: Result<Answer, StartExportError>) -> (&'static str, String) {
    let error = answer.unwrap_err();
    (error.word(), startup::with_causes(&error))
}
