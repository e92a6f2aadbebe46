//! The Storage Read API on the generated table.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::read::storage::arrow_serialization_options::CompressionCodec;
use crate::read::storage::read_rows_response::Rows;
use crate::read::storage::read_session::table_read_options::OutputFormatSerializationOptions;
use crate::read::storage::read_session::{Schema, TableReadOptions};
use crate::read::storage::{
    ArrowRecordBatch, ArrowSchema, CreateReadSessionRequest, ReadRowsRequest, ReadRowsResponse, ReadSession,
    ReadStream, read_rows_response,
};
use arrow_ipc::CompressionType;
use arrow_schema::ArrowError;
use futures_util::stream;
use tonic::Status;

use super::messages::{MESSAGE_ROWS, Rendition};
use super::table::{Table, lock};
use crate::read::service::{Line, Messages, Reads};

/// Where the client leaves the number of streams to the server.
const STREAMS: usize = 4;

/// The columns, and the number of the compression.
type Encoding = (Vec<usize>, Option<i8>);

pub(super) struct Reading {
    table: Arc<Table>,
    sessions: AtomicU64,
    streams: Mutex<BTreeMap<String, Stream>>,
    renditions: Mutex<BTreeMap<Encoding, Arc<Rendition>>>,
}

#[derive(Clone)]
struct Stream {
    rendition: Arc<Rendition>,
    positions: Range<usize>,
    /// The first message of a call carries it.
    schema: bool,
}

impl Reading {
    pub(super) fn new(table: Arc<Table>) -> Self {
        Self { table, sessions: AtomicU64::new(0), streams: Mutex::default(), renditions: Mutex::default() }
    }

    fn rendition(&self, options: &TableReadOptions) -> Result<Arc<Rendition>, Status> {
        let schema = &self.table.schema;
        let columns = if options.selected_fields.is_empty() {
            (0..schema.fields().len()).collect()
        } else {
            let mut columns = Vec::new();
            for field in &options.selected_fields {
                let unknown = |_| Status::invalid_argument(format!("request failed: the field {field} does not exist"));
                columns.push(schema.index_of(field).map_err(unknown)?);
            }
            columns.sort_unstable(); // the order is the table's
            columns
        };
        let compression = compression(options);
        let place = (columns.clone(), compression.map(|codec| codec.0));
        let mut renditions = lock(&self.renditions);
        if let Some(known) = renditions.get(&place) {
            return Ok(Arc::clone(known));
        }
        let rendition = Rendition::new(Arc::clone(&self.table.batches), schema, columns, compression);
        let rendition = Arc::new(rendition.map_err(|error| internal(&error))?);
        renditions.insert(place, Arc::clone(&rendition));
        Ok(rendition)
    }
}

impl Reads for Reading {
    async fn create_read_session(self: Arc<Self>, request: CreateReadSessionRequest) -> Result<ReadSession, Status> {
        let mut session = request.read_session.unwrap_or_default();
        if !self.table.has(&session.table) {
            return Err(Status::not_found(format!("Not found: Table {}", session.table)));
        }
        let options = session.read_options.clone().unwrap_or_default();
        let (shards, keyed) = restricted(&options.row_restriction)?;
        let shards = shards.unwrap_or(0..self.table.order.shards());
        let wanted = usize::try_from(request.max_stream_count).ok().filter(|count| *count > 0).unwrap_or(STREAMS);
        let rows: usize = self.table.order.parts(shards.clone(), 1).iter().map(ExactSizeIterator::len).sum();
        let has_null_keys = !keyed && shards.start == 0 && self.table.order.null_keys > 0;
        let parts = self.table.order.parts(shards, wanted.min(rows.div_ceil(MESSAGE_ROWS)).max(1));
        let rendition = self.rendition(&options)?;

        let project = request.parent.trim_start_matches("projects/");
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        session.name = format!("projects/{project}/locations/us/sessions/{number:08}");
        session.estimated_row_count = i64::try_from(rows).unwrap_or(i64::MAX);
        session.schema = Some(Schema::ArrowSchema(ArrowSchema { serialized_schema: rendition.schema.clone() }));
        let null_keys = has_null_keys.then_some(0..self.table.order.null_keys);
        for (nth, positions) in null_keys.into_iter().chain(parts).enumerate() {
            let name = format!("{}/streams/{nth}", session.name);
            let stream = Stream { rendition: Arc::clone(&rendition), positions, schema: true };
            lock(&self.streams).insert(name.clone(), stream);
            session.streams.push(ReadStream { name });
        }
        Ok(session)
    }

