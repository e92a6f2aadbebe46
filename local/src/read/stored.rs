//! A Storage Read API that sends tables as somebody else has encoded them: also what no emulator can hold.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::stream;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::Status;

use super::record::SessionRequest;
use super::service::{Line, Messages, Reads, serve};
use super::storage::read_rows_response::{self, Rows};
use super::storage::read_session::Schema;
use super::storage::{
    ArrowRecordBatch, ArrowSchema, CreateReadSessionRequest, ReadRowsRequest, ReadRowsResponse, ReadSession, ReadStream,
};

/// What the job asks for when it has one shard. Nothing is evaluated here, so nothing else is answered.
const ALL_ROWS: &str = "isthmus_shard >= 0 AND isthmus_shard < 1 AND isthmus_key IS NOT NULL";

/// Two messages of Arrow's stream format, the batch compressed with LZ4.
#[derive(Debug, Clone)]
pub struct StoredTable {
    pub schema: Bytes,
    pub batch: Bytes,
    pub rows: i64,
}

pub struct StoredTables {
    endpoint: String,
    server: JoinHandle<()>,
}

impl StoredTables {
    /// By their whole names: `projects/{project}/datasets/{dataset}/tables/{table}`.
    pub async fn start(tables: BTreeMap<String, StoredTable>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind the stored tables")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        Ok(Self { endpoint, server: tokio::spawn(serve(listener, Arc::new(Stored(tables)))) })
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for StoredTables {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Stored(BTreeMap<String, StoredTable>);

impl Stored {
    fn table(&self, name: &str) -> Result<&StoredTable, Status> {
        self.0.get(name).ok_or_else(|| Status::not_found(format!("Not found: Table {name}")))
    }
}

/// Behind a table's name: its one stream.
const STREAM: &str = "/sessions/0/streams/0";

impl Reads for Stored {
    async fn create_read_session(self: Arc<Self>, request: CreateReadSessionRequest) -> Result<ReadSession, Status> {
        let asked = SessionRequest::from(&request);
        let as_stored = asked.data_format == "ARROW" && asked.compression == "LZ4_FRAME";
        if !as_stored || asked.row_restriction != ALL_ROWS || !asked.selected_fields.is_empty() {
            return Err(Status::invalid_argument(format!("these tables are sent whole, in Arrow with LZ4: {asked:?}")));
        }
        let table = self.table(&asked.table)?;
        let schema = ArrowSchema { serialized_schema: table.schema.clone() };
        Ok(ReadSession {
            name: format!("{}/sessions/0", asked.table),
            streams: vec![ReadStream { name: format!("{}{STREAM}", asked.table) }],
            table: asked.table,
            estimated_row_count: table.rows,
            schema: Some(Schema::ArrowSchema(schema)),
            ..Default::default()
        })
    }

    async fn read_rows(self: Arc<Self>, request: ReadRowsRequest, _: Line) -> Result<Messages, Status> {
        let unknown = || Status::not_found(format!("Not found: Stream {}", request.read_stream));
        let table = request.read_stream.strip_suffix(STREAM).ok_or_else(unknown)?;
        let table = self.table(table)?;
        if request.offset != 0 {
            return Err(Status::out_of_range(format!("offset {}: the only message begins at 0", request.offset)));
        }
        let schema = ArrowSchema { serialized_schema: table.schema.clone() };
        let batch = ArrowRecordBatch { serialized_record_batch: table.batch.clone(), ..Default::default() };
        let message = ReadRowsResponse {
            row_count: table.rows,
            rows: Some(Rows::ArrowRecordBatch(batch)),
            schema: Some(read_rows_response::Schema::ArrowSchema(schema)),
            ..Default::default()
        };
        Ok(Box::pin(stream::iter([Ok(message)])))
    }
}
