//! The tree of the file as databases: which names there are, what they may be, and what holds where one is left out.

use std::collections::BTreeMap;
use std::time::Duration;

use bigquery::DatasetId;
use handoff::TableName;
use yaml::{Entry, Fields, Node, Problem, Spanned, entries, place, whole, word};

use super::rules::{self, variable_suffix};
use super::{Auth, Database, Engine, Guards, Lookback, Mode, OnDrift, Source, Table, columns, matches};

const DATABASE: [&str; 7] = ["engine", "auth", "source", "dataset", "exclude", "defaults", "tables"];
const DEFAULTS: [&str; 7] = ["mode", "cursor", "lookback", "reconcile", "on_drift", "max_seconds", "guards"];
const TABLE: [&str; 13] = [
    "destination",
    "mode",
    "cursor",
    "lookback",
    "reconcile",
    "where",
    "exclude",
    "include",
    "mask",
    "types",
    "on_drift",
    "max_seconds",
    "guards",
];
const GUARDS: [&str; 2] = ["max_rejects", "max_nulled"];
/// What an `Option` of a setting is read from, and what makes a table incremental.
const OF_INCREMENTAL: [&str; 3] = ["cursor", "lookback", "reconcile"];

/// Settings that a database gives to all of its tables.
#[derive(Debug, Clone)]
struct Defaults {
    incremental: bool,
    cursor: Option<String>,
    lookback: Lookback,
    reconcile: bool,
    on_drift: OnDrift,
    max_seconds: u64,
    guards: Guards,
}

const DEFAULT: Defaults = Defaults {
    incremental: false,
    cursor: None,
    lookback: Lookback::Nothing,
    reconcile: false,
    on_drift: OnDrift::Warn,
    max_seconds: rules::DEFAULT_MAX_SECONDS,
    guards: Guards { max_rejects: 0, max_nulled: None },
};

/// The databases that hold; the rest are problems.
pub fn databases(root: &Spanned<Node>, problems: &mut Vec<Problem>) -> Vec<Database> {
    let mut databases = Vec::new();
    let (mut suffixes, mut targets) = (BTreeMap::new(), BTreeMap::new());
    for entry in named(root, problems).unwrap_or_default() {
        if let Some(first) = suffixes.insert(variable_suffix(entry.name), entry.name) {
            let text = format!("{}: its variables would have the names of those of {first}", entry.name);
            problems.push(Problem::at(entry.at, text));
        }
        databases.extend(database(entry, &mut targets, problems));
    }
    databases.sort_by(|a, b| a.name.cmp(&b.name));
    databases
}

/// The databases by their names, which are anyone's choice.
fn named<'a>(root: &'a Spanned<Node>, problems: &mut Vec<Problem>) -> Option<Vec<Entry<'a>>> {
    Fields::new("", place(root), root, &["databases"], problems)?.required("databases", |_| Ok(()))?;
    let list = root.value.get("databases")?;
    if matches!(&list.value, Node::Mapping(names) if names.is_empty()) {
        problems.push(Problem::at(place(list), "databases: expected one at least, found none".to_owned()));
    }
    entries("databases", list, problems)
}

fn database(entry: Entry<'_>, targets: &mut BTreeMap<String, String>, problems: &mut Vec<Problem>) -> Option<Database> {
    let mut fields = Fields::new(entry.name, entry.at, entry.value, &DATABASE, problems)?;
    let source = source(&mut fields);
    let dataset = if fields.has("dataset") {
        fields.required("dataset", rules::dataset)
    } else {
        default_dataset(entry.name, &mut fields)
    };
    let exclude = fields.list("exclude", rules::pattern);
    let defaults = defaults(&mut fields);
    fields.required("tables", |_| Ok(()));
    let list = entry.value.value.get("tables")?;
    let within =
        Within { database: entry.name, source: source?, dataset: dataset?, defaults: defaults?, exclude: exclude? };
    let path = format!("{}.tables", entry.name);
    let tables = entries(&path, list, problems)?;
    if tables.is_empty() {
        problems.push(Problem::at(place(list), format!("{path}: expected one at least, found none")));
    }
    let tables = tables.into_iter().filter_map(|table| within.table(&path, table, targets, problems)).collect();
    Some(Database { name: entry.name.to_owned(), source: within.source, exclude: within.exclude, tables })
}

fn default_dataset(database: &str, fields: &mut Fields<'_>) -> Option<DatasetId> {
    match format!("raw_{database}").parse() {
        Ok(dataset) => Some(dataset),
        Err(_) => fields.wrong("dataset: missing, and the database's name cannot stand in a dataset's"),
    }
}

fn source(fields: &mut Fields<'_>) -> Option<Source> {
    if fields.has("source") {
        for name in ["engine", "auth"].into_iter().filter(|name| fields.has(name)).collect::<Vec<_>>() {
            fields.wrong_in::<()>(name, "is for databases, and this source is a program");
        }
        let mut source = fields.mapping("source", &["exec"])?;
        source.required("exec", |_| Ok(()))?;
        let words = source.list("exec", rules::argument)?;
        return if words.is_empty() {
            source.wrong_in("exec", "expected a program, found nothing")
        } else {
            Some(Source::Program(words))
        };
    }
    let engine = fields.required("engine", word(&rules::ENGINES));
    let auth = fields.or("auth", Auth::Secret, word(&rules::AUTHS));
    Some(Source::Server { engine: engine?, auth: auth? })
}

