//! From a listing to tables: which parts belong to which table, and whether the export is whole.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use handoff::{ExportKey, ExportTaskId, PartKey, TableName, TablePrefix, TaskKind, is_leftover, origin_of};

use crate::bucket::Object;

/// What stands in the folder of one table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Folder<'a> {
    pub(crate) parts: Vec<&'a Object>,
    /// RDS marks each finished folder, also that of a table without rows.
    pub(crate) marked: bool,
}

/// One folder for each of `tables`, in their order. An error says what shows that the export is not whole.
pub(crate) fn sort<'a>(
    task: &ExportTaskId,
    tables: &[&TableName],
    listing: &'a [Object],
) -> Result<Vec<Folder<'a>>, String> {
    let prefixes: Vec<TablePrefix> = tables.iter().map(|table| TablePrefix::of_task(task, table)).collect();
    let places = places(tables, &prefixes)?;
    let root = ExportKey::TaskPrefix(task).to_string();
    let mut folders: Vec<Folder<'a>> = tables.iter().map(|_| Folder::default()).collect();
    let (mut used, mut finished) = (BTreeSet::new(), HashSet::new());
    for object in listing {
        // Copies of a spot export may stand in the day's prefix: they are staging's to clear.
        if !task.is_spot() && origin_of(&object.key) != TaskKind::Daily {
            continue;
        }
        let place = folder_of(&root, &object.key).and_then(|folder| places.get(folder).copied());
        let key = place.and_then(|place| Some((place, PartKey::parse(&prefixes[place], &object.key)?)));
        match key {
            Some((place, PartKey::Part { folder })) => {
                folders[place].parts.push(object);
                used.insert((place, folder));
            }
            Some((place, PartKey::Success { folder })) => {
                folders[place].marked = true;
                finished.insert((place, folder));
            }
            None if is_parquet(&object.key) && !is_leftover(&object.key) => {
                return Err(format!("{} is in the folder of no known table", object.key));
            }
            None => {}
        }
    }
    let is_finished = |place: usize, folder| up_from(folder).any(|folder| finished.contains(&(place, folder)));
    match used.iter().find(|(place, folder)| !is_finished(*place, folder)) {
        Some((place, folder)) => {
            let end = if folder.is_empty() { "" } else { "/" };
            Err(format!("{}{folder}{end} has no _SUCCESS", prefixes[*place]))
        }
        None => Ok(folders),
    }
}

/// The folder itself, and each one above it up to the table's, which is empty.
fn up_from(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |folder| match folder.rsplit_once('/') {
        Some((above, _)) => Some(above),
        None => (!folder.is_empty()).then_some(""),
    })
}

/// By the folder of a table below `root`, when the newest of its Parquet objects came.
pub(crate) fn newest_parts<'k>(root: &str, listing: &'k [Object]) -> HashMap<&'k str, DateTime<Utc>> {
    let mut newest: HashMap<&str, DateTime<Utc>> = HashMap::new();
    for object in listing.iter().filter(|object| is_parquet(&object.key)) {
        if let (Some(folder), Some(at)) = (folder_of(root, &object.key), object.last_modified) {
            newest.entry(folder).and_modify(|newest| *newest = at.max(*newest)).or_insert(at);
        }
    }
    newest
}

pub(crate) fn is_parquet(key: &str) -> bool {
    key.ends_with(".parquet")
}

fn places<'a>(tables: &[&TableName], prefixes: &'a [TablePrefix]) -> Result<HashMap<&'a str, usize>, String> {
    let mut places = HashMap::new();
    for (place, prefix) in prefixes.iter().enumerate() {
        if let Some(other) = places.insert(prefix.as_str(), place) {
            return Err(format!("tables {} and {} share the folder {prefix}", tables[other], tables[place]));
        }
    }
    Ok(places)
}

