//! The manifests in the bucket: found, withdrawn, published.

use chrono::{DateTime, Utc};
use handoff::{Environment, ExportDate, ExportKey, ExportTaskId, Manifest};
use startup::with_causes;
use tracing::info;

use crate::Error;
use crate::bucket::{Bucket, Created};
use crate::order::Standing;
use crate::task::Task;

/// How far back the last published day is looked for. After a longer pause, drift starts anew.
const DAYS_BACK: u32 = 31;

pub(crate) async fn standing(
    bucket: Bucket<'_>,
    environment: &Environment,
    date: ExportDate,
    tasks: &[Task],
) -> Result<Standing, Error> {
    let published = ExportKey::Manifest(environment, date).to_string();
    let found = read(bucket, &published, environment, date).await?;
    if let Some(manifest) = found.transpose().map_err(|problem| invalid(&published, problem, tasks))? {
        return Ok(Standing::Published(manifest));
    }
    let withdrawn = ExportKey::WithdrawnManifest(environment, date).to_string();
    let found = read(bucket, &withdrawn, environment, date).await?;
    let found = found.transpose().map_err(|problem| invalid(&withdrawn, problem, tasks))?;
    Ok(found.map_or(Standing::Nothing, Standing::Withdrawn))
}

/// `None` where there is none; the inner error says what is wrong with it.
async fn read(
    bucket: Bucket<'_>,
    key: &str,
    environment: &Environment,
    date: ExportDate,
) -> Result<Option<Result<Manifest, String>>, Error> {
    let bytes = bucket.get(key).await?;
    Ok(bytes.map(|bytes| Manifest::parse(&bytes, environment, date).map_err(|error| with_causes(&error))))
}

/// `tasks` are the date's: each of them publishes it.
fn invalid(key: &str, problem: String, tasks: &[Task]) -> Error {
    let task = tasks.iter().max_by_key(|task| task.rank()).map(|task| task.id.to_string());
    let publish = format!(r#"{{"kind":"publish","task_id":"{}"}}"#, task.as_deref().unwrap_or("…"));
    Error::ManifestInvalid { key: key.to_owned(), problem, publish }
}

/// Makes readers wait.
pub(crate) async fn withdraw(bucket: Bucket<'_>, environment: &Environment, date: ExportDate) -> Result<(), Error> {
    let published = ExportKey::Manifest(environment, date).to_string();
    bucket.copy(&published, &ExportKey::WithdrawnManifest(environment, date).to_string(), None).await?;
    // If we die here, the published manifest still stands and is withdrawn again.
    bucket.delete(&[published]).await?;
    info!(event = "manifest_withdrawn", export_date = %date, "withdrew the manifest of {date}");
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Published,
    /// Another run was first, with the same export.
    AlreadyThere,
}

/// The last object of a publication. It is created, never replaced: whoever replaces a manifest withdraws it first.
pub(crate) async fn put(bucket: Bucket<'_>, manifest: &Manifest) -> Result<Put, Error> {
    let (environment, date) = (&manifest.env, manifest.export_date);
    let key = ExportKey::Manifest(environment, date).to_string();
    if bucket.create(&key, manifest.to_json()).await? == Created::Now {
        return Ok(Put::Published);
    }
    // Either our own first attempt, whose answer was lost, or another run.
    match read(bucket, &key, environment, date).await?.and_then(Result::ok) {
        Some(found) if found == *manifest => Ok(Put::Published),
        Some(found) if found.task_id == manifest.task_id => Ok(Put::AlreadyThere),
        _ => Err(Error::StageFailed {
            task: manifest.task_id.clone(),
            problem: format!("{key} was written by another run at the same time; the next run puts it in order"),
        }),
    }
}

/// After the manifest: the one before it, and why the date had none. What stays behind misleads nobody, and the next run
/// deletes it.
pub(crate) async fn forget_before(
    bucket: Bucket<'_>,
    environment: &Environment,
    date: ExportDate,
) -> Result<(), Error> {
    let withdrawn = ExportKey::WithdrawnManifest(environment, date).to_string();
    bucket.delete(&[withdrawn, ExportKey::Problem(environment, date).to_string()]).await
}

/// The newest manifest of an earlier date. Drift is always told against another day, so that publishing a date a second
/// time does not hide what changed. One that cannot be read costs the comparison: the inner error says so.
pub(crate) async fn previous(
    bucket: Bucket<'_>,
    environment: &Environment,
    date: ExportDate,
) -> Result<Result<Option<Manifest>, String>, Error> {
    let first = ExportKey::DayPrefix(environment, date.days_before(DAYS_BACK)).to_string();
    let prefix = ExportKey::EnvironmentPrefix(environment).to_string();
    let folders = bucket.folders(&prefix, first.trim_end_matches('/')).await?;
    for earlier in earlier_dates(&folders, environment, date) {
        let key = ExportKey::Manifest(environment, earlier).to_string();
        if let Some(found) = read(bucket, &key, environment, earlier).await? {
            let incomparable = |problem| format!("{key} cannot be read, so no drift is known: {problem}");
            return Ok(found.map(Some).map_err(incomparable));
        }
    }
    Ok(Ok(None))
}

/// The newest published day after `date`.
pub(crate) async fn newest_after(
    bucket: Bucket<'_>,
    environment: &Environment,
    date: ExportDate,
) -> Result<Option<ExportDate>, Error> {
    let day = ExportKey::DayPrefix(environment, date).to_string();
    let prefix = ExportKey::EnvironmentPrefix(environment).to_string();
    let mut dates = dates(&bucket.folders(&prefix, &day).await?, environment);
    dates.retain(|newer| *newer > date);
    for newer in dates {
        let key = ExportKey::Manifest(environment, newer).to_string();
        if !bucket.list(&key).await?.is_empty() {
            return Ok(Some(newer));
        }
    }
    Ok(None)
}

/// Newest first.
fn earlier_dates(folders: &[String], environment: &Environment, date: ExportDate) -> Vec<ExportDate> {
    let mut days = dates(folders, environment);
    days.retain(|day| *day < date && *day >= date.days_before(DAYS_BACK));
    days
}

/// The days of this environment that have a folder, newest first.
fn dates(folders: &[String], environment: &Environment) -> Vec<ExportDate> {
    let ids = folders.iter().filter_map(|folder| folder.trim_end_matches('/').parse::<ExportTaskId>().ok());
    let days = ids.filter(|id| id.environment() == environment && !id.is_spot()).map(|id| id.date());
    let mut days: Vec<ExportDate> = days.collect();
    days.sort_unstable_by(|a, b| b.cmp(a));
    days
}

/// The day's last manifest, in force again.
pub(crate) fn restored(withdrawn: &Manifest, now: DateTime<Utc>) -> Manifest {
    Manifest { published_at: now, ..withdrawn.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_days_of_this_environment_are_looked_at_newest_first() {
        let folders = [
            "prod-20261020/",
            "prod-20261119/",
            "prod-20261121/",
            "prod-20261121-s101500/",
            "prod-20261122/",
            "prod-20261123/",
            "prod-eu-20261120/",
            "prod-backup/",
        ];
        let folders = folders.map(str::to_owned);
        let dates = earlier_dates(&folders, &"prod".parse().unwrap(), "2026-11-22".parse().unwrap());
        let dates: Vec<String> = dates.iter().map(ToString::to_string).collect();
        assert_eq!(dates, ["2026-11-21", "2026-11-19"]);
    }
}
