//! What a run would do, from catalogs alone: no row is read, nothing is written.

use std::fmt::Write;

use anyhow::Result;
use serde::Serialize;

use crate::columns::select;
use crate::destination::schema::drift;
use crate::extracts::{Mode, Table};
use crate::run::Clouds;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    pub table: String,
    /// `dataset.table` in BigQuery.
    pub destination: String,
    /// `full` or `incremental`, as it would be loaded now.
    pub mode: &'static str,
    /// In the database, by its guess; none for a program.
    pub rows: Option<u64>,
    pub bytes: Option<u64>,
    /// In BigQuery now; none where there is no such table yet.
    pub rows_there: Option<u64>,
    /// Where an incremental load would go on.
    pub watermark: Option<String>,
    pub columns: Vec<PlannedColumn>,
    /// What would change in BigQuery's table.
    pub changes: Vec<String>,
    pub left_out: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedColumn {
    pub name: String,
    pub r#type: &'static str,
    pub masked: bool,
}

pub async fn plan(table: &Table, clouds: &Clouds) -> Result<Plan> {
    let connector = clouds.connector(table)?;
    let existing = clouds.bigquery.look(&table.dataset, &table.destination).await?;
    let watermark = match (&table.mode, &existing) {
        (Mode::Incremental { cursor, .. }, Some(_)) => clouds.bigquery.watermark(table, cursor).await?,
        _ => None,
    };
    let mut plan = Plan {
        table: table.source.to_string(),
        destination: table.target(),
        mode: if watermark.is_some() { "incremental" } else { "full" },
        rows: None,
        bytes: None,
        rows_there: existing.as_ref().map(crate::destination::Existing::rows),
        watermark,
        columns: Vec::new(),
        changes: Vec::new(),
        left_out: Vec::new(),
    };
    let Some(engine) = connector.engine() else { return Ok(plan) };
    let source = connector.describe(&table.source).await?;
    let selection = select(&source, table, engine)?;
    plan.changes = match &existing {
        Some(existing) => drift(&selection.columns, existing).iter().map(ToString::to_string).collect(),
        None => vec![format!("table {} is made", table.target())],
    };
    (plan.rows, plan.bytes) = (Some(source.rows), Some(source.bytes));
    plan.columns = selection.columns.iter().map(planned).collect();
    plan.left_out = selection.secrets;
    Ok(plan)
}

fn planned(column: &crate::columns::Column) -> PlannedColumn {
    let masked = column.hmac || column.read == crate::types::Read::Nothing;
    PlannedColumn { name: column.name.clone(), r#type: column.r#type.name(), masked }
}

impl Plan {
    pub fn to_text(&self) -> String {
        let Self { table, destination, mode, .. } = self;
        let guess = match (self.rows, self.bytes) {
            (Some(rows), Some(bytes)) => format!("about {rows} rows, {} in the database", indicatif::HumanBytes(bytes)),
            _ => "a program's rows".to_owned(),
        };
        let there = self.rows_there.map_or("not there yet".to_owned(), |rows| format!("{rows} rows there"));
        let mut text = format!("{table} → {destination}: {mode}, {guess}; {there}\n");
        if let Some(watermark) = &self.watermark {
            let _ = writeln!(text, "  from {watermark} on");
        }
        let columns: Vec<String> = self.columns.iter().map(PlannedColumn::to_text).collect();
        if !columns.is_empty() {
            let _ = writeln!(text, "  {}", columns.join(", "));
        }
        for change in &self.changes {
            let _ = writeln!(text, "  {change}");
        }
        if !self.left_out.is_empty() {
            let _ = writeln!(text, "  left out, because their names look like secrets: {}", self.left_out.join(", "));
        }
        text
    }
}

impl PlannedColumn {
    fn to_text(&self) -> String {
        format!("{} {}{}", self.name, self.r#type, if self.masked { " (masked)" } else { "" })
    }
}
