//! The JSON Schema of the file, for editors and for checks before a deployment: `config/extracts.schema.json`.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::rules::{COUNT, DEFAULT_MAX_SECONDS, MAX_SECONDS};
use super::{Auth, Engine, OnDrift, Retype};

/// As it is written to `config/extracts.schema.json`.
pub fn schema() -> Value {
    yaml::schema_of::<File>()
}

/// The extracts of database-to-bigquery: tables that are read from a database and loaded into BigQuery.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "extracts.yaml")]
#[allow(dead_code)] // only their shape is used; the reader tells more than serde could
struct File {
    /// By the name of the database.
    #[schemars(extend("minProperties" = 1))]
    databases: BTreeMap<String, DatabaseShape>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Database", extend("oneOf" = [{"required": ["engine"]}, {"required": ["source"]}]))]
#[allow(dead_code)]
struct DatabaseShape {
    engine: Option<Engine>,
    #[schemars(extend("default" = "secret"))]
    auth: Option<Auth>,
    /// Instead of a database: a program that writes tables.
    source: Option<SourceShape>,
    /// The BigQuery dataset; `raw_{database}` where it is left out.
    #[schemars(regex(pattern = "^[A-Za-z0-9_]+$"))]
    dataset: Option<String>,
    /// Patterns (`*` and `?`) of tables that are left out on purpose: `discover` does not propose them.
    exclude: Option<Vec<String>>,
    /// What holds for each table that does not say otherwise.
    defaults: Option<DefaultsShape>,
    /// `orders`, or `sales.orders` where the engine has schemas (`public` where none is named).
    #[schemars(extend("minProperties" = 1))]
    tables: BTreeMap<String, TableShape>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Source")]
#[allow(dead_code)]
struct SourceShape {
    /// A program and its arguments. It gets the table's name as its last argument and writes an Arrow IPC stream.
    #[schemars(length(min = 1))]
    exec: Vec<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Defaults")]
#[allow(dead_code)]
struct DefaultsShape {
    #[schemars(extend("default" = "full"))]
    mode: Option<ModeShape>,
    cursor: Option<String>,
    lookback: Option<LookbackShape>,
    reconcile: Option<ReconcileShape>,
    #[schemars(extend("default" = "warn"))]
    on_drift: Option<OnDrift>,
    #[schemars(range(min = *MAX_SECONDS.start(), max = *MAX_SECONDS.end()), extend("default" = DEFAULT_MAX_SECONDS))]
    max_seconds: Option<u64>,
    guards: Option<GuardsShape>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Table")]
#[allow(dead_code, clippy::zero_sized_map_values)]
struct TableShape {
    /// The BigQuery table; the table's name where it is left out, with `_` for the dot of a schema.
    #[schemars(regex(pattern = "^[A-Za-z0-9_]+$"))]
    destination: Option<String>,
    #[schemars(extend("default" = "full"))]
    mode: Option<ModeShape>,
    /// The column that grows with every write of a row, for mode incremental.
    cursor: Option<String>,
    lookback: Option<LookbackShape>,
    reconcile: Option<ReconcileShape>,
    /// A condition in the database's SQL: only such rows are loaded.
    r#where: Option<String>,
    /// Columns that are left out.
    exclude: Option<Vec<String>>,
    /// Columns that are carried although their names look like secrets.
    include: Option<Vec<String>>,
    /// Columns whose values do not leave the database as they are.
    mask: Option<BTreeMap<String, MaskShape>>,
    /// Other types than the columns' own.
    types: Option<BTreeMap<String, Retype>>,
    #[schemars(extend("default" = "warn"))]
    on_drift: Option<OnDrift>,
    /// How long the table's transaction may be open.
    #[schemars(range(min = *MAX_SECONDS.start(), max = *MAX_SECONDS.end()), extend("default" = DEFAULT_MAX_SECONDS))]
    max_seconds: Option<u64>,
    guards: Option<GuardsShape>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", rename = "Mode")]
#[allow(dead_code)]
enum ModeShape {
    /// Every row, each time: the table is replaced.
    Full,
    /// Rows that were written since the last time, merged by primary key.
    Incremental,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", rename = "Reconcile")]
#[allow(dead_code)]
enum ReconcileShape {
    /// All primary keys are read each time, and rows that are gone are deleted.
    Keys,
}

/// What stops a table before BigQuery sees it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Guards")]
#[allow(dead_code)]
struct GuardsShape {
    /// Rows that cannot be carried.
    #[schemars(range(min = *COUNT.start(), max = *COUNT.end()), extend("default" = 0))]
    max_rejects: Option<u64>,
    /// Values that BigQuery cannot hold and that are null there; any number where it is left out.
    #[schemars(range(min = *COUNT.start(), max = *COUNT.end()))]
    max_nulled: Option<u64>,
}

/// A time or a number.
struct LookbackShape;

impl JsonSchema for LookbackShape {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Lookback".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How far below the watermark rows are read again: a time (90s, 15m, 2h, 1d) or, for a cursor that is a number, a number.",
            "oneOf": [{"type": "string", "pattern": "^[0-9]+[smhd]$"}, {"type": "integer", "minimum": 0}],
        })
    }
}

/// `hmac`, `null` in quotes or not.
struct MaskShape;

impl JsonSchema for MaskShape {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Mask".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "hmac: HMAC-SHA256 of the value as text; null: always null.",
            "enum": ["hmac", "null", null],
        })
    }
}
