//! Making the day's prefix hold exactly the parts that the manifest is about to stand for. BigQuery loads whatever lies
//! in a table's folder, and RDS never writes a name twice, so an old part that stays doubles rows.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use handoff::{PartKey, Table, TablePrefix, TaskKind, is_leftover, origin_of, staged_key};
use tracing::info;

use crate::Error;
use crate::bucket::{Bucket, Object};
use crate::inventory::is_parquet;
use crate::task::{Status, Task};
use crate::verify::Verified;

/// Server-side copies in flight; S3 takes 3,500 writes a second for a prefix.
const COPIES_AT_ONCE: usize = 32;

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>. RDS's parts have about 1 GB.
const LARGEST_COPY: u64 = 5 << 30;

/// The Parquet objects that the day's prefix shall hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// By the key of the copy, the spot export's part.
    pub(crate) copies: BTreeMap<String, Object>,
    /// Keys that are in place.
    pub(crate) kept: BTreeSet<String>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) delete: Vec<String>,
    /// From, to.
    pub(crate) copy: Vec<(String, String)>,
}

impl Plan {
    pub(crate) fn is_empty(&self) -> bool {
        self.delete.is_empty() && self.copy.is_empty()
    }
}

/// The daily export is in place: RDS wrote it here. A table that RDS gave up may have left parts: they are its own. What
/// Spark left behind would be loaded with them.
pub(crate) fn target_of_daily(listing: &[Object]) -> Target {
    let own = |key: &&String| is_parquet(key) && !is_leftover(key) && origin_of(key) == TaskKind::Daily;
    let kept = listing.iter().map(|object| &object.key).filter(own).cloned().collect();
    Target { copies: BTreeMap::new(), kept }
}

/// Copies of everything that the spot export verified, beside what `kept` tables have here already.
pub(crate) fn target_of_spot(task: &Task, verified: &Verified, kept: BTreeSet<String>) -> Result<Target, String> {
    let mut copies = BTreeMap::new();
    for part in verified.tables.iter().flat_map(|table| &table.parts) {
        if part.size > LARGEST_COPY {
            return Err(format!("{} has {} bytes and one copy takes {LARGEST_COPY}", part.key, part.size));
        }
        let to = staged_key(&task.id, &part.key).ok_or_else(|| format!("{} is not a part of it", part.key))?;
        copies.insert(to, part.clone());
    }
    Ok(Target { copies, kept })
}

/// The parts here that make up `tables` as a manifest counted them. A table's parts all come from one export, so an
/// interrupted export's leftovers in its folder are told apart by their origin.
pub(crate) fn parts_of<'t>(
    tables: impl IntoIterator<Item = &'t Table>,
    prefix: impl Fn(&Table) -> TablePrefix,
    listing: &[Object],
) -> Result<BTreeSet<String>, String> {
    let mut kept = BTreeSet::new();
    for table in tables.into_iter().filter(|table| table.parts > 0) {
        let prefix = prefix(table);
        let mut by_origin: BTreeMap<TaskKind, Vec<&Object>> = BTreeMap::new();
        for object in listing {
            if let Some(PartKey::Part { .. }) = PartKey::parse(&prefix, &object.key) {
                by_origin.entry(origin_of(&object.key)).or_default().push(object);
            }
        }
        let size = |parts: &[&Object]| (parts.len() as u64, parts.iter().map(|part| part.size).sum::<u64>());
        let found = by_origin.values().find(|parts| size(parts) == (table.parts, table.bytes));
        let found = found.ok_or_else(|| {
            let (name, parts, bytes) = (&table.name, table.parts, table.bytes);
            format!("the {parts} parts of {bytes} bytes that the manifest counts for {name} are not in {prefix}")
        })?;
        kept.extend(found.iter().map(|part| part.key.clone()));
    }
    Ok(kept)
}

