//! Aurora MySQL: a MariaDB server.

mod server;
mod snapshot;

use std::path::Path;
use std::sync::atomic::AtomicU32;

use anyhow::{Context, Result};
use handoff::TableName;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Pool, Value};

use super::csv::Csv;
use super::{Certificates, beginning};
use server::Server;

pub use snapshot::Snapshot;

pub(super) struct MariaDb {
    pool: Pool,
    /// How many were taken.
    snapshots: AtomicU32,
    server: Server,
}

impl MariaDb {
    pub(super) async fn start(dir: &Path, certificates: Option<&Certificates>) -> Result<Self> {
        let server = Server::start(dir, certificates).await?;
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(server.port)
            .user(Some("root"))
            .prefer_socket(false)
            .setup(vec!["SET time_zone = '+00:00'"]);
        Ok(Self { pool: Pool::new(options), snapshots: AtomicU32::new(0), server })
    }

    pub(super) fn url(&self, database: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{database}", self.server.port)
    }

    pub(super) fn prompt(&self, database: &str) -> String {
        format!("mariadb --host 127.0.0.1 --port {} --user root {database}", self.server.port)
    }

    pub(super) async fn create_database(&self, database: &str) -> Result<()> {
        let created = self.connection().await?.query_drop(format!("CREATE DATABASE {}", quote(database))).await;
        created.with_context(|| format!("create the database {database}"))
    }

    pub(super) async fn execute(&self, database: &str, sql: &str) -> Result<()> {
        let mut connection = self.connection_to(database).await?;
        connection.query_drop(sql).await.with_context(|| format!("execute {}", beginning(sql)))
    }

    pub(super) async fn query(&self, database: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let mut connection = self.connection_to(database).await?;
        let rows: Vec<mysql_async::Row> =
            connection.query(sql).await.with_context(|| format!("query {}", beginning(sql)))?;
        Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect())
    }

    pub(super) async fn count(&self, table: &TableName) -> Result<u64> {
        let sql = format!("SELECT COUNT(*) FROM {}", quoted(table.database(), table.table()));
        let count = self.connection().await?.query_first(sql).await;
        Ok(count.with_context(|| format!("count the rows of {table}"))?.unwrap_or(0))
    }

    /// Without those of the server and of snapshots.
    pub(super) async fn databases(&self) -> Result<Vec<String>> {
        let names: Vec<String> =
            self.connection().await?.query("SHOW DATABASES").await.context("list the databases")?;
        Ok(names.into_iter().filter(|name| !snapshot::is_system(name)).collect())
    }

    pub(super) async fn load_csv(&self, table: &TableName, file: &Path) -> Result<u64> {
        let what = || format!("load {} into {table}", file.display());
        let csv = Csv::open(file).await.with_context(what)?;
        let mut connection = self.connection().await?;
        let statement = load_statement(table, &csv.columns);
        connection.set_infile_handler(async move { Ok(csv.rows()) });
        connection.query_drop(statement).await.with_context(what)?;
        Ok(connection.affected_rows())
    }

    async fn connection(&self) -> Result<Conn> {
        self.pool.get_conn().await.with_context(|| format!("connect to MariaDB at {}", self.url("")))
    }

    async fn connection_to(&self, database: &str) -> Result<Conn> {
        let mut connection = self.connection().await?;
        connection.query_drop(format!("USE {}", quote(database))).await.with_context(|| format!("use {database}"))?;
        Ok(connection)
    }
}

fn load_statement(table: &TableName, columns: &[String]) -> String {
    let each = |name: fn(usize, &str) -> String| {
        columns.iter().enumerate().map(|(index, column)| name(index, column)).collect::<Vec<_>>().join(", ")
    };
    let read = each(|index, _| format!("@c{index}"));
    let set = each(|index, column| format!("{} = NULLIF(@c{index}, 'NA')", quote(column)));
    format!(
        "LOAD DATA LOCAL INFILE 'csv' INTO TABLE {} CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' \
         OPTIONALLY ENCLOSED BY '\"' LINES TERMINATED BY '\\n' ({read}) SET {set}",
        quoted(table.database(), table.table())
    )
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true).trim_matches('\'').to_owned()),
    }
}

fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn quoted(database: &str, table: &str) -> String {
    format!("{}.{}", quote(database), quote(table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_is_loaded_by_the_names_of_its_header() {
        let table = TableName::of_mysql("flights", "air`lines").unwrap();
        assert_eq!(
            load_statement(&table, &["carrier".into(), "name".into()]),
            "LOAD DATA LOCAL INFILE 'csv' INTO TABLE `flights`.`air``lines` CHARACTER SET utf8mb4 \
             FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' LINES TERMINATED BY '\\n' (@c0, @c1) \
             SET `carrier` = NULLIF(@c0, 'NA'), `name` = NULLIF(@c1, 'NA')"
        );
    }
}
