//! Compare first, judge, then write: in layout objects a row that was overwritten is gone, so a guard has to refuse before
//! the first one.

use std::sync::Arc;

use anyhow::{Result, bail};
use handoff::sync::{GenerationManifest, SyncKey};

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
        let more = work(workshop, Pass::Compare, &clouds.reader, share, &compared, progress, stop).await?;
        compared = compared.or(more);
    }
    match from {
        From::Query => guard::at_the_end(&sync.guards, &compared.totals(), published).map_err(RunError::Guard),
        From::Table(earlier) => ensure_same(&compared, earlier).map_err(RunError::Guard),
    }
}

async fn look(bucket: &LeasedBucket, sync: &Sync, workshop: &Workshop) -> Result<Finished> {
    let of = |prefix| Finished::look(bucket, &sync.destination, prefix);
    let done = of(SyncKey::DonePrefix(&workshop.generation)).await?;
    Ok(done.or(of(SyncKey::ComparedPrefix(&workshop.generation)).await?))
}

/// What comes out is the earlier generation: its rows, rendered as they were then.
fn ensure_same(compared: &Finished, earlier: &GenerationManifest) -> Result<()> {
    let sha256 = |file: &Option<handoff::sync::ShardFile>| file.as_ref().map(|file| file.sha256.clone());
    let other =
        compared.records().zip(&earlier.records).filter(|(one, other)| sha256(&one.file) != sha256(&other.file));
    match other.count() {
        0 => Ok(()),
        other => bail!(
            "{other} of {} shards would not be what {} was: json or max_body_bytes of the sync changed since; set them \
             back, or run",
            earlier.shards,
            earlier.generation
        ),
    }
}
