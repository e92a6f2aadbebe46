//! `{audit dataset}.loads`: one row for each table and load, whatever became of it; `latest_loads`: of each table and
//! export date the newest. The same for every program that loads BigQuery; whoever has a client runs the statements. The
//! job dbt, in Python, has them in `jobs/dbt/isthmus_dbt/audit.json`, which is made here: `WRITE_SCHEMA=1 cargo test -p audit`.

use serde::Serialize;

pub const TABLE: &str = "loads";
pub const VIEW: &str = "latest_loads";
/// The states after which a table has the rows that it should have.
pub const PROVEN: [&str; 3] = ["loaded", "truncated", "unchanged"];
/// As the table was made first.
const FIRST_COLUMNS: &str = "export_date DATE NOT NULL, table_name STRING NOT NULL, rows_expected INT64, rows_loaded INT64, \
     snapshot_time TIMESTAMP, run_name STRING, state STRING NOT NULL, message STRING, loaded_at TIMESTAMP NOT NULL";
/// Came later; a table without them gets them.
const LATER_COLUMNS: [(&str, &str); 4] =
    [("load_id", "STRING"), ("task_id", "STRING"), ("proof", "STRING"), ("proof_bytes", "INT64")];

/// What became of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    pub table_name: String,
    pub rows_expected: Option<u64>,
    pub rows_loaded: Option<u64>,
    /// RFC 3339
    pub snapshot_time: Option<String>,
    /// The transfer run or the load job.
    pub run_name: Option<String>,
    pub state: String,
    pub message: Option<String>,
    /// The export task; none where there was none.
    pub task_id: Option<String>,
    /// Which proof was given, and what it cost.
    pub proof: Option<String>,
    pub proof_bytes: Option<u64>,
}

/// The names are quoted ones of BigQuery.
pub fn create_table(table: &str) -> String {
    let later = LATER_COLUMNS.map(|(name, kind)| format!(", {name} {kind}")).concat();
    format!("CREATE TABLE IF NOT EXISTS {table} ({FIRST_COLUMNS}{later}) PARTITION BY export_date")
}

/// For a table of an older release: its rows stay, without what they do not have.
pub fn add_columns<'a>(table: &str, there: impl Iterator<Item = &'a str>) -> Option<String> {
    let there: Vec<&str> = there.collect();
    let missing = LATER_COLUMNS.iter().filter(|(name, _)| !there.contains(name));
    let added: Vec<String> = missing.map(|(name, kind)| format!("ADD COLUMN IF NOT EXISTS {name} {kind}")).collect();
    (!added.is_empty()).then(|| format!("ALTER TABLE {table} {}", added.join(", ")))
}

pub fn create_view(view: &str, table: &str) -> String {
    let newest = "ROW_NUMBER() OVER (PARTITION BY export_date, table_name ORDER BY loaded_at DESC, load_id DESC) = 1";
    format!("CREATE VIEW IF NOT EXISTS {view} AS SELECT * FROM {table} WHERE TRUE QUALIFY {newest}")
}

/// One statement for all tables of a load. Written twice by one load, it leaves the same rows.
pub fn write(table: &str) -> String {
    format!(
        "MERGE {table} AS old
        USING (
          SELECT
            DATE(@export_date) AS export_date,
            JSON_VALUE(outcome, '$.table_name') AS table_name,
            CAST(JSON_VALUE(outcome, '$.rows_expected') AS INT64) AS rows_expected,
            CAST(JSON_VALUE(outcome, '$.rows_loaded') AS INT64) AS rows_loaded,
            TIMESTAMP(JSON_VALUE(outcome, '$.snapshot_time')) AS snapshot_time,
            JSON_VALUE(outcome, '$.run_name') AS run_name,
            JSON_VALUE(outcome, '$.state') AS state,
            JSON_VALUE(outcome, '$.message') AS message,
            CURRENT_TIMESTAMP() AS loaded_at,
            @load_id AS load_id,
            JSON_VALUE(outcome, '$.task_id') AS task_id,
            JSON_VALUE(outcome, '$.proof') AS proof,
            CAST(JSON_VALUE(outcome, '$.proof_bytes') AS INT64) AS proof_bytes
          FROM UNNEST(JSON_QUERY_ARRAY(@outcomes)) AS outcome
        ) AS fresh
        ON old.export_date = fresh.export_date AND old.table_name = fresh.table_name AND old.load_id = fresh.load_id
        WHEN MATCHED THEN UPDATE SET
          rows_expected = fresh.rows_expected, rows_loaded = fresh.rows_loaded, snapshot_time = fresh.snapshot_time,
          run_name = fresh.run_name, state = fresh.state, message = fresh.message, loaded_at = fresh.loaded_at,
          task_id = fresh.task_id, proof = fresh.proof, proof_bytes = fresh.proof_bytes
        WHEN NOT MATCHED THEN
          INSERT (export_date, table_name, rows_expected, rows_loaded, snapshot_time, run_name, state, message, loaded_at,
            load_id, task_id, proof, proof_bytes)
          VALUES (fresh.export_date, fresh.table_name, fresh.rows_expected, fresh.rows_loaded, fresh.snapshot_time, fresh.run_name,
            fresh.state, fresh.message, fresh.loaded_at, fresh.load_id, fresh.task_id, fresh.proof, fresh.proof_bytes)"
    )
}

/// What [`write`] takes.
pub fn parameters(export_date: &str, load_id: &str, rows: &[Row]) -> [(&'static str, String); 3] {
    let outcomes = serde_json::to_string(rows).unwrap_or_default();
    [("export_date", export_date.to_owned()), ("load_id", load_id.to_owned()), ("outcomes", outcomes)]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;

    /// For Python: `{table}` and `{view}` are quoted names of BigQuery.
    fn file() -> Value {
        let later = LATER_COLUMNS.map(|(name, _)| name);
        json!({
            "proven": PROVEN,
            "create_table": create_table("{table}"),
            "later_columns": later,
            "add_columns": add_columns("{table}", std::iter::empty()),
            "create_view": create_view("{view}", "{table}"),
            "write": write("{table}"),
        })
    }

    #[test]
    fn python_writes_with_the_same_statements() {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../jobs/dbt/isthmus_dbt/audit.json");
        if std::env::var_os("WRITE_SCHEMA").is_some() {
            std::fs::write(&place, format!("{:#}\n", file())).unwrap();
        }
        let found: Value = serde_json::from_slice(&std::fs::read(&place).unwrap()).unwrap();
        assert_eq!(found, file(), "out of date: WRITE_SCHEMA=1 cargo test -p audit writes it");
    }

    #[test]
    fn a_table_of_an_older_release_gets_the_columns_that_it_lacks() {
        let there = ["export_date", "load_id", "task_id"];
        let added = "ALTER TABLE `t` ADD COLUMN IF NOT EXISTS proof STRING, ADD COLUMN IF NOT EXISTS proof_bytes INT64";
        assert_eq!(add_columns("`t`", there.into_iter()).as_deref(), Some(added));
        let all = there.into_iter().chain(["proof", "proof_bytes"]);
        assert_eq!(add_columns("`t`", all), None);
    }
}
