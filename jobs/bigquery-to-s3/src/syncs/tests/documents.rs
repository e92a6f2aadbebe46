//! The reader and the JSON Schema judge alike.

use std::path::Path;

use serde_json::Value;

use super::schema::allows;
use super::sync_with;
use crate::syncs::{Syncs, schema};

const GOOD: [&str; 37] = [
    "",
    "destination: {prefix: a}",
    "key: _id",
    "key: Größe9",
    "key: 会員番号",
    "query: |\n  SELECT 1\n  FROM t",
    "destination: {bucket: abc, prefix: a}",
    "destination: {bucket: a.b-c.9, prefix: A/b_c/d.e-f}",
    "destination: {bucket: 1.2.3.4.5, prefix: a}",
    "destination: {bucket: 10.0.0.a, prefix: ...}",
    "destination: {bucket: '012345678901234567890123456789012345678901234567890123456789012', prefix: .a}",
    "layout: packed",
    "layout: packed\nmode: delta",
    "mode: full",
    "mode: delta",
    "shards: 1",
    "shards: 4096",
    "shards: 65536",
    "shards: 0x10",
    "keep_generations: 2",
    "keep_generations: 1000",
    "max_body_bytes: 1",
    "max_body_bytes: 104857600",
    "json: {}",
    "json: {int64: string}",
    "json: {int64: 'number'}",
    "require: any",
    "require: fresh",
    "guards: {}",
    "guards: {on_empty: publish}",
    "guards: {max_deletes: {rows: 0}}",
    "guards: {max_deletes: {fraction: 0}}",
    "guards: {max_deletes: {fraction: 1}, max_rejects: {rows: 1000000000000}}",
    "guards: {max_deletes: {fraction: 0.25, rows: 5}}",
    "guards: {max_rejects: {fraction: 1.0}}",
    "guards: {max_rejects: {fraction: 1e-3}}",
    "# nothing but a comment",
];

const BAD: [&str; 67] = [
    "query:",
    "query: ''",
    "query: ' ; '",
    "query: 12",
    "query: [SELECT 1]",
    "query_file: a.sql",
    "key:",
    "key: ''",
    "key: 1",
    "key: 9a",
    "key: a b",
    "key: a-b",
    "key: 'a`b'",
    "key: \"a\\nb\"",
    "key: true",
    "destination:",
    "destination: s3://abc/a",
    "destination: {}",
    "destination: {bucket: abc}",
    "destination: {bucket: abc, prefix: a, region: x}",
    "destination: {bucket: ab, prefix: a}",
    "destination: {bucket: '0123456789012345678901234567890123456789012345678901234567890123', prefix: a}",
    "destination: {bucket: ABC, prefix: a}",
    "destination: {bucket: a_c, prefix: a}",
    "destination: {bucket: -abc, prefix: a}",
    "destination: {bucket: abc., prefix: a}",
    "destination: {bucket: a..c, prefix: a}",
    "destination: {bucket: 192.168.5.4, prefix: a}",
    "destination: {bucket: xn--abc, prefix: a}",
    "destination: {bucket: sthree-abc, prefix: a}",
    "destination: {bucket: amzn-s3-demo-abc, prefix: a}",
    "destination: {bucket: abc-s3alias, prefix: a}",
    "destination: {bucket: abc--x-s3, prefix: a}",
    "destination: {bucket: abc.mrap, prefix: a}",
    "destination: {bucket: abc, prefix: ''}",
    "destination: {bucket: abc, prefix: /a}",
    "destination: {bucket: abc, prefix: a/}",
    "destination: {bucket: abc, prefix: a//b}",
    "destination: {bucket: abc, prefix: a/../b}",
    "destination: {bucket: abc, prefix: .}",
    "destination: {bucket: abc, prefix: a b}",
    "destination: {bucket: abc, prefix: ä}",
    "destination: {bucket: abc, prefix: 2024}",
    "layout:",
    "layout: Objects",
    "layout: [objects]",
    "layout: packed\nmode: full",
    "mode: none",
    "shards: 0",
    "shards: 3",
    "shards: 131072",
    "shards: -1",
    "shards: '256'",
    "keep_generations: 1",
    "keep_generations: 1001",
    "keep_generations: 2.5",
    "max_body_bytes: 0",
    "max_body_bytes: 104857601",
    "max_body_bytes: 5MB",
    "json: {int64: float}",
    "json: {int32: string}",
    "require: today",
    "require: [fresh]",
    "guards: {on_empty: skip}",
    "guards: {max_deletes: {}}",
    "guards: {max_deletes: {rows: -1}}",
    "guards: {max_deletes: {fraction: 1.1}}",
];

/// These stand alone.
const BAD_FILES: [&str; 9] =
    ["", "[]", "{}", "syncs:", "syncs: {}", "syncs: [a]", "syncs:\n  a:\n", "syncs:\n  a: {}\n", "sync:\n  a: {}\n"];

fn judge(text: &str) -> (bool, bool) {
    let value: Value = serde_saphyr::from_str(text).unwrap();
    let schema = schema();
    // With a bucket for destinations that name none, which the schema cannot know of.
    let bucket = "acme-app-data".parse().unwrap();
    let read = Syncs::parse(text, Path::new("syncs.yaml"), Some(&bucket));
    (read.is_ok(), allows(&schema, &schema, &value))
}

#[test]
fn the_reader_and_the_schema_take_the_same_files() {
    for extra in GOOD {
        assert_eq!(judge(&sync_with(extra)), (true, true), "{extra:?} is good; reader, schema");
    }
}

#[test]
fn the_reader_and_the_schema_refuse_the_same_files() {
    for extra in BAD {
        assert_eq!(judge(&sync_with(extra)), (false, false), "{extra:?} is bad; reader, schema");
    }
    for text in BAD_FILES {
        assert_eq!(judge(text), (false, false), "{text:?} is bad; reader, schema");
    }
}

#[test]
fn the_reader_and_the_schema_take_the_same_names() {
    let long = "a".repeat(40);
    let longer = "a".repeat(41);
    for (name, good) in [
        ("a", true),
        ("user-profiles-2", true),
        (&long, true),
        (&longer, false),
        ("A", false),
        ("2a", false),
        ("-a", false),
        ("a_b", false),
        ("ä", false),
    ] {
        assert_eq!(judge(&sync_with("").replace("  a:", &format!("  {name}:"))), (good, good), "{name}");
    }
}

#[test]
fn unknown_settings_are_refused_at_every_level() {
    for extra in ["shard: 1", "json: {x: 1}", "guards: {x: 1}", "guards: {max_rejects: {rows: 1, x: 1}}"] {
        assert_eq!(judge(&sync_with(extra)), (false, false), "{extra:?}");
    }
    assert_eq!(judge(&format!("{}version: 1\n", sync_with(""))), (false, false));
}
