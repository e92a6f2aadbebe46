//! Between a name in the file, below its database, and a table of the source.

use super::{Database, Engine, InvalidTableList, TableList};
use crate::TableName;

/// As the file names it below its database: `orders`, `public.orders`, and `core.user` for MySQL's table of that name.
pub fn name_in_database(table: &TableName) -> String {
    if table.is_in_schema_of_database() {
        return table.table().to_owned();
    }
    format!("{}.{}", table.schema(), table.table())
}

pub(super) fn source(database: &str, settings: &Database, name: &str) -> Result<TableName, InvalidTableList> {
    let invalid = |_| InvalidTableList::Name(database.to_owned(), name.to_owned());
    let with_names = |problem: fn(String, String) -> InvalidTableList, advice: &str| {
        Err(problem(format!("{database}.{name}"), advice.to_owned()))
    };
    if name.contains('`') {
        return with_names(InvalidTableList::Backtick, &name.replace('`', ""));
    }
    match (settings.engine, name.split_once('.')) {
        (Some(Engine::Postgres), None) => with_names(InvalidTableList::NoSchema, name),
        (Some(Engine::Mysql), _) | (None, None) => TableName::of_mysql(database, name).map_err(invalid),
        (_, Some((schema, table))) => TableName::of_postgres(database, schema, table).map_err(invalid),
    }
}

impl TableList {
    /// Every table of the list as the source names it, in the order of the file.
    pub fn sources(&self) -> Result<Vec<TableName>, InvalidTableList> {
        let tables = self
            .databases
            .iter()
            .flat_map(|(database, settings)| settings.tables.keys().map(move |name| source(database, settings, name)));
        tables.collect()
    }

    /// Whichever of its names the file uses: `users` and `app.users` of the database `app` are one table.
    pub fn lists(&self, table: &TableName) -> bool {
        let database = self.databases.get_key_value(table.database());
        database.is_some_and(|(database, settings)| {
            settings.tables.keys().any(|name| source(database, settings, name).is_ok_and(|listed| listed == *table))
        })
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(engine: Option<Engine>, name: &str) -> Result<TableName, String> {
        source("shop", &Database { engine, ..Database::default() }, name).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn a_dot_is_what_the_engine_says() {
        let name = |text: &str| Ok(text.parse::<TableName>().unwrap());
        assert_eq!(named(None, "orders"), name("shop.orders"));
        assert_eq!(named(None, "public.orders"), name("shop.public.orders"));
        assert_eq!(named(None, "public.core.user"), Ok(TableName::of_postgres("shop", "public", "core.user").unwrap()));
        assert_eq!(named(Some(Engine::Postgres), "public.orders"), name("shop.public.orders"));
        assert_eq!(named(Some(Engine::Mysql), "core.user"), name("shop.`core.user`"));
        assert_eq!(named(Some(Engine::Mysql), "orders"), name("shop.orders"));
        assert_eq!(
            named(Some(Engine::Postgres), "orders").unwrap_err(),
            "tables.yaml: shop.orders: a table of PostgreSQL is named with its schema, such as public.orders"
        );
        assert_eq!(
            named(None, "`core.user`").unwrap_err(),
            "tables.yaml: shop.`core.user`: write core.user without backticks, and engine: mysql where the dot is a part of \
             the name"
        );
    }

    #[test]
    fn a_name_of_the_file_leads_to_the_table_and_back() {
        for (engine, name) in
            [(None, "orders"), (None, "public.orders"), (Some(Engine::Mysql), "core.user"), (None, "public.core.user")]
        {
            assert_eq!(name_in_database(&named(engine, name).unwrap()), name);
        }
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
    fn a_table_is_excluded_by_its_name_below_the_database() {
        let json = r#"{"databases":{"app":{"exclude":["audit.*"],"tables":{}}}}"#;
        let list: TableList = serde_json::from_str(json).unwrap();
        let excluded = |name: &str| list.excluded_by(&name.parse().unwrap()).unwrap();
        assert_eq!(excluded("app.audit.log"), Some("audit.*"));
        assert_eq!(excluded("app.`audit.log`"), Some("audit.*"));
        assert_eq!((excluded("app.public.audit"), excluded("shop.audit.log")), (None, None));
    }
}
