//! `tables.yaml`: the one list of tables that are loaded into BigQuery. Terraform makes a destination table and a
//! transfer config for each entry; load-export starts and proves them. See `docs/spec/tables.md`.

mod file;
mod names;
mod schema;
mod transfer;
mod yaml_words;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::TableName;

pub use names::name_in_database;
pub use schema::table_list_schema;
pub use transfer::TransferTable;

/// What follows a table's folder: all parts, whatever their batch. The second spelling is for the case that a star does
/// not cross folders after all; each of its stars stays in one, and at most 10,000 files match.
const PATTERNS: [&str; 2] = ["*.parquet", "*/*.parquet"];

/// The tables of the source cluster that are loaded into BigQuery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tables.yaml")]
pub struct TableList {
    /// What a load is compared with, for all tables that do not say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// What a table is that is listed and not in the export, for all tables that do not say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_missing: Option<OnMissing>,
    /// By the name of the database.
    pub databases: BTreeMap<String, Database>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The BigQuery dataset; `raw_{database}` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Za-z0-9_]+$"))]
    pub dataset: Option<String>,
    /// Where it is left out, a table with a dot in its name is one of `PostgreSQL`, in a schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// Patterns (`*` and `?`) of tables that are left out on purpose: they are not proposed, and no check misses them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// As of the whole list, for this database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// As of the whole list, for this database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_missing: Option<OnMissing>,
    /// `orders`, or `public.orders` where the engine has schemas.
    pub tables: BTreeMap<String, TableEntry>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    /// The BigQuery table; the source table's name where it is left out, with `_` for each dot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Za-z0-9_]+$"))]
    pub destination: Option<String>,
    /// What follows the table's folder in the transfer's data path; `*.parquet` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = PATTERNS))]
    pub pattern: Option<String>,
    /// As of the whole list, for this table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// As of the whole list, for this table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_missing: Option<OnMissing>,
}

/// What a dot in a table's name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Nothing: it is a part of the name.
    Mysql,
    /// What stands before it is the schema.
    Postgres,
}

/// What a load is compared with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// The number of rows and, where the table has a time, the newest one: one column is read.
    #[default]
    Counts,
    /// Also the number of nulls, the smallest and the largest value of every column that can be compared: the whole
    /// table is read.
    Statistics,
}

/// What a table is that is listed and not in the export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnMissing {
    #[default]
    Fail,
    /// A warning: the table is to come, with a release of the application.
    Warn,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidTableList {
    /// The file and the lines, and what is wrong there.
    #[error("{0}")]
    File(String),
    #[error("tables.yaml names no table")]
    Empty,
    #[error("tables.yaml: {0}.{1} is not the name of a table")]
    Name(String, String),
    #[error("tables.yaml: {0}: a table of PostgreSQL is named with its schema, such as public.{1}")]
    NoSchema(String, String),
    #[error("tables.yaml: {0}: write {1} without backticks, and engine: mysql where the dot is a part of the name")]
    Backtick(String, String),
    #[error("tables.yaml: {0:?} is not a BigQuery dataset or table: letters, digits and underscores only")]
    Destination(String),
    #[error("tables.yaml: {0} is the destination of two tables")]
    Shared(String),
    #[error("tables.yaml: {0}: the pattern {1:?} is neither *.parquet nor */*.parquet")]
    Pattern(TableName, String),
    #[error("tables.yaml: exclude of {0}: {1:?} is not a pattern")]
    Exclude(String, String),
    #[error("tables.yaml: {0} is listed, and excluded by {1:?}")]
    ListedAndExcluded(TableName, String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_field_is_refused() {
        let error = serde_json::from_str::<TableList>(r#"{"databases":{"shop":{"tables":{"a":{"destnation":"b"}}}}}"#);
        assert!(error.unwrap_err().to_string().starts_with("unknown field `destnation`"));
        let error = serde_json::from_str::<TableList>(r#"{"proof":"sums","databases":{}}"#).unwrap_err().to_string();
        assert!(error.starts_with("unknown variant `sums`, expected `counts` or `statistics`"), "{error}");
    }
}