fn defaults(fields: &mut Fields<'_>) -> Option<Defaults> {
    settings_of_load(&mut fields.section("defaults", &DEFAULTS)?, &DEFAULT)
}

/// What a table may set and a database's defaults as well.
fn settings_of_load(fields: &mut Fields<'_>, default: &Defaults) -> Option<Defaults> {
    let incremental = fields.or("mode", default.incremental, word(&rules::MODES));
    let cursor = fields.or("cursor", default.cursor.clone(), |node| rules::column(node).map(Some));
    let lookback = fields.or("lookback", default.lookback, rules::lookback);
    let reconcile = fields.or("reconcile", default.reconcile, word(&rules::RECONCILE));
    let on_drift = fields.or("on_drift", default.on_drift, word(&rules::ON_DRIFT));
    let max_seconds = fields.or("max_seconds", default.max_seconds, whole(rules::MAX_SECONDS));
    let guards = guards(fields, default.guards);
    Some(Defaults {
        incremental: incremental?,
        cursor: cursor?,
        lookback: lookback?,
        reconcile: reconcile?,
        on_drift: on_drift?,
        max_seconds: max_seconds?,
        guards: guards?,
    })
}

fn guards(fields: &mut Fields<'_>, default: Guards) -> Option<Guards> {
    let mut guards = fields.section("guards", &GUARDS)?;
    let max_rejects = guards.or("max_rejects", default.max_rejects, whole(rules::COUNT));
    let max_nulled = guards.or("max_nulled", default.max_nulled, |node| whole(rules::COUNT)(node).map(Some));
    Some(Guards { max_rejects: max_rejects?, max_nulled: max_nulled? })
}

/// What the tables of a database share.
struct Within<'a> {
    database: &'a str,
    source: Source,
    dataset: DatasetId,
    defaults: Defaults,
    exclude: Vec<String>,
}

impl Within<'_> {
    fn table(
        &self,
        path: &str,
        entry: Entry<'_>,
        targets: &mut BTreeMap<String, String>,
        problems: &mut Vec<Problem>,
    ) -> Option<Table> {
        let path = format!("{path}.{}", entry.name);
        let mut fields = Fields::new(&path, entry.at, entry.value, &TABLE, problems)?;
        let source = match self.name(entry.name) {
            Some(name) => Some(name),
            None => fields.wrong("is not the name of a table"),
        };
        if let Some(pattern) = self.exclude.iter().find(|pattern| matches(pattern, entry.name)) {
            fields.wrong::<()>(&format!("is listed, and excluded by {pattern:?}"));
        }
        let destination = destination(entry.name, &mut fields);
        let settings = settings_of_load(&mut fields, &self.defaults);
        let mode = settings.as_ref().and_then(|settings| self.mode(settings, &mut fields));
        let filter = fields.or("where", None, |node| rules::filter(node).map(Some));
        let columns = columns::rules(&mut fields, mode.as_ref());
        if matches!(self.source, Source::Program(_)) {
            for name in ["where", "exclude", "include", "mask", "types"]
                .into_iter()
                .filter(|name| fields.has(name))
                .collect::<Vec<_>>()
            {
                fields.wrong_in::<()>(name, "is for databases; the program decides what it writes");
            }
        }
        let settings = settings?;
        let table = Table {
            source: source?,
            dataset: self.dataset.clone(),
            destination: destination?,
            mode: mode?,
            on_drift: settings.on_drift,
            max_time: Duration::from_secs(settings.max_seconds),
            filter: filter?,
            columns: columns?,
            guards: settings.guards,
        };
        if let Some(first) = targets.insert(table.target(), table.source.to_string()) {
            return fields.wrong(&format!("{} is the destination of {first} already", table.target()));
        }
        Some(table)
    }

    /// `orders` of PostgreSQL is in schema `public`.
    fn name(&self, table: &str) -> Option<TableName> {
        match (&self.source, table.split_once('.')) {
            (Source::Server { engine: Engine::Postgres, .. }, Some((schema, table))) => {
                TableName::of_postgres(self.database, schema, table).ok()
            }
            (Source::Server { engine: Engine::Postgres, .. }, None) => {
                TableName::of_postgres(self.database, "public", table).ok()
            }
            _ => TableName::of_mysql(self.database, table).ok(),
        }
    }

    fn mode(&self, settings: &Defaults, fields: &mut Fields<'_>) -> Option<Mode> {
        if !settings.incremental {
            for name in OF_INCREMENTAL.into_iter().filter(|name| fields.has(name)).collect::<Vec<_>>() {
                fields.wrong_in::<()>(name, "is for mode incremental");
            }
            return Some(Mode::Full);
        }
        if matches!(self.source, Source::Program(_)) {
            return fields.wrong_in("mode", "a program's table is loaded in full");
        }
        match &settings.cursor {
            Some(cursor) => Some(Mode::Incremental {
                cursor: cursor.clone(),
                lookback: settings.lookback,
                reconcile: settings.reconcile,
            }),
            None => fields.wrong("mode incremental needs a cursor: the column that grows with every write of a row"),
        }
    }
}

fn destination(table: &str, fields: &mut Fields<'_>) -> Option<String> {
    if fields.has("destination") {
        return fields.required("destination", rules::destination);
    }
    let name = table.replace('.', "_");
    if rules::is_destination(&name) {
        return Some(name);
    }
    fields.wrong("destination: missing, and BigQuery's tables have letters, digits and underscores only")
}
