//! One date: from what its tasks and its prefix are to a published manifest. Each effect can be the last one before the
//! program dies; the next run finds out where it stands from the bucket alone.

use handoff::{ExportDate, ExportKey, ExportTaskId, Manifest, Table, TablePrefix};
use tracing::{info, warn};

use crate::Error;
use crate::bucket::{Bucket, Object};
use crate::clock::Clock;
use crate::compose::Before;
use crate::manifests::{self, Put};
use crate::order::{Standing, Step, next_step, without_base};
use crate::staging::{self, Target};
use crate::task::{Status, Task, export_again};
use crate::verify::verify;
use crate::{Settings, compose};

/// What became of a date.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) published: Vec<ExportTaskId>,
    /// The manifest that stands now.
    pub(crate) manifest: Option<Manifest>,
    /// Why the date could not go further. What was published before counts.
    pub(crate) error: Option<Error>,
}

/// `tasks` are all tasks of `date`.
pub(crate) async fn settle(
    bucket: Bucket<'_>,
    settings: &Settings,
    date: ExportDate,
    tasks: &[Task],
    clock: Clock,
) -> Outcome {
    let day = Day { bucket, settings, date, tasks, clock };
    let mut published = Vec::new();
    let settled = day.go_on(&mut published).await;
    match settled {
        Ok(Standing::Published(manifest)) => Outcome { published, manifest: Some(manifest), error: None },
        Ok(_) => Outcome { published, manifest: None, error: None },
        Err(error) => Outcome { published, manifest: None, error: Some(error) },
    }
}

struct Day<'a> {
    bucket: Bucket<'a>,
    settings: &'a Settings,
    date: ExportDate,
    tasks: &'a [Task],
    clock: Clock,
}

