//! What may wake the function. A field that is not known is refused: a misspelt `spot` must not take the day's id.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use chrono::{DateTime, Utc};
use handoff::{ExportDate, TableName};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::snapshot_made::SnapshotMade;
use crate::source::Wanted;

const KINDS: &str = r#"expected "scheduled" or "manual""#;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The schedule's own time, the same however often and however late the event is delivered.
    Scheduled(DateTime<Utc>),
    /// RDS has made an automated snapshot.
    SnapshotMade(SnapshotMade),
    Manual(Manual),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manual {
    pub export_date: Option<ExportDate>,
    pub source: Wanted,
    /// None: every table.
    pub tables: BTreeSet<TableName>,
    pub spot: bool,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("event: {0}")]
pub struct InvalidEvent(pub(crate) String);

type Fields = Map<String, Value>;

impl Event {
    pub fn parse(event: Value) -> Result<Self, InvalidEvent> {
        let Value::Object(mut fields) = event else {
            return invalid(format!("{event} is not an object with the field `kind`: {KINDS}"));
        };
        if fields.contains_key("detail-type") {
            return rule_event(fields);
        }
        match fields.remove("kind") {
            Some(kind) if kind == "scheduled" => scheduled(fields),
            Some(kind) if kind == "manual" => manual(fields).map(Self::Manual),
            Some(kind) => invalid(format!("field `kind`: {kind} is unknown, {KINDS}")),
            None => invalid(format!("field `kind` is missing, {KINDS}")),
        }
    }
}

/// What the rules of EventBridge send. A rule with a schedule, and EventBridge Scheduler where no input is set, send a
/// `Scheduled Event`.
fn rule_event(fields: Fields) -> Result<Event, InvalidEvent> {
    let event: EventBridgeEvent = serde_json::from_value(Value::Object(fields))
        .map_err(|error| InvalidEvent(format!("not an EventBridge event: {error}")))?;
    let time = event.time.ok_or_else(|| InvalidEvent("field `time` is missing".into()));
    match event.detail_type.as_str() {
        "Scheduled Event" => time.map(Event::Scheduled),
        "RDS DB Cluster Snapshot Event" => SnapshotMade::parse(event.detail, time?).map(Event::SnapshotMade),
        other => invalid(format!(
            "detail-type {other:?} is unknown, expected \"Scheduled Event\" or \"RDS DB Cluster Snapshot Event\""
        )),
    }
}

fn scheduled(mut fields: Fields) -> Result<Event, InvalidEvent> {
    only(&fields, "scheduled", &["scheduled_time"])?;
    let Some(text) = take::<String>(&mut fields, "scheduled_time")? else {
        return invalid("field `scheduled_time` is missing".into());
    };
    match DateTime::parse_from_rfc3339(&text) {
        Ok(time) => Ok(Event::Scheduled(time.to_utc())),
        Err(_) => invalid(format!("field `scheduled_time`: {text:?} is not a time of the form 2026-11-21T19:00:00Z")),
    }
}

fn manual(mut fields: Fields) -> Result<Manual, InvalidEvent> {
    only(&fields, "manual", &["export_date", "snapshot_arn", "source", "tables", "spot"])?;
    let spot = take(&mut fields, "spot")?.unwrap_or_default();
    let manual = Manual {
        export_date: take(&mut fields, "export_date")?,
        source: source(&mut fields, spot)?,
        tables: take::<Vec<String>>(&mut fields, "tables")?
            .map(|names| tables(&names))
            .transpose()?
            .unwrap_or_default(),
        spot,
    };
    if !manual.spot && !manual.tables.is_empty() {
        return invalid(
            r#"field `tables` needs "spot": true, because an export of some tables would take the day's only task id"#
                .into(),
        );
    }
    Ok(manual)
}

/// A spot export is of now, unless something else is asked for.
fn source(fields: &mut Fields, spot: bool) -> Result<Wanted, InvalidEvent> {
    let (arn, word) = (take::<String>(fields, "snapshot_arn")?, take::<String>(fields, "source")?);
    match (arn, word.as_deref()) {
        (Some(_), Some(_)) => invalid("fields `snapshot_arn` and `source` exclude each other".into()),
        (Some(arn), None) => parsed("snapshot_arn", &arn).map(Wanted::Named),
        (None, Some("newest_snapshot")) => Ok(Wanted::NewestSnapshot),
        (None, Some(other)) => invalid(format!("field `source`: {other:?} is unknown, expected \"newest_snapshot\"")),
        (None, None) if spot => Ok(Wanted::LiveCluster),
        (None, None) => Ok(Wanted::NewestSnapshot),
    }
}

