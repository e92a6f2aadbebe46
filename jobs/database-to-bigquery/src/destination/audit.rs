//! The audit dataset: `loads` and `latest_loads`, the same tables as load-export's, and `watermarks`, how far each
//! incremental table has come.

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use handoff::ExportDate;

use super::BigQuery;
use super::job::JobId;
use crate::extracts::Table;
use crate::outcome::Outcome;

/// What stands in the column `proof`.
const PROOF: &str = "count";

const WATERMARKS: &str = "watermarks";
const COLUMNS: &str = "table_name STRING NOT NULL, destination STRING NOT NULL, cursor_column STRING NOT NULL, \
    watermark STRING NOT NULL, snapshot_time TIMESTAMP NOT NULL, written_at TIMESTAMP NOT NULL";

/// How far a table has come, and by which column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    pub cursor: String,
    pub value: String,
    pub snapshot_time: DateTime<Utc>,
}

impl BigQuery {
    /// What became of each table, by one statement for all.
    pub async fn write_loads(&self, load_id: &str, date: ExportDate, outcomes: &[Outcome]) -> Result<()> {
        let (table, view) = (self.quoted(&self.audit, audit::TABLE), self.quoted(&self.audit, audit::VIEW));
        let attempted = || format!("make the audit table {table}");
        let statement = match self.look(&self.audit, audit::TABLE).await? {
            None => Some(audit::create_table(&table)),
            Some(there) => audit::add_columns(&table, there.fields().iter().filter_map(|field| field["name"].as_str())),
        };
        if let Some(statement) = statement {
            self.run(&JobId::unique("audit"), &statement).await.with_context(attempted)?;
        }
        if self.look(&self.audit, audit::VIEW).await?.is_none() {
            let create = audit::create_view(&view, &table);
            self.run(&JobId::unique("audit"), &create).await.with_context(|| format!("make the view {view}"))?;
        }
        let rows: Vec<audit::Row> = outcomes.iter().map(row).collect();
        let parameters = audit::parameters(&date.to_string(), load_id, &rows);
        let written = self.run_with(&JobId::unique("audit"), &audit::write(&table), &parameters).await;
        written.with_context(|| format!("write the audit table {table}"))?;
        Ok(())
    }

    fn watermarks(&self) -> String {
        self.quoted(&self.audit, WATERMARKS)
    }

    /// Of the last load; none before the first, and none where it went by another column.
    pub async fn watermark(&self, table: &Table, cursor: &str) -> Result<Option<String>> {
        if self.look(&self.audit, WATERMARKS).await?.is_none() {
            return Ok(None);
        }
        let sql = format!(
            "SELECT watermark FROM {} WHERE table_name = @table_name AND destination = @destination \
             AND cursor_column = @cursor ORDER BY snapshot_time DESC LIMIT 1",
            self.watermarks()
        );
        let id = JobId::unique("watermark");
        let parameters = parameters(table, cursor);
        let rows = self
            .run_with(&id, &sql, &parameters)
            .await
            .with_context(|| format!("look up the watermark of {}", table.source))?;
        Ok(rows.first().and_then(|row| Some(row.get("f")?.get(0)?.get("v")?.as_str()?.to_owned())))
    }

    /// After the rows, so that a run that dies in between reads them once more.
    pub async fn set_watermark(&self, table: &Table, mark: &Watermark, id: &JobId) -> Result<()> {
        let place = self.watermarks();
        if self.look(&self.audit, WATERMARKS).await?.is_none() {
            let create = format!("CREATE TABLE IF NOT EXISTS {place} ({COLUMNS})");
            self.run(&id.step("watermarks"), &create).await.with_context(|| format!("create the table {place}"))?;
        }
        let sql = format!(
            "INSERT INTO {place} (table_name, destination, cursor_column, watermark, snapshot_time, written_at) \
             VALUES (@table_name, @destination, @cursor, @watermark, TIMESTAMP(@snapshot_time), CURRENT_TIMESTAMP())"
        );
        let mut parameters = parameters(table, &mark.cursor);
        parameters.push(("watermark", mark.value.clone()));
        parameters.push(("snapshot_time", mark.snapshot_time.to_rfc3339_opts(SecondsFormat::Micros, true)));
        self.run_with(&id.step("watermark"), &sql, &parameters).await.with_context(|| format!("write to {place}"))?;
        Ok(())
    }
}

fn parameters(table: &Table, cursor: &str) -> Vec<(&'static str, String)> {
    vec![("table_name", table.source.to_string()), ("destination", table.target()), ("cursor", cursor.to_owned())]
}

/// By the name in BigQuery: load-export's rows of the same source table are of another one there.
fn row(outcome: &Outcome) -> audit::Row {
    audit::Row {
        table_name: outcome.destination.clone(),
        rows_expected: outcome.rows_expected,
        rows_loaded: outcome.rows_loaded,
        snapshot_time: outcome.snapshot_time.map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, true)),
        run_name: outcome.job.clone(),
        state: outcome.state.word().to_owned(),
        message: outcome.message.clone(),
        task_id: None,
        proof: outcome.state.is_good().then(|| PROOF.to_owned()),
        proof_bytes: None,
    }
}
