//! A table of the list as it is loaded.

use std::collections::BTreeSet;

use super::names::source;
use super::{Database, InvalidTableList, OnMissing, PATTERNS, Proof, TableEntry, TableList};
use crate::{Environment, FixedZone, TableName, TablePrefix};

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
    pub proof: Proof,
    pub on_missing: OnMissing,
}

impl TransferTable {
    /// What its transfer config reads, as Terraform writes it. A run's time is UTC; the offset makes the export date of it.
    pub fn data_path(&self, bucket: &str, env: &Environment, zone: FixedZone) -> String {
        let (offset, folder) = (zone.in_path(), TablePrefix::folder(&self.source));
        format!("s3://{bucket}/{env}-{{run_time{offset}|\"%Y%m%d\"}}/{folder}{}", self.pattern)
    }
}

impl TableList {
    /// Every table, in the order of their names; refuses names that BigQuery would refuse later.
    pub fn transfers(&self, env: &Environment) -> Result<Vec<TransferTable>, InvalidTableList> {
        let mut transfers = Vec::new();
        let mut destinations = BTreeSet::new();
        for (database, settings) in &self.databases {
            for (table, entry) in &settings.tables {
                let transfer = self.transfer(env, database, settings, table, entry)?;
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

    fn transfer(
        &self,
        env: &Environment,
        database: &str,
        settings: &Database,
        name: &str,
        entry: &TableEntry,
    ) -> Result<TransferTable, InvalidTableList> {
        let source = source(database, settings, name)?;
        let dataset = settings.dataset.clone().unwrap_or_else(|| format!("raw_{database}"));
        let table = entry.destination.clone().unwrap_or_else(|| name.replace('.', "_"));
        for word in [&dataset, &table] {
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
        let proof = entry.proof.or(settings.proof).or(self.proof).unwrap_or_default();
        let on_missing = entry.on_missing.or(settings.on_missing).or(self.on_missing).unwrap_or_default();
        Ok(TransferTable { source, dataset, table, pattern, display_name, proof, on_missing })
    }
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
        assert_eq!((orders.proof, orders.on_missing), (Proof::Counts, OnMissing::Fail));
    }

    /// The same paths stand in terraform/gcp/tests/transfers.tftest.hcl.
    #[test]
    fn the_path_is_the_one_that_terraform_writes() {
        let json = r#"{"databases":{"shop":{"engine":"mysql","tables":{"core.user":{},"orders":{"pattern":"*/*.parquet"}}},
            "app":{"tables":{"public.users":{}}}}}"#;
        let paths = |zone: &str| {
            let zone: FixedZone = zone.parse().unwrap();
            let path = |table: TransferTable| table.data_path("acme-export", &"stg".parse().unwrap(), zone);
            transfers(json).unwrap().into_iter().map(path).collect::<Vec<_>>()
        };
        assert_eq!(
            paths("Asia/Tokyo"),
            [
                "s3://acme-export/stg-{run_time+9h|\"%Y%m%d\"}/app/public.users/*.parquet",
                "s3://acme-export/stg-{run_time+9h|\"%Y%m%d\"}/shop/shop.core.user/*.parquet",
                "s3://acme-export/stg-{run_time+9h|\"%Y%m%d\"}/shop/shop.orders/*/*.parquet",
            ]
        );
        assert!(paths("Asia/Kolkata")[0].contains("{run_time+5h30m|"));
        assert!(paths("America/Phoenix")[0].contains("{run_time-7h|"));
        assert!(paths("UTC")[0].contains("{run_time|"));
    }

    #[test]
    fn a_table_of_mysql_may_have_a_dot() {
        let list = transfers(r#"{"databases":{"shop":{"engine":"mysql","tables":{"core.user":{}}}}}"#).unwrap();
        assert_eq!(
            (list[0].table.as_str(), list[0].display_name.as_str()),
            ("core_user", "isthmus prod shop.`core.user`")
        );
    }

    #[test]
    fn the_nearest_setting_counts() {
        let json = r#"{"proof":"statistics","on_missing":"warn","databases":{
            "app":{"proof":"counts","tables":{"a":{},"b":{"proof":"statistics","on_missing":"fail"}}},
            "shop":{"on_missing":"fail","tables":{"c":{},"d":{"proof":"counts"}}}}}"#;
        let settings = transfers(json).unwrap().into_iter().map(|table| (table.proof, table.on_missing));
        assert_eq!(
            settings.collect::<Vec<_>>(),
            [
                (Proof::Counts, OnMissing::Warn),
                (Proof::Statistics, OnMissing::Fail),
                (Proof::Statistics, OnMissing::Fail),
                (Proof::Counts, OnMissing::Fail),
            ]
        );
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
}
