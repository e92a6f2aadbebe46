//! Shards, chunk by chunk: read ahead, worked on by all cores.

use std::future::ready;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::RecordBatch;
use futures_util::stream::{StreamExt, iter};
use handoff::sync::{Generation, Layout};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::chunks::{CHUNK_BYTES, chunks, row_bytes};
use crate::counters::Counters;
use crate::json::RowFormat;
use crate::progress::Progress;
use crate::publish::Finished;
use crate::read::{CONNECTIONS, Chunk, Reader};
use crate::rows::Rendering;
use crate::scratch::ScratchTable;
use crate::shards::{Pass, Workshop, Writer};
use crate::standing::Standing;
use crate::syncs::{Mode, Sync};
use crate::{RunError, Stop};

/// Chunks that are worked on at once; as many again as there are connections are read ahead.
const CHUNKS_IN_FLIGHT: usize = 2;
/// What chunks may take of memory together, from the first row that is read to the last that is written. A shard that alone
/// takes more is worked on alone.
#[allow(clippy::cast_possible_truncation)] // some thousand
const ROOM_KIB: u32 = 6 * (CHUNK_BYTES >> 10) as u32;

pub fn workshop(
    sync: &Sync,
    generation: &Generation,
    standing: Standing,
    table: ScratchTable,
    counters: Arc<Counters>,
    writer: Option<Writer>,
) -> Workshop {
    let rendering = Rendering {
        destination: sync.destination.clone(),
        layout: sync.layout,
        shards: sync.shards,
        max_body_bytes: sync.max_body_bytes,
        format: RowFormat::new(&sync.json),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Workshop {
        generation: generation.clone(),
        rendering: Arc::new(rendering),
        full: sync.mode == Mode::Full && sync.layout == Layout::Objects,
        standing,
        table,
        counters,
        writer,
        cores: Arc::new(Semaphore::new(cores)),
    }
}

/// These shards, as far as `finished` has them not. When the job is told to stop, no chunk is begun any more.
pub async fn work(
    workshop: &Arc<Workshop>,
    pass: Pass,
    reader: &Reader,
    shards: Range<u32>,
    finished: &Finished,
    progress: &Progress,
    stop: &Stop,
) -> Result<Finished, RunError> {
    let chunks = chunks(&workshop.table, shards, |shard| finished.has(shard));
    progress.expect_more(chunks.iter().map(|chunk| chunk.rows).sum());
    let (room, halt) = (Arc::new(Semaphore::new(ROOM_KIB as usize)), stop.clone());
    let begun = iter(chunks).enumerate().take_while(|_| ready(!*halt.borrow()));
    // In whatever order they come: one that waits for room keeps nobody waiting who has some.
    let reads = begun.map(|(nth, chunk)| read_ahead(workshop, reader, &room, nth, chunk)).buffer_unordered(CONNECTIONS);
    let work = reads.map(|read| async move {
        let Read { chunk, batches, room } = read?;
        let done = on_a_worker(Arc::clone(workshop).chunk(pass, chunk, batches)).await;
        drop(room);
        done
    });
    let mut work = pin!(work.buffer_unordered(CHUNKS_IN_FLIGHT));
    let mut done = Finished::default();
    while let Some(chunk) = work.next().await {
        done.add(chunk?);
    }
    if *stop.borrow() { Err(RunError::Stopped) } else { Ok(done) }
}

/// A chunk that has been read, and its share of the room.
struct Read {
    chunk: Chunk,
    batches: Vec<RecordBatch>,
    room: OwnedSemaphorePermit,
}

/// Begins at once, in a task of its own: a stream that nobody polls, because all are busy with other chunks, would look as
/// if BigQuery said nothing.
fn read_ahead(
    workshop: &Arc<Workshop>,
    reader: &Reader,
    room: &Arc<Semaphore>,
    nth: usize,
    chunk: Chunk,
) -> impl Future<Output = Result<Read>> + use<> {
    let (workshop, reader, room) = (Arc::clone(workshop), reader.clone(), Arc::clone(room));
    let mut one = JoinSet::new();
    one.spawn(async move {
        let kib = (chunk.rows.saturating_mul(row_bytes(&workshop.table)) >> 10).clamp(1, ROOM_KIB.into());
        let room = room.acquire_many_owned(u32::try_from(kib)?).await?;
        let table = &workshop.table.path;
        let batches = if chunk.rows > 0 { reader.read(nth, table, chunk).await? } else { Vec::new() };
        workshop.counters.rows_read.add(chunk.rows);
        Ok(Read { chunk, batches, room })
    });
    async move { one.join_next().await.context("nothing was spawned")?.context("read a chunk")? }
}

/// The thread that runs `main` is none of the runtime's workers: every wake of it is a call to the kernel. Ends when the
/// caller is dropped.
async fn on_a_worker<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let mut one = JoinSet::new();
    one.spawn(work);
    one.join_next().await.context("nothing was spawned")?.context("work on a chunk")?
}
