//! Which of a config's runs the rows of a table come from. Pure.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use google_cloud_bigquery_datatransfer_v1::model::{TransferRun, TransferState};
use google_cloud_wkt::Timestamp;

/// Google's clock and S3's may differ by this much when a run says that it began just when files were old enough.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(60);
/// The load of a run is committed before the run ends; by this much the two may be stamped the other way round. Where a
/// table was changed within it by somebody else, the proof still looks at the rows.
const COMMIT_SKEW: TimeDelta = TimeDelta::seconds(1);

/// A run that began before this has read other files than those that are there now: before the last of them was written,
/// or before the service saw it.
pub fn since(complete_at: DateTime<Utc>, min_file_age: TimeDelta) -> DateTime<Utc> {
    complete_at.max(complete_at + min_file_age - CLOCK_SKEW)
}

/// The run whose rows the table still has: the newest of its config, whatever day it was for, that loaded this day's
/// files as they are now, if nothing has touched the table since it ended.
pub fn that_stands(
    runs: &[TransferRun],
    run_time: DateTime<Utc>,
    since: DateTime<Utc>,
    modified: DateTime<Utc>,
) -> Option<&TransferRun> {
    let newest = runs.iter().max_by_key(|run| began(run))?;
    let of_the_day = time(newest.run_time) == Some(run_time);
    let in_time = began(newest).is_some_and(|began| began >= since);
    let untouched = time(newest.end_time).is_some_and(|ended| modified <= ended + COMMIT_SKEW);
    let good = newest.state == TransferState::Succeeded && of_the_day && in_time && untouched;
    (good && changed_table(newest, modified)).then_some(newest)
}

/// Whether the table was modified after the run began. A run that found no file ends well and changes nothing.
pub fn changed_table(run: &TransferRun, modified: DateTime<Utc>) -> bool {
    // The table's time has milliseconds.
    began(run).is_some_and(|began| modified >= began.trunc_subsecs(3))
}

/// Runs that are under way and will overwrite the table when they end.
pub fn under_way(runs: &[TransferRun]) -> impl Iterator<Item = &TransferRun> {
    runs.iter().filter(|run| is_under_way(&run.state))
}

pub fn is_under_way(state: &TransferState) -> bool {
    matches!(state, TransferState::Pending | TransferState::Running)
}

/// The run that was not there before a start whose answer was lost.
pub fn that_is_new<'a>(
    runs: &'a [TransferRun],
    known: &[TransferRun],
    run_time: DateTime<Utc>,
) -> Option<&'a TransferRun> {
    let is_known = |run: &TransferRun| known.iter().any(|known| known.name == run.name);
    runs.iter().find(|run| time(run.run_time) == Some(run_time) && !is_known(run))
}

/// The start is set once the run has begun.
pub fn began(run: &TransferRun) -> Option<DateTime<Utc>> {
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

    const DAY: &str = "2026-11-21T15:00:00Z";
    const OTHER_DAY: &str = "2026-11-20T15:00:00Z";
    const SINCE: &str = "2026-11-21T19:45:00Z";

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// Of a morning: `20:00` is 20:00:00.5 UTC.
    fn run(name: &str, state: TransferState, run_time: &str, began: &str, ended: &str) -> TransferRun {
        let time = |text: &str| Timestamp::try_from(text).unwrap();
        let clock = |hour: &str| (!hour.is_empty()).then(|| time(&format!("2026-11-21T{hour}:00.5Z")));
        TransferRun::new()
            .set_name(name)
            .set_state(state)
            .set_run_time(time(run_time))
            .set_or_clear_start_time(clock(began))
            .set_or_clear_end_time(clock(ended))
    }

    fn good(name: &str, began: &str, ended: &str) -> TransferRun {
        run(name, TransferState::Succeeded, DAY, began, ended)
    }

    fn stands<'a>(runs: &'a [TransferRun], modified: &str) -> Option<&'a str> {
        that_stands(runs, at(DAY), at(SINCE), at(&format!("2026-11-21T{modified}Z"))).map(|run| run.name.as_str())
    }

    #[test]
    fn a_run_stands_while_the_table_has_its_rows() {
        let runs = [good("a", "20:00", "20:05")];
        for (modified, expected) in [
            ("20:04:59", Some("a")),
            ("20:05:01.500", Some("a")), // its own commit, stamped late
            ("20:05:01.501", None),      // a row was deleted by hand, or the table emptied for another day
            ("20:00:00.500", Some("a")),
            ("20:00:00.499", None), // it found no file and changed nothing
        ] {
            assert_eq!(stands(&runs, modified), expected, "{modified}");
        }
    }

    #[test]
    fn only_the_newest_run_of_the_config_can_stand_whatever_day_it_was_for() {
        use TransferState::{Cancelled, Failed, Succeeded};
        let ours = good("ours", "20:00", "20:05");
        for (newer, day) in [(Succeeded, OTHER_DAY), (Failed, DAY), (Failed, OTHER_DAY), (Cancelled, DAY)] {
            let runs = [ours.clone(), run("newer", newer.clone(), day, "21:00", "21:05")];
            assert_eq!(stands(&runs, "20:04:00"), None, "{newer:?} {day}");
        }
        let runs = [good("newer", "21:00", "21:05"), ours];
        assert_eq!(stands(&runs, "21:04:00"), Some("newer"));
        assert_eq!(stands(&[], "21:04:00"), None);
    }

    #[test]
    fn a_run_that_began_before_the_files_were_there_has_read_others() {
        assert_eq!(stands(&[good("early", "19:44", "19:50")], "19:49:00"), None);
        assert_eq!(stands(&[good("late", "19:45", "19:50")], "19:49:00"), Some("late"));
        let complete_at = at("2026-11-21T19:40:00Z");
        assert_eq!(since(complete_at, TimeDelta::minutes(10)), at("2026-11-21T19:49:00Z"));
        assert_eq!(since(complete_at, TimeDelta::zero()), complete_at);
    }

    #[test]
    fn what_is_under_way_is_in_the_way() {
        use TransferState::{Failed, Pending, Running};
        let runs = [
            run("running", Running, DAY, "20:00", ""),
            run("pending", Pending, OTHER_DAY, "", ""),
            good("done", "20:00", "20:05"),
            run("dead", Failed, DAY, "20:00", "20:05"),
        ];
        let names: Vec<&str> = under_way(&runs).map(|run| run.name.as_str()).collect();
        assert_eq!(names, ["running", "pending"]);
    }

    #[test]
    fn a_start_whose_answer_was_lost_is_the_run_that_was_not_there_before() {
        use TransferState::Pending;
        let known = [good("before", "20:00", "20:05")];
        let mut runs = vec![run("other", Pending, OTHER_DAY, "", ""), known[0].clone()];
        assert_eq!(that_is_new(&runs, &known, at(DAY)), None);
        runs.push(run("ours", Pending, DAY, "", ""));
        assert_eq!(that_is_new(&runs, &known, at(DAY)).unwrap().name, "ours");
    }
}
