//! One task of one execution of one sync, from the lease to the flip.

use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::Utc;
use futures_util::stream::{StreamExt, iter};
use handoff::sync::{Generation, Layout, SYNC_VERSION, SyncKey};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::bucket::Bucket;
use crate::chunks::{chunks, share};
use crate::counters::Counters;
use crate::json::RowFormat;
use crate::lease::{Acquired, Lease};
use crate::progress::Progress;
use crate::publish::{Finished, Flip, delete_vanished, flip, prove};
use crate::put::PutEngine;
use crate::read::{CONNECTIONS, Reader};
use crate::report::{Outcome, Summary};
use crate::rows::Rendering;
use crate::scratch::{ScratchTable, Source};
use crate::shards::{Workshop, Writer};
use crate::standing::{Published, Standing, Started, generations};
use crate::syncs::{Mode, Sync};
use crate::{Clouds, RunError, Stop, Task, collect, guard};

/// Chunks that are worked on at once; as many again as there are connections are read ahead.
const CHUNKS_IN_FLIGHT: usize = 2;
/// Cloud Run kills a task ten seconds after SIGTERM. Source: Cloud Run container contract, "Container shutdown".
const LAST_WORDS: Duration = Duration::from_secs(6);

/// Twice is the same as once, and killed anywhere the next attempt goes on: whatever was finished is found again. Told to
/// stop, it begins nothing new, and what is under way has a few seconds.
pub async fn run(sync: &Sync, from: From<'_>, clouds: &Clouds, task: &Task, stop: Stop) -> Result<Outcome, RunError> {
    tokio::select! {
        biased;
        done = attempt(sync, from, clouds, task, stop.clone()) => done,
        () = last_words(stop) => Err(RunError::Stopped),
    }
}

async fn attempt(sync: &Sync, from: From<'_>, clouds: &Clouds, task: &Task, stop: Stop) -> Result<Outcome, RunError> {
    let (destination, bucket) = (&sync.destination, clouds.bucket(sync));
    let next = async || Ok(Generation::next(Utc::now(), generations(&bucket, destination).await?.last()));
    let lease = match Lease::acquire(&bucket, destination, &task.execution, clouds.lease, next).await? {
        Acquired::Held(lease) => lease,
        Acquired::Finished(generation) => return Ok(Outcome::already(sync, generation)),
    };
    let generation = lease.generation.clone();
    let standing = Standing::before(&bucket, destination, sync.layout, &generation).await?;
    if let Some(published) = standing.published.as_ref().filter(|standing| standing.manifest.generation == generation) {
        // We were killed between the flip and the end.
        tidy(&bucket, sync, published, lease).await?;
        return Ok(Outcome::already(sync, generation));
    }
    begin(&bucket, sync, &generation, task).await?;
    let made = make(sync, from, clouds, task, standing, &lease, stop).await;
    if let Err(RunError::Guard(_)) = &made {
        // Nothing of ours is on its way any more, so the next execution need not wait.
        lease.release().await?;
    } else if let Ok(Made { published: Some(published), .. }) = &made {
        tidy(&bucket, sync, published, lease).await?;
    }
    made.map(|made| made.outcome)
}

/// Where the rows come from.
#[derive(Debug, Clone, Copy)]
pub enum From<'a> {
    /// The query, run for this execution.
    Query,
    /// The result of an earlier generation's query, as long as it has not expired. Somebody wants just that, so the
    /// guards have no say.
    Table(&'a Generation),
}

impl From<'_> {
    fn is_guarded(self) -> bool {
        matches!(self, Self::Query)
    }

    async fn table(self, sync: &Sync, clouds: &Clouds, generation: &Generation) -> Result<ScratchTable> {
        match self {
            Self::Query => clouds.bigquery.scratch_table(&source(sync), generation).await,
            Self::Table(earlier) => {
                let table = clouds.bigquery.find(&source(sync), earlier).await?;
                table.with_context(|| format!("the query result of {earlier} has expired: it stays for one day"))
            }
        }
    }
}

struct Made {
    outcome: Outcome,
    /// Where we flipped `CURRENT`.
    published: Option<Published>,
}

async fn begin(bucket: &Bucket, sync: &Sync, generation: &Generation, task: &Task) -> Result<()> {
    let started = Started {
        version: SYNC_VERSION,
        sync: sync.name.to_string(),
        execution: task.execution.clone(),
        layout: sync.layout,
        shards: sync.shards,
        query_sha256: sync.query_sha256(),
    };
    let key = sync.destination.key(&SyncKey::Started(generation));
    bucket.create(&key, serde_json::to_vec(&started).context("write what begins")?).await?;
    let Some(standing) = bucket.get(&key).await? else { bail!("s3://{}/{key} went away", bucket.name) };
    let standing: Started = serde_json::from_slice(&standing.bytes).with_context(|| key.clone())?;
    if standing != started {
        bail!("the settings of sync {} changed during execution {}: start a new one", sync.name, task.execution);
    }
    Ok(())
}

