//! Which task an event asks for: its id, its source, its tables.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use handoff::{ExportDate, ExportTaskId, TableName};

use crate::config::Config;
use crate::event::{Event, InvalidEvent, Manual};
use crate::source::SourceArn;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub task: ExportTaskId,
    /// `None`: the newest automated snapshot.
    pub source: Option<SourceArn>,
    /// None: every table.
    pub tables: BTreeSet<TableName>,
}

impl Plan {
    pub fn of(event: Event, config: &Config, invoked_at: DateTime<Utc>) -> Result<Self, InvalidEvent> {
        match event {
            Event::Scheduled(time) => {
                let task = ExportTaskId::daily(config.environment.clone(), ExportDate::of(time, config.zone));
                Ok(Self { task, source: None, tables: BTreeSet::new() })
            }
            Event::Manual(manual) => Self::manual(manual, config, invoked_at),
        }
    }

    fn manual(manual: Manual, config: &Config, invoked_at: DateTime<Utc>) -> Result<Self, InvalidEvent> {
        let today = ExportDate::of(invoked_at, config.zone);
        let date = manual.export_date.unwrap_or(today);
        if date > today {
            let zone = config.zone;
            return Err(InvalidEvent(format!(
                "field `export_date`: {date} is after today, {today} in {zone}: its export would take that day's id"
            )));
        }
        let environment = config.environment.clone();
        let task = if manual.spot {
            ExportTaskId::spot(environment, date, invoked_at.with_timezone(&config.zone).time())
        } else {
            ExportTaskId::daily(environment, date)
        };
        Ok(Self { task, source: manual.source, tables: manual.tables })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::{Value, json};

    pub(crate) fn config() -> Config {
        Config {
            environment: "prod".parse().unwrap(),
            cluster: "shop".into(),
            export_role_arn: "arn:aws:iam::123456789012:role/export".into(),
            bucket: "acme-export".into(),
            kms_key_id: "alias/export".into(),
            zone: chrono_tz::Asia::Tokyo,
            max_snapshot_age_hours: 24.try_into().unwrap(),
        }
    }

    /// Asked for on 2026-11-22 at 00:30:15 in Tokyo.
    fn plan(event: Value) -> Result<Plan, InvalidEvent> {
        Plan::of(Event::parse(event).unwrap(), &config(), "2026-11-21T15:30:15.25Z".parse().unwrap())
    }

    fn task(event: Value) -> String {
        plan(event).unwrap().task.to_string()
    }

    #[test]
    fn the_scheduled_time_names_the_day_however_late_the_event_comes() {
        let event = |time| json!({"kind": "scheduled", "scheduled_time": time});
        assert_eq!(task(event("2026-11-20T19:00:00Z")), "prod-20261121");
        assert_eq!(task(event("2026-11-21T14:59:59Z")), "prod-20261121");
        assert_eq!(task(event("2026-11-21T15:00:00Z")), "prod-20261122");
        assert_eq!(task(event("2026-11-21T19:00:00Z")), "prod-20261122");
    }

    #[test]
    fn by_hand_it_is_today_in_the_zone_of_the_business() {
        assert_eq!(task(json!({"kind": "manual"})), "prod-20261122");
        assert_eq!(task(json!({"kind": "manual", "spot": true})), "prod-20261122-s003015");
        assert_eq!(task(json!({"kind": "manual", "export_date": "2026-11-20"})), "prod-20261120");
        assert_eq!(task(json!({"kind": "manual", "export_date": "2026-11-20", "spot": true})), "prod-20261120-s003015");
    }

    #[test]
    fn the_id_of_a_day_to_come_is_left_to_that_day() {
        let told = plan(json!({"kind": "manual", "export_date": "2026-11-23"})).unwrap_err().to_string();
        assert_eq!(
            told,
            "event: field `export_date`: 2026-11-23 is after today, 2026-11-22 in Asia/Tokyo: its export would take \
             that day's id"
        );
    }
}
