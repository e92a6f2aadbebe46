//! Where tables come from: one of the engines, or a program.

use anyhow::anyhow;
use handoff::TableName;

use crate::address::Server;
use crate::catalog::SourceTable;
use crate::extracts::Engine;
use crate::order::{Extract, Order, ReadError};
use crate::{mysql, postgres, program};

#[derive(Debug, Clone)]
pub enum Connector {
    Server(Engine, Box<Server>),
    Program(Vec<String>),
}

impl Connector {
    pub async fn extract(&self, order: &Order<'_>) -> Result<Extract, ReadError> {
        match self {
            Self::Server(Engine::Mysql, server) => mysql::extract(server, order).await,
            Self::Server(Engine::Postgres, server) => postgres::extract(server, order).await,
            Self::Program(words) => program::extract(words, order).await,
        }
    }

    /// From the catalog alone.
    pub async fn describe(&self, table: &TableName) -> Result<SourceTable, ReadError> {
        match self {
            Self::Server(Engine::Mysql, server) => mysql::describe(server, table).await,
            Self::Server(Engine::Postgres, server) => postgres::describe(server, table).await,
            Self::Program(_) => Err(anyhow!("a program has no catalog").into()),
        }
    }

    pub async fn may_read(&self, table: &TableName) -> Result<(), ReadError> {
        match self {
            Self::Server(Engine::Mysql, server) => mysql::may_read(server, table).await,
            Self::Server(Engine::Postgres, server) => postgres::may_read(server, table).await,
            Self::Program(_) => Ok(()),
        }
    }

    /// Every table, as the list names it, with the database's guess of its rows.
    pub async fn tables(&self) -> Result<Vec<(String, u64)>, ReadError> {
        match self {
            Self::Server(Engine::Mysql, server) => mysql::tables(server).await,
            Self::Server(Engine::Postgres, server) => postgres::tables(server).await,
            Self::Program(_) => Ok(Vec::new()),
        }
    }

    /// The cipher of a connection; none without TLS.
    pub async fn cipher(&self) -> Result<Option<String>, ReadError> {
        match self {
            Self::Server(Engine::Mysql, server) => mysql::cipher(server).await,
            Self::Server(Engine::Postgres, server) => postgres::cipher(server).await,
            Self::Program(_) => Ok(None),
        }
    }

    pub fn engine(&self) -> Option<Engine> {
        match self {
            Self::Server(engine, _) => Some(*engine),
            Self::Program(_) => None,
        }
    }
}
