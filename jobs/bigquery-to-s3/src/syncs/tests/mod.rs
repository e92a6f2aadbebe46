mod documents;
mod good;
mod samples;
mod schema;
mod wrong;

use std::path::Path;

use yaml::InvalidFile;

use super::{Sync, Syncs};

/// As if it stood in `syncs.yaml` of the current directory.
fn parse(text: &str) -> Result<Syncs, InvalidFile> {
    Syncs::parse(text, Path::new("syncs.yaml"), None)
}

fn problems(text: &str) -> Vec<String> {
    parse(text).unwrap_err().to_string().lines().map(str::to_owned).collect()
}

/// The settings of a sync `a` that needs no more; a line of `extra` with the same name takes its place.
fn sync_with(extra: &str) -> String {
    let given = |line: &str| extra.lines().any(|extra| extra.split(':').next() == line.split(':').next());
    let needed =
        ["query: SELECT 1 AS id", "key: id", "destination: {bucket: acme-app-data, prefix: a}", "layout: objects"];
    let lines = needed.into_iter().filter(|line| !given(line)).chain(extra.lines());
    format!("syncs:\n  a:\n{}", lines.map(|line| format!("    {line}\n")).collect::<String>())
}

fn sync(extra: &str) -> Sync {
    parse(&sync_with(extra)).unwrap().get("a").unwrap().clone()
}