/// What to do so that `listing`, of the day's prefix, becomes the target. `daily` is the date's daily task, if RDS
/// knows one.
pub(crate) fn plan(target: &Target, listing: &[Object], daily: Option<Status>) -> Result<Plan, String> {
    let here: BTreeMap<&str, u64> = listing.iter().map(|object| (object.key.as_str(), object.size)).collect();
    let wanted = |key: &String| target.kept.contains(key) || target.copies.contains_key(key);
    let foreign = listing.iter().map(|object| &object.key).filter(|key| is_parquet(key) && !wanted(key));
    let delete: Vec<String> = foreign.cloned().collect();
    // RDS may have started since its tasks were read: what it writes now must not be taken for leftovers.
    if let Some(key) = delete.iter().find(|key| daily.is_none() && origin_of(key) == TaskKind::Daily) {
        return Err(format!("{key} is of a daily export that RDS did not name: the next run knows more"));
    }
    let missing = target.copies.iter().filter(|(to, from)| here.get(to.as_str()) != Some(&from.size));
    Ok(Plan { delete, copy: missing.map(|(to, from)| (from.key.clone(), to.clone())).collect() })
}

/// What `listing` still lacks, or has too much.
pub(crate) fn check(target: &Target, listing: &[Object]) -> Result<(), String> {
    let here: BTreeMap<&str, u64> =
        listing.iter().filter(|object| is_parquet(&object.key)).map(|o| (o.key.as_str(), o.size)).collect();
    for (to, from) in &target.copies {
        match here.get(to.as_str()) {
            Some(size) if *size == from.size => {}
            Some(size) => return Err(format!("{to} has {size} bytes, its original {}", from.size)),
            None => return Err(format!("{to} is missing")),
        }
    }
    if let Some(key) = target.kept.iter().find(|key| !here.contains_key(key.as_str())) {
        return Err(format!("{key} is missing"));
    }
    match here.keys().find(|key| !target.kept.contains(**key) && !target.copies.contains_key(**key)) {
        Some(key) => Err(format!("{key} does not belong here")),
        None => Ok(()),
    }
}

