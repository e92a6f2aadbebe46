//! What each setting may be. The limits stand here once, for the reader and for the JSON Schema.

use std::ops::RangeInclusive;

use handoff::sync::Layout;
use yaml::{Node, not, text, whole};

use super::{Limit, Mode, OnEmpty, Require};
use crate::json::Int64;
use crate::query::statement;

pub const SHARDS: RangeInclusive<u32> = 1..=65_536;
pub const DEFAULT_SHARDS: u32 = 256;
/// One to read and one to roll back to.
pub const GENERATIONS: RangeInclusive<usize> = 2..=1_000;
pub const DEFAULT_GENERATIONS: usize = 7;
pub const VERIFY_RUNS: RangeInclusive<u32> = 0..=1_000;
pub const DEFAULT_VERIFY_RUNS: u32 = 30;
pub const BODY_BYTES: RangeInclusive<usize> = 1..=104_857_600;
pub const DEFAULT_BODY_BYTES: usize = 5_242_880;
/// More than anyone publishes, and still exact as an f64.
pub const ROWS: RangeInclusive<u64> = 0..=1_000_000_000_000;
pub const DEFAULT_DELETES: Limit = Limit { rows: 10, fraction: 0.1 };
pub const DEFAULT_REJECTS: Limit = Limit { rows: 0, fraction: 0.0 };

pub const NAME_LENGTH: usize = 40;
/// Source: BigQuery, "Quotas and limits", tables.
pub const COLUMN_LENGTH: usize = 300;
/// S3 keys have 1,024 bytes; the most of them are for the rows.
pub const PREFIX_LENGTH: usize = 200;
/// Source: Amazon S3, "General purpose bucket naming rules"; the next two lists as well.
pub const BUCKET_LENGTH: RangeInclusive<usize> = 3..=63;
pub const BUCKET_STARTS: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
pub const BUCKET_ENDS: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

pub const LAYOUTS: [(&str, Layout); 2] = [("objects", Layout::Objects), ("packed", Layout::Packed)];
pub const MODES: [(&str, Mode); 2] = [("delta", Mode::Delta), ("full", Mode::Full)];
pub const INT64: [(&str, Int64); 2] = [("number", Int64::Number), ("string", Int64::String)];
pub const REQUIRES: [(&str, Require); 2] = [("any", Require::Any), ("fresh", Require::Fresh)];
pub const ON_EMPTY: [(&str, OnEmpty); 2] = [("fail", OnEmpty::Fail), ("publish", OnEmpty::Publish)];

/// What is expected of a sync's name.
pub const NAME: &str =
    "expected as its name lower-case letters, digits and hyphens, a letter first, at most 40 characters";

pub fn is_name(text: &str) -> bool {
    let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
    letters && begins && text.len() <= NAME_LENGTH
}

/// Stands in SQL within backticks, so nothing that could end them is let in.
pub fn column(node: &Node) -> Result<String, String> {
    let rule = |text: &str| {
        let letters = text.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || c == '_');
        let begins = !text.starts_with(|c: char| c.is_ascii_digit());
        letters && begins && (1..=COLUMN_LENGTH).contains(&text.chars().count())
    };
    let expected = "a column's name: letters, digits and underscores, no digit first, at most 300 characters";
    text(node, expected, rule)
}

pub const BUCKET: &str = "a bucket's name: 3 to 63 lower-case letters, digits, hyphens and dots, a letter or digit at \
                          both ends, no two dots together, no IP address, no start or end that S3 keeps for itself";

pub fn bucket(node: &Node) -> Result<String, String> {
    text(node, BUCKET, is_bucket)
}

pub fn is_bucket(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let letters = text.bytes().all(|b| inner(b) || b == b'-' || b == b'.');
    let ends = [text.bytes().next(), text.bytes().last()].into_iter().all(|b| b.is_some_and(inner));
    let reserved =
        BUCKET_STARTS.iter().any(|start| text.starts_with(start)) || BUCKET_ENDS.iter().any(|end| text.ends_with(end));
    let numbers = text.split('.').filter(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())).count();
    let address = numbers == 4 && text.bytes().filter(|&b| b == b'.').count() == 3;
    BUCKET_LENGTH.contains(&text.len()) && letters && ends && !text.contains("..") && !reserved && !address
}

/// `.` and `..` between slashes are taken out of the path by some HTTP clients.
pub fn prefix(node: &Node) -> Result<String, String> {
    let part = |part: &str| {
        let letters = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        letters && !["", ".", ".."].contains(&part)
    };
    let expected = "a prefix of ASCII letters, digits, `-`, `_` and `.`, divided by single slashes, none at the ends, \
                    at most 200 characters";
    text(node, expected, |text| text.len() <= PREFIX_LENGTH && text.split('/').all(part))
}

/// One statement; further rules are BigQuery's.
pub fn query(node: &Node) -> Result<String, String> {
    one_statement(&text(node, "SQL", |text| statement(text) != Ok(""))?)
}

/// `text` has one at least.
pub fn one_statement(text: &str) -> Result<String, String> {
    statement(text).map(str::to_owned).map_err(|line| {
        format!("expected one statement, found another one on line {line} of the SQL: a script cannot be published")
    })
}

pub fn query_file(node: &Node) -> Result<String, String> {
    text(node, "the name of a file with SQL", |text| !text.is_empty())
}

pub fn power_of_two(range: RangeInclusive<u32>) -> impl Fn(&Node) -> Result<u32, String> {
    let expected = format!("a power of two from {} to {}", range.start(), range.end());
    move |node| whole(range.clone())(node).ok().filter(|n| n.is_power_of_two()).ok_or_else(|| not(&expected, node))
}
