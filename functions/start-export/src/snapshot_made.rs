//! RDS-EVENT-0169: an automated snapshot is there, so the day's export need not wait for the next full hour.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::event::InvalidEvent;
use crate::source::SourceArn;

/// Source: Aurora user guide, "DB cluster snapshot events": "Automated cluster snapshot created."
const AUTOMATED_SNAPSHOT_CREATED: &str = "RDS-EVENT-0169";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotMade {
    pub snapshot: SourceArn,
    /// The event's, the same however often it is delivered.
    pub time: DateTime<Utc>,
}

/// Only what decides is read: fields may be added.
#[derive(Deserialize)]
struct Detail {
    #[serde(rename = "EventID")]
    event_id: String,
    #[serde(rename = "SourceArn")]
    source_arn: String,
}

impl SnapshotMade {
    pub(crate) fn parse(detail: Value, time: DateTime<Utc>) -> Result<Self, InvalidEvent> {
        let detail: Detail =
            serde_json::from_value(detail).map_err(|error| InvalidEvent(format!("field `detail`: {error}")))?;
        if detail.event_id != AUTOMATED_SNAPSHOT_CREATED {
            let told = format!("field `detail.EventID`: {} is not {AUTOMATED_SNAPSHOT_CREATED}", detail.event_id);
            return Err(InvalidEvent(told));
        }
        match detail.source_arn.parse() {
            Ok(snapshot) => Ok(Self { snapshot, time }),
            Err(error) => Err(InvalidEvent(format!("field `detail.SourceArn`: {error}"))),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::event::Event;
    use serde_json::json;

    pub(crate) fn event(event_id: &str, snapshot: &str, time: &str) -> Value {
        let arn = format!("arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:{snapshot}");
        json!({
            "version": "0", "id": "844e2571-85d4-695f-b930-0153b71dcb42", "source": "aws.rds",
            "detail-type": "RDS DB Cluster Snapshot Event", "account": "123456789012", "time": time,
            "region": "ap-northeast-1", "resources": [arn],
            "detail": {
                "EventCategories": ["backup"], "SourceType": "CLUSTER_SNAPSHOT", "SourceArn": arn,
                "Date": "2026-11-21T19:20:00.882Z", "SourceIdentifier": snapshot, "EventID": event_id,
                "Message": "Automated cluster snapshot created"
            }
        })
    }

    #[test]
    fn a_snapshot_that_was_made_is_read_with_the_time_of_the_event() {
        let made = event("RDS-EVENT-0169", "rds:shop-2026-11-21-19-10", "2026-11-21T19:20:00Z");
        let Ok(Event::SnapshotMade(made)) = Event::parse(made) else { panic!() };
        assert_eq!(made.snapshot.name(), "rds:shop-2026-11-21-19-10");
        assert_eq!(made.time, "2026-11-21T19:20:00Z".parse::<DateTime<Utc>>().unwrap());
    }

    #[test]
    fn another_event_of_a_snapshot_is_refused() {
        let told = |event| Event::parse(event).unwrap_err().to_string();
        assert_eq!(
            told(event("RDS-EVENT-0075", "before-migration", "2026-11-21T19:20:00Z")),
            "event: field `detail.EventID`: RDS-EVENT-0075 is not RDS-EVENT-0169"
        );
        let mut without = event("RDS-EVENT-0169", "rds:shop-2026-11-21-19-10", "2026-11-21T19:20:00Z");
        without["detail"] = json!({"EventID": "RDS-EVENT-0169"});
        assert_eq!(told(without), "event: field `detail`: missing field `SourceArn`");
    }
}
