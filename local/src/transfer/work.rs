//! A run in the background: find the files, load them with one load job.

use std::sync::Arc;
use std::time::SystemTime;

use chrono::Utc;

use super::NoFiles;
use super::call::ConfigId;
use super::config::Params;
use super::data_path::Pattern;
use super::refusal::{Code, Refusal};
use super::run::Severity;
use super::selection::{Appended, select};
use super::service::Service;
use crate::bigquery::{self, WriteDisposition};
use crate::s3::Listed;

/// What a run works with: fixed once it starts.
struct Plan {
    params: Params,
    pattern: Pattern,
    dataset: String,
    table: String,
    appended: Appended,
}

pub(super) async fn carry_out(service: Arc<Service>, id: ConfigId, run: String) {
    let Ok(turn) = service.with(&id, |entry| Ok(Arc::clone(&entry.turn))) else { return };
    let _turn = turn.lock().await;
    tokio::time::sleep(service.options.pending).await;
    service.change(&id, &run, |run| run.start(Utc::now()));
    tokio::time::sleep(service.options.running).await;
    let outcome = load(&service, &id, &run).await;
    service.change(&id, &run, |run| run.end(outcome, Utc::now()));
}

async fn load(service: &Service, id: &ConfigId, run: &str) -> Result<(), Refusal> {
    if let Some(message) = service.next_failure() {
        return Err(Refusal::new(Code::Internal, message));
    }
    let plan = plan(service, id, run)?;
    let files = find(service, &plan)?;
    let (dataset, table) = (&plan.dataset, &plan.table);
    if !service.bigquery.table_exists(dataset, table).await.map_err(|error| internal(&error))? {
        return Err(Refusal::new(Code::NotFound, format!("Not found: Table {}:{dataset}.{table}", bigquery::PROJECT)));
    }
    let say = |text: String| service.change(id, run, |run| run.say(Severity::Info, text, Utc::now()));
    if files.is_empty() {
        let text = format!("No new files found matching \"{}\".", plan.pattern);
        say(text.clone());
        return match service.options.no_files {
            NoFiles::Succeeds => Ok(()),
            NoFiles::Fails => Err(Refusal::invalid(text)),
        };
    }
    load_files(service, &plan, &files, run).await?;
    say(format!("Moving data from Amazon S3 complete: moved {} object(s).", files.len()));
    if plan.params.write == WriteDisposition::Append {
        let loaded = files.into_iter().map(|file| (file.key, file.last_modified));
        service.with(id, |entry| {
            entry.appended.extend(loaded);
            Ok(())
        })?;
    }
    say("Summary: succeeded 1 jobs, failed 0 jobs.".into());
    Ok(())
}

fn plan(service: &Service, id: &ConfigId, run_id: &str) -> Result<Plan, Refusal> {
    let mut run_time = None;
    service.change(id, run_id, |run| run_time = Some(run.data_time));
    let run_time = run_time.ok_or_else(|| Refusal::not_found(run_id))?;
    service.with(id, |entry| {
        let params = entry.config.params.clone();
        let (pattern, table) = (params.data_path.at(run_time), params.table.at(run_time));
        Ok(Plan { pattern, table, params, dataset: entry.config.dataset.clone(), appended: entry.appended.clone() })
    })
}

fn find(service: &Service, plan: &Plan) -> Result<Vec<Listed>, Refusal> {
    let (options, key, bucket) = (&service.options, &plan.params.access_key_id, &plan.pattern.bucket);
    if !options.access_keys.is_empty() && !options.access_keys.contains(key) {
        let message = format!("The AWS Access Key Id {key} you provided does not exist in our records.");
        return Err(Refusal::new(Code::PermissionDenied, message));
    }
    if !service.store.has_bucket(bucket) {
        return Err(Refusal::new(Code::NotFound, format!("Amazon S3: the specified bucket {bucket} does not exist")));
    }
    let listing = service.store.list(bucket, plan.pattern.prefix());
    let (write, appended) = (plan.params.write, &plan.appended);
    select(listing, &plan.pattern, write, appended, SystemTime::now(), options.min_file_age)
}

/// One load job over copies of the files: all of them or none.
async fn load_files(service: &Service, plan: &Plan, files: &[Listed], run: &str) -> Result<(), Refusal> {
    let folder = service.bigquery.gcs_dir().join("transfer").join(run);
    tokio::fs::create_dir_all(&folder).await.map_err(|error| internal(&error.into()))?;
    let mut uris = Vec::new();
    for (n, file) in files.iter().enumerate() {
        // A file that went away since the listing fails the run, as in the real service.
        let missing = || Refusal::new(Code::NotFound, format!("Amazon S3: {} does not exist any more", file.key));
        let object = service.store.get(&plan.pattern.bucket, &file.key).ok_or_else(missing)?;
        let written = tokio::fs::write(folder.join(format!("{n}.file")), &object.bytes).await;
        written.map_err(|error| internal(&error.into()))?;
        uris.push(format!("gs://transfer/{run}/{n}.file"));
    }
    let load = bigquery::Load {
        dataset: &plan.dataset,
        table: &plan.table,
        uris: &uris,
        source_format: plan.params.source_format,
        write: plan.params.write,
    };
    let loaded = service.bigquery.load_job(&load).await;
    let _ = tokio::fs::remove_dir_all(&folder).await; // a copy left behind only takes room
    loaded.map_err(|error| match error.downcast_ref::<bigquery::Refused>() {
        Some(refused) => Refusal::invalid(refused.message()),
        None => internal(&error),
    })
}

fn internal(error: &anyhow::Error) -> Refusal {
    Refusal::new(Code::Internal, format!("{error:#}"))
}
