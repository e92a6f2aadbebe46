//! Aurora PostgreSQL: a PostgreSQL server.

mod account;
mod cell;
mod server;
mod snapshot;

use std::path::Path;
use std::pin::pin;
use std::sync::atomic::AtomicU32;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use handoff::TableName;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::csv::Csv;
use super::{Certificates, beginning};
use server::{Server, USER};

pub use snapshot::Snapshot;

/// The database that every server has.
const FIRST_DATABASE: &str = "postgres";

pub(super) struct PostgreSql {
    /// How many were taken.
    snapshots: AtomicU32,
    server: Server,
}

impl PostgreSql {
    pub(super) async fn start(dir: &Path, certificates: Option<&Certificates>) -> Result<Self> {
        Ok(Self { snapshots: AtomicU32::new(0), server: Server::start(dir, certificates).await? })
    }

    pub(super) fn url(&self, database: &str) -> String {
        format!("postgresql://{USER}@127.0.0.1:{}/{database}", self.server.port)
    }

    pub(super) fn prompt(&self, database: &str) -> String {
        format!("psql {}", self.url(database))
    }

    pub(super) async fn create_database(&self, database: &str) -> Result<()> {
        self.execute(FIRST_DATABASE, &format!("CREATE DATABASE {}", quote(database))).await
    }

    pub(super) async fn execute(&self, database: &str, sql: &str) -> Result<()> {
        let done = self.connect(database).await?.batch_execute(sql).await;
        done.with_context(|| format!("execute {}", beginning(sql)))
    }

    pub(super) async fn query(&self, database: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let client = self.connect(database).await?;
        rows(&client, sql).await.with_context(|| format!("query {}", beginning(sql)))
    }

    pub(super) async fn count(&self, table: &TableName) -> Result<u64> {
        let rows = self.query(table.database(), &format!("SELECT COUNT(*) FROM {}", quoted(table))).await?;
        let count = rows.first().and_then(|row| row.first()?.as_deref());
        Ok(count.with_context(|| format!("count the rows of {table}"))?.parse()?)
    }

    pub(super) async fn databases(&self) -> Result<Vec<String>> {
        let all = self.all_databases().await?;
        Ok(all.into_iter().filter(|database| database != FIRST_DATABASE).collect())
    }

    async fn all_databases(&self) -> Result<Vec<String>> {
        let sql = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname";
        Ok(self.query(FIRST_DATABASE, sql).await?.into_iter().flatten().flatten().collect())
    }

    pub(super) async fn load_csv(&self, table: &TableName, file: &Path) -> Result<u64> {
        let what = || format!("load {} into {table}", file.display());
        let csv = Csv::open(file).await.with_context(what)?;
        let client = self.connect(table.database()).await?;
        let copy = client.copy_in::<_, Bytes>(&copy_statement(table, &csv.columns)).await.with_context(what)?;
        let (mut copy, mut rows) = (pin!(copy), csv.rows());
        while let Some(chunk) = rows.try_next().await.with_context(what)? {
            copy.send(chunk).await.with_context(what)?;
        }
        copy.finish().await.with_context(what)
    }

    /// A connection of its own for each piece of work: they cost little here.
    async fn connect(&self, database: &str) -> Result<Client> {
        server::connect(self.server.port, database)
            .await
            .with_context(|| format!("connect to PostgreSQL at {}", self.url(database)))
    }
}

/// By the simple protocol: every value as text.
async fn rows(client: &Client, sql: &str) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
    let mut rows = Vec::new();
    for message in client.simple_query(sql).await? {
        let SimpleQueryMessage::Row(row) = message else { continue };
        let values = (0..row.len()).map(|index| Ok(row.try_get(index)?.map(str::to_owned)));
        rows.push(values.collect::<Result<_, tokio_postgres::Error>>()?);
    }
    Ok(rows)
}

fn copy_statement(table: &TableName, columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| quote(column)).collect();
    format!("COPY {} ({}) FROM STDIN WITH (FORMAT csv, NULL 'NA')", quoted(table), columns.join(", "))
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quoted(table: &TableName) -> String {
    format!("{}.{}", quote(table.schema()), quote(table.table()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_is_loaded_by_the_names_of_its_header() {
        let table = TableName::of_postgres("flights", "public", "air\"lines").unwrap();
        assert_eq!(
            copy_statement(&table, &["carrier".into(), "name".into()]),
            "COPY \"public\".\"air\"\"lines\" (\"carrier\", \"name\") FROM STDIN WITH (FORMAT csv, NULL 'NA')"
        );
    }
}
