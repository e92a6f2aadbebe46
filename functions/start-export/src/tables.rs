//! `ExportOnly`: the tables of a partial export, spelled as RDS wants them for the engine.

use std::collections::BTreeSet;

use handoff::TableName;

use crate::error::StartExportError;
use crate::source::Source;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Mysql,
    Postgres,
}

impl Engine {
    /// By RDS's word: aurora-mysql, aurora-postgresql, and aurora for the oldest MySQL.
    pub fn of(word: Option<&str>) -> Self {
        if word.is_some_and(|word| word.contains("postgres")) { Self::Postgres } else { Self::Mysql }
    }

    /// Source: RDS API reference, `StartExportTask`, `ExportOnly`: `database.table` is valid only for MySQL,
    /// `database.schema.table` only for PostgreSQL. `None`: the engine has no such table.
    fn spelled(self, table: &TableName) -> Option<String> {
        let (database, schema, name) = (table.database(), table.schema(), table.table());
        match self {
            Self::Mysql => table.is_in_schema_of_database().then(|| format!("{database}.{name}")),
            Self::Postgres => Some(format!("{database}.{schema}.{name}")),
        }
    }
}

/// Names every table that the engine cannot have.
pub(crate) fn export_only(tables: &BTreeSet<TableName>, source: &Source) -> Result<Vec<String>, StartExportError> {
    let (spelled, wrong): (Vec<_>, Vec<_>) =
        tables.iter().map(|table| source.engine.spelled(table).ok_or(table)).partition(Result::is_ok);
    if wrong.is_empty() {
        return Ok(spelled.into_iter().flatten().collect());
    }
    let wrong: Vec<String> = wrong.into_iter().filter_map(Result::err).map(ToString::to_string).collect();
    Err(StartExportError::InvalidTables { source_arn: source.arn.clone(), tables: wrong.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(engine: &str, tables: &[&str]) -> Result<Vec<String>, String> {
        let tables = tables.iter().map(|name| name.parse().unwrap()).collect();
        let source = Source { arn: "arn:a".into(), created_at: None, engine: Engine::of(Some(engine)) };
        export_only(&tables, &source).map_err(|error| format!("{}: {error}", error.word()))
    }

    #[test]
    fn mysql_has_two_words_and_postgresql_three() {
        for mysql in ["aurora-mysql", "aurora"] {
            assert_eq!(
                spelled(mysql, &["shop.orders", "shop.shop.items"]),
                Ok(vec!["shop.items".into(), "shop.orders".into()])
            );
        }
        assert_eq!(
            spelled("aurora-postgresql", &["app.public.orders", "app.app.users"]),
            Ok(vec!["app.app.users".into(), "app.public.orders".into()])
        );
    }

    #[test]
    fn a_schema_in_mysql_is_refused_with_every_name() {
        assert_eq!(
            spelled("aurora-mysql", &["app.public.orders", "shop.items", "shop.core.user"]),
            Err("InvalidTables: `tables` names app.public.orders, shop.core.user, and arn:a is MySQL, where a table is \
                 database.table"
                .into())
        );
    }
}
