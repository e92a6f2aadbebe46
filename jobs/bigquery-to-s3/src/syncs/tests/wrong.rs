//! What a wrong file is told, in its own lines.

use std::path::Path;

use proptest::prelude::*;

use super::{parse, problems, sync_with};
use crate::syncs::Syncs;

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_place() {
    let text = "\
syncs:
  User_Profiles:
    query: SELECT 1
    query_file: missing.sql
    key: 12
    destination: {bucket: Acme, prefix: /a/}
    layout: flat
    shards: 1000
    shards: 8
  carts:
    query_file: missing.sql
    destination: {bucket: acme-app-data}
    layout: packed
    mode: full
    keep_generations: 1
    json: {int64: text}
    guards: {on_empty: yes, max_deletes: {rows: -1, fraction: 10%}, max_rejects: {}}
    retries: 3
version: 1
";
    let expected = [
        "2:3: \"User_Profiles\": expected as its name lower-case letters, digits and hyphens, a letter first, at most 40 characters",
        "2:3: User_Profiles: expected either query or query_file, found both",
        "5:10: User_Profiles.key: expected a column's name: letters, digits and underscores, no digit first, at most 300 characters, found 12: put text that looks like a number or a truth in quotes",
        "6:27: User_Profiles.destination.bucket: expected a bucket's name: 3 to 63 lower-case letters, digits, hyphens and dots, a letter or digit at both ends, no two dots together, no IP address, no start or end that S3 keeps for itself, found \"Acme\"",
        "6:41: User_Profiles.destination.prefix: expected a prefix of ASCII letters, digits, `-`, `_` and `.`, divided by single slashes, none at the ends, at most 200 characters, found \"/a/\"",
        "7:13: User_Profiles.layout: expected objects or packed, found \"flat\"",
        "8:13: User_Profiles.shards: expected a power of two from 1 to 65536, found 1000",
        "9:5: User_Profiles.shards: is there already, on line 8",
        "10:3: carts.key: missing",
        "11:17: carts.query_file: read missing.sql: No such file or directory (os error 2)",
        "12:5: carts.destination.prefix: missing",
        "14:11: carts.mode: full is for layout objects; a packed shard is written whole anyway",
        "15:23: carts.keep_generations: expected a whole number from 2 to 1000, found 1",
        "16:19: carts.json.int64: expected number or string, found \"text\"",
        "17:24: carts.guards.on_empty: expected fail or publish, found \"yes\"",
        "17:49: carts.guards.max_deletes.rows: expected a whole number from 0 to 1000000000000, found -1",
        "17:63: carts.guards.max_deletes.fraction: expected a number from 0 to 1, found \"10%\"",
        "17:69: carts.guards.max_rejects: expected rows, fraction or both, found neither",
        "18:5: carts.retries: no such setting, expected query, query_file, key, destination, layout, mode, shards, keep_generations, verify_runs, max_body_bytes, json, guards or require",
        "19:1: version: no such setting, expected syncs",
    ];
    assert_eq!(problems(text), expected.map(|line| format!("syncs.yaml:{line}")));
}

#[test]
fn a_file_that_is_no_list_of_syncs_is_told() {
    let mapping = "expected a mapping (`name: value`)";
    let cases = [
        ("", format!("syncs.yaml:1:1: {mapping}, found nothing")),
        ("- a\n", format!("syncs.yaml:1:1: {mapping}, found a list")),
        ("{}\n", "syncs.yaml:1:1: syncs: missing".into()),
        ("syncs:\n", format!("syncs.yaml:1:6: syncs: {mapping}, found nothing")),
        ("syncs: {}\n", "syncs.yaml:1:8: syncs: expected one at least, found none".into()),
        ("syncs:\n  a:\n", format!("syncs.yaml:2:4: a: {mapping}, found nothing")),
        ("syncs:\n  a: [b]\n", format!("syncs.yaml:2:6: a: {mapping}, found a list")),
    ];
    for (text, problem) in cases {
        assert_eq!(problems(text), [problem], "{text:?}");
    }
}

#[test]
fn a_script_is_told_with_the_line_of_its_second_statement() {
    let text = super::sync_with("query: |\n  DECLARE day DATE;\n  -- all\n  SELECT 1 AS id;");
    let told = "a.query: expected one statement, found another one on line 3 of the SQL: a script cannot be published";
    let problems = problems(&text);
    assert!(problems.len() == 1 && problems[0].ends_with(told), "{problems:?}");
    let empty = super::sync_with("query: ' ; -- nothing'");
    assert!(super::problems(&empty)[0].ends_with("a.query: expected SQL, found \" ; -- nothing\""));
}

#[test]
fn a_syntax_error_is_one_error_with_its_place() {
    for (text, place) in [("syncs:\n  a: {\n", "2:6"), ("syncs:\n\ta: 1\n", "2:2"), ("syncs: *a\n", "1:8")] {
        let problems = problems(text);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(&format!("syncs.yaml:{place}: ")), "{problems:?}");
        assert!(!problems[0].contains(" at line "), "{problems:?}");
    }
}