/// `{root}{database}/{schema}.{table}/`
fn folder_of<'k>(root: &str, key: &'k str) -> Option<&'k str> {
    let path = key.strip_prefix(root)?;
    let database = path.find('/')? + 1;
    let table = path[database..].find('/')? + 1;
    Some(&key[..root.len() + database + table])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn listing(keys: &[&str]) -> Vec<Object> {
        keys.iter().map(|key| samples::object(&format!("prod-20261122/{key}"), 100)).collect()
    }

    fn sorted(tables: &[&str], keys: &[&str]) -> Result<Vec<(usize, bool)>, String> {
        let task: ExportTaskId = "prod-20261122".parse().unwrap();
        let names: Vec<TableName> = tables.iter().map(|name| name.parse().unwrap()).collect();
        let listing = listing(keys);
        let folders = sort(&task, &names.iter().collect::<Vec<_>>(), &listing)?;
        Ok(folders.iter().map(|folder| (folder.parts.len(), folder.marked)).collect())
    }

    #[test]
    fn the_parts_of_every_batch_are_counted_and_neighbours_are_kept_apart() {
        let keys = [
            "export_info_prod-20261122.json",
            "export_tables_info_prod-20261122_from_1_to_3.json",
            "manifest.json",
            "shop/shop.user/1/_SUCCESS",
            "shop/shop.user/1/part-00000-a-c000.gz.parquet",
            "shop/shop.user/1/part-00007-b-c000.gz.parquet",
            "shop/shop.user/2/_SUCCESS",
            "shop/shop.user/2/part-00000-c-c000.gz.parquet",
            "shop/shop.users/1/_SUCCESS",
            "shop/shop.users/1/part-00000-d-c000.gz.parquet",
            "shop/shop.users/1/part-00000-d-c000.gz.s101500.parquet",
            "shop/shop.nothing/1/_SUCCESS",
        ];
        let counts = sorted(&["shop.user", "shop.users", "shop.nothing", "shop.no_trace"], &keys);
        assert_eq!(counts, Ok(vec![(3, true), (1, true), (0, true), (0, false)]));
    }

    #[test]
    fn an_export_that_is_not_whole_says_what_shows_it() {
        let table = [
            (vec!["shop/shop.user/1/part-00000-a-c000.gz.parquet"], "prod-20261122/shop/shop.user/1/ has no _SUCCESS"),
            (
                vec!["shop/shop.user/1/_SUCCESS", "shop/shop.user/2/part-00000-a-c000.gz.parquet"],
                "prod-20261122/shop/shop.user/2/ has no _SUCCESS",
            ),
            (
                vec!["shop/shop.other/1/_SUCCESS", "shop/shop.other/1/part-00000-a-c000.gz.parquet"],
                "prod-20261122/shop/shop.other/1/part-00000-a-c000.gz.parquet is in the folder of no known table",
            ),
            (
                vec!["shop/shop.user/1/_SUCCESS", "shop/shop.user/part-00000-a-c000.gz.parquet"],
                "prod-20261122/shop/shop.user/ has no _SUCCESS",
            ),
            (vec!["x.parquet"], "prod-20261122/x.parquet is in the folder of no known table"),
        ];
        for (keys, expected) in table {
            assert_eq!(sorted(&["shop.user"], &keys), Err(expected.into()));
        }
    }

    #[test]
    fn parts_count_in_whatever_folder_of_their_table_they_are_and_leftovers_do_not() {
        let keys = [
            "shop/shop.old/_SUCCESS",
            "shop/shop.old/part-00000-a-c000.gz.parquet",
            "shop/shop.old/_temporary/0/_temporary/attempt_1/part-00000-a-c000.gz.parquet",
            "shop/shop.deep/1/_SUCCESS",
            "shop/shop.deep/1/year=2026/month=11/0.snappy.parquet",
            "shop/_temporary/0/part-00000-a-c000.gz.parquet",
        ];
        assert_eq!(sorted(&["shop.old", "shop.deep"], &keys), Ok(vec![(1, true), (1, true)]));
    }

    #[test]
    fn the_newest_part_of_each_table_is_found() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        let keys = ["shop/shop.a/1/part-0.parquet", "shop/shop.a/2/part-0.parquet", "shop/shop.b/1/part-0.parquet"];
        let mut listing = listing(&[&keys[..], &["shop/shop.a/2/_SUCCESS", "manifest.json"]].concat());
        for (object, seconds) in listing.iter_mut().zip([20, 30, 10, 99, 99]) {
            object.last_modified = at(seconds);
        }
        let newest = newest_parts("prod-20261122/", &listing);
        let of = |table: &str| newest.get(format!("prod-20261122/shop/{table}/").as_str()).copied();
        assert_eq!((of("shop.a"), of("shop.b"), newest.len()), (at(30), at(10), 2));
    }

    #[test]
    fn two_tables_that_rds_writes_into_one_folder_cannot_be_told_apart() {
        let told = sorted(&["shop.my table", "shop.my_table"], &[]).unwrap_err();
        assert_eq!(told, "tables shop.my table and shop.my_table share the folder prod-20261122/shop/shop.my_table/");
    }
}
