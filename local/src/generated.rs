//! BigQuery with one big generated table, quick enough that the program which reads it is what a benchmark measures. It
//! answers what the job calls and nothing else; for meaning there is the emulator.

mod answer;
mod messages;
mod order;
mod read;
mod rest;
mod rows;
mod table;

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::listen::Listening;
use crate::read::service::serve;
use read::Reading;
use table::Table;

#[derive(Debug, Clone, Copy, Default, PartialEq, clap::Args)]
pub struct Options {
    /// Rows of the table; their ids are 1, 2, 3…
    #[arg(long)]
    pub rows: u32,
    /// Shards that the job has: a power of two
    #[arg(long)]
    pub shards: u32,
    /// 0 is the table before any change; every other seed changes other rows
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// The share of the rows whose values differ from those of seed 0
    #[arg(long, default_value_t = 0.05)]
    pub changed: f64,
    /// Notes are at least so long
    #[arg(long, default_value_t = 0)]
    pub note_bytes: usize,
    /// Further columns, null in every row
    #[arg(long, default_value_t = 0)]
    pub empty_columns: usize,
    /// Further rows, without a key
    #[arg(long, default_value_t = 0)]
    pub null_keys: u32,
}

pub struct Generated {
    rest: Listening,
    grpc_endpoint: String,
    server: JoinHandle<()>,
    table: Arc<Table>,
}

impl Generated {
    /// Generates the rows, about 200 bytes of memory each, and serves them.
    pub async fn start(options: Options) -> Result<Self> {
        let table = tokio::task::spawn_blocking(move || Table::generate(&options)).await??;
        let table = Arc::new(table);
        let rest = Listening::start("the generated BigQuery", rest::router(Arc::clone(&table))).await?;
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind the generated Storage Read API")?;
        let grpc_endpoint = format!("http://{}", listener.local_addr()?);
        let server = tokio::spawn(serve(listener, Arc::new(Reading::new(Arc::clone(&table)))));
        Ok(Self { rest, grpc_endpoint, server, table })
    }

    pub fn endpoint(&self) -> String {
        self.rest.endpoint().to_owned()
    }

    pub fn grpc_endpoint(&self) -> String {
        self.grpc_endpoint.clone()
    }

    /// As if a query had made this table.
    pub fn create_table(&self, dataset: &str, table: &str) {
        self.table.make(dataset, table);
    }

    pub fn shard_rows(&self) -> Vec<usize> {
        self.table.order.shard_rows()
    }

    /// What a program that was started beside it needs to know.
    pub fn ready(&self) -> Value {
        json!({
            "endpoint": self.endpoint(),
            "grpc_endpoint": self.grpc_endpoint(),
            "rows": self.table.rows(),
            "bytes": self.table.bytes,
        })
    }
}

impl Drop for Generated {
    fn drop(&mut self) {
        self.server.abort();
    }
}
