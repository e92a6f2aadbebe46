//! What the demo ends with: the proof, and the figures.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use super::direct::Ends;
use super::layers::{self, Relation};
use super::lookup::{Application, Asked};
use super::reload::Reload;
use super::reverse::{Published, Written};
use super::spot::Spot;
use super::steps::grouped;
use super::sync::LATE;
use crate::cloud::Cloud;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The database's server.
    pub(super) source: &'static str,
    pub(super) tables: BTreeMap<String, Counts>,
    pub(super) spot: Spot,
    pub(super) reload: Reload,
    pub(super) layers: Vec<Relation>,
    /// Read from the database without an export.
    pub(super) direct: BTreeMap<String, Ends>,
    pub(super) syncs: BTreeMap<String, Published>,
    pub(super) object: Object,
    pub(super) lookups: Vec<Asked>,
    pub(super) seconds: BTreeMap<&'static str, f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) source: u64,
    pub(super) manifest: u64,
    pub(super) bigquery: u64,
}

/// One row as an application gets it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) body: String,
}

impl Object {
    pub(super) fn find(cloud: &Cloud) -> Result<Self> {
        let (store, name) = (cloud.s3.store(), format!("/{LATE}.json"));
        let key = store.keys(&cloud.app_bucket, "planes/").into_iter().find(|key| key.ends_with(&name));
        let key = key.with_context(|| format!("no object is published for {LATE}"))?;
        let object = store.get(&cloud.app_bucket, &key).with_context(|| format!("{key} is gone"))?;
        Ok(Self { key, body: String::from_utf8(object.bytes.to_vec())? })
    }
}

impl Report {
    pub(super) fn print(&self) {
        eprintln!("\n  {:<24}{:>12}{:>12}{:>12}", "table", self.source, "manifest", "BigQuery");
        for (table, counts) in &self.tables {
            let numbers = [counts.source, counts.manifest, counts.bigquery].map(grouped);
            eprintln!("  {table:<24}{:>12}{:>12}{:>12}  {}", numbers[0], numbers[1], numbers[2], mark(counts.agree()));
        }
        eprintln!("\n  {:<24}{:<32}{:>4}", "layer", "model", "rows");
        for Relation { layer, name, rows } in &self.layers {
            eprintln!("  {layer:<24}{name:<28}{:>8}", grouped(*rows));
        }
        eprintln!("\n  {:<24}{:>12}{:>12}", "directly", self.source, "BigQuery");
        for (table, ends) in &self.direct {
            let [source, bigquery] = [ends.source, ends.bigquery].map(|end| grouped(end.rows));
            eprintln!("  {table:<24}{source:>12}{bigquery:>12}  {}", mark(ends.agree()));
        }
        eprintln!("\n  {:<24}{:>12}{:>12}   {:>27}", "sync", "BigQuery", "S3", "PUTs: first, again, changed");
        for (name, sync) in &self.syncs {
            let name = format!("{name} ({})", sync.layout.name());
            let counts = [sync.bigquery, sync.s3].map(grouped);
            let puts = [sync.first, sync.unchanged, sync.changed].map(|run| grouped(run.puts));
            let mark = mark(sync.problem().is_none());
            eprintln!(
                "  {name:<24}{:>12}{:>12}{:>14}{:>7}{:>9}  {mark}",
                counts[0], counts[1], puts[0], puts[1], puts[2]
            );
        }
        eprintln!("\n  GET {}\n  {}", self.object.key, self.object.body);
    }

    /// What lookup gave is looked at beside what is published now.
    pub(super) fn check_lookups(&self) -> Result<()> {
        Application::check(&self.lookups, &self.object.body)
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong: Vec<&str> = self.tables.iter().filter(|(_, c)| !c.agree()).map(|(name, _)| name.as_str()).collect();
        ensure!(wrong.is_empty(), "row counts differ for {}", wrong.join(", "));
        ensure!(self.spot.runs == 1, "a spot export of one table started {} transfer runs", self.spot.runs);
        if let Some(problem) = self.reload.problem(self.tables.len()) {
            bail!(problem);
        }
        let unequal: Vec<&str> =
            self.direct.iter().filter(|(_, e)| !e.agree()).map(|(name, _)| name.as_str()).collect();
        ensure!(unequal.is_empty(), "read directly, the rows differ of {}", unequal.join(", "));
        let lost = layers::problems(&self.layers, |table| self.tables.get(table).map(|counts| counts.bigquery));
        let problems = self.syncs.iter().filter_map(|(name, sync)| Some(format!("{name}: {}", sync.problem()?)));
        let problems: Vec<String> = lost.into_iter().chain(problems).collect();
        ensure!(problems.is_empty(), "{}", problems.join("; "));
        Ok(())
    }
}

impl Published {
    fn problem(&self) -> Option<String> {
        let Self { bigquery, s3, equal, first, unchanged, changed, .. } = *self;
        if s3 != bigquery || equal != bigquery || bigquery == 0 {
            let difference = self.difference.as_ref().map_or(String::new(), |row| format!(": {row}"));
            return Some(format!("{bigquery} rows in BigQuery, {s3} in S3, {equal} of them equal{difference}"));
        }
        if unchanged != Written::default() {
            return Some(format!("nothing had changed, but the run wrote {unchanged:?}"));
        }
        let few = 1..first.rows() / 10;
        let message = format!("a little had changed, but the run wrote {changed:?}");
        (!few.contains(&changed.rows())).then_some(message)
    }
}

