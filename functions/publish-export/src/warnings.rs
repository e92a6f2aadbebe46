//! What the manifest says in words: what RDS said, and what is odd about an export.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use handoff::{Manifest, Table};

use crate::compose::Before;
use crate::task::Task;
use crate::verify::Verified;

/// The nightly backup comes shortly before the export: an older snapshot means that one was late or failed.
const OLD_SNAPSHOT: TimeDelta = TimeDelta::hours(6);

/// `kept` are the tables of the base that stay as they are.
pub(crate) fn warnings(task: &Task, verified: &Verified, before: Before<'_>, kept: &[&Table]) -> Vec<String> {
    let said = verified.tables.iter().filter_map(|table| table.warning.clone());
    let odd = old_snapshot(task).into_iter().chain(before.previous.err().map(str::to_owned));
    let mut warnings: Vec<String> = said.chain(verified.news.iter().cloned()).chain(odd).collect();
    warnings
        .extend(standing_warnings(before.base, kept).filter(|warning| !warnings.contains(warning)).collect::<Vec<_>>());
    warnings
}

/// The export is whole and counts; only somebody should know that it was not last night's.
fn old_snapshot(task: &Task) -> Option<String> {
    let age = task.started_at - task.snapshot_time;
    (age > OLD_SNAPSHOT).then(|| {
        let (id, at, hours) = (&task.id, task.snapshot_time.format("%Y-%m-%d %H:%M UTC"), age.num_hours());
        format!("{id}: its snapshot of {at} was {hours} hours old when the export began")
    })
}

/// What was said about the tables that stay, and about the exports that wrote them.
fn standing_warnings<'a>(base: Option<&'a Manifest>, kept: &'a [&Table]) -> impl Iterator<Item = String> + 'a {
    let tables = kept.iter().map(|table| table.name.to_string());
    let tasks = base.into_iter().flat_map(|base| &base.tasks).map(ToString::to_string);
    let stands: BTreeSet<String> = tables.chain(tasks).collect();
    let of_kept = move |warning: &&String| warning.match_indices(": ").any(|(at, _)| stands.contains(&warning[..at]));
    base.into_iter().flat_map(|base| &base.warnings).filter(of_kept).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    const FIRST: Before<'static> = Before { base: None, previous: Ok(None) };
    const NEWS_ONLY: Verified = Verified { tables: Vec::new(), news: Vec::new() };

    #[test]
    fn what_was_said_about_tables_that_stay_is_said_again() {
        let mut base = samples::manifest(&samples::task("prod-20261122", "2026-11-21T17:05:00Z"));
        base.tasks = vec![base.task_id.clone()];
        let stays = ["shop.a: slow", "shop.`core.user`: slow: very", "prod-20261122: its snapshot was old"];
        let goes = ["shop.b: slow", "shop.core.user: other", "general: slow"];
        base.warnings = stays.iter().chain(&goes).map(ToString::to_string).collect();
        let kept = [samples::table("shop.a", 1, 1, 1), samples::table("shop.`core.user`", 1, 1, 1)];
        let spot = samples::task("prod-20261122-s101500", "2026-11-22T01:00:00Z");
        let verified = Verified { news: vec!["general: new".into()], ..NEWS_ONLY };
        let told = warnings(&spot, &verified, Before { base: Some(&base), ..FIRST }, &kept.iter().collect::<Vec<_>>());
        assert_eq!(told, [&["general: new"], &stays[..]].concat());
    }

    #[test]
    fn a_snapshot_that_was_old_when_its_export_began_is_told() {
        let mut task = samples::task("prod-20261122", "2026-11-21T10:05:00Z");
        task.started_at = task.snapshot_time + OLD_SNAPSHOT;
        assert_eq!(warnings(&task, &NEWS_ONLY, FIRST, &[]), [] as [&str; 0]);
        task.started_at += TimeDelta::minutes(90);
        let told = "prod-20261122: its snapshot of 2026-11-21 10:05 UTC was 7 hours old when the export began";
        assert_eq!(warnings(&task, &NEWS_ONLY, FIRST, &[]), [told]);
    }
}
