//! What a task that RDS already has means for the task that is wanted.

use std::collections::BTreeSet;

use aws_sdk_rds::types::ExportTask;
use chrono::{DateTime, Utc};
use handoff::{ExportTaskId, TableName};

use crate::error::{StartExportError, spot_of};
use crate::plan::Plan;
use crate::source::utc;

/// The id is taken. By the same task: an earlier delivery of this event, or a request whose answer was lost, has
/// started it. By another: RDS never frees an id, so someone has to look.
pub(crate) fn settle(task: &ExportTask, plan: &Plan, source: &str) -> Result<(), StartExportError> {
    let id = plan.task.clone();
    if !same_work(task, plan, source) {
        let wanted = described(source, plan.tables.iter().map(ToString::to_string));
        let held = described(task.source_arn().unwrap_or("an unknown source"), task.export_only().to_vec());
        return Err(StartExportError::IdTaken { task: id, held, wanted, source_arn: Some(source.to_owned()) });
    }
    match ended_badly(task) {
        Some((status, cause)) => {
            Err(StartExportError::TaskFailed { task: id, status, cause, source_arn: source.to_owned() })
        }
        None => Ok(()),
    }
}

/// A try of the day finds the task of an earlier one, whatever snapshot is the newest by now. It exports all tables of
/// our cluster, or somebody has given the day's id away.
pub(crate) fn settle_the_day(task: &ExportTask, plan: &Plan, is_ours: bool) -> Result<(), StartExportError> {
    if is_ours && task.export_only().is_empty() {
        return Ok(());
    }
    let held = described(task.source_arn().unwrap_or("an unknown source"), task.export_only().to_vec());
    let wanted = "the newest automated snapshot".to_owned();
    Err(StartExportError::IdTaken { task: plan.task.clone(), held, wanted, source_arn: None })
}

/// What the day's task says for itself. That it failed is no error of a later try, which can do nothing about it:
/// publish-export reports each failed task once.
pub(crate) fn warning(task: &ExportTask, plan: &Plan) -> Option<String> {
    let (status, cause) = ended_badly(task)?;
    let spot = spot_of(&plan.task, task.source_arn());
    Some(format!("the task is {status} ({cause}), and RDS never frees an id: mend the cause, then export with {spot}"))
}

pub(crate) fn started_at(task: &ExportTask) -> Option<DateTime<Utc>> {
    task.task_start_time().and_then(utc)
}

/// Its status and the cause that RDS names.
fn ended_badly(task: &ExportTask) -> Option<(String, String)> {
    let status = task.status().unwrap_or_default().to_ascii_uppercase();
    let cause = || task.failure_cause().unwrap_or("RDS names no cause").to_owned();
    ["FAILED", "CANCELING", "CANCELED"].contains(&status.as_str()).then(|| (status, cause()))
}

/// A spot task of the same work that has not ended: an earlier try of this invocation has started it.
pub(crate) fn running<'a>(
    tasks: &'a [ExportTask],
    plan: &Plan,
    source: &str,
) -> Option<(&'a ExportTask, ExportTaskId)> {
    let same_day = |id: &ExportTaskId| {
        id.is_spot() && id.environment() == plan.task.environment() && id.date() == plan.task.date()
    };
    let underway = |task: &&ExportTask| {
        let status = task.status().unwrap_or_default();
        ["STARTING", "IN_PROGRESS"].iter().any(|word| word.eq_ignore_ascii_case(status))
    };
    let ours = |task: &'a ExportTask| Some((task, task.export_task_identifier()?.parse().ok().filter(same_day)?));
    tasks.iter().filter(underway).filter(|task| same_work(task, plan, source)).find_map(ours)
}

/// A second try of the same invocation finds what it wanted. Another person's export of the live cluster began earlier.
pub(crate) fn older_than_asked(task: &ExportTask) -> String {
    let since = started_at(task).map_or_else(String::new, |at| format!(" since {at}"));
    format!(
        "an export of the same tables runs{since}, with the rows of then: for newer ones ask again when it has ended"
    )
}

fn same_work(task: &ExportTask, plan: &Plan, source: &str) -> bool {
    task.source_arn() == Some(source) && tables_of(task) == Some(plan.tables.clone())
}

/// `None` for a task that exports whole databases: none of ours.
fn tables_of(task: &ExportTask) -> Option<BTreeSet<TableName>> {
    task.export_only().iter().map(|name| name.parse().ok()).collect()
}

