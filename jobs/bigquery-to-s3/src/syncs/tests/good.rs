//! What a good file means.

use std::path::Path;

use proptest::prelude::*;

use super::{parse, sync, sync_with};
use crate::json::{Int64, JsonOptions};
use crate::syncs::{Guards, Limit, Mode, OnEmpty, Syncs};
use handoff::sync::Layout;

#[test]
fn a_sync_of_four_settings_has_the_defaults_of_the_rest() {
    let sync = sync("");
    assert_eq!((sync.name.as_str(), sync.query.as_str(), sync.key.as_str()), ("a", "SELECT 1 AS id", "id"));
    assert_eq!((sync.destination.bucket.as_str(), sync.destination.prefix.as_str()), ("acme-app-data", "a"));
    assert_eq!((sync.layout, sync.mode, sync.shards), (Layout::Objects, Mode::Delta, 256));
    assert_eq!((sync.keep_generations, sync.verify_runs, sync.max_body_bytes), (7, 30, 5 * 1024 * 1024));
    assert_eq!(sync.json, JsonOptions { int64: Int64::Number });
    let max_deletes = Limit { rows: 10, fraction: 0.1 };
    let max_rejects = Limit { rows: 0, fraction: 0.0 };
    assert_eq!(sync.guards, Guards { on_empty: OnEmpty::Fail, max_deletes, max_rejects });
}

#[test]
fn every_setting_can_be_set() {
    let sync = sync(
        "mode: full\nshards: 4096\nkeep_generations: 30\nmax_body_bytes: 100\njson: {int64: string}\n\
         guards: {on_empty: publish, max_deletes: {fraction: 1}, max_rejects: {rows: 5}}",
    );
    assert_eq!((sync.mode, sync.shards, sync.keep_generations, sync.max_body_bytes), (Mode::Full, 4096, 30, 100));
    assert_eq!(sync.json.int64, Int64::String);
    let max_deletes = Limit { rows: 0, fraction: 1.0 };
    let max_rejects = Limit { rows: 5, fraction: 0.0 };
    assert_eq!(sync.guards, Guards { on_empty: OnEmpty::Publish, max_deletes, max_rejects });
}

#[test]
fn syncs_come_in_the_order_of_their_names() {
    let entry = |name: &str| {
        format!("  {name}: {{query: q, key: k, destination: {{bucket: abc, prefix: {name}}}, layout: packed}}\n")
    };
    let syncs = parse(&format!("syncs:\n{}{}", entry("b"), entry("a"))).unwrap();
    assert_eq!(syncs.iter().map(|sync| sync.name.to_string()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(syncs.get("c").is_none());
}

#[test]
fn a_query_file_lies_beside_the_list_and_loses_its_byte_order_mark_and_what_follows_its_statement() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("syncs.yaml");
    std::fs::write(dir.path().join("a.sql"), "\u{feff}-- users\nSELECT ';' AS id ; -- all\n/* of them */").unwrap();
    std::fs::write(&file, sync_with("query_file: a.sql").replace("    query: SELECT 1 AS id\n", "")).unwrap();
    assert_eq!(Syncs::read(&file, None).unwrap().get("a").unwrap().query, "-- users\nSELECT ';' AS id");
}

#[test]
fn a_query_may_have_many_lines() {
    assert_eq!(sync("query: |\n  SELECT 1 AS id\n  FROM t;\n").query, "SELECT 1 AS id\nFROM t");
}

#[test]
fn syncs_can_share_settings_through_an_anchor() {
    let text = "syncs:\n  a: &base\n    query: q\n    key: k\n    destination: {bucket: abc, prefix: a}\n    layout: packed\n    \
                shards: 8\n  b:\n    <<: *base\n    destination: {bucket: abc, prefix: b}\n";
    let syncs = parse(text).unwrap();
    let b = syncs.get("b").unwrap();
    assert_eq!((b.destination.prefix.as_str(), b.shards), ("b", 8));
}

#[test]
fn words_that_other_yaml_takes_for_truths_are_words() {
    assert_eq!(sync("key: no").key, "no");
}

#[test]
fn a_limit_allows_the_larger_of_its_two() {
    let limit = Limit { rows: 10, fraction: 0.1 };
    assert!(limit.allows(10, 12), "a tiny sync may lose its rows");
    assert!(!limit.allows(11, 12));
    assert!(limit.allows(100, 1_000));
    assert!(!limit.allows(101, 1_000));
    assert!(!Limit { rows: 0, fraction: 0.0 }.allows(1, 1_000_000));
    assert!(Limit { rows: 0, fraction: 0.0 }.allows(0, 0));
}

proptest! {
    #[test]
    fn a_limit_that_allows_some_rows_allows_fewer(rows in 0..1000_u64, fraction in 0.0..=1.0_f64, n in 0..2000_u64, of in 0..2000_u64) {
        let limit = Limit { rows, fraction };
        prop_assert!(!limit.allows(n + 1, of) || limit.allows(n, of));
    }
}

#[test]
fn a_destination_without_a_bucket_is_in_the_environment_s() {
    let text = sync_with("destination: {prefix: a}");
    assert_eq!(super::problems(&text), ["syncs.yaml:6:5: a.destination.bucket: missing"]);
    let bucket = "acme-stg-app".parse().unwrap();
    let parse = |text: &str| Syncs::parse(text, Path::new("syncs.yaml"), Some(&bucket));
    assert_eq!(parse(&text).unwrap().get("a").unwrap().destination.bucket, "acme-stg-app");
    // Where one names it and the other does not, they still lie in one another.
    let both = format!(
        "{text}{}",
        sync_with("destination: {bucket: acme-stg-app, prefix: a/b}").replace("syncs:\n  a:", "  b:")
    );
    assert!(parse(&both).unwrap_err().to_string().contains("overlaps with a of a"), "{both}");
    assert!("Acme".parse::<crate::syncs::Bucket>().unwrap_err().starts_with("\"Acme\" is not a bucket's name"));
}
