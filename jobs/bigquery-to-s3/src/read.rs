//! Shards from BigQuery: a read session for each chunk of them, several streams at once, resumed where they were cut,
//! proven by the number of rows.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, TryStreamExt};
use google_cloud_auth::credentials::Credentials;
use google_cloud_bigquery::client::Read;
use google_cloud_bigquery::model::arrow_serialization_options::CompressionCodec;
use google_cloud_bigquery::model::read_session::TableReadOptions;
use google_cloud_bigquery::model::{ArrowSerializationOptions, DataFormat, ReadSession};
use google_cloud_bigquery::read::retry_policy::RetryableErrors;
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_gax::retry_policy::RetryPolicyExt;
use handoff::sync::ShardRange;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use crate::scratch::{KEY_COLUMN, SHARD_COLUMN};
use crate::sieve::{Repeated, Sieve};

/// Sessions that are read at once, each over a connection of its own: a session takes half a second to begin, and one
/// HTTP/2 connection does not fill a network.
pub const CONNECTIONS: usize = 4;
const STREAMS: i32 = 4;
/// A stream that cannot go on by itself is left after this many tries without a row, and the chunk read anew.
const RECONNECTS: u32 = 5;
/// A chunk that comes short this often is not there.
const SHORT_READS: u32 = 4;
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Neighbouring shards that are read by one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    pub range: ShardRange,
    pub rows: u64,
}

/// Clones share the connections.
#[derive(Debug, Clone)]
pub struct Reader {
    connections: Vec<Read>,
    /// `projects/acme`: who pays.
    parent: String,
    pub patience: Patience,
}

/// The rows of a chunk.
#[derive(Debug, Default)]
pub struct ReadRows {
    pub batches: Vec<RecordBatch>,
    /// Of those that were not kept.
    pub repeated: Repeated,
}

/// What the streams of a chunk have brought so far.
#[derive(Default)]
struct Basket {
    batches: Vec<RecordBatch>,
    /// Kept or not.
    rows: u64,
    sieve: Option<Sieve>,
}

#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A stream that says nothing for so long is opened again: the channel itself never gives up.
    pub idle: Duration,
    /// How long a chunk is tried.
    pub give_up_after: Duration,
}

impl Reader {
    pub async fn connect(
        endpoint: Option<&str>,
        credentials: &Credentials,
        project: &str,
        patience: Patience,
    ) -> Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let builder = Read::builder().with_credentials(credentials.clone());
            let builder = match endpoint {
                Some(endpoint) => builder.with_endpoint(endpoint),
                None => builder,
            };
            connections.push(builder.build().await.context("build the client of the Storage Read API")?);
        }
        Ok(Self { connections, parent: format!("projects/{project}"), patience })
    }

    /// All rows of the chunk; where `sieve`, two of each key. A read that fails half-way, or gives another number of rows
    /// than BigQuery counted, begins anew with a new session: nothing of it has been used yet.
    pub async fn read(&self, nth: usize, table: &str, chunk: Chunk, sieve: bool) -> Result<ReadRows> {
        let client = &self.connections[nth % self.connections.len()];
        let (began, mut pause, mut short) = (Instant::now(), Duration::from_millis(200), 0);
        loop {
            let error = match self.read_once(client, table, chunk, sieve).await {
                Ok(rows) => return Ok(rows),
                Err(error) => error.context(format!("read shards {} of {table}", chunk.range)),
            };
            short += u32::from(error.downcast_ref::<ShortRead>().is_some());
            if !may_pass(&error) || short == SHORT_READS || began.elapsed() > self.patience.give_up_after {
                return Err(error);
            }
            warn!(shards = %chunk.range, "reading again: {}", startup::with_causes(error.as_ref()));
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn read_once(&self, client: &Read, table: &str, chunk: Chunk, sieve: bool) -> Result<ReadRows> {
        let created = client
            .create_read_session()
            .set_parent(&self.parent)
            .set_read_session(session(table, chunk.range))
            .set_max_stream_count(STREAMS)
            .with_idempotency(true) // a session that nobody reads costs nothing
            .send();
        let session = timeout(self.patience.idle, created).await.context("create a read session")?;
        let session = session.context("create a read session")?;
        let schema = session.arrow_schema().context("the session has no Arrow schema")?.serialized_schema.clone();
        let schema = without_end_mark(&schema);
        let basket = Mutex::new(Basket { sieve: sieve.then(Sieve::default), ..Basket::default() });
        let streams = session.streams.iter().map(|stream| self.read_stream(client, &stream.name, &schema, &basket));
        streams.collect::<FuturesUnordered<_>>().try_collect::<()>().await?;
        let Basket { batches, rows, sieve } = basket.into_inner().unwrap_or_else(PoisonError::into_inner);
        ensure!(rows == chunk.rows, ShortRead { rows, counted: chunk.rows });
        Ok(ReadRows { batches, repeated: sieve.map(Sieve::repeated).unwrap_or_default() })
    }

    /// The client resumes at the offset by itself where the server says that it was cut; where the server says nothing,
    /// we do.
    async fn read_stream(&self, client: &Read, name: &str, schema: &Bytes, basket: &Mutex<Basket>) -> Result<()> {
        let mut decoder = StreamDecoder::new();
        decode(&mut decoder, schema).context("read the schema of the session")?;
        let (mut offset, mut idle) = (0, 0);
        'open: loop {
            let request = client.read_rows().set_read_stream(name).set_offset(offset);
            let mut reader = request.into_reader().with_retry_policy(RetryableErrors.with_attempt_limit(RECONNECTS));
            loop {
                let Ok(next) = timeout(self.patience.idle, reader.next()).await else {
                    idle += 1;
                    ensure!(idle <= RECONNECTS, "stream {name} said nothing for {:?}", self.patience.idle * idle);
                    warn!("stream {name} says nothing, opening it again at row {offset}");
                    continue 'open;
                };
                let Some(message) = next.transpose().with_context(|| format!("read {name} at row {offset}"))? else {
                    return Ok(());
                };
                if let Some(batch) = message.arrow_record_batch() {
                    let batches = decode(&mut decoder, &batch.serialized_record_batch)
                        .with_context(|| format!("decode {name} at row {offset}"))?;
                    lock(basket).put(batches)?;
                }
                offset += message.row_count;
                idle = 0;
            }
        }
    }
}