fn tables(names: &[String]) -> Result<BTreeSet<TableName>, InvalidEvent> {
    if names.is_empty() {
        return invalid("field `tables` names no table: leave it out to export every table".into());
    }
    names.iter().map(|name| table(name)).collect()
}

/// RDS exports single tables only where no word of the name has anything else.
/// Source: Aurora user guide, "Considerations for DB cluster snapshot exports".
fn table(name: &str) -> Result<TableName, InvalidEvent> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '$' || c == '_' || c == '.';
    let words = name.split('.').count();
    if !name.chars().all(plain) || words > 3 {
        return invalid(format!(
            "field `tables`: RDS cannot export {name:?} alone, because a database, schema or table has more in its \
             name than letters, digits, $ and _"
        ));
    }
    parsed("tables", name)
}

fn only(fields: &Fields, kind: &str, allowed: &[&str]) -> Result<(), InvalidEvent> {
    match fields.keys().find(|name| !allowed.contains(&name.as_str())) {
        Some(name) => invalid(format!("field `{name}` is unknown, a {kind} event may have: {}", allowed.join(", "))),
        None => Ok(()),
    }
}

fn take<T: DeserializeOwned>(fields: &mut Fields, name: &str) -> Result<Option<T>, InvalidEvent> {
    let value = fields.remove(name).unwrap_or_default();
    serde_json::from_value(value).map_err(|error| InvalidEvent(format!("field `{name}`: {error}")))
}

fn parsed<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, InvalidEvent> {
    text.parse().map_err(|error| InvalidEvent(format!("field `{name}`: {error}")))
}