async fn make(
    sync: &Sync,
    from: From<'_>,
    clouds: &Clouds,
    task: &Task,
    standing: Standing,
    lease: &Lease,
    stop: Stop,
) -> Result<Made, RunError> {
    let generation = &lease.generation;
    let progress = Progress::start(sync.name.as_str());
    progress.say("running the query");
    let table = from.table(sync, clouds, generation).await?;
    if from.is_guarded() {
        guard::at_the_beginning(&sync.guards, table.rows, standing.rows()).map_err(RunError::Guard)?;
    }
    let bucket = clouds.bucket(sync);
    let finished = Finished::look(&bucket, &sync.destination, generation).await?;
    let (previous, standing_rows) = (standing.published.clone(), standing.rows());
    let counters = progress.counters();
    let engine = PutEngine::new(clouds.put.clone(), clouds.keyless.clone(), lease.gate(), Arc::clone(&counters))
        .context("set up the PUT engine")?;
    let writer =
        Writer { engine, bucket: sync.destination.bucket.as_str().into(), destination: sync.destination.clone() };
    let workshop = Arc::new(workshop(sync, generation, standing, table, counters, Some(writer)));
    work(&workshop, &clouds.reader, task, &finished, &progress, stop).await?;
    progress.say("publishing");
    let finished = Finished::look(&bucket, &sync.destination, generation).await?;
    if !finished.is_whole(sync.shards) {
        return Ok(Made { outcome: Outcome::share_done(sync, generation), published: None });
    }
    let before = previous.as_ref().map(|previous| &previous.manifest);
    let manifest = prove(sync, generation, &workshop.table, before, finished)?;
    if from.is_guarded() {
        guard::at_the_end(&sync.guards, &manifest.totals, standing_rows).map_err(RunError::Guard)?;
    }
    let summary = Summary::new(&manifest, &workshop.table, &progress);
    bucket.create(&sync.destination.key(&SyncKey::Summary(generation)), summary.to_json()).await?;
    let ours = flip(&bucket, &sync.destination, &manifest, previous.as_ref()).await? == Flip::Ours;
    let published = ours.then_some(Published { manifest, etag: String::new() });
    Ok(Made { outcome: Outcome::published(summary), published })
}

/// What comes after the flip. Only who flipped does it, or a later attempt of the same execution: then nobody else is
/// writing yet.
async fn tidy(bucket: &Bucket, sync: &Sync, published: &Published, lease: Lease) -> Result<()> {
    let generation = &published.manifest.generation;
    delete_vanished(bucket, &sync.destination, &published.manifest).await?;
    collect::collect(bucket, &sync.destination, generation, sync.keep_generations).await?;
    lease.finish().await
}

pub fn source(sync: &Sync) -> Source<'_> {
    Source { sync: sync.name.as_str(), query: &sync.query, key: &sync.key, shards: sync.shards }
}

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

/// This task's share of the shards, as far as it is not done yet. When the job is told to stop, no chunk is begun any
/// more.
pub async fn work(
    workshop: &Arc<Workshop>,
    reader: &Reader,
    task: &Task,
    finished: &Finished,
    progress: &Progress,
    stop: Stop,
) -> Result<Finished, RunError> {
    let own = share(workshop.rendering.shards, task.index, task.count);
    let chunks = chunks(&workshop.table, own, |shard| finished.has(shard));
    progress.expect(chunks.iter().map(|chunk| chunk.rows).sum());
    let (path, halt) = (workshop.table.path.as_str(), stop.clone());
    let begun = iter(chunks).enumerate().take_while(|_| ready(!*halt.borrow()));
    let reads = begun.map(|(nth, chunk)| async move {
        let batches = if chunk.rows > 0 { reader.read(nth, path, chunk).await? } else { Vec::new() };
        workshop.counters.rows_read.add(chunk.rows);
        Ok::<_, anyhow::Error>((chunk, batches))
    });
    let work = reads.buffered(CONNECTIONS).map(|read| async move {
        let (chunk, batches) = read?;
        on_a_worker(Arc::clone(workshop).chunk(chunk, batches)).await
    });
    let mut work = pin!(work.buffer_unordered(CHUNKS_IN_FLIGHT));
    let mut done = Finished::default();
    while let Some(chunk) = work.next().await {
        done.add(chunk?);
    }
    if *stop.borrow() { Err(RunError::Stopped) } else { Ok(done) }
}

/// The thread that runs `main` is none of the runtime's workers: every wake of it is a call to the kernel. Ends when the
/// caller is dropped.
async fn on_a_worker<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let mut one = JoinSet::new();
    one.spawn(work);
    one.join_next().await.context("nothing was spawned")?.context("work on a chunk")?
}

async fn last_words(mut stop: Stop) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
    sleep(LAST_WORDS).await;
}
