//! Compare first, judge, then write: in layout objects a row that was overwritten is gone, so a guard has to refuse before
//! the first one.

use std::sync::Arc;

use anyhow::Result;
use handoff::sync::SyncKey;

use crate::as_it_was::Otherwise;
use crate::leased::LeasedBucket;
use crate::progress::Progress;
use crate::publish::Finished;
use crate::run::{Attempt, From};
use crate::shards::{Pass, Workshop};
use crate::syncs::Sync;
use crate::work::work;
use crate::{RunError, guard};

/// Ends with an error before any row is written, or with all ranges of all tasks compared. It takes reading and rendering
/// twice; where no guard can refuse any more, there is nothing to judge.
pub async fn judge(
    attempt: &Attempt<'_>,
    workshop: &Arc<Workshop>,
    bucket: &LeasedBucket,
    progress: &Progress,
) -> Result<(), RunError> {
    let Attempt { sync, from, clouds, task, stop, .. } = attempt;
    let published = workshop.standing.rows();
    if matches!(from, From::Query) && !guard::may_still_refuse(&sync.guards, workshop.table.rows, published) {
        return Ok(());
    }
    progress.say("comparing");
    // Its own share first, then whatever nobody has compared: Cloud Run may start the tasks one after the other, so
    // waiting for another one could be for ever.
    let mut compared = Finished::default();
    for share in task.shares(sync.shards) {
        compared = look(bucket, sync, workshop).await?;
        let more = work(workshop, Pass::Compare, &clouds.reader, share, &compared, progress, stop).await;
        let more = more.map_err(judged)?;
        compared = compared.or(more);
    }
    match from {
        From::Query => guard::at_the_end(&sync.guards, &compared.totals(), published).map_err(RunError::Guard),
        From::Table(_) => Ok(()),
    }
}

/// That what comes out is not what was published once is a judgement too, made shard by shard.
fn judged(error: RunError) -> RunError {
    match error {
        RunError::Other(error) if error.is::<Otherwise>() => RunError::Guard(error),
        error => error,
    }
}

async fn look(bucket: &LeasedBucket, sync: &Sync, workshop: &Workshop) -> Result<Finished> {
    let of = |prefix| Finished::look(bucket, &sync.destination, prefix);
    let done = of(SyncKey::DonePrefix(&workshop.generation)).await?;
    Ok(done.or(of(SyncKey::ComparedPrefix(&workshop.generation)).await?))
}
