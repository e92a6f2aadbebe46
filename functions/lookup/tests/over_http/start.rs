//! How it starts, or says why it does not.

use std::process::{Command, Output};

use serde_json::Value;

use crate::running::PROGRAM;

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(PROGRAM).args(arguments).env_clear().envs(variables.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn it_says_what_it_is_and_how_it_is_used() {
    let version = run(&["--version"], &[]);
    assert_eq!(text(&version.stdout), format!("lookup {}\n", env!("CARGO_PKG_VERSION")));
    let help = text(&run(&["--help"], &[]).stdout);
    for name in ["SYNCS", "REDIS_URL", "REDIS_AUTH", "POLL_SECONDS", "MEMORY_MB", "PORT", "openapi"] {
        assert!(help.contains(name), "{name}: {help}");
    }
    assert_eq!(run(&["serve"], &[]).status.code(), Some(2));
}

#[test]
fn openapi_prints_the_document() {
    let output = run(&["openapi"], &[]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
}

#[test]
fn settings_that_are_wrong_are_all_named_and_end_it() {
    let output = run(&[], &[("SYNCS", "users"), ("REDIS_URL", "cache"), ("PORT", "x"), ("LOG_FORMAT", "json")]);
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    for name in ["ENV is not set", "SYNCS: ", "REDIS_URL: ", "PORT: "] {
        assert!(told.contains(name), "{name}: {told}");
    }
}
