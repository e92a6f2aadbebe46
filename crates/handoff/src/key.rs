//! The keys of the export bucket. No other place builds or takes apart a key.

use std::fmt;

use crate::{Environment, ExportDate, ExportTaskId, TableName};

/// An object (or, where it says so, a prefix) that isthmus or RDS keeps in the export bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportKey<'a> {
    /// `{env}-{YYYYMMDD}/manifest.json`: says that the day is complete, verified and ready to load.
    Manifest(&'a Environment, ExportDate),
    /// The manifest of a day while a spot export replaces its parts: readers wait, a second try starts from it.
    WithdrawnManifest(&'a Environment, ExportDate),
    /// `{env}-{YYYYMMDD}/`: what transfer configs read.
    DayPrefix(&'a Environment, ExportDate),
    /// `{env}-`: under it, one prefix for each day and each spot export.
    EnvironmentPrefix(&'a Environment),
    /// `{task id}/`: where RDS writes.
    TaskPrefix(&'a ExportTaskId),
    /// `{task id}/export_info_{task id}.json`
    ExportInfo(&'a ExportTaskId),
    /// `{task id}/export_tables_info_{task id}_from_`: several objects, one for each range of tables.
    ExportTablesInfoPrefix(&'a ExportTaskId),
    /// `reports/{task id}.json`: that the end of this task has been told to a human, once.
    Report(&'a ExportTaskId),
    /// `starts/{task id}.json`: that the load of this task was started, once.
    LoadStart(&'a ExportTaskId),
}

impl fmt::Display for ExportKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(environment, date) => write!(f, "{environment}-{}/manifest.json", date.compact()),
            Self::WithdrawnManifest(environment, date) => {
                write!(f, "{environment}-{}/manifest.withdrawn.json", date.compact())
            }
            Self::DayPrefix(environment, date) => write!(f, "{environment}-{}/", date.compact()),
            Self::EnvironmentPrefix(environment) => write!(f, "{environment}-"),
            Self::TaskPrefix(task) => write!(f, "{task}/"),
            Self::ExportInfo(task) => write!(f, "{task}/export_info_{task}.json"),
            Self::ExportTablesInfoPrefix(task) => write!(f, "{task}/export_tables_info_{task}_from_"),
            Self::Report(task) => write!(f, "reports/{task}.json"),
            Self::LoadStart(task) => write!(f, "starts/{task}.json"),
        }
    }
}

/// `{day or task}/{database}/{schema}.{table}/`: the folder of one table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TablePrefix(String);

impl TablePrefix {
    pub fn of_day(environment: &Environment, date: ExportDate, table: &TableName) -> Self {
        Self::under(&ExportKey::DayPrefix(environment, date).to_string(), table)
    }

    pub fn of_task(task: &ExportTaskId, table: &TableName) -> Self {
        Self::under(&ExportKey::TaskPrefix(task).to_string(), table)
    }

    fn under(prefix: &str, table: &TableName) -> Self {
        let (database, schema, name) = (table.database(), table.schema(), table.table());
        Self(format!("{prefix}{}/{}.{}/", in_path(database), in_path(schema), in_path(name)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TablePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RDS writes `_` for these characters of a name in a path.
/// Source: Aurora user guide, "File naming convention" of DB snapshot exports.
fn in_path(name: &str) -> String {
    name.replace(['\\', '`', '"', ' '], "_")
}

/// What RDS writes below a table's folder: `{batch}/part-….parquet` and `{batch}/_SUCCESS`.
/// The batch is an index, not a constant: a table that RDS cannot split evenly has `2/`, `3/`, … too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKey<'a> {
    Part { batch: &'a str },
    Success { batch: &'a str },
}

impl<'a> PartKey<'a> {
    /// `None` for a key that is not of this table, or that is neither a part nor the mark of a finished batch.
    pub fn parse(prefix: &TablePrefix, key: &'a str) -> Option<Self> {
        let (batch, file) = key.strip_prefix(prefix.as_str())?.split_once('/')?;
        let numbered = !batch.is_empty() && batch.bytes().all(|b| b.is_ascii_digit());
        let part = file.starts_with("part-") && file.ends_with(".parquet") && !file.contains('/');
        match (numbered, part, file) {
            (true, true, _) => Some(Self::Part { batch }),
            (true, _, "_SUCCESS") => Some(Self::Success { batch }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_contract() {
        let environment: Environment = "prod".parse().unwrap();
        let date: ExportDate = "2026-11-22".parse().unwrap();
        let task: ExportTaskId = "prod-20261122-s101500".parse().unwrap();
        let key = |key: ExportKey| key.to_string();
        assert_eq!(key(ExportKey::Manifest(&environment, date)), "prod-20261122/manifest.json");
        assert_eq!(key(ExportKey::WithdrawnManifest(&environment, date)), "prod-20261122/manifest.withdrawn.json");
        assert_eq!(key(ExportKey::DayPrefix(&environment, date)), "prod-20261122/");
        assert_eq!(key(ExportKey::TaskPrefix(&task)), "prod-20261122-s101500/");
        assert_eq!(key(ExportKey::ExportInfo(&task)), "prod-20261122-s101500/export_info_prod-20261122-s101500.json");
        assert_eq!(key(ExportKey::Report(&task)), "reports/prod-20261122-s101500.json");
        assert_eq!(key(ExportKey::LoadStart(&task)), "starts/prod-20261122-s101500.json");
        assert_eq!(
            key(ExportKey::ExportTablesInfoPrefix(&task)),
            "prod-20261122-s101500/export_tables_info_prod-20261122-s101500_from_"
        );
    }

    #[test]
    fn a_table_has_its_own_folder_whatever_its_name() {
        let environment: Environment = "prod".parse().unwrap();
        let date: ExportDate = "2026-11-22".parse().unwrap();
        let of = |name: &str| TablePrefix::of_day(&environment, date, &name.parse().unwrap()).to_string();
        assert_eq!(of("shop.orders"), "prod-20261122/shop/shop.orders/");
        assert_eq!(of("app.public.orders"), "prod-20261122/app/public.orders/");
        assert_eq!(of("shop.my \"table`\\"), "prod-20261122/shop/shop.my__table__/");
    }

    #[test]
    fn parts_of_every_batch_are_found_and_nothing_else() {
        let task: ExportTaskId = "prod-20261122".parse().unwrap();
        let prefix = TablePrefix::of_task(&task, &"shop.user".parse().unwrap());
        let parse = |rest: &str| PartKey::parse(&prefix, rest).map(|key| format!("{key:?}"));
        let part = |n: u8| format!("prod-20261122/shop/shop.user/{n}/part-00000-aaaa-c000.gz.parquet");
        assert_eq!(parse(&part(1)).unwrap(), "Part { batch: \"1\" }");
        assert_eq!(parse(&part(12)).unwrap(), "Part { batch: \"12\" }");
        assert_eq!(parse("prod-20261122/shop/shop.user/2/_SUCCESS").unwrap(), "Success { batch: \"2\" }");
        for other in [
            "prod-20261122/shop/shop.users/1/part-00000-aaaa-c000.gz.parquet",
            "prod-20261122/shop/shop.user/part-00000-aaaa-c000.gz.parquet",
            "prod-20261122/shop/shop.user/x/part-00000-aaaa-c000.gz.parquet",
            "prod-20261122/shop/shop.user/1/part-00000-aaaa-c000.gz.parquet.crc",
            "prod-20261122/manifest.json",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
