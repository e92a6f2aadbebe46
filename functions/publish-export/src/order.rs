//! Which export a date shall show, and what is the next step towards it. Pure: what RDS says about the date's tasks and
//! what stands in the bucket decide.

use chrono::{DateTime, Utc};
use handoff::{ExportTaskId, Manifest};

use crate::task::{Status, Task};

/// The manifest of a date, as found.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    Nothing,
    /// Taken away while parts are replaced, and not yet written anew.
    Withdrawn(Manifest),
    Published(Manifest),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    Publish(&'a Task),
    /// RDS is about to write the daily export's parts among the parts that the manifest stands for.
    Withdraw,
    /// The manifest was withdrawn and nothing came to replace it.
    Restore,
    Rest,
}

impl Standing {
    pub(crate) fn manifest(&self) -> Option<&Manifest> {
        match self {
            Self::Nothing => None,
            Self::Withdrawn(manifest) | Self::Published(manifest) => Some(manifest),
        }
    }
}

/// `tasks` are all tasks of one date.
pub(crate) fn next_step<'a>(tasks: &'a [Task], standing: &Standing) -> Step<'a> {
    let daily_runs = tasks.iter().any(|task| !task.id.is_spot() && task.status == Status::Running);
    match (daily_runs, standing) {
        (true, Standing::Published(_)) => return Step::Withdraw,
        (true, _) => return Step::Rest,
        (false, _) => {}
    }
    if let Some(task) = next_task(tasks, standing.manifest()) {
        return Step::Publish(task);
    }
    match standing {
        Standing::Withdrawn(_) if !waits(tasks, standing.manifest()) => Step::Restore,
        _ => Step::Rest,
    }
}

/// The spot exports of some tables that have no whole export of their date below them.
pub(crate) fn without_base<'a>(tasks: &'a [Task], standing: &Standing) -> Vec<&'a Task> {
    let whole = tasks.iter().any(|task| !task.is_layer() && matches!(task.status, Status::Complete | Status::Running));
    let bare = standing.manifest().is_none() && !whole;
    tasks.iter().filter(|task| bare && task.is_layer() && task.status == Status::Complete).collect()
}

/// The newest whole export decides, and then the spot exports of some tables are laid over it, oldest first.
fn next_task<'a>(tasks: &'a [Task], current: Option<&Manifest>) -> Option<&'a Task> {
    let newer = newer_than(tasks, current);
    let whole = newer.iter().rposition(|task| !task.is_layer());
    let next = newer[whole.unwrap_or(0)..].first().copied()?;
    if next.is_layer() && (current.is_none() || runs_below(tasks, next, current)) {
        return None;
    }
    Some(next)
}

fn waits(tasks: &[Task], current: Option<&Manifest>) -> bool {
    !newer_than(tasks, current).is_empty()
}

/// A layer waits for older exports that still run: once it is published, they could not go below it any more.
fn runs_below(tasks: &[Task], layer: &Task, current: Option<&Manifest>) -> bool {
    let current = current.map(|manifest| rank_of(tasks, manifest));
    let running = tasks.iter().filter(|task| task.status == Status::Running);
    running.map(Task::rank).any(|rank| rank < layer.rank() && current.is_none_or(|current| rank > current))
}

/// Complete tasks, oldest first.
fn newer_than<'a>(tasks: &'a [Task], current: Option<&Manifest>) -> Vec<&'a Task> {
    let current = current.map(|manifest| rank_of(tasks, manifest));
    let complete = tasks.iter().filter(|task| task.status == Status::Complete);
    let mut newer: Vec<&Task> = complete.filter(|task| current.is_none_or(|current| task.rank() > current)).collect();
    newer.sort_by_key(|task| task.rank());
    newer
}