impl Day<'_> {
    async fn go_on(&self, published: &mut Vec<ExportTaskId>) -> Result<Standing, Error> {
        let mut standing = manifests::standing(self.bucket, &self.settings.environment, self.date, self.tasks).await?;
        for layer in without_base(self.tasks, &standing) {
            warn!(task_id = %layer.id, "{} has some tables only and {} has no export to lay them over", layer.id, self.date);
        }
        loop {
            standing = match next_step(self.tasks, &standing) {
                Step::Rest => return Ok(standing),
                Step::Withdraw => self.withdrawn(standing).await?,
                Step::Restore => self.restore(&standing).await?,
                Step::Publish(task) => {
                    let (manifest, put) = Box::pin(self.publish(task, &standing)).await?;
                    if put == Put::Published {
                        published.push(task.id.clone());
                    }
                    Standing::Published(manifest)
                }
            }
        }
    }

    async fn publish(&self, task: &Task, standing: &Standing) -> Result<(Manifest, Put), Error> {
        let failed = |problem| Error::StageFailed { task: task.id.clone(), problem };
        let verified = Box::pin(verify(self.bucket, task)).await?;
        let base = standing.manifest().filter(|_| task.is_layer());
        let listing = self.bucket.list(&self.prefix()).await?;
        let target = if task.id.is_spot() {
            let kept = staging::parts_of(compose::kept_tables(base, &verified), |t| self.folder(t), &listing);
            staging::target_of_spot(task, &verified, kept.map_err(failed)?).map_err(failed)?
        } else {
            staging::target_of_daily(&listing)
        };
        let listing = self.stage(&target, listing, standing, task.kms_key_id.as_deref()).await?.map_err(failed)?;

        let previous = manifests::previous(self.bucket, &self.settings.environment, self.date).await?;
        let previous = previous.as_ref().map(Option::as_ref).map_err(String::as_str);
        let before = Before { base, previous };
        let manifest = compose::manifest(task, &verified, before, &listing, self.clock.now());
        let put = self.put(&manifest).await?;
        let (tables, rows) = (manifest.tables.len(), manifest.tables.iter().map(|table| table.rows).sum::<u64>());
        info!(
            event = "export_published", task_id = %task.id, export_date = %self.date, tables, rows,
            "published {} for {}: {tables} tables, {rows} rows", task.id, self.date
        );
        Ok((manifest, put))
    }

    /// Nothing newer came: the parts of the withdrawn manifest are still here, with leftovers beside them.
    async fn restore(&self, standing: &Standing) -> Result<Standing, Error> {
        let Some(withdrawn) = standing.manifest() else { return Ok(Standing::Nothing) };
        let again = export_again(self.date, &withdrawn.snapshot_arn, &[]);
        let failed = |problem| Error::RestoreFailed { date: self.date, problem, again: again.clone() };
        let listing = self.bucket.list(&self.prefix()).await?;
        let kept = staging::parts_of(&withdrawn.tables, |table| self.folder(table), &listing).map_err(failed)?;
        let target = Target { kept, ..Target::default() };
        self.stage(&target, listing, standing, None).await?.map_err(failed)?;
        let manifest = manifests::restored(withdrawn, self.clock.now());
        self.put(&manifest).await?;
        manifests::forget_before(self.bucket, &self.settings.environment, self.date).await?;
        info!(event = "manifest_restored", export_date = %self.date, "restored the manifest of {}", self.date);
        Ok(Standing::Published(manifest))
    }

    /// Makes the day's prefix equal to the target, and lists it. The inner error says what stands in the way.
    async fn stage(
        &self,
        target: &Target,
        listing: Vec<Object>,
        standing: &Standing,
        kms_key_id: Option<&str>,
    ) -> Result<Result<Vec<Object>, String>, Error> {
        let daily = self.tasks.iter().find(|task| !task.id.is_spot()).map(|task| task.status);
        let plan = match staging::plan(target, &listing, daily) {
            Ok(plan) => plan,
            Err(problem) => return Ok(Err(problem)),
        };
        if matches!(standing, Standing::Published(_)) {
            manifests::withdraw(self.bucket, &self.settings.environment, self.date).await?;
        }
        if plan.is_empty() {
            return Ok(staging::check(target, &listing).map(|()| listing));
        }
        // From here on the day has no manifest. If we die, the next run plans again from what it finds.
        staging::carry_out(self.bucket, &plan, kms_key_id).await?;
        let listing = self.bucket.list(&self.prefix()).await?;
        Ok(staging::check(target, &listing).map(|()| listing))
    }

    async fn withdrawn(&self, standing: Standing) -> Result<Standing, Error> {
        manifests::withdraw(self.bucket, &self.settings.environment, self.date).await?;
        warn!(export_date = %self.date, "RDS writes the daily export of {}: its spot export waits meanwhile", self.date);
        Ok(match standing {
            Standing::Published(manifest) => Standing::Withdrawn(manifest),
            other => other,
        })
    }

    /// Another run with another export can have been here between our listing and now. Then nobody knows what the
    /// prefix holds: no manifest may stand, and the next run, alone, puts it in order.
    async fn put(&self, manifest: &Manifest) -> Result<Put, Error> {
        let put = manifests::put(self.bucket, manifest).await;
        if let Err(Error::StageFailed { .. }) = put {
            manifests::withdraw(self.bucket, &self.settings.environment, self.date).await?;
        }
        put
    }

    fn prefix(&self) -> String {
        ExportKey::DayPrefix(&self.settings.environment, self.date).to_string()
    }

    fn folder(&self, table: &Table) -> TablePrefix {
        TablePrefix::of_day(&self.settings.environment, self.date, &table.name)
    }
}

/// Why a task asked for by name is not what the day shows, where that is an error.
pub(crate) fn by_hand(task: &Task, outcome: &Outcome) -> Result<(), Error> {
    match task.status {
        Status::Running => Err(Error::NotComplete(task.id.clone())),
        Status::Failed | Status::Canceled => Err(ended_badly(task)),
        Status::Complete if outcome.manifest.is_none() && outcome.error.is_none() => Err(Error::StageFailed {
            task: task.id.clone(),
            problem: "it waits for another export of its date: a daily one that runs, or one to lay its tables over"
                .into(),
        }),
        Status::Complete => Ok(()),
    }
}

pub(crate) fn ended_badly(task: &Task) -> Error {
    let (id, again) = (task.id.clone(), task.again());
    match task.status {
        Status::Canceled => Error::ExportCanceled { task: id, again },
        _ => Error::ExportFailed { task: id, cause: cause_of(task), again },
    }
}

pub(crate) fn cause_of(task: &Task) -> String {
    task.failure_cause.clone().unwrap_or_else(|| "RDS gave no cause".into())
}
