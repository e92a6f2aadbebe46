//! What wakes the function.

use handoff::ExportTaskId;
use serde::Deserialize;
use serde_json::Value;

use crate::Error;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Every fifteen minutes: RDS delivers its events at best effort only.
    Poll,
    /// By hand: exactly this task's date.
    Publish(ExportTaskId),
    /// RDS says that an export of this snapshot ended. It does not say which, so the tasks are looked up.
    ExportEnded { source_arn: String },
    /// RDS says something else about a cluster snapshot.
    Irrelevant { event_id: String },
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Ours {
    Poll {},
    Publish { task_id: ExportTaskId },
}

/// Only what decides is read: no sample of the event is published, and fields may be added.
#[derive(Deserialize)]
struct RdsEvent {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    detail: RdsDetail,
}

#[derive(Deserialize)]
struct RdsDetail {
    #[serde(rename = "EventID")]
    event_id: String,
    #[serde(rename = "SourceArn", default)]
    source_arn: Option<String>,
}

/// Export of a cluster snapshot failed, canceled, completed.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Events.Messages.html>
const ENDED: [&str; 3] = ["RDS-EVENT-0162", "RDS-EVENT-0163", "RDS-EVENT-0164"];

impl Event {
    pub(crate) fn parse(event: &Value) -> Result<Self, Error> {
        if event.get("kind").is_some() {
            let ours = Ours::deserialize(event).map_err(|error| Error::InvalidEvent(error.to_string()))?;
            return Ok(match ours {
                Ours::Poll {} => Self::Poll,
                Ours::Publish { task_id } => Self::Publish(task_id),
            });
        }
        if event.get("source").is_none() {
            let known = r#"{"kind":"poll"}, {"kind":"publish","task_id":"…"} nor an event of RDS"#;
            return Err(Error::InvalidEvent(format!("neither {known}")));
        }
        let event = RdsEvent::deserialize(event).map_err(|error| Error::InvalidEvent(error.to_string()))?;
        rds(event)
    }
}

fn rds(event: RdsEvent) -> Result<Event, Error> {
    let (source, detail_type, event_id) = (event.source, event.detail_type, event.detail.event_id);
    if source != "aws.rds" || detail_type != "RDS DB Cluster Snapshot Event" {
        let told = format!("{source:?} {detail_type:?} is not an RDS DB Cluster Snapshot Event of aws.rds");
        return Err(Error::InvalidEvent(told));
    }
    if !ENDED.contains(&event_id.as_str()) {
        return Ok(Event::Irrelevant { event_id });
    }
    match event.detail.source_arn.filter(|arn| !arn.is_empty()) {
        Some(source_arn) => Ok(Event::ExportEnded { source_arn }),
        None => Err(Error::InvalidEvent(format!("{event_id} has no detail.SourceArn"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rds(event_id: &str) -> Value {
        json!({"version": "0", "id": "844e2571-85d4-695f-b930-0153b71dcb42", "source": "aws.rds",
            "detail-type": "RDS DB Cluster Snapshot Event", "account": "123456789012", "region": "ap-northeast-1",
            "resources": ["arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:rds:shop-2026-11-21-17-05"],
            "detail": {"EventCategories": ["notification"], "SourceType": "CLUSTER_SNAPSHOT", "EventID": event_id,
                "SourceArn": "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:rds:shop-2026-11-21-17-05",
                "SourceIdentifier": "rds:shop-2026-11-21-17-05", "Something": {"New": 1}}})
    }

    #[test]
    fn the_end_of_an_export_is_read_and_other_news_of_snapshots_are_left_alone() {
        for event_id in ENDED {
            let event = Event::parse(&rds(event_id)).unwrap();
            assert!(matches!(event, Event::ExportEnded { source_arn } if source_arn.ends_with("17-05")));
        }
        let other = Event::Irrelevant { event_id: "RDS-EVENT-0169".into() };
        assert_eq!(Event::parse(&rds("RDS-EVENT-0169")).unwrap(), other);
    }

    #[test]
    fn our_own_events_are_read() {
        assert_eq!(Event::parse(&json!({"kind": "poll"})).unwrap(), Event::Poll);
        let publish = Event::parse(&json!({"kind": "publish", "task_id": "prod-20261122"})).unwrap();
        assert_eq!(publish, Event::Publish("prod-20261122".parse().unwrap()));
    }

    #[test]
    fn an_event_that_is_not_understood_is_refused_and_says_why() {
        let mut no_arn = rds("RDS-EVENT-0164");
        no_arn["detail"]["SourceArn"] = Value::Null;
        let mut instance = rds("RDS-EVENT-0161");
        instance["detail-type"] = "RDS DB Snapshot Event".into();
        let neither = r#"event: neither {"kind":"poll"}, {"kind":"publish","task_id":"…"} nor an event of RDS"#;
        let table = [
            (json!({}), neither),
            (json!(null), neither),
            (json!([1]), neither),
            (json!({"kind": "polle"}), "event: unknown variant `polle`, expected `poll` or `publish`"),
            (json!({"kind": "poll", "date": 1}), "event: unknown field `date`, there are no fields"),
            (json!({"kind": "publish"}), "event: missing field `task_id`"),
            (
                json!({"kind": "publish", "task_id": "prod-20261122", "force": true}),
                "event: unknown field `force`, expected `task_id`",
            ),
            (
                json!({"kind": "publish", "task_id": "prod"}),
                "event: \"prod\" is not an export task id of the form env-YYYYMMDD or env-YYYYMMDD-sHHMMSS",
            ),
            (no_arn, "event: RDS-EVENT-0164 has no detail.SourceArn"),
            (
                instance,
                "event: \"aws.rds\" \"RDS DB Snapshot Event\" is not an RDS DB Cluster Snapshot Event of aws.rds",
            ),
            (json!({"source": "aws.s3"}), "event: missing field `detail-type`"),
        ];
        for (event, expected) in table {
            let error = Event::parse(&event).unwrap_err();
            assert_eq!((error.word(), error.to_string().as_str()), ("InvalidEvent", expected), "{event}");
        }
    }
}
