//! Which task an event asks for: its id, its source, its tables.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use handoff::{ExportDate, ExportTaskId, TableName};

use crate::config::Config;
use crate::event::{Event, InvalidEvent, Manual};
use crate::snapshot_made::SnapshotMade;
use crate::source::Wanted;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Export(Plan),
    /// And why.
    Ignore(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub task: ExportTaskId,
    pub source: Wanted,
    /// None: every table.
    pub tables: BTreeSet<TableName>,
    pub asked: Asked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// One of the day's tries: whichever comes first makes the task, the others find it.
    ByTheDay {
        next_try: Option<DateTime<Utc>>,
    },
    ByHand,
}

impl Decision {
    pub fn on(event: Event, config: &Config, invoked_at: DateTime<Utc>) -> Result<Self, InvalidEvent> {
        match event {
            Event::Scheduled(time) => Ok(Self::Export(Plan::of_the_day(time, config))),
            Event::SnapshotMade(SnapshotMade { snapshot, time }) => {
                let Config { cluster, hours, zone, .. } = config;
                if !snapshot.is_automated_snapshot_of(cluster) {
                    return Ok(Self::Ignore(format!("{snapshot} is not an automated snapshot of cluster {cluster}")));
                }
                if !hours.are_on(time, *zone) {
                    let told = format!("{time} is not between the hours {hours} (EXPORT_HOURS) in {zone}");
                    return Ok(Self::Ignore(format!("{told}: the schedule exports {snapshot}")));
                }
                Ok(Self::Export(Plan::of_the_day(time, config)))
            }
            Event::Manual(manual) => Plan::by_hand(manual, config, invoked_at).map(Self::Export),
        }
    }
}

impl Plan {
    fn of_the_day(time: DateTime<Utc>, config: &Config) -> Self {
        let date = ExportDate::of(time, config.zone);
        let task = ExportTaskId::daily(config.environment.clone(), date);
        let asked = Asked::ByTheDay { next_try: config.hours.next_try(time, config.zone) };
        Self { task, source: Wanted::NewestSnapshot, tables: BTreeSet::new(), asked }
    }

    fn by_hand(manual: Manual, config: &Config, invoked_at: DateTime<Utc>) -> Result<Self, InvalidEvent> {
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
        Ok(Self { task, source: manual.source, tables: manual.tables, asked: Asked::ByHand })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::hours::Hours;
    use crate::snapshot_made::tests::event as snapshot_event;
    use serde_json::{Value, json};

    pub(crate) fn config() -> Config {
        Config {
            environment: "prod".parse().unwrap(),
            cluster: "shop".into(),
            export_role_arn: "arn:aws:iam::123456789012:role/export".into(),
            bucket: "acme-export".into(),
            kms_key_id: "alias/export".into(),
            zone: chrono_tz::Asia::Tokyo,
            hours: Hours::DEFAULT,
            max_snapshot_age_hours: 24.try_into().unwrap(),
        }
    }

    /// Asked for on 2026-11-22 at 00:30:15 in Tokyo.
    fn decision(event: Value) -> Result<Decision, InvalidEvent> {
        Decision::on(Event::parse(event).unwrap(), &config(), "2026-11-21T15:30:15.25Z".parse().unwrap())
    }

    fn plan(event: Value) -> Plan {
        match decision(event).unwrap() {
            Decision::Export(plan) => plan,
            Decision::Ignore(reason) => panic!("ignored: {reason}"),
        }
    }

    fn task(event: Value) -> String {
        plan(event).task.to_string()
    }

    #[test]
    fn the_scheduled_time_names_the_day_however_late_the_event_comes() {
        let event = |time| json!({"kind": "scheduled", "scheduled_time": time});
        assert_eq!(task(event("2026-11-20T19:00:00Z")), "prod-20261121");
        assert_eq!(task(event("2026-11-21T14:59:59Z")), "prod-20261121");
        assert_eq!(task(event("2026-11-21T15:00:00Z")), "prod-20261122");
        assert_eq!(task(event("2026-11-21T19:00:00Z")), "prod-20261122");
        assert_eq!(task(event("2026-11-22T03:00:00Z")), "prod-20261122", "the last try of the same day");
    }

    #[test]
    fn only_the_last_try_of_a_day_has_no_next_one() {
        let next = |time| match plan(json!({"kind": "scheduled", "scheduled_time": time})).asked {
            Asked::ByTheDay { next_try } => next_try,
            Asked::ByHand => panic!(),
        };
        assert_eq!(next("2026-11-22T04:00:00+09:00"), "2026-11-22T05:00:00+09:00".parse().ok());
        assert_eq!(next("2026-11-22T12:00:00+09:00"), None);
    }

    #[test]
    fn a_snapshot_that_is_made_after_the_first_try_is_exported_at_once_for_that_day() {
        let made = |name: &str, time| decision(snapshot_event("RDS-EVENT-0169", name, time)).unwrap();
        let ours = "rds:shop-2026-11-21-19-10";
        let Decision::Export(plan) = made(ours, "2026-11-21T19:20:00Z") else { panic!() };
        assert_eq!((plan.task.to_string().as_str(), plan.source), ("prod-20261122", Wanted::NewestSnapshot));

        let ignored = |name, time| match made(name, time) {
            Decision::Ignore(reason) => reason,
            Decision::Export(plan) => panic!("{plan:?}"),
        };
        assert!(ignored("rds:hr-2026-11-21-19-10", "2026-11-21T19:20:00Z").ends_with("snapshot of cluster shop"));
        for outside in ["2026-11-21T18:59:00Z", "2026-11-22T03:00:00Z"] {
            let told = ignored(ours, outside);
            assert!(told.contains(" is not between the hours 4-12 (EXPORT_HOURS) in Asia/Tokyo: "), "{told}");
        }
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
        let told = decision(json!({"kind": "manual", "export_date": "2026-11-23"})).unwrap_err().to_string();
        assert_eq!(
            told,
            "event: field `export_date`: 2026-11-23 is after today, 2026-11-22 in Asia/Tokyo: its export would take \
             that day's id"
        );
    }
}