fn described(source: &str, tables: impl IntoIterator<Item = String>) -> String {
    let tables: Vec<String> = tables.into_iter().collect();
    if tables.is_empty() { source.to_owned() } else { format!("{source} (only {})", tables.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Asked;
    use crate::source::Wanted;

    fn plan(task: &str, tables: &[&str]) -> Plan {
        let tables = tables.iter().map(|name| name.parse().unwrap()).collect();
        Plan { task: task.parse().unwrap(), source: Wanted::NewestSnapshot, tables, asked: Asked::ByHand }
    }

    fn task(id: &str, source: &str, tables: &[&str], status: &str) -> ExportTask {
        let only = (!tables.is_empty()).then(|| tables.iter().map(ToString::to_string).collect());
        ExportTask::builder()
            .export_task_identifier(id)
            .source_arn(source)
            .set_export_only(only)
            .status(status)
            .failure_cause("the role may not write")
            .build()
    }

    fn settled(task: &ExportTask, plan: &Plan) -> Result<(), String> {
        settle(task, plan, "arn:a").map_err(|error| format!("{}: {error}", error.word()))
    }

    #[test]
    fn the_same_work_under_the_same_id_is_what_was_wanted() {
        let daily = plan("prod-20261122", &[]);
        for status in ["STARTING", "IN_PROGRESS", "COMPLETE", "complete"] {
            assert_eq!(settled(&task("prod-20261122", "arn:a", &[], status), &daily), Ok(()));
        }
        // RDS may spell a table of MySQL with its schema, and in another order.
        let spot = plan("prod-20261122-s101500", &["shop.orders", "shop.items"]);
        let held = task("prod-20261122-s101500", "arn:a", &["shop.shop.orders", "shop.items"], "STARTING");
        assert_eq!(settled(&held, &spot), Ok(()));
    }

    #[test]
    fn another_source_or_other_tables_under_the_id_name_both() {
        let daily = plan("prod-20261122", &[]);
        assert_eq!(
            settled(&task("prod-20261122", "arn:b", &[], "COMPLETE"), &daily),
            Err("IdTaken: export task prod-20261122 exports arn:b already, and not arn:a: RDS never frees an id; if \
                 arn:a is wanted for this date too, export it with {\"kind\": \"manual\", \"export_date\": \
                 \"2026-11-22\", \"spot\": true, \"snapshot_arn\": \"arn:a\"}"
                .into())
        );
        let partial = settled(&task("prod-20261122", "arn:a", &["shop.orders"], "COMPLETE"), &daily).unwrap_err();
        assert!(partial.contains("exports arn:a (only shop.orders) already, and not arn:a: "), "{partial}");
        let database = settled(&task("prod-20261122", "arn:a", &["shop"], "COMPLETE"), &daily).unwrap_err();
        assert!(database.starts_with("IdTaken: "), "{database}");
    }

    #[test]
    fn a_task_that_ended_badly_has_burned_its_id() {
        let daily = plan("prod-20261122", &[]);
        for status in ["FAILED", "CANCELED", "canceled", "CANCELING"] {
            let upper = status.to_uppercase();
            assert_eq!(
                settled(&task("prod-20261122", "arn:a", &[], status), &daily),
                Err(format!(
                    "TaskFailed: export task prod-20261122 of the same source is {upper} (the role may not write), and \
                     RDS never frees an id: mend the cause, then export with {{\"kind\": \"manual\", \"export_date\": \
                     \"2026-11-22\", \"spot\": true, \"snapshot_arn\": \"arn:a\"}}"
                ))
            );
        }
    }

    #[test]
    fn a_try_of_the_day_finds_the_day_s_task_whatever_snapshot_it_exports_and_however_it_ended() {
        let daily = plan("prod-20261122", &[]);
        for status in ["STARTING", "COMPLETE", "FAILED"] {
            assert!(settle_the_day(&task("prod-20261122", "arn:b", &[], status), &daily, true).is_ok(), "{status}");
        }
        assert_eq!(warning(&task("prod-20261122", "arn:b", &[], "COMPLETE"), &daily), None);
        assert_eq!(
            warning(&task("prod-20261122", "arn:b", &[], "FAILED"), &daily).unwrap(),
            "the task is FAILED (the role may not write), and RDS never frees an id: mend the cause, then export with \
             {\"kind\": \"manual\", \"export_date\": \"2026-11-22\", \"spot\": true, \"snapshot_arn\": \"arn:b\"}"
        );
    }

    #[test]
    fn a_try_of_the_day_is_told_where_the_id_was_given_away() {
        let daily = plan("prod-20261122", &[]);
        for (tables, is_ours, held) in [(&["shop.orders"][..], true, "arn:b (only shop.orders)"), (&[], false, "arn:b")]
        {
            let taken = settle_the_day(&task("prod-20261122", "arn:b", tables, "COMPLETE"), &daily, is_ours);
            assert_eq!(
                taken.unwrap_err().to_string(),
                format!(
                    "export task prod-20261122 exports {held} already, and not the newest automated snapshot: RDS never \
                     frees an id; if the newest automated snapshot is wanted for this date too, export it with \
                     {{\"kind\": \"manual\", \"export_date\": \"2026-11-22\", \"spot\": true, \"source\": \
                     \"newest_snapshot\"}}"
                )
            );
        }
    }

    #[test]
    fn a_spot_task_of_the_same_work_is_found_only_while_it_runs() {
        let spot = plan("prod-20261122-s101500", &["shop.orders"]);
        let found = |task: &ExportTask| running(std::slice::from_ref(task), &spot, "arn:a").map(|(_, id)| id);
        let same = |id: &str, status: &str| found(&task(id, "arn:a", &["shop.orders"], status));
        let earlier = "prod-20261122-s101400";
        assert_eq!(same(earlier, "STARTING"), earlier.parse().ok());
        assert_eq!(same(earlier, "in_progress"), earlier.parse().ok());
        for ended in ["COMPLETE", "FAILED", "CANCELING", "CANCELED"] {
            assert_eq!(same(earlier, ended), None, "{ended}");
        }
        for other in ["prod-20261122", "stg-20261122-s101400", "prod-20261121-s101400", "by-hand"] {
            assert_eq!(same(other, "STARTING"), None, "{other}");
        }
        assert_eq!(found(&task(earlier, "arn:b", &["shop.orders"], "STARTING")), None);
        assert_eq!(found(&task(earlier, "arn:a", &[], "STARTING")), None);
    }
}
