//! `tables.yaml`: the one list of tables that are loaded into BigQuery. Terraform makes a destination table and a
//! transfer config for each entry; load-export starts and proves them. See `docs/spec/tables.md`.

mod file;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Environment, TableName};

pub use schema::table_list_schema;

/// What follows a table's folder: all parts, whatever their batch. The second spelling is for the case that a star does
/// not cross folders after all; each of its stars stays in one, and at most 10,000 files match.
const PATTERNS: [&str; 2] = ["*.parquet", "*/*.parquet"];

/// The tables of the source cluster that are loaded into BigQuery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tables.yaml")]
pub struct TableList {
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
    /// Patterns (`*` and `?`) of tables that are left out on purpose: they are not proposed, and no check misses them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// `orders`, or `public.orders` where the engine has schemas.
    pub tables: BTreeMap<String, TableEntry>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    /// The BigQuery table; the source table's name where it is left out, with `_` for the dot of a schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Za-z0-9_]+$"))]
    pub destination: Option<String>,
    /// What follows the table's folder in the transfer's data path; `*.parquet` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = PATTERNS))]
    pub pattern: Option<String>,
}

/// One table as it is loaded: where from, where to, and the name of its transfer config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferTable {
    pub source: TableName,
    pub dataset: String,
    pub table: String,
    /// What follows the table's folder in the transfer's data path.
    pub pattern: String,
    /// Transfer configs have no name of their own choosing but the display name: `isthmus prod shop.orders`.
    pub display_name: String,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidTableList {
    /// The file and the line, and what is wrong there.
    #[error("{0}")]
    File(String),
    #[error("tables.yaml names no table")]
    Empty,
    #[error("tables.yaml: {0}.{1} is not the name of a table")]
    Name(String, String),
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

impl TableList {
    /// Every table, in the order of their names; refuses names that BigQuery would refuse later.
    pub fn transfers(&self, env: &Environment) -> Result<Vec<TransferTable>, InvalidTableList> {
        let mut transfers = Vec::new();
        let mut destinations = BTreeSet::new();
        for (database, settings) in &self.databases {
            for (table, entry) in &settings.tables {
                let transfer = transfer(env, database, settings, table, entry)?;
                let destination = format!("{}.{}", transfer.dataset, transfer.table);
                if !destinations.insert(destination.clone()) {
                    return Err(InvalidTableList::Shared(destination));
                }
                if let Some(pattern) = self.excluded_by(&transfer.source)? {
                    return Err(InvalidTableList::ListedAndExcluded(transfer.source, pattern.to_owned()));
                }
                transfers.push(transfer);
            }
        }
        if transfers.is_empty() {
            return Err(InvalidTableList::Empty);
        }
        Ok(transfers)
    }

    /// The pattern that leaves the table out on purpose.
    pub fn excluded_by(&self, table: &TableName) -> Result<Option<&str>, InvalidTableList> {
        let Some(database) = self.databases.get(table.database()) else { return Ok(None) };
        let name = name_in_database(table);
        for pattern in &database.exclude {
            let wrong = |_| InvalidTableList::Exclude(table.database().to_owned(), pattern.clone());
            if glob::Pattern::new(pattern).map_err(wrong)?.matches(&name) {
                return Ok(Some(pattern));
            }
        }
        Ok(None)
    }

    /// Whichever of its names the file uses: `users` and `app.users` of the database `app` are one table.
    pub fn lists(&self, table: &TableName) -> bool {
        let is_it = |name: &String| TableName::new(table.database(), name).is_ok_and(|listed| listed == *table);
        self.databases.get(table.database()).is_some_and(|database| database.tables.keys().any(is_it))
    }
}

/// As the file names it below its database: `orders`, `public.orders`.
pub fn name_in_database(table: &TableName) -> String {
    let name = table.to_string();
    name.split_once('.').map_or(String::new(), |(_, rest)| rest.to_owned())
}

fn transfer(
    env: &Environment,
    database: &str,
    settings: &Database,
    table: &str,
    entry: &TableEntry,
) -> Result<TransferTable, InvalidTableList> {
    let source =
        TableName::new(database, table).map_err(|_| InvalidTableList::Name(database.to_owned(), table.to_owned()))?;
    let dataset = settings.dataset.clone().unwrap_or_else(|| format!("raw_{database}"));
    let destination = entry.destination.clone().unwrap_or_else(|| table.replace('.', "_"));
    for word in [&dataset, &destination] {
        // Datasets allow nothing else; tables would allow more, but not every tool that reads them does.
        if word.is_empty() || !word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(InvalidTableList::Destination(word.clone()));
        }
    }
    let display_name = format!("isthmus {env} {source}");
    let pattern = entry.pattern.clone().unwrap_or_else(|| PATTERNS[0].to_owned());
    if !PATTERNS.contains(&pattern.as_str()) {
        return Err(InvalidTableList::Pattern(source, pattern));
    }
    Ok(TransferTable { source, dataset, table: destination, pattern, display_name })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfers(json: &str) -> Result<Vec<TransferTable>, InvalidTableList> {
        let list: TableList = serde_json::from_str(json).unwrap();
        list.transfers(&"prod".parse().unwrap())
    }

    #[test]
    fn a_bare_entry_is_loaded_under_its_own_name() {
        let list = transfers(r#"{"databases":{"shop":{"tables":{"orders":{}}}}}"#).unwrap();
        let [orders] = &list[..] else { panic!("{list:?}") };
        assert_eq!((orders.dataset.as_str(), orders.table.as_str()), ("raw_shop", "orders"));
        assert_eq!((orders.display_name.as_str(), orders.pattern.as_str()), ("isthmus prod shop.orders", "*.parquet"));
    }

    #[test]
    fn what_would_be_refused_later_is_refused_here() {
        let refused = |json| transfers(json).unwrap_err().to_string();
        assert_eq!(refused(r#"{"databases":{}}"#), "tables.yaml names no table");
        assert_eq!(
            refused(r#"{"databases":{"shop":{"tables":{"my orders":{}}}}}"#),
            "tables.yaml: \"my orders\" is not a BigQuery dataset or table: letters, digits and underscores only"
        );
        assert_eq!(
            refused(r#"{"databases":{"shop":{"tables":{"a":{},"b":{"destination":"a"}}}}}"#),
            "tables.yaml: raw_shop.a is the destination of two tables"
        );
        assert_eq!(
            refused(r#"{"databases":{"shop":{"tables":{"":{}}}}}"#),
            "tables.yaml: shop. is not the name of a table"
        );
        assert_eq!(
            refused(r#"{"databases":{"shop":{"tables":{"a":{"pattern":"1/*.parquet"}}}}}"#),
            "tables.yaml: shop.a: the pattern \"1/*.parquet\" is neither *.parquet nor */*.parquet"
        );
        assert_eq!(
            refused(r#"{"databases":{"shop":{"exclude":["[a"],"tables":{"a":{}}}}}"#),
            "tables.yaml: exclude of shop: \"[a\" is not a pattern"
        );
        assert_eq!(
            refused(r#"{"databases":{"shop":{"exclude":["tmp_*"],"tables":{"tmp_a":{}}}}}"#),
            "tables.yaml: shop.tmp_a is listed, and excluded by \"tmp_*\""
        );
    }

    #[test]
    fn a_table_is_excluded_by_its_name_below_the_database() {
        let json = r#"{"databases":{"app":{"exclude":["audit.*"],"tables":{}}}}"#;
        let list: TableList = serde_json::from_str(json).unwrap();
        let excluded = |name: &str| list.excluded_by(&name.parse().unwrap()).unwrap();
        assert_eq!(excluded("app.audit.log"), Some("audit.*"));
        assert_eq!((excluded("app.public.audit"), excluded("shop.audit.log")), (None, None));
    }

    #[test]
    fn a_table_in_a_schema_with_the_name_of_the_database_is_listed_by_either_of_its_names() {
        let list = |table: &str| -> TableList {
            serde_json::from_value(serde_json::json!({"databases": {"app": {"tables": {table: {}}}}})).unwrap()
        };
        let users: TableName = "app.app.users".parse().unwrap();
        assert!(list("app.users").lists(&users) && list("users").lists(&users));
        assert!(!list("public.users").lists(&users) && !list("app.user").lists(&users));
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let error = serde_json::from_str::<TableList>(r#"{"databases":{"shop":{"tables":{"a":{"destnation":"b"}}}}}"#);
        assert!(error.unwrap_err().to_string().starts_with("unknown field `destnation`"));
    }
}
