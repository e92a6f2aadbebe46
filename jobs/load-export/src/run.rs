//! Which transfer config loads a table, and which of its runs can be taken over. Pure.

use chrono::{DateTime, Utc};
use google_cloud_bigquery_datatransfer_v1::model::{TransferConfig, TransferRun, TransferState};
use google_cloud_wkt::Timestamp;
use handoff::TransferTable;

/// The config of a table, refused where it would not do what the proof expects.
pub fn config_of<'a>(configs: &'a [TransferConfig], table: &TransferTable) -> Result<&'a TransferConfig, String> {
    let named: Vec<&TransferConfig> = configs.iter().filter(|c| c.display_name == table.display_name).collect();
    let name = &table.display_name;
    match named[..] {
        [] => Err(format!("there is no transfer config named {name:?}: run terraform apply")),
        [config] => differs(config, table).map_or(Ok(config), |difference| {
            Err(format!("transfer config {name:?} {difference}: run terraform apply"))
        }),
        _ => Err(format!("{} transfer configs are named {name:?}: delete all but Terraform's", named.len())),
    }
}

fn differs(config: &TransferConfig, table: &TransferTable) -> Option<String> {
    let param = |name: &str| config.params.as_ref()?.get(name)?.as_str();
    let differs = |what: &str, found: Option<&str>, wanted: &str| {
        let found = found.unwrap_or_default();
        (found != wanted).then(|| format!("has {what} {found:?}, not {wanted:?}"))
    };
    differs("the dataset", config.destination_dataset_id().map(String::as_str), &table.dataset)
        .or_else(|| differs("the table", param("destination_table_name_template"), &table.table))
        // The service's defaults are CSV, which loads nonsense, and WRITE_APPEND, which doubles the rows of a repeat.
        .or_else(|| differs("file_format", param("file_format"), "PARQUET"))
        .or_else(|| differs("write_disposition", param("write_disposition"), "WRITE_TRUNCATE"))
}

/// The newest run of this run time that has read, or will read, the files as they are now. A run that began before
/// `since` read what an earlier publication of the day had put there.
pub fn to_take_over(runs: &[TransferRun], run_time: DateTime<Utc>, since: DateTime<Utc>) -> Option<&TransferRun> {
    let good = |run: &&TransferRun| {
        let of_the_day = time(run.run_time).is_some_and(|time| time == run_time);
        let in_time = match run.state {
            TransferState::Pending => began(run).is_none_or(|began| began >= since),
            TransferState::Running | TransferState::Succeeded => began(run).is_some_and(|began| began >= since),
            _ => false,
        };
        of_the_day && in_time
    };
    runs.iter().filter(good).max_by_key(|run| began(run).unwrap_or(DateTime::<Utc>::MAX_UTC))
}

/// Runs that are under way and would overwrite the table once more when they end.
pub fn in_the_way<'a>(runs: &'a [TransferRun], taken: Option<&TransferRun>) -> Vec<&'a TransferRun> {
    let taken = taken.map(|run| run.name.as_str());
    runs.iter().filter(|run| is_under_way(&run.state) && Some(run.name.as_str()) != taken).collect()
}

pub fn is_under_way(state: &TransferState) -> bool {
    matches!(state, TransferState::Pending | TransferState::Running)
}

/// The start is set once the run has begun; a run that has not may still be rescheduled.
fn began(run: &TransferRun) -> Option<DateTime<Utc>> {
    if matches!(run.state, TransferState::Pending) {
        return time(run.start_time);
    }
    time(run.start_time.or(run.schedule_time))
}

fn time(timestamp: Option<Timestamp>) -> Option<DateTime<Utc>> {
    let timestamp = timestamp?;
    DateTime::from_timestamp(timestamp.seconds(), u32::try_from(timestamp.nanos()).ok()?)
}

