//! `ListObjectsV2`, as a decision over the keys of a bucket.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::store::{Listed, Object};

/// A page never has more. Source: Amazon S3 API reference, `ListObjectsV2`, `MaxKeys`.
pub(super) const MAX_KEYS: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Query<'a> {
    pub(super) prefix: &'a str,
    pub(super) delimiter: &'a str,
    /// Only what comes after this: a key, or a common prefix that was listed before.
    pub(super) after: &'a str,
    pub(super) max_keys: usize,
}

#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) objects: Vec<Listed>,
    pub(super) common_prefixes: Vec<String>,
    /// Where the next page begins: `Query::after`.
    pub(super) next: Option<String>,
}

pub(super) fn page(objects: &BTreeMap<String, Object>, query: &Query<'_>) -> Page {
    let mut page = Page::default();
    let mut last = String::new();
    let mut from: Bound<String> = match query.after.max(query.prefix) {
        after if after == query.after && !after.is_empty() => Bound::Excluded(after.to_owned()),
        prefix => Bound::Included(prefix.to_owned()),
    };
    while let Some((key, object)) =
        objects.range::<str, _>((from.as_ref().map(String::as_str), Bound::Unbounded)).next()
    {
        if !key.starts_with(query.prefix) {
            break;
        }
        let folder = folder(key, query);
        if folder.is_some_and(|folder| folder == query.after) {
            from = past(query.after);
            continue;
        }
        if page.objects.len() + page.common_prefixes.len() == query.max_keys {
            page.next = Some(last);
            break;
        }
        if let Some(folder) = folder {
            page.common_prefixes.push(folder.to_owned());
            (last, from) = (folder.to_owned(), past(folder));
        } else {
            page.objects.push(listed(key, object));
            (last, from) = (key.clone(), Bound::Excluded(key.clone()));
        }
    }
    page
}

fn listed(key: &str, object: &Object) -> Listed {
    let (etag, last_modified) = (object.etag.clone(), object.last_modified);
    Listed { key: key.to_owned(), size: object.bytes.len() as u64, etag, last_modified }
}

/// The common prefix that stands for `key`.
fn folder<'a>(key: &'a str, query: &Query<'_>) -> Option<&'a str> {
    if query.delimiter.is_empty() {
        return None;
    }
    let at = key[query.prefix.len()..].find(query.delimiter)?;
    Some(&key[..query.prefix.len() + at + query.delimiter.len()])
}

/// Behind every key that begins with `folder`: no key has U+10FFFF in it.
fn past(folder: &str) -> Bound<String> {
    Bound::Excluded(format!("{folder}\u{10FFFF}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(keys: &[&str]) -> BTreeMap<String, Object> {
        keys.iter().map(|key| ((*key).to_owned(), Object::new(""))).collect()
    }

    fn names(page: &Page) -> Vec<&str> {
        let keys = page.objects.iter().map(|object| object.key.as_str());
        keys.chain(page.common_prefixes.iter().map(String::as_str)).collect()
    }

    #[test]
    fn pages_go_on_where_the_last_one_ended() {
        let objects = objects(&["a/1", "a/2", "b", "c/x/1", "c/x/2", "d"]);
        for (delimiter, max_keys, pages) in [
            ("", 4, vec![vec!["a/1", "a/2", "b", "c/x/1"], vec!["c/x/2", "d"]]),
            ("/", 2, vec![vec!["b", "a/"], vec!["d", "c/"]]),
            ("/", 1, vec![vec!["a/"], vec!["b"], vec!["c/"], vec!["d"]]),
            ("/", 4, vec![vec!["b", "d", "a/", "c/"]]),
        ] {
            let mut after = String::new();
            for wanted in &pages {
                let page = page(&objects, &Query { delimiter, max_keys, after: &after, ..Query::default() });
                assert_eq!(names(&page), *wanted);
                after = page.next.unwrap_or_default();
            }
            assert_eq!(after, "", "{delimiter:?} {max_keys}");
        }
    }

    #[test]
    fn a_prefix_and_a_start_are_both_kept() {
        let objects = objects(&["a/1", "a/2", "ab", "b/1"]);
        let keys = |prefix, after| {
            let page = page(&objects, &Query { prefix, after, max_keys: 10, ..Query::default() });
            page.objects.into_iter().map(|object| object.key).collect::<Vec<_>>()
        };
        assert_eq!(keys("a/", ""), ["a/1", "a/2"]);
        assert_eq!(keys("a/", "a/1"), ["a/2"]);
        assert_eq!(keys("", "a/2"), ["ab", "b/1"]);
        assert_eq!(keys("b", "a"), ["b/1"]);
    }
}
