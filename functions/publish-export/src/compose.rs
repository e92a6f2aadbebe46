//! The manifest of a date: what was verified, over what the day already had.

use std::slice::from_ref;

use chrono::{DateTime, Utc};
use handoff::{
    ExportKey, ExportTaskId, MANIFEST_VERSION, Manifest, Table, TableName, TablePrefix, TableState, drift_between,
};

use crate::bucket::Object;
use crate::inventory::newest_parts;
use crate::task::Task;
use crate::verify::{Verified, VerifiedTable};
use crate::warnings::warnings;

/// The tables of `base` that a layer leaves as they are: those it does not name, and those it could not export.
pub(crate) fn kept_tables<'b>(base: Option<&'b Manifest>, verified: &Verified) -> Vec<&'b Table> {
    let replaced = |name: &TableName| {
        verified.tables.iter().any(|table| table.name == *name && table.state != TableState::Skipped)
    };
    base.into_iter().flat_map(|base| &base.tables).filter(|table| !replaced(&table.name)).collect()
}

/// What a day had before a publication.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before<'m> {
    /// The manifest that a layer is laid over, and nothing for a whole export.
    pub(crate) base: Option<&'m Manifest>,
    /// The manifest of an earlier date, or why it cannot be compared with.
    pub(crate) previous: Result<Option<&'m Manifest>, &'m str>,
}

/// `listing` is the day's prefix, staged.
pub(crate) fn manifest(
    task: &Task,
    verified: &Verified,
    before: Before<'_>,
    listing: &[Object],
    now: DateTime<Utc>,
) -> Manifest {
    let (env, export_date) = (task.id.environment().clone(), task.id.date());
    let kept = kept_tables(before.base, verified);
    let mut manifest = Manifest {
        version: MANIFEST_VERSION,
        task_id: task.id.clone(),
        tasks: tasks(task, before.base),
        snapshot_arn: task.source_arn.clone(),
        snapshot_time: task.snapshot_time,
        published_at: now,
        tables: tables(task, verified, before.base, &kept, listing),
        drift: Vec::new(),
        warnings: warnings(task, verified, before, &kept),
        env,
        export_date,
    };
    if let Ok(Some(previous)) = before.previous {
        manifest.drift = drift_between(previous, &manifest);
    }
    manifest
}

/// Those that lie below, and the one laid over them.
fn tasks(task: &Task, base: Option<&Manifest>) -> Vec<ExportTaskId> {
    let below = base.map_or(&[][..], |base| if base.tasks.is_empty() { from_ref(&base.task_id) } else { &base.tasks });
    below.iter().filter(|below| **below != task.id).chain([&task.id]).cloned().collect()
}

fn tables(
    task: &Task,
    verified: &Verified,
    base: Option<&Manifest>,
    kept: &[&Table],
    listing: &[Object],
) -> Vec<Table> {
    let new = verified.tables.iter().filter(|table| !kept.iter().any(|kept| kept.name == table.name));
    let mut tables: Vec<Table> = new.map(|table| entry(task, table)).collect();
    tables.extend(kept.iter().map(|table| standing(table, base)));
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    let day = ExportKey::DayPrefix(task.id.environment(), task.id.date()).to_string();
    let newest = newest_parts(&day, listing);
    for table in tables.iter_mut().filter(|table| table.parts > 0) {
        table.newest_part_at = newest.get(table.prefix.as_str()).copied();
    }
    tables
}

/// A table that stays as it is. A whole export that an older release published did not say that it wrote each of them.
fn standing(table: &Table, base: Option<&Manifest>) -> Table {
    let of_base = base.filter(|base| table.state != TableState::Skipped && !base.task_id.is_spot());
    let mut table = table.clone();
    table.task_id = table.task_id.or_else(|| of_base.map(|base| base.task_id.clone()));
    table.snapshot_time = table.snapshot_time.or_else(|| of_base.map(|base| base.snapshot_time));
    table
}