pub fn word(state: &TransferState) -> String {
    state.name().map_or_else(|| format!("{state:?}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use google_cloud_bigquery_datatransfer_v1::model::transfer_config::Destination;
    use serde_json::json;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn run(name: &str, state: TransferState, run_time: &str, started: Option<&str>) -> TransferRun {
        let time = |text: &str| Timestamp::try_from(text).unwrap();
        TransferRun::new()
            .set_name(name)
            .set_state(state)
            .set_run_time(time(run_time))
            .set_or_clear_start_time(started.map(time))
    }

    const DAY: &str = "2026-11-21T15:00:00Z";
    const SINCE: &str = "2026-11-21T19:45:00Z";

    fn taken(runs: &[TransferRun]) -> Option<&str> {
        to_take_over(runs, at(DAY), at(SINCE)).map(|run| run.name.as_str())
    }

    #[test]
    fn a_run_of_the_day_that_began_after_publication_is_taken_over() {
        use TransferState::{Cancelled, Failed, Pending, Running, Succeeded};
        let (early, late) = (Some("2026-11-21T19:44:59Z"), Some("2026-11-21T19:45:00Z"));
        for (state, started, good) in [
            (Succeeded, late, true),
            (Running, late, true),
            (Pending, None, true),
            (Pending, early, false),
            (Succeeded, early, false),
            (Running, early, false),
            (Running, None, false),
            (Failed, late, false),
            (Cancelled, late, false),
        ] {
            let runs = [run("a", state.clone(), DAY, started)];
            assert_eq!(taken(&runs).is_some(), good, "{state:?} {started:?}");
        }
        assert_eq!(taken(&[run("a", Succeeded, "2026-11-20T15:00:00Z", late)]), None);
        assert_eq!(taken(&[]), None);
    }

    #[test]
    fn of_several_runs_the_newest_is_taken_over() {
        use TransferState::{Failed, Pending, Succeeded};
        let older = run("older", Succeeded, DAY, Some("2026-11-21T20:00:00Z"));
        let newer = run("newer", Succeeded, DAY, Some("2026-11-21T21:00:00Z"));
        let failed = run("failed", Failed, DAY, Some("2026-11-21T22:00:00Z"));
        assert_eq!(taken(&[newer.clone(), older.clone(), failed.clone()]), Some("newer"));
        assert_eq!(taken(&[older, newer, failed, run("waiting", Pending, DAY, None)]), Some("waiting"));
    }

    #[test]
    fn other_runs_under_way_are_in_the_way() {
        use TransferState::{Failed, Pending, Running, Succeeded};
        let runs = [
            run("ours", Running, DAY, Some(SINCE)),
            run("older", Running, DAY, Some(DAY)),
            run("other day", Pending, "2026-11-20T15:00:00Z", None),
            run("done", Succeeded, DAY, Some(DAY)),
            run("dead", Failed, DAY, Some(DAY)),
        ];
        let names: Vec<&str> = in_the_way(&runs, Some(&runs[0])).iter().map(|run| run.name.as_str()).collect();
        assert_eq!(names, ["older", "other day"]);
    }

    fn config(display_name: &str, dataset: &str, params: &serde_json::Value) -> TransferConfig {
        TransferConfig::new()
            .set_name("projects/1/locations/l/transferConfigs/c")
            .set_display_name(display_name)
            .set_params(params.as_object().unwrap().clone())
            .set_destination(Some(Destination::DestinationDatasetId(dataset.into())))
    }

    #[test]
    fn a_config_that_would_not_load_this_table_is_refused() {
        let table = TransferTable {
            source: "shop.orders".parse().unwrap(),
            dataset: "raw_shop".into(),
            table: "orders".into(),
            pattern: "*.parquet".into(),
            display_name: "isthmus prod shop.orders".into(),
        };
        let params = json!({"destination_table_name_template": "orders", "file_format": "PARQUET",
            "write_disposition": "WRITE_TRUNCATE"});
        let name = "isthmus prod shop.orders";
        let good = config(name, "raw_shop", &params);
        assert!(config_of(std::slice::from_ref(&good), &table).is_ok());
        let refused = |configs: &[TransferConfig]| config_of(configs, &table).unwrap_err();
        assert_eq!(refused(&[]), format!("there is no transfer config named {name:?}: run terraform apply"));
        assert_eq!(
            refused(&[good.clone(), good]),
            format!("2 transfer configs are named {name:?}: delete all but Terraform's")
        );
        assert_eq!(
            refused(&[config(name, "raw_test", &params)]),
            format!("transfer config {name:?} has the dataset \"raw_test\", not \"raw_shop\": run terraform apply")
        );
        let without = |param: &str| {
            let mut params = params.clone();
            params.as_object_mut().unwrap().remove(param);
            refused(&[config(name, "raw_shop", &params)])
        };
        assert!(without("file_format").ends_with("has file_format \"\", not \"PARQUET\": run terraform apply"));
        assert!(without("write_disposition").contains("has write_disposition \"\", not \"WRITE_TRUNCATE\""));
        assert!(without("destination_table_name_template").contains("has the table \"\", not \"orders\""));
    }
}