fn lock(basket: &Mutex<Basket>) -> MutexGuard<'_, Basket> {
    basket.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Basket {
    fn put(&mut self, batches: Vec<RecordBatch>) -> Result<()> {
        for batch in batches {
            self.rows += batch.num_rows() as u64;
            let kept = match &mut self.sieve {
                Some(sieve) => sieve.pass(&batch)?,
                None => batch,
            };
            self.batches.push(kept);
        }
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{rows} rows came, BigQuery counted {counted}")]
struct ShortRead {
    rows: u64,
    counted: u64,
}

fn session(table: &str, shards: ShardRange) -> ReadSession {
    let restriction = format!(
        "{SHARD_COLUMN} >= {} AND {SHARD_COLUMN} < {} AND {KEY_COLUMN} IS NOT NULL",
        shards.first,
        shards.last + 1
    );
    let arrow = ArrowSerializationOptions::new().set_buffer_compression(CompressionCodec::Lz4Frame);
    let options = TableReadOptions::new().set_row_restriction(restriction).set_arrow_serialization_options(arrow);
    ReadSession::new().set_data_format(DataFormat::Arrow).set_table(table).set_read_options(options)
}

/// Zero bytes between messages, as Arrow's stream format ends; local-bigquery puts them after the schema.
fn without_end_mark(schema: &Bytes) -> Bytes {
    let end = if schema.ends_with(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]) { schema.len() - 8 } else { schema.len() };
    schema.slice(..end)
}

fn decode(decoder: &mut StreamDecoder, message: &Bytes) -> Result<Vec<RecordBatch>> {
    let (mut buffer, mut batches) = (Buffer::from(message.clone()), Vec::new());
    while !buffer.is_empty() {
        batches.extend(decoder.decode(&mut buffer)?);
    }
    Ok(batches)
}

/// A session expires, a table is short for a moment, a server restarts: all that is read anew. Not what we may not do.
fn may_pass(error: &anyhow::Error) -> bool {
    use google_cloud_gax::error::rpc::Code;
    let Some(google) = error.downcast_ref::<google_cloud_gax::error::Error>() else { return true };
    let code = google.status().map(|status| status.code);
    !matches!(code, Some(Code::PermissionDenied | Code::Unauthenticated | Code::InvalidArgument))
}
