//! The name of a table in the source cluster.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `shop.orders` for MySQL, where a schema is the database; `app.public.orders` for PostgreSQL. As text, a word that
/// holds a dot stands in backticks, as in SQL: ``shop.`core.user` ``.
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
    /// As a list names it below its database: `orders`, `public.orders`.
    pub fn new(database: &str, table: &str) -> Result<Self, InvalidTableName> {
        format!("{database}.{table}").parse()
    }

    /// MySQL's: the schema is the database.
    pub fn of_mysql(database: &str, table: &str) -> Result<Self, InvalidTableName> {
        Self::of_postgres(database, database, table)
    }

    pub fn of_postgres(database: &str, schema: &str, table: &str) -> Result<Self, InvalidTableName> {
        let plain = |word: &str| !word.is_empty() && !word.contains(|c: char| c.is_control() || c == '/');
        if [database, schema, table].into_iter().all(plain) {
            return Ok(Self { database: database.into(), schema: schema.into(), table: table.into() });
        }
        Err(InvalidTableName([database, schema, table].join(".")))
    }

    /// RDS's export information always names database, schema and table, and quotes none of them:
    /// `shop.shop.core.user`. MySQL's schema is the database once more, which tells where a name with dots ends.
    pub fn from_target(target: &str) -> Result<Self, InvalidTableName> {
        let invalid = |_| InvalidTableName(target.to_owned());
        for (dot, _) in target.match_indices('.') {
            let (database, rest) = (&target[..dot], &target[dot + 1..]);
            if let Some(table) = rest.strip_prefix(database).and_then(|rest| rest.strip_prefix('.')) {
                return Self::of_mysql(database, table).map_err(invalid);
            }
        }
        let words: Vec<&str> = target.splitn(3, '.').collect();
        match words[..] {
            [database, table] => Self::of_mysql(database, table),
            [database, schema, table] => Self::of_postgres(database, schema, table),
            _ => Err(InvalidTableName(target.to_owned())),
        }
        .map_err(invalid)
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

    /// The schema is the database: every table of MySQL, and of PostgreSQL those in a schema of that name.
    pub fn is_in_schema_of_database(&self) -> bool {
        self.schema == self.database
    }
}

impl FromStr for TableName {
    type Err = InvalidTableName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidTableName(text.to_owned());
        let words = words(text).ok_or_else(invalid)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            [database, table] => Self::of_mysql(database, table),
            [database, schema, table] => Self::of_postgres(database, schema, table),
            _ => Err(invalid()),
        }
        .map_err(|_| invalid())
    }
}

/// The words between dots; a word in backticks keeps its dots, and two backticks in it are one. Without a backtick,
/// only the first two dots separate. `None` where a backtick is left open or stands inside a word.
fn words(text: &str) -> Option<Vec<String>> {
    if !text.contains('`') {
        return Some(text.splitn(3, '.').map(str::to_owned).collect());
    }
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        let (word, after) = if let Some(quoted) = rest.strip_prefix('`') {
            quoted_word(quoted)?
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            (rest[..end].to_owned(), &rest[end..])
        };
        words.push(word);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None => return after.is_empty().then_some(words),
        }
    }
}

/// The word up to its closing backtick, and what follows.
fn quoted_word(text: &str) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('`')?;
        word.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('`') {
            Some(more) => {
                word.push('`');
                rest = more;
            }
            None => return Some((word, rest)),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", quoted(&self.database))?;
        if !self.is_in_schema_of_database() {
            write!(f, "{}.", quoted(&self.schema))?;
        }
        write!(f, "{}", quoted(&self.table))
    }
}

fn quoted(word: &str) -> String {
    if word.contains(['.', '`']) { format!("`{}`", word.replace('`', "``")) } else { word.to_owned() }
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
        assert_eq!(name, TableName::of_mysql("shop", "orders").unwrap());
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
        for bad in ["orders", "", ".orders", "shop.", "shop..orders", "shop.or/ders", "shop.or\nders", "shop.`orders"] {
            assert_eq!(bad.parse::<TableName>(), Err(InvalidTableName(bad.into())));
        }
    }

    #[test]
    fn a_name_with_dots_is_told_apart_by_the_schema_that_repeats_the_database() {
        let parts = |target| {
            let name = TableName::from_target(target).unwrap();
            [name.database().to_owned(), name.schema().to_owned(), name.table().to_owned()]
        };
        assert_eq!(parts("shop.shop.core.user"), ["shop", "shop", "core.user"]);
        assert_eq!(parts("my.db.my.db.user"), ["my.db", "my.db", "user"]);
        assert_eq!(parts("app.public.core.user"), ["app", "public", "core.user"]);
        assert_eq!(parts("app.app.users"), ["app", "app", "users"]);
        assert_eq!(parts("shop.shop.shop.x"), ["shop", "shop", "shop.x"]);
        assert!(TableName::from_target("postgres").is_err());
    }

    #[test]
    fn every_name_reads_back_from_its_text() {
        for words in [
            ["shop", "shop", "core.user"],
            ["my.db", "my.db", "a"],
            ["a", "b", "c`d"],
            ["a", "b.c", "d"],
            ["a", "a", "b"],
        ] {
            let name = TableName::of_postgres(words[0], words[1], words[2]).unwrap();
            assert_eq!(name.to_string().parse(), Ok(name.clone()), "{name}");
        }
        assert_eq!(TableName::of_mysql("shop", "core.user").unwrap().to_string(), "shop.`core.user`");
    }
}
