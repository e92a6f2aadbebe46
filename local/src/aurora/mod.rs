//! An Aurora cluster, played by a real server in a directory: MariaDB as Aurora MySQL, PostgreSQL as Aurora PostgreSQL.

mod certificates;
mod csv;
mod installed;
mod mysql;
mod postgres;

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use futures_util::future::BoxFuture;
use handoff::TableName;
use tokio::sync::mpsc;

use crate::export::{Row, TableSchema};
use mysql::MariaDb;
use postgres::PostgreSql;

pub use certificates::Certificates;

/// What a cluster runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Engine {
    #[default]
    Mysql,
    Postgres,
}

impl Engine {
    pub const ALL: [Self; 2] = [Self::Mysql, Self::Postgres];

    /// As RDS names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mysql => "aurora-mysql",
            Self::Postgres => "aurora-postgresql",
        }
    }

    /// A version that there is.
    pub fn version(self) -> &'static str {
        match self {
            Self::Mysql => "8.0.mysql_aurora.3.08.0",
            Self::Postgres => "15.10",
        }
    }

    /// The server that plays it here.
    pub fn server(self) -> &'static str {
        match self {
            Self::Mysql => "MariaDB",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// A table where an application has it that says nothing about schemas.
    pub fn table(self, database: &str, table: &str) -> Result<TableName> {
        Ok(match self {
            Self::Mysql => TableName::of_mysql(database, table)?,
            Self::Postgres => TableName::of_postgres(database, "public", table)?,
        })
    }
}

/// A cheap handle; the server stops when the last one is dropped.
#[derive(Clone)]
pub struct Aurora(Cluster);

#[derive(Clone)]
enum Cluster {
    Mysql(Arc<MariaDb>),
    Postgres(Arc<PostgreSql>),
}

impl Aurora {
    /// `dir` holds the data and the log, and must be empty or missing.
    pub async fn start(engine: Engine, dir: &Path) -> Result<Self> {
        Self::start_with(engine, dir, None).await
    }

    /// With certificates it offers TLS as well.
    pub async fn start_with(engine: Engine, dir: &Path, certificates: Option<&Certificates>) -> Result<Self> {
        Ok(Self(match engine {
            Engine::Mysql => Cluster::Mysql(Arc::new(MariaDb::start(dir, certificates).await?)),
            Engine::Postgres => Cluster::Postgres(Arc::new(PostgreSql::start(dir, certificates).await?)),
        }))
    }

    pub fn engine(&self) -> Engine {
        match &self.0 {
            Cluster::Mysql(_) => Engine::Mysql,
            Cluster::Postgres(_) => Engine::Postgres,
        }
    }

    pub fn url(&self, database: &str) -> String {
        match &self.0 {
            Cluster::Mysql(server) => server.url(database),
            Cluster::Postgres(server) => server.url(database),
        }
    }

    /// As another user, who has a password, on this machine without TLS.
    pub fn url_of(&self, user: &str, database: &str) -> String {
        let url = self.url(database);
        let scheme = url.split("://").next().unwrap_or_default();
        let place = url.rsplit('@').next().unwrap_or_default();
        format!("{scheme}://{user}@{place}?tls=off")
    }

    /// The command that opens a database to a person.
    pub fn prompt(&self, database: &str) -> String {
        match &self.0 {
            Cluster::Mysql(server) => server.prompt(database),
            Cluster::Postgres(server) => server.prompt(database),
        }
    }

    pub async fn create_database(&self, database: &str) -> Result<()> {
        match &self.0 {
            Cluster::Mysql(server) => server.create_database(database).await,
            Cluster::Postgres(server) => server.create_database(database).await,
        }
    }

    /// Runs one or more statements, separated by `;`, in a database.
    pub async fn execute(&self, database: &str, sql: &str) -> Result<()> {
        match &self.0 {
            Cluster::Mysql(server) => server.execute(database, sql).await,
            Cluster::Postgres(server) => server.execute(database, sql).await,
        }
    }

    /// The rows of a query, every value as the engine's text protocol shows it.
    pub async fn query(&self, database: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        match &self.0 {
            Cluster::Mysql(server) => server.query(database, sql).await,
            Cluster::Postgres(server) => server.query(database, sql).await,
        }
    }

    pub async fn count(&self, table: &TableName) -> Result<u64> {
        match &self.0 {
            Cluster::Mysql(server) => server.count(table).await,
            Cluster::Postgres(server) => server.count(table).await,
        }
    }

    /// The databases of users, without the server's own.
    pub async fn databases(&self) -> Result<Vec<String>> {
        match &self.0 {
            Cluster::Mysql(server) => server.databases().await,
            Cluster::Postgres(server) => server.databases().await,
        }
    }

    /// Loads a CSV file with a header line that names the columns; `NA` is NULL.
    pub async fn load_csv(&self, table: &TableName, file: &Path) -> Result<u64> {
        match &self.0 {
            Cluster::Mysql(server) => server.load_csv(table, file).await,
            Cluster::Postgres(server) => server.load_csv(table, file).await,
        }
    }

    /// Copies every database as it is now: later writes do not show in the copy.
    pub async fn snapshot(&self) -> Result<AuroraSnapshot> {
        Ok(match &self.0 {
            Cluster::Mysql(server) => AuroraSnapshot::Mysql(mysql::Snapshot::take(Arc::clone(server)).await?),
            Cluster::Postgres(server) => AuroraSnapshot::Postgres(postgres::Snapshot::take(Arc::clone(server)).await?),
        })
    }
}

/// What a cluster held at one moment; holds the server alive.
#[derive(Clone)]
pub enum AuroraSnapshot {
    Mysql(mysql::Snapshot),
    Postgres(postgres::Snapshot),
}

impl AuroraSnapshot {
    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Mysql(_) => Engine::Mysql,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// Every table of every database, in the order of their names.
    pub(crate) async fn tables(&self) -> Result<Vec<TableSchema>> {
        match self {
            Self::Mysql(snapshot) => snapshot.tables().await,
            Self::Postgres(snapshot) => Ok(snapshot.tables()),
        }
    }

    /// Databases that RDS's list of tables names without any table.
    pub(crate) fn unlisted(&self) -> Vec<String> {
        match self {
            Self::Mysql(_) => Vec::new(),
            Self::Postgres(snapshot) => snapshot.without_tables(),
        }
    }

    /// Sends the rows of a table in chunks; ends early when nobody listens any more.
    pub(crate) fn rows(self, table: TableSchema, to: mpsc::Sender<Vec<Row>>) -> BoxFuture<'static, Result<()>> {
        match self {
            Self::Mysql(snapshot) => snapshot.rows(table, to),
            Self::Postgres(snapshot) => snapshot.rows(table, to),
        }
    }
}

fn beginning(sql: &str) -> String {
    sql.chars().take(200).collect()
}
