//! DuckDB waits for the disk at each commit, which takes longer than many a statement, and cannot be told not to.

use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bigquery/nosync.c");

/// A library that takes the waiting away, made in `dir`. None where there is no C compiler or no way to load it first: the
/// emulator is slower then.
pub(super) fn library(dir: &Path) -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let library = dir.join("nosync.so");
    let mut compiler = Command::new("cc");
    let made = compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(SOURCE).output();
    made.is_ok_and(|made| made.status.success()).then_some(library)
}