/// RDS forgets old tasks; the manifest remembers what it needs of its own.
fn rank_of<'a>(tasks: &'a [Task], manifest: &'a Manifest) -> (DateTime<Utc>, DateTime<Utc>, &'a ExportTaskId) {
    let task = tasks.iter().find(|task| task.id == manifest.task_id);
    task.map_or((manifest.snapshot_time, DateTime::<Utc>::MAX_UTC, &manifest.task_id), Task::rank)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{manifest, task};

    /// `D` is the daily task, a number a spot task at that time, with `+` a spot task of some tables; then the hour of
    /// the snapshot and the first letter of the status: `101500+ 3 C`.
    fn tasks(texts: &[&str]) -> Vec<Task> {
        let status = |letter: &str| match letter {
            "R" => Status::Running,
            "C" => Status::Complete,
            "F" => Status::Failed,
            _ => Status::Canceled,
        };
        let read = |text: &&str| {
            let words: Vec<&str> = text.split(' ').collect();
            let id = match words[0].trim_end_matches('+') {
                "D" => "prod-20261122".to_owned(),
                time => format!("prod-20261122-s{time}"),
            };
            let mut task = task(&id, &format!("2026-11-21T{:0>2}:00:00Z", words[1]));
            task.export_only = words[0].ends_with('+').then(|| "shop.orders".to_owned()).into_iter().collect();
            task.status = status(words[2]);
            task
        };
        texts.iter().map(read).collect()
    }

    fn standing(text: &str, tasks: &[Task]) -> Standing {
        let of = |name: &str| {
            let id = if name == "D" { "prod-20261122".into() } else { format!("prod-20261122-s{name}") };
            let id: ExportTaskId = id.parse().unwrap();
            manifest(tasks.iter().find(|task| task.id == id).unwrap())
        };
        match text.split_once(' ') {
            Some(("published", name)) => Standing::Published(of(name)),
            Some(("withdrawn", name)) => Standing::Withdrawn(of(name)),
            _ => Standing::Nothing,
        }
    }

    #[test]
    fn the_newest_whole_export_wins_and_layers_go_over_it_in_order() {
        let table: &[(&[&str], &str, &str)] = &[
            (&["D 3 C"], "nothing", "publish prod-20261122"),
            (&["D 3 C"], "published D", "rest"),
            (&["D 3 R"], "nothing", "rest"),
            (&["D 3 F"], "nothing", "rest"),
            (&[], "nothing", "rest"),
            // a whole spot export replaces the daily one when its data are newer
            (&["D 3 C", "101500 9 C"], "nothing", "publish prod-20261122-s101500"),
            (&["D 3 C", "101500 9 C"], "published D", "publish prod-20261122-s101500"),
            (&["D 3 C", "101500 9 C"], "published 101500", "rest"),
            (&["D 3 C", "101500 2 C"], "published D", "rest"),
            (&["D 3 C", "101500 9 C"], "withdrawn D", "publish prod-20261122-s101500"),
            (&["D 3 F", "101500 9 C"], "nothing", "publish prod-20261122-s101500"),
            // layers: the whole export first, then each in turn
            (&["D 3 C", "101500+ 9 C", "111500+ 10 C"], "nothing", "publish prod-20261122"),
            (&["D 3 C", "101500+ 9 C", "111500+ 10 C"], "published D", "publish prod-20261122-s101500"),
            (&["D 3 C", "101500+ 9 C", "111500+ 10 C"], "published 101500", "publish prod-20261122-s111500"),
            (&["D 3 C", "101500+ 9 C", "111500 10 C"], "published D", "publish prod-20261122-s111500"),
            (&["D 3 C", "101500+ 9 C"], "withdrawn D", "publish prod-20261122-s101500"),
            // a layer waits for what still runs below it, and for a base
            (&["D 3 C", "101500 8 R", "111500+ 9 C"], "published D", "rest"),
            (&["D 3 C", "101500 8 F", "111500+ 9 C"], "published D", "publish prod-20261122-s111500"),
            (&["D 3 C", "101500 10 R", "111500+ 9 C"], "published D", "publish prod-20261122-s111500"),
            (&["101500+ 9 C"], "nothing", "rest"),
            (&["D 3 F", "101500+ 9 C"], "nothing", "rest"),
            // the daily export writes into the day's prefix: nothing is published meanwhile
            (&["D 9 R", "021500 3 C"], "nothing", "rest"),
            (&["D 9 R", "021500 3 C"], "published 021500", "withdraw"),
            (&["D 9 R", "021500 3 C"], "withdrawn 021500", "rest"),
            (&["D 9 C", "021500 3 C"], "withdrawn 021500", "publish prod-20261122"),
            (&["D 9 F", "021500 3 C"], "withdrawn 021500", "restore"),
            (&["D 9 X", "021500 3 C"], "withdrawn 021500", "restore"),
        ];
        for (texts, stands, expected) in table {
            let tasks = tasks(texts);
            let step = match next_step(&tasks, &standing(stands, &tasks)) {
                Step::Publish(task) => format!("publish {}", task.id),
                step => format!("{step:?}").to_lowercase(),
            };
            assert_eq!(&step, expected, "{texts:?} with {stands}");
        }
    }

    #[test]
    fn a_layer_without_a_base_is_named() {
        let lonely = tasks(&["D 3 F", "101500+ 9 C"]);
        assert_eq!(without_base(&lonely, &Standing::Nothing).len(), 1);
        let waiting = tasks(&["D 3 R", "101500+ 9 C"]);
        assert_eq!(without_base(&waiting, &Standing::Nothing).len(), 0);
        let based = tasks(&["D 3 C", "101500+ 9 C"]);
        assert_eq!(without_base(&based, &standing("published D", &based)).len(), 0);
    }

    #[test]
    fn a_manifest_whose_task_rds_has_forgotten_is_replaced_by_newer_data_only() {
        let forgotten = tasks(&["D 3 C"]);
        let standing = Standing::Published(manifest(&forgotten[0]));
        assert_eq!(next_step(&tasks(&["101500 3 C"]), &standing), Step::Rest);
        assert!(matches!(next_step(&tasks(&["101500 4 C"]), &standing), Step::Publish(_)));
    }
}
