//! Which objects a run loads: a pure decision on a listing.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use super::data_path::Pattern;
use super::refusal::Refusal;
use crate::bigquery::WriteDisposition;
use crate::s3::Listed;

/// The objects that a config has appended already, and when they were written.
pub(super) type Appended = HashMap<String, SystemTime>;

/// `WRITE_TRUNCATE` loads every match (trap T4), `WRITE_APPEND` what is new or was written again. Objects younger than
/// `min_age` are not seen.
pub(super) fn select(
    listing: Vec<Listed>,
    pattern: &Pattern,
    write: WriteDisposition,
    appended: &Appended,
    now: SystemTime,
    min_age: Duration,
) -> Result<Vec<Listed>, Refusal> {
    let old_enough = |object: &Listed| now.duration_since(object.last_modified).unwrap_or_default() >= min_age;
    let wanted = |object: &Listed| match write {
        WriteDisposition::Truncate => true,
        WriteDisposition::Append => appended.get(&object.key) != Some(&object.last_modified),
    };
    let matching = listing.into_iter().filter(|object| pattern.matches(&object.key) && old_enough(object));
    let selected: Vec<Listed> = matching.filter(wanted).collect();
    let limit = pattern.limit();
    if selected.len() > limit {
        return Err(Refusal::invalid(format!("{pattern} matches {} files, more than {limit}", selected.len())));
    }
    Ok(selected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str, age_seconds: u64) -> Listed {
        let last_modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1000 - age_seconds);
        Listed { key: key.into(), size: 1, etag: String::new(), last_modified }
    }

    fn selected(listing: Vec<Listed>, write: WriteDisposition, appended: &Appended, min_age: u64) -> Vec<String> {
        let pattern = Pattern { bucket: "b".into(), key: "d/*.parquet".into() };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let selected = select(listing, &pattern, write, appended, now, Duration::from_secs(min_age)).unwrap();
        selected.into_iter().map(|object| object.key).collect()
    }

    #[test]
    fn t4_truncate_loads_the_parts_of_a_second_export_beside_those_of_the_first() {
        let first = object("d/1/part-0-aaaa.parquet", 600);
        let second = object("d/1/part-0-bbbb.parquet", 400);
        let appended = Appended::from([(first.key.clone(), first.last_modified)]);
        let listing = vec![first.clone(), second.clone()];
        let all = selected(listing.clone(), WriteDisposition::Truncate, &appended, 0);
        assert_eq!(all, [first.key, second.key.clone()]);
        assert_eq!(selected(listing, WriteDisposition::Append, &appended, 0), [second.key]);
    }

    #[test]
    fn append_takes_an_object_again_once_it_was_written_again() {
        let appended = Appended::from([("d/a.parquet".into(), object("", 500).last_modified)]);
        let select = |age| selected(vec![object("d/a.parquet", age)], WriteDisposition::Append, &appended, 0);
        assert!(select(500).is_empty());
        assert_eq!(select(400), ["d/a.parquet"]);
    }

    #[test]
    fn young_objects_are_not_seen() {
        let listing = vec![object("d/old.parquet", 300), object("d/young.parquet", 299)];
        let none = Appended::new();
        assert_eq!(selected(listing, WriteDisposition::Truncate, &none, 300), ["d/old.parquet"]);
    }

    #[test]
    fn more_than_ten_thousand_files_are_too_many_for_two_wildcards() {
        let listing = || (0..10_001).map(|n| object(&format!("d/{n}/x.parquet"), 0)).collect();
        let select = |key: &str| {
            let pattern = Pattern { bucket: "b".into(), key: key.into() };
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
            super::select(listing(), &pattern, WriteDisposition::Truncate, &Appended::new(), now, Duration::ZERO)
        };
        assert_eq!(select("d/*.parquet").unwrap().len(), 10_001);
        let refused = select("d/*/*.parquet").unwrap_err();
        assert_eq!(refused.message, "s3://b/d/*/*.parquet matches 10001 files, more than 10000");
    }
}
