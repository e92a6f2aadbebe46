//! Aurora MySQL, played by a real MariaDB in a directory.

mod server;
mod snapshot;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use futures_util::StreamExt;
use futures_util::stream;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Pool, Value};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use server::Server;

pub use snapshot::AuroraSnapshot;

/// A cheap handle; the server stops when the last one is dropped.
#[derive(Clone)]
pub struct Aurora(Arc<Inner>);

struct Inner {
    pool: Pool,
    snapshots: AtomicU32,
    server: Server,
}

impl Aurora {
    /// `dir` holds the data and the log, and must be empty or missing.
    pub async fn start(dir: &Path) -> Result<Self> {
        let server = Server::start(dir).await?;
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(server.port)
            .user(Some("root"))
            .prefer_socket(false)
            .setup(vec!["SET time_zone = '+00:00'"]);
        Ok(Self(Arc::new(Inner { pool: Pool::new(options), snapshots: AtomicU32::new(0), server })))
    }

    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/", self.0.server.port)
    }

    pub fn port(&self) -> u16 {
        self.0.server.port
    }

    /// Runs one or more statements, separated by `;`.
    pub async fn execute(&self, sql: &str) -> Result<()> {
        let mut connection = self.connection().await?;
        connection.query_drop(sql).await.with_context(|| format!("execute {}", beginning(sql)))
    }

    /// The rows of a query, every value as MySQL's text protocol shows it.
    pub async fn query(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let mut connection = self.connection().await?;
        let rows: Vec<mysql_async::Row> =
            connection.query(sql).await.with_context(|| format!("query {}", beginning(sql)))?;
        Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect())
    }

    pub async fn count(&self, database: &str, table: &str) -> Result<u64> {
        let sql = format!("SELECT COUNT(*) FROM {}", quoted(database, table));
        let count = self.connection().await?.query_first(sql).await;
        Ok(count.with_context(|| format!("count the rows of {database}.{table}"))?.unwrap_or(0))
    }

    /// The databases of users, without those of the server and of snapshots.
    pub async fn databases(&self) -> Result<Vec<String>> {
        let names: Vec<String> =
            self.connection().await?.query("SHOW DATABASES").await.context("list the databases")?;
        Ok(names.into_iter().filter(|name| !snapshot::is_system(name)).collect())
    }

    /// Loads a CSV file with a header line that names the columns; `NA` is NULL.
    pub async fn load_csv(&self, database: &str, table: &str, file: &Path) -> Result<u64> {
        let what = || format!("load {} into {database}.{table}", file.display());
        let mut reader = BufReader::new(tokio::fs::File::open(file).await.with_context(what)?);
        let mut header = String::new();
        reader.read_line(&mut header).await.with_context(what)?;
        let mut connection = self.connection().await?;
        let chunks = stream::unfold(reader, |mut reader| async {
            let mut chunk = bytes::BytesMut::with_capacity(64 * 1024);
            match reader.read_buf(&mut chunk).await {
                Ok(0) => None,
                read => Some((read.map(|_| chunk.freeze()), reader)),
            }
        });
        connection.set_infile_handler(async move { Ok(chunks.boxed()) });
        connection.query_drop(load_statement(database, table, &header)).await.with_context(what)?;
        Ok(connection.affected_rows())
    }

    /// Copies every database as it is now: later writes do not show in the copy.
    pub async fn snapshot(&self) -> Result<AuroraSnapshot> {
        let number = self.0.snapshots.fetch_add(1, Ordering::Relaxed) + 1;
        AuroraSnapshot::take(self.clone(), number).await
    }

    async fn connection(&self) -> Result<Conn> {
        self.0.pool.get_conn().await.with_context(|| format!("connect to MariaDB at {}", self.url()))
    }
}

fn load_statement(database: &str, table: &str, header: &str) -> String {
    let columns: Vec<&str> = header.trim().split(',').map(|column| column.trim_matches('"')).collect();
    let each = |name: fn(usize, &str) -> String| {
        columns.iter().enumerate().map(|(index, column)| name(index, column)).collect::<Vec<_>>().join(", ")
    };
    let read = each(|index, _| format!("@c{index}"));
    let set = each(|index, column| format!("{} = NULLIF(@c{index}, 'NA')", quote(column)));
    format!(
        "LOAD DATA LOCAL INFILE 'csv' INTO TABLE {} CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' \
         OPTIONALLY ENCLOSED BY '\"' LINES TERMINATED BY '\\n' ({read}) SET {set}",
        quoted(database, table)
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

fn beginning(sql: &str) -> String {
    sql.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_is_loaded_by_the_names_of_its_header() {
        assert_eq!(
            load_statement("flights", "air`lines", "carrier,\"name\"\r\n"),
            "LOAD DATA LOCAL INFILE 'csv' INTO TABLE `flights`.`air``lines` CHARACTER SET utf8mb4 \
             FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' LINES TERMINATED BY '\\n' (@c0, @c1) \
             SET `carrier` = NULLIF(@c0, 'NA'), `name` = NULLIF(@c1, 'NA')"
        );
    }
}
