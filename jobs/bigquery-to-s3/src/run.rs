//! One task of one execution of one sync, from the lease to the flip.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use handoff::sync::{Generation, GenerationManifest, Layout, SYNC_VERSION, SyncKey};
use tokio::time::sleep;

use crate::claim::{Claimed, Held, claim};
use crate::counters::Counters;
use crate::current::{Flip, Published, current, flip, nonce};
use crate::inspection::Inspect;
use crate::leased::{LeasedBucket, Put};
use crate::owner::owner;
use crate::progress::Progress;
use crate::publish::{Finished, delete_vanished, prove};
use crate::put::PutEngine;
use crate::report::{Outcome, Summary};
use crate::scratch::{ScratchTable, Source};
use crate::shards::{Pass, Workshop, Writer};
use crate::standing::Standing;
use crate::started::{Started, started};
use crate::syncs::Sync;
use crate::work::{work, workshop};
use crate::{Clouds, RunError, Stop, Task, collect, compare, guard};

/// Cloud Run kills a task ten seconds after SIGTERM. Source: Cloud Run container contract, "Container shutdown".
const LAST_WORDS: Duration = Duration::from_secs(6);

/// Twice is the same as once, and killed anywhere the next attempt goes on: whatever was finished is found again. Told to
/// stop, it begins nothing new, and what is under way has a few seconds.
pub async fn run(attempt: Attempt<'_>) -> Result<Outcome, RunError> {
    let stop = attempt.stop.clone();
    tokio::select! {
        biased;
        done = attempt.run() => done,
        () = last_words(stop) => Err(RunError::Stopped),
    }
}

/// What one process is to do for one sync.
#[derive(Clone)]
pub struct Attempt<'a> {
    pub sync: &'a Sync,
    pub from: From<'a>,
    pub inspect: Inspect,
    pub clouds: &'a Clouds,
    pub task: &'a Task,
    pub stop: Stop,
}

/// Where the rows come from.
#[derive(Debug, Clone, Copy)]
pub enum From<'a> {
    /// The query, run for this execution.
    Query,
    /// The result of an earlier generation's query, as long as it has not expired. Somebody wants just that, so no guard
    /// has a say; but its rows have to be those, byte by byte.
    Table(&'a GenerationManifest),
}

impl From<'_> {
    fn earlier(&self) -> Option<&GenerationManifest> {
        match self {
            Self::Query => None,
            Self::Table(earlier) => Some(earlier),
        }
    }

    async fn table(self, sync: &Sync, clouds: &Clouds, generation: &Generation) -> Result<ScratchTable> {
        match self {
            Self::Query => clouds.bigquery.scratch_table(&source(sync), generation).await,
            // It has the name that the sync had then.
            Self::Table(GenerationManifest { sync: name, generation: earlier, .. }) => {
                let table = clouds.bigquery.find(&Source { sync: name, ..source(sync) }, earlier).await?;
                table.with_context(|| format!("the query result of {earlier} has expired: it stays for one day"))
            }
        }
    }
}

