//! `s3://{bucket}/{key}`: which objects a transfer reads. Wildcards are trap T3.
//! <https://docs.cloud.google.com/bigquery/docs/s3-transfer-intro#wildcard-support>

use chrono::{DateTime, Utc};

use super::template::Template;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DataPath {
    bucket: String,
    key: Template,
}

/// The path of one run: no parameters any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) bucket: String,
    pub(super) key: String,
}

/// How many files a run may match. Source: "Quotas and limits", BigQuery Data Transfer Service, Amazon S3: "the file
/// wildcard limit is 10,000 files if the wildcard spans folders in more than one place, else 10,000,000".
const FILES_WITH_ONE_WILDCARD: usize = 10_000_000;
const FILES_WITH_MORE_WILDCARDS: usize = 10_000;

impl DataPath {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("s3://").ok_or_else(|| format!("data_path {text:?} does not begin with s3://"))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || bucket.contains(['{', '}', '*']) {
            return Err(format!("data_path {text:?}: the bucket can be neither a parameter nor a wildcard"));
        }
        let key = Template::parse(key).map_err(|problem| format!("data_path {text:?}: {problem}"))?;
        Ok(Self { bucket: bucket.to_owned(), key })
    }

    pub(super) fn at(&self, run_time: DateTime<Utc>) -> Pattern {
        Pattern { bucket: self.bucket.clone(), key: self.key.at(run_time) }
    }
}

impl Pattern {
    /// Everything that S3 is asked to list.
    pub(super) fn prefix(&self) -> &str {
        self.key.split('*').next().unwrap_or_default()
    }

    pub(super) fn limit(&self) -> usize {
        if self.key.matches('*').count() < 2 { FILES_WITH_ONE_WILDCARD } else { FILES_WITH_MORE_WILDCARDS }
    }

    /// One `*` stands for anything, `/` too; each of several stands for something within one level. A path that is only
    /// a bucket means everything in it.
    pub(super) fn matches(&self, key: &str) -> bool {
        let parts: Vec<&str> = self.key.split('*').collect();
        match parts[..] {
            [""] => true,
            [whole] => key == whole,
            [before, after] => key.strip_prefix(before).is_some_and(|rest| rest.ends_with(after)),
            _ => matches_by_level(self.key.as_bytes(), key.as_bytes()),
        }
    }
}

/// Backtracks only to the last `*`: a `*` never has to take back what an earlier one took.
fn matches_by_level(pattern: &[u8], key: &[u8]) -> bool {
    let (mut at, mut pos) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while pos < key.len() {
        if at < pattern.len() && pattern[at] == b'*' {
            retry = Some((at + 1, pos));
            at += 1;
        } else if at < pattern.len() && pattern[at] == key[pos] {
            at += 1;
            pos += 1;
        } else {
            match retry {
                Some((after, taken)) if key[taken] != b'/' => {
                    retry = Some((after, taken + 1));
                    (at, pos) = (after, taken + 1);
                }
                _ => return false,
            }
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 7] = [
        "d/shop/shop.user/1/part-0.parquet",
        "d/shop/shop.user/2/part-0.parquet",
        "d/shop/shop.user/1/_SUCCESS",
        "d/shop/shop.users/1/part-0.parquet",
        "d/shop/shop.user_logins/1/part-0.parquet",
        "d/blog/blog.user/1/part-0.parquet",
        "d/shop/shop.user/1/deep/er/part-0.parquet",
    ];

    fn matching(path: &str) -> Vec<&'static str> {
        let pattern = DataPath::parse(path).unwrap().at(DateTime::UNIX_EPOCH);
        KEYS.into_iter().filter(|key| key.starts_with(pattern.prefix()) && pattern.matches(key)).collect()
    }

    #[test]
    fn t2_a_path_with_batch_one_misses_the_other_batches() {
        assert!(!matching("s3://b/d/shop/shop.user/1/*.parquet").contains(&KEYS[1]));
        assert_eq!(matching("s3://b/d/shop/shop.user/*.parquet"), [KEYS[0], KEYS[1], KEYS[6]]);
    }

    #[test]
    fn t3_one_star_without_a_slash_before_it_takes_other_tables_too() {
        assert_eq!(matching("s3://b/d/shop/shop.user*.parquet"), [KEYS[0], KEYS[1], KEYS[3], KEYS[4], KEYS[6]]);
    }

    #[test]
    fn t3_two_stars_do_not_cross_a_slash() {
        assert_eq!(matching("s3://b/d/shop/shop.user/*/*.parquet"), [KEYS[0], KEYS[1]]);
        assert_eq!(matching("s3://b/d/*/shop.user*.parquet"), [] as [&str; 0]);
        assert_eq!(matching("s3://b/d/*/*.user/*/*.parquet"), [KEYS[0], KEYS[1], KEYS[5]]);
        assert_eq!(matching("s3://b/d/*/shop.user*/*/part-0.parquet"), [KEYS[0], KEYS[1], KEYS[3], KEYS[4]]);
        assert_eq!(matching("s3://b/d/shop/**"), [] as [&str; 0]);
    }

    #[test]
    fn t3_the_limit_falls_with_the_second_star() {
        let limit = |path: &str| DataPath::parse(path).unwrap().at(DateTime::UNIX_EPOCH).limit();
        assert_eq!(limit("s3://b/d/*.parquet"), 10_000_000);
        assert_eq!(limit("s3://b/d/*/*.parquet"), 10_000);
    }

    #[test]
    fn a_path_without_a_star_is_one_object_and_a_bucket_is_all_of_it() {
        assert_eq!(matching("s3://b/d/shop/shop.user/1/_SUCCESS"), [KEYS[2]]);
        assert_eq!(matching("s3://b/d/shop/"), [] as [&str; 0]);
        assert_eq!(matching("s3://b").len(), KEYS.len());
        assert_eq!(matching("s3://b/d/ab*ba"), [] as [&str; 0]);
    }

    #[test]
    fn a_bucket_is_neither_a_parameter_nor_a_wildcard() {
        for bad in ["s3://{run_date}/x", "s3://b*/x", "s3://", "s3:///x", "gs://b/x", "b/x", "s3://b/{run_time"] {
            assert!(DataPath::parse(bad).is_err(), "{bad}");
        }
    }
}
