//! The end of the job: for people a table, for scripts one JSON object.

use std::fmt::Write;

use handoff::{ExportDate, ExportTaskId, Manifest, TableName};
use serde::Serialize;

use crate::outcome::Outcome;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub ok: bool,
    pub export_date: ExportDate,
    pub task_id: ExportTaskId,
    pub snapshot_time: chrono::DateTime<chrono::Utc>,
    /// Of this execution; a table whose rows still stand needs none.
    pub runs_started: u32,
    /// In the order of the table list.
    pub tables: Vec<Outcome>,
    /// In the manifest but not in the table list.
    pub unlisted: Vec<TableName>,
    /// Not settled when the job was stopped.
    pub unfinished: Vec<String>,
    /// Why the audit table was not written.
    pub audit_error: Option<String>,
}

impl Report {
    pub fn new(manifest: &Manifest, unlisted: Vec<TableName>, tables: Vec<Outcome>, unfinished: Vec<String>) -> Self {
        Self {
            ok: unfinished.is_empty() && tables.iter().all(|table| table.state.is_good()),
            export_date: manifest.export_date,
            task_id: manifest.task_id.clone(),
            snapshot_time: manifest.snapshot_time,
            runs_started: 0,
            tables,
            unlisted,
            unfinished,
            audit_error: None,
        }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn to_text(&self) -> String {
        let names = self.tables.iter().map(|table| table.table.len());
        let width = names.chain([5]).max().unwrap_or_default();
        let mut text = format!("{} ({}, snapshot of {})\n", self.export_date, self.task_id, self.snapshot_time);
        let _ = writeln!(
            text,
            "{:width$}  {:9}  {:>13}  {:>13}  {:>7}  proof",
            "table", "state", "exported", "BigQuery", "s"
        );
        for table in &self.tables {
            let count = |rows: Option<u64>| rows.map_or("-".to_owned(), |rows| rows.to_string());
            let (name, state, seconds) = (&table.table, table.state.word(), table.seconds);
            let (expected, loaded) = (count(table.rows_expected), count(table.rows_loaded));
            let proof = table.proof.as_deref().unwrap_or("-");
            let _ = writeln!(text, "{name:width$}  {state:9}  {expected:>13}  {loaded:>13}  {seconds:>7.1}  {proof}");
            if let Some(message) = &table.message {
                let _ = writeln!(text, "{:width$}  {message}", "");
            }
        }
        let _ = writeln!(text, "transfer runs started: {}", self.runs_started);
        if !self.unlisted.is_empty() {
            let names: Vec<String> = self.unlisted.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "in the export but not in the table list: {}", names.join(", "));
        }
        if !self.unfinished.is_empty() {
            let _ = writeln!(text, "unfinished: {}", self.unfinished.join(", "));
        }
        if let Some(error) = &self.audit_error {
            let _ = writeln!(text, "the audit table was not written: {error}");
        }
        text
    }
}
