//! The manifest of a date: what was verified, over what the day already had.

use chrono::{DateTime, Utc};
use handoff::{MANIFEST_VERSION, Manifest, Table, TableName, TablePrefix, TableState, drift_between};

use crate::task::Task;
use crate::verify::{Verified, VerifiedTable};

/// The tables of `base` that a layer leaves as they are: those it does not name, and those it could not export.
pub(crate) fn kept_tables<'b>(base: Option<&'b Manifest>, verified: &Verified) -> Vec<&'b Table> {
    let replaced = |name: &TableName| {
        verified.tables.iter().any(|table| table.name == *name && table.state != TableState::Skipped)
    };
    base.into_iter().flat_map(|base| &base.tables).filter(|table| !replaced(&table.name)).collect()
}

/// `base` is the manifest that a layer is laid over, and nothing for a whole export.
pub(crate) fn manifest(
    task: &Task,
    verified: &Verified,
    base: Option<&Manifest>,
    previous: Option<&Manifest>,
    now: DateTime<Utc>,
) -> Manifest {
    let kept = kept_tables(base, verified);
    let new = verified.tables.iter().filter(|table| !kept.iter().any(|kept| kept.name == table.name));
    let mut tables: Vec<Table> = new.map(|table| entry(task, table)).collect();
    tables.extend(kept.iter().copied().cloned());
    tables.sort_by(|a, b| a.name.cmp(&b.name));

    let said = verified.tables.iter().filter_map(|table| table.warning.clone());
    let mut warnings: Vec<String> = said.chain(verified.news.iter().cloned()).collect();
    warnings.extend(standing_warnings(base, &kept).filter(|warning| !warnings.contains(warning)).collect::<Vec<_>>());
    let mut manifest = Manifest {
        version: MANIFEST_VERSION,
        env: task.id.environment().clone(),
        export_date: task.id.date(),
        task_id: task.id.clone(),
        tasks: Vec::new(),
        snapshot_arn: task.source_arn.clone(),
        snapshot_time: task.snapshot_time,
        published_at: now,
        tables,
        drift: Vec::new(),
        warnings,
    };
    manifest.drift = previous.map(|previous| drift_between(previous, &manifest)).unwrap_or_default();
    manifest
}

/// What was said about the tables that stay.
fn standing_warnings<'a>(base: Option<&'a Manifest>, kept: &'a [&Table]) -> impl Iterator<Item = String> + 'a {
    let of_kept = |warning: &&String| kept.iter().any(|table| warning.starts_with(&format!("{}: ", table.name)));
    base.into_iter().flat_map(|base| &base.warnings).filter(of_kept).cloned()
}

fn entry(task: &Task, table: &VerifiedTable) -> Table {
    Table {
        name: table.name.clone(),
        prefix: TablePrefix::of_day(task.id.environment(), task.id.date(), &table.name).to_string(),
        state: table.state,
        rows: table.rows,
        bytes: table.parts.iter().map(|part| part.size).sum(),
        parts: table.parts.len() as u64,
        task_id: None,
        snapshot_time: None,
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
    use crate::bucket::Object;
    use crate::samples;

    fn verified(tables: &[(&str, TableState, u64)]) -> Verified {
        let table = |(name, state, rows): &(&str, TableState, u64)| VerifiedTable {
            name: name.parse().unwrap(),
            state: *state,
            rows: *rows,
            columns: vec![],
            parts: (*rows > 0).then(|| Object { key: "k".into(), size: 10 }).into_iter().collect(),
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
        base.warnings = vec!["shop.a: slow".into(), "shop.b: slow".into(), "general: slow".into()];
        let spot = samples::task("prod-20261122-s101500", "2026-11-22T01:00:00Z");
        let layer = verified(&[
            ("shop.c", TableState::Exported, 30),
            ("shop.b", TableState::Exported, 20),
            ("shop.d", TableState::Skipped, 0),
        ]);
        let now = "2026-11-22T02:00:00Z".parse().unwrap();
        let manifest = manifest(&spot, &layer, Some(&base), None, now);
        let expected = [("shop.a", 1), ("shop.b", 20), ("shop.c", 30), ("shop.d", 4)];
        assert_eq!(shape(&manifest), expected.map(|(name, rows)| (name.to_owned(), rows)));
        assert_eq!(manifest.warnings, ["shop.d: too wide", "shop.a: slow"]);
        assert_eq!(manifest.table(&"shop.b".parse().unwrap()).unwrap().prefix, "prod-20261122/shop/shop.b/");
        assert_eq!((&manifest.task_id, manifest.snapshot_time), (&spot.id, spot.snapshot_time));
        Manifest::parse(&manifest.to_json(), spot.id.environment(), spot.id.date()).unwrap();
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
        let manifest = manifest(&task, &now, None, Some(&previous), task.snapshot_time);
        assert_eq!(emptied(Some(&previous), &manifest), [&"shop.a".parse::<TableName>().unwrap()]);
        assert_eq!(emptied(None, &manifest), [] as [&TableName; 0]);
        assert_eq!(manifest.drift.iter().map(ToString::to_string).collect::<Vec<_>>(), ["table shop.c was added"]);
    }
}
