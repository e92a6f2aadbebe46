//! How far a spot export is, until its rows are proven in BigQuery.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use chrono::{NaiveTime, Utc};
use handoff::{ExportTaskId, Manifest};

use crate::status::arguments::{Place, StatusArguments};
use crate::status::clock::Clock;
use crate::status::facts::{Asked, Load, Task};
use crate::status::judge::{count, is_good};
use crate::status::probe::Questions;

const PAUSE: Duration = Duration::from_secs(15);
/// An export of minutes, a poll each quarter of an hour, a load: far less than this, unless nobody loads.
const AT_MOST: Duration = Duration::from_hours(3);

#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Waiting(String),
    Done(String),
    Failed(String),
}

/// The exit code.
pub(super) async fn for_rows(place: &Place, task: &ExportTaskId, tables: &[String]) -> Result<u8> {
    let clock = Clock { now: Utc::now(), zone: place.timezone.zone(), ready_by: NaiveTime::MIN };
    let nothing = PathBuf::new();
    let arguments = StatusArguments {
        place: place.clone(),
        day: Some(task.date()),
        ready_by: clock.ready_by,
        tables: nothing.clone(),
        syncs: nothing,
        no_dbt: true,
        lookup_url: None,
        json: false,
        html: None,
        watch: None,
    };
    let questions = Questions::new(&arguments, &clock).await;
    let (began, mut told) = (tokio::time::Instant::now(), String::new());
    loop {
        let (tasks, manifest, loads) = tokio::join!(questions.tasks_of_day(), questions.manifest(), questions.loads());
        let (text, code) = match progress(task, tables, &tasks, &manifest, &loads) {
            Progress::Waiting(text) => (text, None),
            Progress::Done(text) => (text, Some(0)),
            Progress::Failed(text) => (text, Some(1)),
        };
        if text != told {
            println!("{} {text}", Utc::now().with_timezone(&clock.zone).format("%H:%M:%S"));
            told = text;
        }
        if let Some(code) = code {
            return Ok(code);
        }
        if began.elapsed() > AT_MOST {
            bail!("{task} is not loaded after three hours: {told}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What could not be asked is asked again: the export goes on without us.
fn progress(
    task: &ExportTaskId,
    tables: &[String],
    tasks: &Asked<Vec<Task>>,
    manifest: &Asked<Option<Manifest>>,
    loads: &Asked<Vec<Load>>,
) -> Progress {
    let waiting = |text: String| Progress::Waiting(text);
    let (tasks, manifest, loads) = match (tasks, manifest, loads) {
        (Ok(tasks), Ok(manifest), Ok(loads)) => (tasks, manifest, loads),
        (Err(why), ..) | (_, Err(why), _) | (.., Err(why)) => return waiting(format!("could not be asked: {why}")),
    };
    let Some(manifest) = manifest.as_ref().filter(|manifest| manifest.contains(task)) else {
        return match tasks.iter().find(|found| found.id == task.to_string()) {
            None => waiting("RDS does not show the task yet".to_owned()),
            Some(Task { status, failure, .. }) if matches!(status.as_str(), "FAILED" | "CANCELED") => Progress::Failed(
                format!("the export is {status}: {}", failure.as_deref().unwrap_or("no cause is given")),
            ),
            Some(Task { status, .. }) if status.eq_ignore_ascii_case("complete") => {
                waiting("exported; publish-export looks each 15 minutes".to_owned())
            }
            Some(Task { status, percent, .. }) => waiting(format!("RDS exports: {status}, {percent} %")),
        };
    };
    let of_task = manifest.tables.iter().filter(|table| table.task_id.as_ref() == Some(task));
    let wanted: Vec<String> = match tables {
        [] => of_task.map(|table| table.name.to_string()).collect(),
        tables => tables.to_vec(),
    };
    let newer = |table: &String| {
        loads
            .iter()
            .find(|load| load.table == *table && load.day == task.date() && load.loaded_at >= manifest.published_at)
    };
    let (loaded, missing): (Vec<_>, Vec<_>) = wanted.iter().partition(|table| newer(table).is_some());
    let failed = loaded.iter().filter_map(|table| newer(table)).find(|load| !is_good(&load.state));
    match (failed, missing.len()) {
        (Some(load), _) => {
            let why = load.message.as_deref().unwrap_or("look at `isthmus logs`");
            Progress::Failed(format!("{} is {}: {why}", load.table, load.state))
        }
        (None, 0) => Progress::Done(format!("{} proven in BigQuery", count(loaded.len(), "table"))),
        (None, missing) => waiting(format!("published; {} to be loaded", count(missing, "table"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::judge::tests::{at, load, manifest as of_day, task};

    #[test]
    fn a_spot_export_is_followed_to_its_proven_rows_and_a_failure_anywhere_ends_it() {
        let id: ExportTaskId = "prod-20261122-s050000".parse().unwrap();
        let spot = |status: &str| vec![task("prod-20261122-s050000", status, "05:00", None)];
        let mut published = of_day();
        published.tasks = vec![id.clone()];
        published.tables[0].task_id = Some(id.clone());
        published.published_at = at("05:05"); // the sample's loads are of 05:10
        let before = Load { loaded_at: at("05:04"), ..load("2026-11-22", "shop.items", "loaded", 40) };
        let good = load("2026-11-22", "shop.items", "loaded", 41);
        let short = load("2026-11-22", "shop.items", "short", 1);
        for (status, manifest, loads, expected) in [
            ("STARTING", of_day(), vec![], Progress::Waiting("RDS exports: STARTING, 61 %".into())),
            ("FAILED", of_day(), vec![], Progress::Failed("the export is FAILED: no KMS key".into())),
            ("COMPLETE", of_day(), vec![], Progress::Waiting("exported; publish-export looks each 15 minutes".into())),
            (
                "COMPLETE",
                published.clone(),
                vec![before.clone()],
                Progress::Waiting("published; 1 table to be loaded".into()),
            ),
            ("COMPLETE", published.clone(), vec![good], Progress::Done("1 table proven in BigQuery".into())),
            (
                "COMPLETE",
                published.clone(),
                vec![short],
                Progress::Failed("shop.items is short: 38 rows, expected 40".into()),
            ),
        ] {
            // Named, and as the manifest says that this task has exported.
            for tables in [vec!["shop.items".to_owned()], Vec::new()] {
                let (tasks, manifest, loads) = (Ok(spot(status)), Ok(Some(manifest.clone())), Ok(loads.clone()));
                assert_eq!(progress(&id, &tables, &tasks, &manifest, &loads), expected);
            }
        }
        let no = progress(&id, &[], &Err("no".into()), &Ok(None), &Ok(Vec::new()));
        assert_eq!(no, Progress::Waiting("could not be asked: no".into()));
    }
}
