//! The tree of the file as syncs: which names there are, what they may be, and what holds where one is left out.

use std::collections::BTreeMap;
use std::path::Path;

use handoff::sync::{Destination, Layout};
use yaml::{Entry, Fields, Node, Problem, Spanned, entries, place, whole, word};

use super::rules;
use super::{Guards, Limit, Mode, OnEmpty, Sync, SyncName};
use crate::json::{Int64, JsonOptions};

const SETTINGS: [&str; 13] = [
    "query",
    "query_file",
    "key",
    "destination",
    "layout",
    "mode",
    "shards",
    "keep_generations",
    "verify_runs",
    "max_body_bytes",
    "json",
    "guards",
    "require",
];

/// The syncs that hold; the rest are problems. Query files are looked for in `dir`.
pub fn syncs(
    root: &Spanned<Node>,
    dir: &Path,
    bucket: Option<&str>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<SyncName, Sync> {
    let mut syncs = BTreeMap::new();
    for entry in named(root, problems).unwrap_or_default() {
        let name = entry.name.parse::<SyncName>();
        if let Err(expected) = &name {
            problems.push(Problem::at(entry.at, format!("{:?}: {expected}", entry.name)));
        }
        let fields = Fields::new(entry.name, entry.at, entry.value, &SETTINGS, problems);
        let sync = fields.and_then(|mut fields| sync(name.ok(), &mut fields, dir, bucket));
        syncs.extend(sync.map(|sync| (sync.name.clone(), sync)));
    }
    syncs
}

/// The syncs by their names, which are anyone's choice.
fn named<'a>(root: &'a Spanned<Node>, problems: &mut Vec<Problem>) -> Option<Vec<Entry<'a>>> {
    Fields::new("", place(root), root, &["syncs"], problems)?.required("syncs", |_| Ok(()))?;
    let list = root.value.get("syncs")?;
    if matches!(&list.value, Node::Mapping(names) if names.is_empty()) {
        problems.push(Problem::at(place(list), "syncs: expected one at least, found none".to_owned()));
    }
    entries("syncs", list, problems)
}

/// Reads all settings before it gives up on one.
fn sync(name: Option<SyncName>, fields: &mut Fields<'_>, dir: &Path, bucket: Option<&str>) -> Option<Sync> {
    let query = query(fields, dir);
    let key = fields.required("key", rules::column);
    let destination = destination(fields, bucket);
    let layout = fields.required("layout", word(&rules::LAYOUTS));
    let mode = fields.or("mode", Mode::Delta, mode(layout));
    let shards = fields.or("shards", rules::DEFAULT_SHARDS, rules::power_of_two(rules::SHARDS));
    let keep_generations = fields.or("keep_generations", rules::DEFAULT_GENERATIONS, whole(rules::GENERATIONS));
    let verify_runs = fields.or("verify_runs", rules::DEFAULT_VERIFY_RUNS, whole(rules::VERIFY_RUNS));
    let max_body_bytes = fields.or("max_body_bytes", rules::DEFAULT_BODY_BYTES, whole(rules::BODY_BYTES));
    let json = json(fields);
    let guards = guards(fields);
    let require = fields.or("require", None, |node| word(&rules::REQUIRES)(node).map(Some));
    Some(Sync {
        name: name?,
        query: query?,
        key: key?,
        destination: destination?,
        layout: layout?,
        mode: mode?,
        shards: shards?,
        keep_generations: keep_generations?,
        verify_runs: verify_runs?,
        max_body_bytes: max_body_bytes?,
        json: json?,
        guards: guards?,
        require: require?,
    })
}

fn query(fields: &mut Fields<'_>, dir: &Path) -> Option<String> {
    match (fields.has("query"), fields.has("query_file")) {
        (true, false) => fields.required("query", rules::query),
        (false, true) => fields.required("query_file", |node| query_of(&dir.join(rules::query_file(node)?))),
        (true, true) => fields.wrong("expected either query or query_file, found both"),
        (false, false) => fields.wrong("expected either query or query_file, found neither"),
    }
}

fn query_of(file: &Path) -> Result<String, String> {
    let name = file.display();
    let bytes = std::fs::read(file).map_err(|error| format!("read {name}: {error}"))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| format!("expected {name} to be UTF-8: {error}"))?;
    match rules::one_statement(text)? {
        nothing if nothing.is_empty() => Err(format!("expected SQL in {name}, found nothing")),
        statement => Ok(statement),
    }
}

fn destination(fields: &mut Fields<'_>, default: Option<&str>) -> Option<Destination> {
    let mut destination = fields.mapping("destination", &["bucket", "prefix"])?;
    let bucket = match default {
        Some(default) => destination.or("bucket", default.to_owned(), rules::bucket),
        None => destination.required("bucket", rules::bucket),
    };
    let prefix = destination.required("prefix", rules::prefix);
    Some(Destination { bucket: bucket?, prefix: prefix? })
}

fn mode(layout: Option<Layout>) -> impl Fn(&Node) -> Result<Mode, String> {
    move |node| match word(&rules::MODES)(node)? {
        Mode::Full if layout == Some(Layout::Packed) => {
            Err("full is for layout objects; a packed shard is written whole anyway".to_owned())
        }
        mode => Ok(mode),
    }
}

fn json(fields: &mut Fields<'_>) -> Option<JsonOptions> {
    let int64 = fields.section("json", &["int64"])?.or("int64", Int64::Number, word(&rules::INT64))?;
    Some(JsonOptions { int64 })
}

fn guards(fields: &mut Fields<'_>) -> Option<Guards> {
    let mut guards = fields.section("guards", &["on_empty", "max_deletes", "max_rejects"])?;
    let on_empty = guards.or("on_empty", OnEmpty::Fail, word(&rules::ON_EMPTY));
    let max_deletes = limit(&mut guards, "max_deletes", rules::DEFAULT_DELETES);
    let max_rejects = limit(&mut guards, "max_rejects", rules::DEFAULT_REJECTS);
    Some(Guards { on_empty: on_empty?, max_deletes: max_deletes?, max_rejects: max_rejects? })
}

/// What a limit does not name allows nothing: `{rows: 5}` is five rows, however many there are.
fn limit(guards: &mut Fields<'_>, name: &str, default: Limit) -> Option<Limit> {
    if !guards.has(name) {
        return Some(default);
    }
    let mut limit = guards.section(name, &["rows", "fraction"])?;
    if limit.is_empty() {
        return limit.wrong("expected rows, fraction or both, found neither");
    }
    let rows = limit.or("rows", 0, whole(rules::ROWS));
    let fraction = limit.or("fraction", 0.0, yaml::fraction);
    Some(Limit { rows: rows?, fraction: fraction? })
}