fn entry(task: &Task, table: &VerifiedTable) -> Table {
    let is_known = table.state != TableState::Skipped;
    Table {
        name: table.name.clone(),
        prefix: TablePrefix::of_day(task.id.environment(), task.id.date(), &table.name).to_string(),
        state: table.state,
        rows: table.rows,
        bytes: table.parts.iter().map(|part| part.size).sum(),
        parts: table.parts.len() as u64,
        task_id: is_known.then(|| task.id.clone()),
        snapshot_time: is_known.then_some(task.snapshot_time),
        newest_part_at: None,
        columns: table.columns.clone(),
    }
}

/// Tables that had rows the day before and have none now: as likely an accident as a fact.
pub(crate) fn emptied<'m>(previous: Option<&Manifest>, manifest: &'m Manifest) -> Vec<&'m TableName> {
    let had_rows = |name: &TableName| previous.and_then(|p| p.table(name)).is_some_and(|table| table.rows > 0);
    let empty = manifest.tables.iter().filter(|table| table.state == TableState::Empty);
    empty.map(|table| &table.name).filter(|name| had_rows(name)).collect()
}

pub(crate) fn skipped(manifest: &Manifest) -> Vec<&TableName> {
    let skipped = manifest.tables.iter().filter(|table| table.state == TableState::Skipped);
    skipped.map(|table| &table.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn verified(tables: &[(&str, TableState, u64)]) -> Verified {
        let table = |(name, state, rows): &(&str, TableState, u64)| VerifiedTable {
            name: name.parse().unwrap(),
            state: *state,
            rows: *rows,
            columns: vec![],
            parts: (*rows > 0).then(|| samples::object("k", 10)).into_iter().collect(),
            warning: (*state == TableState::Skipped).then(|| format!("{name}: too wide")),
        };
        Verified { tables: tables.iter().map(table).collect(), news: vec![] }
    }

    fn shape(manifest: &Manifest) -> Vec<(String, u64)> {
        manifest.tables.iter().map(|table| (table.name.to_string(), table.rows)).collect()
    }

    #[test]
    fn a_layer_replaces_its_own_tables_and_leaves_the_others() {
        let daily = samples::task("prod-20261122", "2026-11-21T17:05:00Z");
        let mut base = samples::manifest(&daily);
        base.tables = vec![
            samples::table("shop.a", 1, 1, 1),
            samples::table("shop.b", 2, 1, 1),
            samples::table("shop.d", 4, 1, 1),
        ];
        let spot = samples::task("prod-20261122-s101500", "2026-11-22T01:00:00Z");
        let layer = verified(&[
            ("shop.c", TableState::Exported, 30),
            ("shop.b", TableState::Exported, 20),
            ("shop.d", TableState::Skipped, 0),
        ]);
        let now = "2026-11-22T02:00:00Z".parse().unwrap();
        let before = Before { base: Some(&base), previous: Ok(None) };
        let manifest = manifest(&spot, &layer, before, &[], now);
        let expected = [("shop.a", 1), ("shop.b", 20), ("shop.c", 30), ("shop.d", 4)];
        assert_eq!(shape(&manifest), expected.map(|(name, rows)| (name.to_owned(), rows)));
        assert_eq!(manifest.table(&"shop.b".parse().unwrap()).unwrap().prefix, "prod-20261122/shop/shop.b/");
        assert_eq!((&manifest.task_id, manifest.snapshot_time), (&spot.id, spot.snapshot_time));
        Manifest::parse(&manifest.to_json(), spot.id.environment(), spot.id.date()).unwrap();
    }

    #[test]
    fn each_table_tells_its_own_age_and_the_day_every_export_it_is_made_of() {
        let daily = samples::task("prod-20261122", "2026-11-21T17:05:00Z");
        let whole = verified(&[
            ("shop.a", TableState::Exported, 1),
            ("shop.b", TableState::Empty, 0),
            ("shop.c", TableState::Skipped, 0),
        ]);
        let at = |hour: i64| DateTime::from_timestamp(hour * 3600, 0).unwrap();
        let part = |key: &str, hour| Object { last_modified: Some(at(hour)), ..samples::object(key, 10) };
        let a = "prod-20261122/shop/shop.a/1/part-0.parquet";
        let base = manifest(&daily, &whole, Before { base: None, previous: Ok(None) }, &[part(a, 1)], at(9));

        let first = samples::task("prod-20261122-s101500", "2026-11-22T01:00:00Z");
        let layer = verified(&[("shop.b", TableState::Exported, 2)]);
        let parts = [part(a, 1), part("prod-20261122/shop/shop.b/1/part-0.s101500.parquet", 5)];
        let over = Before { base: Some(&base), previous: Ok(None) };
        let first_layer = manifest(&first, &layer, over, &parts, at(9));
        let second = samples::task("prod-20261122-s111500", "2026-11-22T02:00:00Z");
        let layer = verified(&[("shop.c", TableState::Empty, 0)]);
        let over = Before { base: Some(&first_layer), previous: Ok(None) };
        let manifest = manifest(&second, &layer, over, &parts, at(9));

        assert_eq!(base.tasks, from_ref(&daily.id));
        assert_eq!(base.tables[2].task_id, None, "nothing is known of a skipped table");
        assert_eq!(manifest.tasks, [daily.id.clone(), first.id.clone(), second.id.clone()]);
        assert_eq!(manifest.snapshot_time, second.snapshot_time);
        let of = |table: &Table| (table.task_id.clone(), table.snapshot_time, table.newest_part_at);
        let expected = [(&daily, Some(at(1))), (&first, Some(at(5))), (&second, None)];
        let expected = expected.map(|(task, newest)| (Some(task.id.clone()), Some(task.snapshot_time), newest));
        assert_eq!(manifest.tables.iter().map(of).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_whole_export_that_an_older_release_published_wrote_each_of_its_tables() {
        let mut base = samples::manifest(&samples::task("prod-20261122", "2026-11-21T17:05:00Z"));
        base.tables = vec![samples::table("shop.a", 1, 1, 1)];
        let spot = samples::task("prod-20261122-s101500", "2026-11-22T01:00:00Z");
        let layer = verified(&[("shop.b", TableState::Exported, 2)]);
        let over = |base: &Manifest| {
            manifest(&spot, &layer, Before { base: Some(base), previous: Ok(None) }, &[], spot.snapshot_time)
        };
        let told = over(&base);
        assert_eq!(told.tasks, [base.task_id.clone(), spot.id.clone()]);
        let first = (told.tables[0].task_id.clone(), told.tables[0].snapshot_time);
        assert_eq!(first, (Some(base.task_id.clone()), Some(base.snapshot_time)));
        // A layered day of that release does not tell which of its exports wrote a table.
        base.task_id = "prod-20261122-s091500".parse().unwrap();
        assert_eq!((&over(&base).tables[0].task_id, over(&base).tables[0].snapshot_time), (&None, None));
    }

    #[test]
    fn a_table_that_lost_all_its_rows_is_told_and_one_that_never_had_any_is_not() {
        let task = samples::task("prod-20261122", "2026-11-21T17:05:00Z");
        let mut previous = samples::manifest(&samples::task("prod-20261121", "2026-11-20T17:05:00Z"));
        previous.tables = vec![samples::table("shop.a", 5, 1, 1), samples::table("shop.b", 0, 0, 0)];
        let now = verified(&[
            ("shop.a", TableState::Empty, 0),
            ("shop.b", TableState::Empty, 0),
            ("shop.c", TableState::Empty, 0),
        ]);
        let before = Before { base: None, previous: Ok(Some(&previous)) };
        let manifest = manifest(&task, &now, before, &[], task.snapshot_time);
        assert_eq!(emptied(Some(&previous), &manifest), [&"shop.a".parse::<TableName>().unwrap()]);
        assert_eq!(emptied(None, &manifest), [] as [&TableName; 0]);
        assert_eq!(manifest.drift.iter().map(ToString::to_string).collect::<Vec<_>>(), ["table shop.c was added"]);
    }
}
