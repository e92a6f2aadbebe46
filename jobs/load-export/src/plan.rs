//! What is to be done with each table: the table list beside the manifest. Pure.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use handoff::{Change, Column, Drift, Manifest, OnMissing, Table, TableName, TablePrefix, TableState, TransferTable};

use crate::config::OnDrift;
use crate::state::State;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// One for each table of the list, in its order.
    pub steps: Vec<Step>,
    /// In the manifest but not in the list: told, and no error.
    pub unlisted: Vec<TableName>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub table: TransferTable,
    /// By the manifest; none where it does not have the table.
    pub rows_expected: Option<u64>,
    /// How old the table's data are: its own, after a spot export of some tables.
    pub snapshot_time: DateTime<Utc>,
    pub action: Action,
    /// What changed since the last export, in words; empty where nothing did.
    pub drift: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Load(Expected),
    /// The table was exported and has no rows: a transfer would find no file and leave yesterday's rows.
    Truncate,
    /// Nothing is done to the table, for this reason.
    Leave(State, String),
}

/// What the table must have after its load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub rows: u64,
    pub columns: Vec<Column>,
    /// When the last of its parts was written. A run that began before has read other files.
    pub complete_at: DateTime<Utc>,
}

impl Step {
    /// `dataset.table` in BigQuery.
    pub fn destination(&self) -> String {
        format!("{}.{}", self.table.dataset, self.table.table)
    }
}

pub fn plan(tables: &[TransferTable], manifest: &Manifest, on_drift: OnDrift) -> Plan {
    let listed: BTreeSet<&TableName> = tables.iter().map(|table| &table.source).collect();
    let names = manifest.tables.iter().map(|table| &table.name);
    Plan {
        steps: tables.iter().map(|table| step(table, manifest, on_drift)).collect(),
        unlisted: names.filter(|name| !listed.contains(name)).cloned().collect(),
    }
}

fn step(table: &TransferTable, manifest: &Manifest, on_drift: OnDrift) -> Step {
    let drift: Vec<String> = column_drift(&table.source, manifest).map(ToString::to_string).collect();
    let exported = manifest.table(&table.source);
    let action = match exported {
        None => missing(table, manifest),
        Some(exported) => action(exported, manifest, on_drift, &drift),
    };
    let rows_expected = exported.filter(|table| table.state != TableState::Skipped).map(|table| table.rows);
    let snapshot_time = exported.and_then(|table| table.snapshot_time).unwrap_or(manifest.snapshot_time);
    Step { table: table.clone(), rows_expected, snapshot_time, action, drift }
}

fn action(exported: &Table, manifest: &Manifest, on_drift: OnDrift, drift: &[String]) -> Action {
    let folder = TablePrefix::of_day(&manifest.env, manifest.export_date, &exported.name);
    match exported.state {
        TableState::Skipped => Action::Leave(State::Skipped, why_skipped(&exported.name, manifest)),
        _ if on_drift == OnDrift::Fail && !drift.is_empty() => Action::Leave(State::Drifted, drift.join(", ")),
        TableState::Empty => Action::Truncate,
        TableState::Exported if exported.prefix != folder.as_str() => {
            let (found, wanted) = (&exported.prefix, folder.as_str());
            let problem =
                format!("its parts are in {found}, and its transfer reads {wanted}: look at engine in tables.yaml");
            Action::Leave(State::Failed, problem)
        }
        TableState::Exported => Action::Load(Expected {
            rows: exported.rows,
            columns: exported.columns.clone(),
            // An older release did not say it for each table.
            complete_at: exported.newest_part_at.unwrap_or(manifest.published_at),
        }),
    }
}

fn missing(table: &TransferTable, manifest: &Manifest) -> Action {
    let like = |other: &&Table| {
        let same_folder = TablePrefix::folder(&other.name) == TablePrefix::folder(&table.source);
        let dots = |name: &TableName| name.to_string().replace('`', "");
        same_folder || dots(&other.name) == dots(&table.source)
    };
    if let Some(like) = manifest.tables.iter().find(like) {
        let problem = format!("not in the manifest, but {} is: set engine for its database in tables.yaml", like.name);
        return Action::Leave(State::Missing, problem);
    }
    match table.on_missing {
        OnMissing::Fail => Action::Leave(State::Missing, "not in the manifest: was it dropped or renamed?".into()),
        OnMissing::Warn => Action::Leave(State::Awaited, "not in the manifest yet".into()),
    }
}

/// A table that is new has no rows that could be lost, so only a change of columns is drift here.
fn column_drift<'a>(name: &TableName, manifest: &'a Manifest) -> impl Iterator<Item = &'a Drift> {
    let of_columns = |change| matches!(change, Change::ColumnAdded | Change::ColumnRemoved | Change::ColumnRetyped);
    manifest.drift.iter().filter(move |drift| drift.table == *name && of_columns(drift.change))
}

fn why_skipped(name: &TableName, manifest: &Manifest) -> String {
    let said = manifest.warnings.iter().filter(|warning| warning.contains(&name.to_string()));
    let said: Vec<&str> = said.map(String::as_str).collect();
    if said.is_empty() {
        return "RDS did not export it".to_owned();
    }
    format!("RDS did not export it: {}", said.join("; "))
}

#[cfg(test)]
mod tests;