fn invalid<T>(text: String) -> Result<T, InvalidEvent> {
    Err(InvalidEvent(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn four_in_tokyo() -> Event {
        Event::Scheduled("2026-11-21T19:00:00Z".parse().unwrap())
    }

    #[test]
    fn both_kinds_of_schedule_are_understood() {
        let scheduler = json!({"kind": "scheduled", "scheduled_time": "2026-11-21T19:00:00Z"});
        let offset = json!({"kind": "scheduled", "scheduled_time": "2026-11-22T04:00:00+09:00"});
        let rule = json!({
            "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
            "source": "aws.events", "account": "123456789012", "time": "2026-11-21T19:00:00Z",
            "region": "ap-northeast-1",
            "resources": ["arn:aws:events:ap-northeast-1:123456789012:rule/start-export"], "detail": {}
        });
        for event in [scheduler, offset, rule] {
            assert_eq!(Event::parse(event), Ok(four_in_tokyo()));
        }
    }

    #[test]
    fn a_manual_event_says_what_it_wants_or_nothing() {
        assert_eq!(Event::parse(json!({"kind": "manual"})), Ok(Event::Manual(Manual::default())));
        let event = json!({
            "kind": "manual", "export_date": "2026-11-22", "spot": true, "tables": ["shop.orders", "shop.orders"],
            "snapshot_arn": "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:before-migration"
        });
        let Ok(Event::Manual(manual)) = Event::parse(event) else { panic!() };
        assert_eq!(manual.tables, BTreeSet::from(["shop.orders".parse().unwrap()]));
        assert_eq!(manual.export_date, "2026-11-22".parse().ok());
        assert!(manual.spot && matches!(manual.source, Wanted::Named(arn) if arn.name() == "before-migration"));
    }

    #[test]
    fn a_spot_export_is_of_the_live_cluster_unless_the_event_says_otherwise() {
        let source = |event| match Event::parse(event) {
            Ok(Event::Manual(manual)) => manual.source,
            other => panic!("{other:?}"),
        };
        assert_eq!(source(json!({"kind": "manual", "spot": true})), Wanted::LiveCluster);
        let newest = json!({"kind": "manual", "spot": true, "source": "newest_snapshot"});
        assert_eq!(source(newest), Wanted::NewestSnapshot);
        assert_eq!(source(json!({"kind": "manual", "source": "newest_snapshot"})), Wanted::NewestSnapshot);
        assert_eq!(source(json!({"kind": "manual"})), Wanted::NewestSnapshot);
    }

    #[test]
    #[allow(clippy::too_many_lines)] // a table
    fn what_is_not_understood_is_refused_with_the_field_that_is_wrong() {
        let cases = [
            (
                json!("scheduled"),
                "\"scheduled\" is not an object with the field `kind`: expected \"scheduled\" or \"manual\"",
            ),
            (json!([]), "[] is not an object with the field `kind`: expected \"scheduled\" or \"manual\""),
            (json!({}), "field `kind` is missing, expected \"scheduled\" or \"manual\""),
            (json!({"kind": "daily"}), "field `kind`: \"daily\" is unknown, expected \"scheduled\" or \"manual\""),
            (json!({"kind": 1}), "field `kind`: 1 is unknown, expected \"scheduled\" or \"manual\""),
            (json!({"kind": "scheduled"}), "field `scheduled_time` is missing"),
            (
                json!({"kind": "scheduled", "scheduled_time": "<aws.scheduler.scheduled-time>"}),
                "field `scheduled_time`: \"<aws.scheduler.scheduled-time>\" is not a time of the form 2026-11-21T19:00:00Z",
            ),
            (
                json!({"kind": "scheduled", "scheduled_time": "2026-11-21"}),
                "field `scheduled_time`: \"2026-11-21\" is not a time of the form 2026-11-21T19:00:00Z",
            ),
            (
                json!({"kind": "scheduled", "scheduled_time": 1_763_000_000}),
                "field `scheduled_time`: invalid type: integer `1763000000`, expected a string",
            ),
            (
                json!({"kind": "scheduled", "scheduled_time": "2026-11-21T19:00:00Z", "spot": true}),
                "field `spot` is unknown, a scheduled event may have: scheduled_time",
            ),
            (
                json!({"kind": "manual", "table": ["shop.orders"]}),
                "field `table` is unknown, a manual event may have: export_date, snapshot_arn, source, tables, spot",
            ),
            (
                json!({"kind": "manual", "export_date": "2026-11-31"}),
                "field `export_date`: export date \"2026-11-31\" is not a calendar date of the form 2026-11-22",
            ),
            (
                json!({"kind": "manual", "export_date": "20261122"}),
                "field `export_date`: export date \"20261122\" is not a calendar date of the form 2026-11-22",
            ),
            (
                json!({"kind": "manual", "snapshot_arn": "rds:shop-2026-11-21-18-10"}),
                "field `snapshot_arn`: \"rds:shop-2026-11-21-18-10\" is not the ARN of a cluster snapshot or of a \
                 cluster: arn:aws:rds:REGION:ACCOUNT:cluster-snapshot:NAME or arn:aws:rds:REGION:ACCOUNT:cluster:NAME",
            ),
            (
                json!({"kind": "manual", "spot": "yes"}),
                "field `spot`: invalid type: string \"yes\", expected a boolean",
            ),
            (
                json!({"kind": "manual", "spot": true, "tables": "shop.orders"}),
                "field `tables`: invalid type: string \"shop.orders\", expected a sequence",
            ),
            (
                json!({"kind": "manual", "spot": true, "tables": []}),
                "field `tables` names no table: leave it out to export every table",
            ),
            (
                json!({"kind": "manual", "spot": true, "tables": ["orders"]}),
                "field `tables`: table name \"orders\" is not database.table or database.schema.table",
            ),
            (
                json!({"kind": "manual", "spot": true, "tables": ["shop.order-lines"]}),
                "field `tables`: RDS cannot export \"shop.order-lines\" alone, because a database, schema or table has \
                 more in its name than letters, digits, $ and _",
            ),
            (
                json!({"kind": "manual", "tables": ["shop.orders"]}),
                "field `tables` needs \"spot\": true, because an export of some tables would take the day's only task id",
            ),
            (
                json!({"kind": "manual", "spot": true, "source": "live"}),
                "field `source`: \"live\" is unknown, expected \"newest_snapshot\"",
            ),
            (
                json!({
                    "kind": "manual", "spot": true, "source": "newest_snapshot",
                    "snapshot_arn": "arn:aws:rds:ap-northeast-1:123456789012:cluster:shop"
                }),
                "fields `snapshot_arn` and `source` exclude each other",
            ),
            (
                json!({"detail-type": "RDS DB Instance Event", "source": "aws.rds", "detail": {}}),
                "detail-type \"RDS DB Instance Event\" is unknown, expected \"Scheduled Event\" or \"RDS DB Cluster \
                 Snapshot Event\"",
            ),
            (
                json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}),
                "field `time` is missing",
            ),
            (json!({"detail-type": "Scheduled Event"}), "not an EventBridge event: missing field `source`"),
        ];
        for (event, told) in cases {
            assert_eq!(Event::parse(event.clone()).unwrap_err().to_string(), format!("event: {told}"), "{event}");
        }
    }
}
