//! A difference as YAML that can be pasted into the list. Nothing is loaded before somebody does so.

use std::collections::BTreeMap;

use handoff::{TableName, name_in_database};

use crate::{Comparison, Found, Gone, Why};

/// What is to be added stands as entries; what is to be removed, and what RDS skipped, as comments beside them. So the
/// whole is a list of tables of its own.
pub fn proposal(comparison: &Comparison, file: &str) -> String {
    let (export, excluded) = (&comparison.export, comparison.excluded.len());
    let lines = lines(comparison);
    if lines.is_empty() {
        return format!("# {file} and {export} agree ({excluded} excluded)\n");
    }
    let add = comparison.add.iter().filter(|found| !found.skipped).count();
    let remove = comparison.remove.len();
    let mut text = format!("# {file} beside {export}: {add} to add, {remove} to remove, {excluded} excluded\n");
    let adds = comparison.add.iter().any(|found| !found.skipped);
    text.push_str(if adds { "databases:\n" } else { "# databases:\n" });
    for (database, lines) in lines {
        let has_entry = lines.iter().any(|line| !line.starts_with('#'));
        let comment = if has_entry { "" } else { "# " };
        text.push_str(&[comment, "  ", &word(&database), ":\n"].concat());
        if comparison.add.iter().any(|found| found.table.database() == database && is_dotted(&found.table)) {
            text.push_str(&[comment, "    engine: mysql  # a dot is a part of the name\n"].concat());
        }
        text.push_str(&[comment, "    tables:\n"].concat());
        text.extend(lines.iter().map(|line| ["      ", line, "\n"].concat()));
    }
    text
}

/// By database, in the order of the tables.
fn lines(comparison: &Comparison) -> BTreeMap<String, Vec<String>> {
    let added = comparison.add.iter().map(|found| (&found.table, added(found)));
    let removed = comparison.remove.iter().map(|gone| (&gone.table, removed(gone)));
    let sorted: BTreeMap<&TableName, String> = added.chain(removed).collect();
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, line) in sorted {
        lines.entry(table.database().to_owned()).or_default().push(line);
    }
    lines
}

fn added(found: &Found) -> String {
    let name = word(&name_in_database(&found.table));
    if found.skipped {
        return format!("# {name}: {{}}  not to add: RDS skipped it, the manifest's warnings say why");
    }
    format!("{name}: {{}}  # add: {} rows, {} columns", found.rows, found.columns)
}

fn removed(gone: &Gone) -> String {
    let why = match gone.why {
        Why::NotInExport => "it is not in the export",
        Why::Skipped => "RDS skipped it, the manifest's warnings say why",
    };
    format!("# {}: {{}}  remove: {why}", word(&name_in_database(&gone.table)))
}

/// Without `engine: mysql`, what stands before the dot would be the schema.
fn is_dotted(table: &TableName) -> bool {
    table.is_in_schema_of_database() && table.table().contains('.')
}

/// In quotes where YAML could take it for something else: a number, a truth, nothing.
pub(crate) fn word(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$');
    let letter = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let reserved = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let taken = reserved.contains(&name.to_ascii_lowercase().as_str());
    if letter && !taken && name.bytes().all(plain) { name.to_owned() } else { serde_json::json!(name).to_string() }
}
