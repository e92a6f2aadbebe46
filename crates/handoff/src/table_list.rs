//! `tables.yaml`: the one list of tables that are loaded into BigQuery. Terraform makes a destination table and a
//! transfer config for each entry; load-export starts and proves them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Environment, TableName};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableList {
    pub databases: BTreeMap<String, Database>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The BigQuery dataset; `raw_{database}` where not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// `orders`, or `public.orders` where the engine has schemas.
    pub tables: BTreeMap<String, TableEntry>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    /// The BigQuery table; the source table's name where not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// What follows the table's folder in the transfer's data path; `*.parquet` where not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    #[error("tables.yaml names no table")]
    Empty,
    #[error("tables.yaml: {0}.{1} is not the name of a table")]
    Name(String, String),
    #[error("tables.yaml: {0:?} is not a BigQuery dataset or table: letters, digits and underscores only")]
    Destination(String),
    #[error("tables.yaml: {0} is the destination of two tables")]
    Shared(String),
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
                transfers.push(transfer);
            }
        }
        if transfers.is_empty() {
            return Err(InvalidTableList::Empty);
        }
        Ok(transfers)
    }
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
    let pattern = entry.pattern.clone().unwrap_or_else(|| "*.parquet".to_owned());
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
    fn names_that_bigquery_would_refuse_are_refused_here() {
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
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let error = serde_json::from_str::<TableList>(r#"{"databases":{"shop":{"tables":{"a":{"destnation":"b"}}}}}"#);
        assert!(error.unwrap_err().to_string().starts_with("unknown field `destnation`"));
    }
}
