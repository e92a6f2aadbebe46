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
    /// `{env}-{YYYYMMDD}/problem.json`: why the day is not published, as it was told to a human, once.
    Problem(&'a Environment, ExportDate),
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
    /// `leases/{env}.json`: which execution loads the environment now.
    LoadLease(&'a Environment),
    /// `executions/{execution}.json`: the export date of an execution of load-export, the same for all its attempts.
    Execution(&'a str),
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
            Self::Problem(environment, date) => write!(f, "{environment}-{}/problem.json", date.compact()),
            Self::DayPrefix(environment, date) => write!(f, "{environment}-{}/", date.compact()),
            Self::EnvironmentPrefix(environment) => write!(f, "{environment}-"),
            Self::TaskPrefix(task) => write!(f, "{task}/"),
            Self::ExportInfo(task) => write!(f, "{task}/export_info_{task}.json"),
            Self::ExportTablesInfoPrefix(task) => write!(f, "{task}/export_tables_info_{task}_from_"),
            Self::Report(task) => write!(f, "reports/{task}.json"),
            Self::LoadLease(environment) => write!(f, "leases/{environment}.json"),
            Self::Execution(execution) => write!(f, "executions/{execution}.json"),
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
        Self(format!("{prefix}{}", Self::folder(table)))
    }

    /// `{database}/{schema}.{table}/`, whatever it is below.
    pub fn folder(table: &TableName) -> String {
        let (database, schema, name) = (table.database(), table.schema(), table.table());
        format!("{}/{}.{}/", in_path(database), in_path(schema), in_path(name))
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

/// What stands below a table's folder. RDS writes `{batch}/part-….parquet` and `{batch}/_SUCCESS`, where the batch is an
/// index and not a constant: a table that RDS cannot split evenly has `2/`, `3/`, … too. Older exports have no batch
/// folder. AWS tells readers to take every `.parquet` object below the table's folder.
/// Source: Aurora user guide, "File naming convention" of DB snapshot exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKey<'a> {
    /// The folder is below the table's: `1`, or nothing.
    Part { folder: &'a str },
    /// Everything in this folder and below it is complete.
    Success { folder: &'a str },
}

impl<'a> PartKey<'a> {
    /// `None` for a key that is not of this table, or that is neither a part nor a mark of completeness.
    pub fn parse(prefix: &TablePrefix, key: &'a str) -> Option<Self> {
        let path = key.strip_prefix(prefix.as_str())?;
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        match file {
            _ if is_leftover(path) => None,
            "_SUCCESS" => Some(Self::Success { folder }),
            _ => file.ends_with(".parquet").then_some(Self::Part { folder }),
        }
    }
}

/// What an attempt of Spark's left behind, that failed or was overtaken: whatever counted of it was moved away.
pub fn is_leftover(key: &str) -> bool {
    key.split('/').any(|folder| folder == "_temporary")
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
        assert_eq!(key(ExportKey::Problem(&environment, date)), "prod-20261122/problem.json");
        assert_eq!(key(ExportKey::DayPrefix(&environment, date)), "prod-20261122/");
        assert_eq!(key(ExportKey::TaskPrefix(&task)), "prod-20261122-s101500/");
        assert_eq!(key(ExportKey::ExportInfo(&task)), "prod-20261122-s101500/export_info_prod-20261122-s101500.json");
        assert_eq!(key(ExportKey::Report(&task)), "reports/prod-20261122-s101500.json");
        assert_eq!(key(ExportKey::LoadLease(&environment)), "leases/prod.json");
        assert_eq!(key(ExportKey::Execution("load-x7k2p")), "executions/load-x7k2p.json");
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
    fn parts_are_found_in_every_folder_of_their_table_and_nothing_else_is() {
        let task: ExportTaskId = "prod-20261122".parse().unwrap();
        let prefix = TablePrefix::of_task(&task, &"shop.user".parse().unwrap());
        let parse =
            |rest: &str| PartKey::parse(&prefix, &format!("prod-20261122/shop/{rest}")).map(|key| format!("{key:?}"));
        let part = |folder: &str| Some(format!("Part {{ folder: {folder:?} }}"));
        assert_eq!(parse("shop.user/1/part-00000-aaaa-c000.gz.parquet"), part("1"));
        assert_eq!(parse("shop.user/12/part-00000-aaaa-c000.gz.parquet"), part("12"));
        assert_eq!(parse("shop.user/part-00000-aaaa-c000.gz.parquet"), part(""));
        assert_eq!(parse("shop.user/1/year=2026/0.parquet"), part("1/year=2026"));
        assert_eq!(parse("shop.user/2/_SUCCESS").unwrap(), "Success { folder: \"2\" }");
        assert_eq!(parse("shop.user/_SUCCESS").unwrap(), "Success { folder: \"\" }");
        for other in [
            "shop.users/1/part-00000-aaaa-c000.gz.parquet",
            "shop.user/1/part-00000-aaaa-c000.gz.parquet.crc",
            "shop.user/_temporary/0/_temporary/attempt_0/part-00000-aaaa-c000.gz.parquet",
            "shop.user/1/_temporary/0/part-00000-aaaa-c000.gz.parquet",
            "shop.user/1/",
            "manifest.json",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
