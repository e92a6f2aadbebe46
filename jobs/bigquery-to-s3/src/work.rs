//! Shards, chunk by chunk: read ahead, worked on by all cores.

use std::future::ready;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures_util::stream::{StreamExt, iter};
use handoff::sync::{Generation, Layout};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::ahead::{Read, ReadAhead};
use crate::chunks::{CHUNK_BYTES, Compared, chunks, rendered_bytes};
use crate::counters::Counters;
use crate::json::RowFormat;
use crate::progress::Progress;
use crate::publish::Finished;
use crate::read::{CONNECTIONS, Reader};
use crate::room::Room;
use crate::rows::Rendering;
use crate::scratch::ScratchTable;
use crate::shards::{Pass, Workshop, Writer};
use crate::standing::Standing;
use crate::syncs::{Mode, Sync};
use crate::{RunError, Stop};

/// Chunks that are worked on at once; as many again as there are connections are read ahead.
const CHUNKS_IN_FLIGHT: usize = 2;
/// What they may take beside their columns, together. A shard that takes more is worked on alone.
const WORK_BYTES: u64 = 3 * CHUNK_BYTES;

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
        earlier: None,
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
    let (ahead, halt) = (ReadAhead::new(reader, &workshop.table, &workshop.counters), stop.clone());
    let (work_room, compared) = (Room::of(WORK_BYTES), compared(workshop));
    let begun = iter(chunks).enumerate().take_while(|_| ready(!*halt.borrow()));
    // In whatever order they come: one that waits for room keeps nobody waiting who has some.
    let reads = begun.map(|(nth, chunk)| ahead.begin(nth, chunk)).buffer_unordered(CONNECTIONS);
    let work = reads.map(|read| async {
        let Read { chunk, rows, room } = read?;
        let more = work_room.take(rendered_bytes(&workshop.table, chunk, compared)).await?;
        let done = on_a_worker(Arc::clone(workshop).chunk(pass, chunk, rows)).await;
        drop((room, more));
        done
    });
    let mut work = pin!(work.buffer_unordered(CHUNKS_IN_FLIGHT));
    let mut done = Finished::default();
    while let Some(chunk) = work.next().await {
        done.add(chunk?);
    }
    if *stop.borrow() { Err(RunError::Stopped) } else { Ok(done) }
}

fn compared(workshop: &Workshop) -> Compared {
    match &workshop.standing {
        standing if standing.rows() == 0 => Compared::Nothing,
        standing if standing.holds_bodies(workshop.rendering.shards) => Compared::Bodies,
        _ => Compared::Hashes,
    }
}

/// The thread that runs `main` is none of the runtime's workers: every wake of it is a call to the kernel. Ends when the
/// caller is dropped.
async fn on_a_worker<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let mut one = JoinSet::new();
    one.spawn(work);
    one.join_next().await.context("nothing was spawned")?.context("work on a chunk")?
}
