//! The name of a table in the source cluster.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `shop.orders` for MySQL, where a schema is the database; `app.public.orders` for PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableName {
    database: String,
    schema: String,
    table: String,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("table name {0:?} is not database.table or database.schema.table")]
pub struct InvalidTableName(String);

impl TableName {
    pub fn new(database: &str, table: &str) -> Result<Self, InvalidTableName> {
        format!("{database}.{table}").parse()
    }

    /// RDS's export information always names the schema, `shop.shop.orders`: only the first two dots separate.
    pub fn from_target(target: &str) -> Result<Self, InvalidTableName> {
        target.parse()
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    pub fn schema(&self) -> &str {
        &self.schema
    }

    pub fn table(&self) -> &str {
        &self.table
    }
}

impl FromStr for TableName {
    type Err = InvalidTableName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.splitn(3, '.').collect();
        let (database, schema, table) = match words[..] {
            [database, table] => (database, database, table),
            [database, schema, table] => (database, schema, table),
            _ => return Err(InvalidTableName(text.to_owned())),
        };
        let plain = |word: &str| !word.is_empty() && !word.contains(|c: char| c.is_control() || c == '/');
        if [database, schema, table].into_iter().all(plain) {
            return Ok(Self { database: database.into(), schema: schema.into(), table: table.into() });
        }
        Err(InvalidTableName(text.to_owned()))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema == self.database {
            return write!(f, "{}.{}", self.database, self.table);
        }
        write!(f, "{}.{}.{}", self.database, self.schema, self.table)
    }
}

impl TryFrom<String> for TableName {
    type Error = InvalidTableName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> Self {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_of_mysql_is_its_database_and_is_not_repeated() {
        let name: TableName = "shop.shop.orders".parse().unwrap();
        assert_eq!(name, TableName::new("shop", "orders").unwrap());
        assert_eq!(name.to_string(), "shop.orders");
    }

    #[test]
    fn the_schema_of_postgresql_is_kept() {
        let name: TableName = "app.public.orders".parse().unwrap();
        assert_eq!((name.database(), name.schema(), name.table()), ("app", "public", "orders"));
        assert_eq!(name.to_string(), "app.public.orders");
    }

    #[test]
    fn half_a_name_is_refused() {
        for bad in ["orders", "", ".orders", "shop.", "shop..orders", "shop.or/ders", "shop.or\nders"] {
            assert_eq!(bad.parse::<TableName>(), Err(InvalidTableName(bad.into())));
        }
    }
}