#[test]
fn settings_that_are_left_empty_are_told() {
    assert_eq!(
        problems(&sync_with("json:\nshards:\nquery: \"\"")),
        [
            "syncs.yaml:6:9: a.json: expected a mapping (`name: value`), found nothing",
            "syncs.yaml:7:11: a.shards: expected a power of two from 1 to 65536, found nothing",
            "syncs.yaml:8:12: a.query: expected SQL, found \"\"",
        ]
    );
}

#[test]
fn two_syncs_in_one_place_are_told_even_where_more_is_wrong() {
    let entry = |name: &str, bucket: &str, prefix: &str| {
        format!(
            "  {name}:\n    query: q\n    key: k\n    destination: {{bucket: {bucket}, prefix: {prefix}}}\n    layout: flat\n"
        )
    };
    let list = [
        entry("a", "abc", "users"),
        entry("b", "abc", "users/jp"),
        entry("c", "abc", "users-old"),
        entry("d", "xyz", "users"),
        entry("e", "abc", "users"),
    ];
    let problems = problems(&format!("syncs:\n{}", list.concat()));
    let overlaps: Vec<_> = problems.iter().filter(|line| line.contains("overlaps")).collect();
    assert_eq!(
        overlaps,
        [
            "syncs.yaml:10:40: b.destination: users/jp in abc overlaps with users of a, expected a prefix of its own",
            "syncs.yaml:25:40: e.destination: users in abc overlaps with users of a, expected a prefix of its own",
            "syncs.yaml:25:40: e.destination: users in abc overlaps with users/jp of b, expected a prefix of its own",
        ]
    );
    assert_eq!(problems.len(), 3 + 5, "{problems:?}");
}

#[test]
fn what_an_alias_repeats_is_told_once_where_it_stands() {
    let text = "syncs:\n  a: &base\n    query: q\n    key: k\n    destination: {bucket: abc, prefix: a}\n    layout: packed\n    \
                shards: 3\n  b:\n    <<: *base\n    shards: 8\n    destination: {bucket: abc, prefix: b}\n";
    assert_eq!(problems(text), ["syncs.yaml:7:13: a.shards: expected a power of two from 1 to 65536, found 3"]);
}

#[test]
fn query_files_that_hold_no_query_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("syncs.yaml");
    std::fs::write(dir.path().join("empty.sql"), " ;\n").unwrap();
    std::fs::write(dir.path().join("latin.sql"), b"SELECT '\xe9'").unwrap();
    let told = |name: &str| {
        let text = sync_with(&format!("query_file: {name}")).replace("    query: SELECT 1 AS id\n", "");
        std::fs::write(&file, text).unwrap();
        let error = Syncs::read(&file, None).unwrap_err().to_string();
        error.replace(dir.path().to_str().unwrap(), "DIR")
    };
    let place = "DIR/syncs.yaml:6:17: a.query_file:";
    assert_eq!(told("empty.sql"), format!("{place} expected SQL in DIR/empty.sql, found nothing"));
    assert!(told("latin.sql").starts_with(&format!("{place} expected DIR/latin.sql to be UTF-8: ")));
    assert_eq!(told("."), format!("{place} read DIR/.: Is a directory (os error 21)"));
}

#[test]
fn a_list_that_cannot_be_read_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("syncs.yaml");
    let name = file.display().to_string();
    assert_eq!(
        Syncs::read(&file, None).unwrap_err().to_string(),
        format!("{name}: cannot be read: No such file or directory (os error 2)")
    );
    std::fs::write(&file, b"syncs: \xff").unwrap();
    assert!(Syncs::read(&file, None).unwrap_err().to_string().starts_with(&format!("{name}: is not UTF-8: ")));
}

#[test]
fn names_that_are_no_text_are_told() {
    assert_eq!(problems("syncs:\n  2024: {}\n"), ["syncs.yaml:2:3: syncs: expected a name, found 2024"]);
    assert!(parse("? {a: b}\n: c\n").is_err());
}

proptest! {
    #[test]
    fn a_file_with_a_piece_cut_out_is_read_or_told_with_its_place(from in 0..770_usize, length in 1..60_usize) {
        let whole = include_str!("../../../../../config/syncs.yaml");
        let cut: String = whole.chars().enumerate().filter(|(i, _)| !(from..from + length).contains(i)).map(|(_, c)| c).collect();
        if let Err(error) = Syncs::parse(&cut, Path::new("syncs.yaml"), None) {
            for line in error.to_string().lines() {
                let place: Vec<usize> = line.split(':').skip(1).map_while(|part| part.parse().ok()).collect();
                prop_assert!(place.len() == 2 && place[0] <= cut.lines().count() + 1, "{line}");
            }
        }
    }
}
