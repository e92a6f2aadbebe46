//! `{audit dataset}.watermarks`: how far each incremental table has come. A row is written when its rows stand.

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, Utc};

use super::BigQuery;
use super::job::JobId;
use crate::extracts::Table;

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
    fn watermarks(&self) -> String {
        self.quoted(&self.audit, "watermarks")
    }

    /// Of the last load; none before the first, and none where it went by another column.
    pub async fn watermark(&self, table: &Table, cursor: &str) -> Result<Option<String>> {
        if self.look(&self.audit, "watermarks").await?.is_none() {
            return Ok(None);
        }
        let sql = format!(
            "SELECT watermark FROM {} WHERE table_name = @table_name AND destination = @destination \
             AND cursor_column = @cursor ORDER BY snapshot_time DESC LIMIT 1",
            self.watermarks()
        );
        let id = JobId::unique("watermark");
        let parameters = parameters(table, cursor);
        let rows = self.run_with(&id, &sql, &parameters).await.with_context(|| format!("look up the watermark of {}", table.source))?;
        Ok(rows.first().and_then(|row| Some(row.get("f")?.get(0)?.get("v")?.as_str()?.to_owned())))
    }

    /// After the rows, so that a run that dies in between reads them once more.
    pub async fn set_watermark(&self, table: &Table, mark: &Watermark, id: &JobId) -> Result<()> {
        let place = self.watermarks();
        let create = format!("CREATE TABLE IF NOT EXISTS {place} ({COLUMNS})");
        self.run(&id.step("watermarks"), &create).await.with_context(|| format!("create the table {place}"))?;
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