fn mark(right: bool) -> &'static str {
    if right { "✓" } else { "✗" }
}

impl Counts {
    fn agree(self) -> bool {
        self.source == self.manifest && self.manifest == self.bigquery
    }
}

#[cfg(test)]
mod tests {
    use super::super::direct::Fingerprint;
    use super::super::sync::Layout;
    use super::*;

    fn report(tables: &[(&str, Counts)], syncs: &[(&str, Published)]) -> Report {
        let tables: BTreeMap<_, _> = tables.iter().map(|(name, counts)| ((*name).to_owned(), *counts)).collect();
        let syncs = syncs.iter().map(|(name, sync)| ((*name).to_owned(), sync.clone())).collect();
        let spot = Spot { table: "airlines", runs: 1 };
        let (object, lookups, seconds) = (Object::default(), Vec::new(), BTreeMap::new());
        let all = tables.len() as u64;
        let (reload, layers) = (Reload { yesterday: all, today: all, once_more: 0 }, Vec::new());
        let direct = BTreeMap::new();
        Report { source: "MariaDB", tables, spot, reload, layers, direct, syncs, object, lookups, seconds }
    }

    #[test]
    fn a_load_that_transfers_too_little_or_too_much_fails_the_demo() {
        let right = Counts { source: 1, manifest: 1, bigquery: 1 };
        let good = || report(&[("planes", right), ("flights", right)], &[]);
        assert!(good().check().is_ok());
        let all = Reload { yesterday: 2, today: 2, once_more: 0 };
        for reload in [Reload { yesterday: 0, ..all }, Reload { today: 1, ..all }, Reload { once_more: 2, ..all }] {
            let error = Report { reload, ..good() }.check().unwrap_err().to_string();
            assert!(error.starts_with("transfer runs of an older day and back"), "{error}");
        }
        let spot = Spot { table: "airlines", runs: 2 };
        let error = Report { spot, ..good() }.check().unwrap_err().to_string();
        assert_eq!(error, "a spot export of one table started 2 transfer runs");
    }

    #[test]
    fn a_row_that_differs_when_read_directly_fails_the_demo() {
        let (row, other) = (Fingerprint { rows: 1, hashes: 7 }, Fingerprint { rows: 1, hashes: 8 });
        let with = |bigquery| Report {
            direct: [("planes".into(), Ends { source: row, bigquery })].into(),
            ..report(&[], &[])
        };
        assert!(with(row).check().is_ok());
        assert_eq!(with(other).check().unwrap_err().to_string(), "read directly, the rows differ of planes");
    }

    #[test]
    fn a_count_that_differs_anywhere_fails_the_demo_and_names_the_table() {
        let right = Counts { source: 1, manifest: 1, bigquery: 1 };
        assert!(report(&[("planes", right)], &[]).check().is_ok());
        for wrong in [Counts { source: 2, ..right }, Counts { manifest: 2, ..right }, Counts { bigquery: 0, ..right }] {
            let error = report(&[("planes", right), ("flights", wrong)], &[]).check().unwrap_err();
            assert_eq!(error.to_string(), "row counts differ for flights");
        }
    }

    #[test]
    fn a_sync_that_lacks_a_row_or_writes_too_much_fails_the_demo() {
        let wrote = |created, updated, deleted| Written { created, updated, deleted, puts: created + updated };
        let right = Published {
            layout: Layout::Objects,
            bigquery: 99,
            s3: 99,
            equal: 99,
            difference: None,
            first: wrote(100, 0, 0),
            unchanged: wrote(0, 0, 0),
            changed: wrote(0, 1, 1),
        };
        assert!(report(&[], &[("planes", right.clone())]).check().is_ok());
        for (wrong, says) in [
            (
                Published { s3: 98, equal: 98, ..right.clone() },
                "routes: 99 rows in BigQuery, 98 in S3, 98 of them equal",
            ),
            (Published { s3: 100, ..right.clone() }, "routes: 99 rows in BigQuery, 100 in S3"),
            (
                Published { equal: 98, difference: Some("{} is not in S3".into()), ..right.clone() },
                "routes: 99 rows in BigQuery, 99 in S3, 98 of them equal: {} is not in S3",
            ),
            (Published { bigquery: 0, s3: 0, equal: 0, ..right.clone() }, "routes: 0 rows in BigQuery"),
            (Published { unchanged: wrote(0, 1, 0), ..right.clone() }, "routes: nothing had changed"),
            (Published { changed: wrote(0, 0, 0), ..right.clone() }, "routes: a little had changed"),
            (Published { changed: wrote(0, 99, 0), ..right.clone() }, "routes: a little had changed"),
        ] {
            let error = report(&[], &[("planes", right.clone()), ("routes", wrong)]).check().unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
    }
}