/// Deletes first: if we die between the two, less is here than should be, and no manifest says otherwise.
pub(crate) async fn carry_out(bucket: Bucket<'_>, plan: &Plan, kms_key_id: Option<&str>) -> Result<(), Error> {
    info!(
        deletes = plan.delete.len(),
        copies = plan.copy.len(),
        "staging: {} to delete, {} to copy",
        plan.delete.len(),
        plan.copy.len()
    );
    bucket.delete(&plan.delete).await?;
    let copies = stream::iter(&plan.copy).map(|(from, to)| bucket.copy(from, to, kms_key_id));
    copies.buffer_unordered(COPIES_AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{self, table, task};
    use crate::verify::VerifiedTable;
    use handoff::{TableName, TableState};

    fn objects(objects: &[(&str, u64)]) -> Vec<Object> {
        objects.iter().map(|(key, size)| samples::object(key, *size)).collect()
    }

    fn verified(parts: &[(&str, u64)]) -> Verified {
        let name: TableName = "shop.a".parse().unwrap();
        let parts = objects(parts);
        let table = VerifiedTable { name, state: TableState::Exported, rows: 1, columns: vec![], parts, warning: None };
        Verified { tables: vec![table], news: vec![] }
    }

    const SPOT_PART: &str = "prod-20261122-s101500/shop/shop.a/1/part-00000-x-c000.gz.parquet";
    const COPY: &str = "prod-20261122/shop/shop.a/1/part-00000-x-c000.gz.s101500.parquet";
    const DAILY: &str = "prod-20261122/shop/shop.a/1/part-00000-y-c000.gz.parquet";
    const OTHER: &str = "prod-20261122/shop/shop.gone/1/part-00000-z-c000.gz.parquet";
    const INFO: &str = "prod-20261122/export_info_prod-20261122.json";

    #[test]
    fn a_spot_export_clears_what_is_foreign_and_copies_what_is_missing() {
        let task = task("prod-20261122-s101500", "2026-11-22T01:00:00Z");
        let target = target_of_spot(&task, &verified(&[(SPOT_PART, 7)]), BTreeSet::new()).unwrap();
        let before = objects(&[(INFO, 1), (DAILY, 9), (OTHER, 9)]);
        let first = plan(&target, &before, Some(Status::Complete)).unwrap();
        assert_eq!(first.delete, [DAILY, OTHER]);
        assert_eq!(first.copy, [(SPOT_PART.to_owned(), COPY.to_owned())]);
        assert_eq!(check(&target, &before), Err(format!("{COPY} is missing")));

        let after = objects(&[(INFO, 1), (COPY, 7)]);
        assert!(plan(&target, &after, Some(Status::Complete)).unwrap().is_empty());
        assert_eq!(check(&target, &after), Ok(()));

        let half = objects(&[(COPY, 3), (OTHER, 9)]);
        let again = plan(&target, &half, Some(Status::Complete)).unwrap();
        assert_eq!((again.delete.len(), again.copy.len()), (1, 1));
        assert_eq!(check(&target, &half), Err(format!("{COPY} has 3 bytes, its original 7")));
    }

    #[test]
    fn the_daily_export_keeps_its_own_parts_and_loses_the_copies_and_leftovers() {
        let leftover = "prod-20261122/shop/shop.a/_temporary/0/part-00000-y-c000.gz.parquet";
        let listing = objects(&[(INFO, 1), (COPY, 7), (DAILY, 9), (leftover, 9)]);
        let target = target_of_daily(&listing);
        assert_eq!(plan(&target, &listing, Some(Status::Complete)).unwrap().delete, [COPY, leftover]);
        assert_eq!(check(&target, &listing), Err(format!("{COPY} does not belong here")));
    }

    #[test]
    fn parts_that_rds_may_be_writing_now_are_not_deleted() {
        let task = task("prod-20261122-s101500", "2026-11-22T01:00:00Z");
        let target = target_of_spot(&task, &verified(&[(SPOT_PART, 7)]), BTreeSet::new()).unwrap();
        let told = plan(&target, &objects(&[(DAILY, 9)]), None).unwrap_err();
        assert_eq!(told, format!("{DAILY} is of a daily export that RDS did not name: the next run knows more"));
    }

    #[test]
    fn the_parts_that_a_manifest_counted_are_found_by_their_origin() {
        let task = task("prod-20261122", "2026-11-21T17:05:00Z");
        let prefix = |table: &Table| TablePrefix::of_day(task.id.environment(), task.id.date(), &table.name);
        let listing = objects(&[(COPY, 7), (DAILY, 9), (OTHER, 9)]);
        let daily = parts_of(&[table("shop.a", 5, 1, 9)], prefix, &listing).unwrap();
        assert_eq!(daily, BTreeSet::from([DAILY.to_owned()]));
        let spot = parts_of(&[table("shop.a", 5, 1, 7), table("shop.gone", 0, 0, 0)], prefix, &listing).unwrap();
        assert_eq!(spot, BTreeSet::from([COPY.to_owned()]));
        let told = parts_of(&[table("shop.a", 5, 2, 16)], prefix, &listing).unwrap_err();
        let expected = "the 2 parts of 16 bytes that the manifest counts for shop.a are not in \
                        prod-20261122/shop/shop.a/";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_part_that_one_copy_cannot_take_is_named() {
        let task = task("prod-20261122-s101500", "2026-11-22T01:00:00Z");
        let told = target_of_spot(&task, &verified(&[(SPOT_PART, 6 << 30)]), BTreeSet::new()).unwrap_err();
        assert_eq!(told, format!("{SPOT_PART} has 6442450944 bytes and one copy takes 5368709120"));
    }
}
