//! `extracts.yaml`: which tables of which databases are loaded into BigQuery, and how. See `docs/spec/extracts.md`.

mod columns;
mod rules;
mod schema;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bigquery::DatasetId;
use handoff::TableName;
use schemars::JsonSchema;
use serde::Serialize;
use yaml::InvalidFile;

pub use rules::{looks_secret, matches, variable_suffix};
pub use schema::schema;

/// Every database of one file, in the order of their names.
#[derive(Debug, Clone, PartialEq)]
pub struct Extracts {
    pub databases: Vec<Database>,
}

impl Extracts {
    /// Everything that is wrong with the file is told at once.
    pub fn read(file: &Path) -> Result<Self, InvalidFile> {
        Self::parse(&yaml::read(file)?, file)
    }

    /// `file` is named in the errors.
    pub fn parse(text: &str, file: &Path) -> Result<Self, InvalidFile> {
        let root = yaml::parse(text).map_err(|problem| InvalidFile::new(file, vec![problem]))?;
        let mut problems = Vec::new();
        let databases = settings::databases(&root, &mut problems);
        if problems.is_empty() { Ok(Self { databases }) } else { Err(InvalidFile::new(file, problems)) }
    }

    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.databases.iter().flat_map(|database| &database.tables)
    }
}

/// One database, and the tables of it that are loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Database {
    pub name: String,
    pub source: Source,
    /// Patterns of tables that are left out on purpose: never proposed.
    pub exclude: Vec<String>,
    pub tables: Vec<Table>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Server {
        engine: Engine,
        auth: Auth,
    },
    /// A program that writes the table as an Arrow IPC stream to its standard output.
    Program(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Engine {
    /// Aurora `MySQL`, `MySQL`, MariaDB.
    Mysql,
    /// Aurora `PostgreSQL`, `PostgreSQL`.
    Postgres,
}

/// How the program proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Auth {
    /// With the password of `DATABASE_PASSWORD_{NAME}`, which the platform fills from its secret store.
    Secret,
    /// With a token of 15 minutes, made from the AWS credentials of the task.
    Iam,
}

/// One table: where from, where to, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub source: TableName,
    pub dataset: DatasetId,
    /// The BigQuery table.
    pub destination: String,
    pub mode: Mode,
    pub on_drift: OnDrift,
    /// How long the table's transaction may be open.
    pub max_time: Duration,
    /// A condition of the database's SQL: only such rows are loaded.
    pub filter: Option<String>,
    pub columns: ColumnRules,
    pub guards: Guards,
}

impl Table {
    /// `raw_shop.orders`
    pub fn target(&self) -> String {
        format!("{}.{}", self.dataset, self.destination)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Every row, each time: the table is replaced.
    Full,
    /// Rows that were written since the last time are merged in by primary key.
    Incremental {
        /// The column that grows with every write of a row.
        cursor: String,
        lookback: Lookback,
        /// Whether rows that are gone from the source are deleted.
        reconcile: bool,
    },
}

/// How far below the watermark rows are read again, for those that were committed late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookback {
    Nothing,
    /// For a cursor that is a date or a time.
    Time(Duration),
    /// For a cursor that is a number.
    Number(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum OnDrift {
    /// Columns that came, went or changed are named, and the table follows.
    Warn,
    /// The table is left as it is.
    Fail,
}

/// What becomes of single columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnRules {
    pub exclude: Vec<String>,
    /// Carried although their names look like secrets.
    pub include: Vec<String>,
    pub mask: BTreeMap<String, Mask>,
    pub types: BTreeMap<String, Retype>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Mask {
    /// HMAC-SHA256 of the value as text, in hexadecimal digits: equal values stay equal.
    Hmac,
    /// Always null.
    Null,
}

/// The types that a column can be given instead of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "UPPERCASE")]
pub enum Retype {
    Bool,
    Int64,
    Numeric,
    BigNumeric,
    String,
    Json,
}

/// What stops a table before BigQuery sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guards {
    /// Rows that cannot be carried: text that is not UTF-8, numbers beyond their type.
    pub max_rejects: u64,
    /// Values that BigQuery cannot hold and that are null there, such as zero dates. None: any number.
    pub max_nulled: Option<u64>,
}