impl Attempt<'_> {
    async fn run(self) -> Result<Outcome, RunError> {
        let Self { sync, clouds, task, .. } = self;
        let held = match claim(sync, clouds, task).await? {
            Claimed::Held(held) => held,
            Claimed::Published(generation) => return Ok(Outcome::already(sync, generation)),
        };
        let generation = held.claim.generation.clone();
        let (bucket, destination) = (&held.bucket, &sync.destination);
        let standing = Standing::before(bucket, destination, sync.layout, &generation, self.inspect).await?;
        if let Some(published) = standing.published.clone().filter(|standing| standing.current.generation == generation)
        {
            // We were killed between the flip and the end.
            return tidy(sync, &published, *held).await;
        }
        begin(sync, &generation, task, standing.published.as_ref(), &held.bucket).await?;
        match self.make(standing, &held).await {
            Ok(Made::Published(published)) => tidy(sync, &published, *held).await,
            Ok(Made::Share) => Ok(Outcome::share_done(sync, &generation)),
            Ok(Made::ByAnotherTask) => Ok(Outcome::already(sync, generation)),
            Err(RunError::Guard(guard)) => {
                // Every task of ours comes to the same end, and none has a row on its way.
                held.end(false).await?;
                Err(RunError::Guard(guard))
            }
            // Another task of ours published before this one saw it.
            Err(_) if names(&held.bucket, sync, &generation).await => Ok(Outcome::already(sync, generation)),
            Err(error) => Err(error),
        }
    }

    async fn make(&self, standing: Standing, held: &Held) -> Result<Made, RunError> {
        let Self { sync, clouds, .. } = self;
        let (bucket, generation, base) = (&held.bucket, &held.claim.generation, standing.published.clone());
        let progress = Progress::start(sync.name.as_str());
        progress.say("running the query");
        let table = self.from.table(sync, clouds, generation).await?;
        if matches!(self.from, From::Query) {
            guard::at_the_beginning(&sync.guards, &table, standing.rows()).map_err(RunError::Guard)?;
        }
        let (counters, published_rows) = (progress.counters(), standing.rows());
        let writer = self.writer(bucket, &counters)?;
        let workshop = workshop(sync, generation, standing, table, counters, Some(writer));
        let workshop = Arc::new(Workshop { earlier: self.from.earlier().cloned(), ..workshop });
        let began = Instant::now();
        if sync.layout == Layout::Objects {
            compare::judge(self, &workshop, bucket, &progress).await?;
        }
        let compared_in = began.elapsed();
        progress.say("writing");
        let share = self.task.share(sync.shards);
        let done = Finished::look(bucket, &sync.destination, SyncKey::DonePrefix(generation)).await?;
        work(&workshop, Pass::Write, &clouds.reader, share, &done, &progress, &self.stop).await?;
        progress.say("publishing");
        let done = Finished::look(bucket, &sync.destination, SyncKey::DonePrefix(generation)).await?;
        if !done.is_whole(sync.shards) {
            return Ok(Made::Share);
        }
        let (previous, found) = (base.as_ref().map(|base| &base.manifest), done.found());
        let mut manifest = prove(sync, &clouds.scratch, generation, &workshop.table, previous, done)?;
        match self.from {
            From::Query => {
                guard::at_the_end(&sync.guards, &manifest.totals, published_rows).map_err(RunError::Guard)?;
            }
            From::Table(earlier) => manifest.query_sha256.clone_from(&earlier.query_sha256),
        }
        manifest.verified = workshop.standing.verified();
        let summary = Summary::new(&manifest, found, &workshop.table, &progress, compared_in);
        self.publish(manifest, summary, base.as_ref(), bucket).await
    }

    fn writer(&self, bucket: &LeasedBucket, counters: &Arc<Counters>) -> Result<Writer> {
        let (settings, keyless) = (self.clouds.put.clone(), self.clouds.keyless.clone());
        let engine = PutEngine::new(settings, keyless, bucket.gate().clone(), Arc::clone(counters));
        let destination = self.sync.destination.clone();
        let engine = engine.context("set up the PUT engine")?;
        Ok(Writer { engine, bucket: destination.bucket.as_str().into(), destination })
    }

    async fn publish(
        &self,
        manifest: GenerationManifest,
        summary: Summary,
        base: Option<&Published>,
        bucket: &LeasedBucket,
    ) -> Result<Made, RunError> {
        let (sync, destination, generation) = (self.sync, &self.sync.destination, &manifest.generation);
        let outcome = Outcome::published(sync, generation, summary);
        bucket.create(&destination.key(&SyncKey::Summary(generation)), outcome.to_json()).await?;
        // Where one stands already, a task of ours that saw the same shards wrote it.
        bucket.create(&destination.key(&SyncKey::Manifest(generation)), manifest.to_json()).await?;
        let owner = Some(owner(sync, &self.clouds.scratch));
        match flip(bucket, destination, generation, owner, base, sync.keep_generations).await? {
            Flip::Theirs => Ok(Made::ByAnotherTask),
            Flip::Ours(current, etag) => Ok(Made::Published(Box::new(Published { current, manifest, etag }))),
        }
    }
}

async fn names(bucket: &LeasedBucket, sync: &Sync, generation: &Generation) -> bool {
    let named = current(bucket, &sync.destination).await;
    matches!(named, Ok(Some((current, _))) if current.generation == *generation)
}

enum Made {
    /// By us: we flipped `CURRENT`.
    Published(Box<Published>),
    ByAnotherTask,
    /// Other tasks have not finished theirs.
    Share,
}

/// Says what the generation is made of and what it is compared with, or finds it said.
async fn begin(
    sync: &Sync,
    generation: &Generation,
    task: &Task,
    base: Option<&Published>,
    bucket: &LeasedBucket,
) -> Result<(), RunError> {
    let ours = Started {
        version: SYNC_VERSION,
        sync: sync.name.to_string(),
        execution: task.execution.clone(),
        layout: sync.layout,
        shards: sync.shards,
        query_sha256: sync.query_sha256(),
        base: base.map(Published::base),
    };
    let key = sync.destination.key(&SyncKey::Started(generation));
    bucket.create(&key, serde_json::to_vec(&ours).context("write what begins")?).await?;
    let standing = started(bucket, &sync.destination, generation).await?;
    let standing = standing.with_context(|| format!("s3://{}/{key} went away", bucket.name))?;
    if standing.base != ours.base {
        let by =
            ours.base.map_or("nothing: CURRENT was deleted".into(), |base| format!("generation {}", base.generation));
        return Err(RunError::Superseded { own: generation.clone(), by });
    }
    if standing != ours {
        let (name, execution) = (&sync.name, &task.execution);
        return Err(anyhow::anyhow!(
            "the settings of sync {name} changed during execution {execution}: start a new one"
        )
        .into());
    }
    Ok(())
}

/// What comes after the flip, and may be done twice: the objects of vanished keys go, then old generations, and the log
/// is told, once. Dying in here leaves it to the next attempt of this execution; another execution takes what was to
/// vanish for doubtful, and collects.
async fn tidy(sync: &Sync, published: &Published, held: Held) -> Result<Outcome, RunError> {
    let (bucket, destination, generation) = (&held.bucket, &sync.destination, &published.manifest.generation);
    delete_vanished(bucket, destination, &published.manifest).await?;
    collect::collect(bucket, destination, published).await?;
    let outcome = Outcome::found(bucket, sync, generation).await?;
    let mark = bucket.create(&destination.key(&SyncKey::Told(generation)), nonce()).await?;
    if matches!(mark, Put::Done(_)) {
        outcome.tell();
    }
    held.end(true).await?;
    Ok(outcome)
}

pub fn source(sync: &Sync) -> Source<'_> {
    Source { sync: sync.name.as_str(), query: &sync.query, key: &sync.key, shards: sync.shards }
}

async fn last_words(mut stop: Stop) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
    sleep(LAST_WORDS).await;
}