    async fn read_rows(self: Arc<Self>, request: ReadRowsRequest, _: Line) -> Result<Messages, Status> {
        let name = request.read_stream;
        let unknown = || Status::not_found(format!("Not found: Stream {name}"));
        let mut stream = lock(&self.streams).get(&name).cloned().ok_or_else(unknown)?;
        let offset = usize::try_from(request.offset).ok().filter(|offset| *offset <= stream.positions.len());
        let outside = || Status::out_of_range(format!("offset {} is outside of {name}", request.offset));
        stream.positions.start += offset.ok_or_else(outside)?;
        Ok(Box::pin(stream::unfold(stream, |mut stream| async move { Some((stream.next()?, stream)) })))
    }
}

impl Stream {
    fn next(&mut self) -> Option<Result<ReadRowsResponse, Status>> {
        if self.positions.is_empty() {
            return None;
        }
        let (serialized_record_batch, rows) = match self.rendition.message(&self.positions) {
            Ok(message) => message,
            Err(error) => return Some(Err(internal(&error))),
        };
        self.positions.start += rows;
        let schema = std::mem::take(&mut self.schema).then(|| {
            read_rows_response::Schema::ArrowSchema(ArrowSchema { serialized_schema: self.rendition.schema.clone() })
        });
        let batch = ArrowRecordBatch { serialized_record_batch, ..Default::default() };
        Some(Ok(ReadRowsResponse {
            row_count: i64::try_from(rows).unwrap_or(i64::MAX),
            rows: Some(Rows::ArrowRecordBatch(batch)),
            schema,
            ..Default::default()
        }))
    }
}

fn internal(error: &ArrowError) -> Status {
    Status::internal(error.to_string())
}

fn compression(options: &TableReadOptions) -> Option<CompressionType> {
    let Some(OutputFormatSerializationOptions::ArrowSerializationOptions(arrow)) =
        &options.output_format_serialization_options
    else {
        return None;
    };
    match arrow.buffer_compression() {
        CompressionCodec::CompressionUnspecified => None,
        CompressionCodec::Lz4Frame => Some(CompressionType::LZ4_FRAME),
        CompressionCodec::Zstd => Some(CompressionType::ZSTD),
    }
}

/// `isthmus_shard >= 0 AND isthmus_shard < 64`, with or without the rows that have no key, and nothing else.
fn restricted(restriction: &str) -> Result<(Option<Range<usize>>, bool), Status> {
    let (shards, keyed) = match restriction.strip_suffix(" AND isthmus_key IS NOT NULL") {
        Some(shards) => (shards, true),
        None => (restriction, false),
    };
    if shards.is_empty() {
        return Ok((None, keyed));
    }
    let words: Vec<&str> = shards.split_whitespace().collect();
    let ["isthmus_shard", ">=", first, "AND", "isthmus_shard", "<", end] = words[..] else {
        return Err(Status::invalid_argument(format!("the generated table has no such restriction: {restriction}")));
    };
    let number = |text: &str| {
        text.parse().map_err(|_| Status::invalid_argument(format!("{text} is not a shard: {restriction}")))
    };
    let (first, end): (usize, usize) = (number(first)?, number(end)?);
    Ok((Some(first..end.max(first)), keyed))
}
