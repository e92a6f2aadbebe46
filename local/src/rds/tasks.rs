//! Export tasks: starting, describing and cancelling them.

use std::sync::Arc;

use tokio::sync::Notify;

use super::fault::{Fault, TOO_MANY_EXPORTS};
use super::snapshots::Snapshot;
use super::task::{ExportTask, Status};
use super::wire::{Parameters, Xml, parse_arn};
use super::{Book, State, run};
use crate::export::{Export, check_only};

/// Source: Aurora user guide, "Considerations for DB cluster snapshot exports".
const EXPORTS_AT_ONCE: usize = 5;

/// Source: RDS rejects longer ones with `InvalidParameterValue`; the console states the limit.
const MAX_ID_LENGTH: usize = 60;

impl State {
    pub(super) async fn start_export(self: &Arc<Self>, parameters: &Parameters) -> Result<Xml, Fault> {
        let export = Export {
            task: parameters.required("ExportTaskIdentifier")?,
            source_arn: parameters.required("SourceArn")?,
            bucket: parameters.required("S3BucketName")?,
            role_arn: parameters.required("IamRoleArn")?,
            kms_key_id: parameters.required("KmsKeyId")?,
            prefix: parameters.get("S3Prefix").unwrap_or_default().to_owned(),
            only: parameters.list("ExportOnly.member"),
            snapshot_time: None,
            sizes: self.options.sizes,
        };
        check_id(&export.task)?;
        let snapshot = match self.exportable(&export)? {
            Exportable::Snapshot(snapshot) => snapshot,
            Exportable::Cluster(id) => self.clone_of(&id).await?,
        };
        self.check_contents(&export, &snapshot).await?;
        self.begin(export, snapshot)
    }

    /// Takes the id. Everything is looked at again: two calls may have come this far at once.
    fn begin(self: &Arc<Self>, export: Export, snapshot: Snapshot) -> Result<Xml, Fault> {
        let snapshot = self.exportable(&export).map(|_| snapshot)?;
        // Whether RDS tells a time for a live cluster is [unverified]; who takes it for granted fails here.
        let task = ExportTask {
            export: Export { snapshot_time: snapshot.created, ..export },
            status: Status::Starting,
            percent: 0,
            started: None,
            ended: None,
            bytes: 0,
            failure: None,
            warning: None,
            cancel: Arc::new(Notify::new()),
        };
        let xml = task.xml();
        let mut book = self.lock();
        if book.tasks.contains_key(&task.export.task) {
            return Err(already_exists(&task.export.task));
        }
        book.tasks.insert(task.export.task.clone(), task.clone());
        let failure = book.failures.pop_front();
        drop(book);
        tokio::spawn(run::run(Arc::clone(self), task, snapshot, failure));
        Ok(xml)
    }

    /// What an export that may begin now reads.
    fn exportable(&self, export: &Export) -> Result<Exportable, Fault> {
        let book = self.lock();
        if book.tasks.contains_key(&export.task) {
            return Err(already_exists(&export.task));
        }
        if let Some(code) = &book.refusal {
            return Err(Fault::new(code, format!("{code}: refused as asked for.")));
        }
        let found = find(&book, &export.source_arn)?;
        if let Exportable::Snapshot(snapshot) = &found
            && snapshot.status != "available"
        {
            let message = format!("The snapshot {} is {}.", snapshot.id, snapshot.status);
            return Err(Fault::new("InvalidExportSourceState", message));
        }
        let running = book.tasks.values().filter(|task| !task.status.has_ended());
        let running: Vec<&str> = running.map(|task| task.export.source_arn.as_str()).collect();
        if running.contains(&export.source_arn.as_str()) {
            let message = format!("An export of {} is in progress.", export.source_arn);
            return Err(Fault::new("InvalidExportSourceState", message)); // [unverified]: see fault.rs
        }
        if running.len() >= EXPORTS_AT_ONCE {
            let message = format!("You can have up to {EXPORTS_AT_ONCE} export tasks in progress.");
            return Err(Fault::new(TOO_MANY_EXPORTS, message));
        }
        if !self.store.has_bucket(&export.bucket) {
            let message = format!("The S3 bucket {} doesn't exist or isn't in this Region.", export.bucket);
            return Err(Fault::new("InvalidS3BucketFault", message));
        }
        if export.prefix.contains(':') {
            return Err(Fault::invalid("The S3 prefix can't contain a colon (:)."));
        }
        Ok(found)
    }

    async fn check_contents(&self, export: &Export, snapshot: &Snapshot) -> Result<(), Fault> {
        let tables = match &snapshot.source {
            Some(source) if !export.only.is_empty() => source.tables().await,
            _ => return Ok(()),
        };
        let tables = tables.map_err(|error| Fault::new("InternalFailure", format!("{error:#}")))?;
        check_only(&export.only, &tables).map_err(|message| Fault::new("InvalidExportOnly", message))
    }

    pub(super) fn describe_exports(&self, parameters: &Parameters) -> Result<Xml, Fault> {
        let (id, source) = (parameters.get("ExportTaskIdentifier"), parameters.get("SourceArn"));
        let filters = parameters.filters();
        if let Some((name, _)) = filters.iter().find(|(name, _)| field(name).is_none()) {
            return Err(Fault::invalid(format!("Unrecognized filter name: {name}")));
        }
        let wanted = |task: &ExportTask| {
            let kept =
                |(name, values): &(String, Vec<String>)| field(name).is_some_and(|field| values.contains(&field(task)));
            id.is_none_or(|id| id == task.export.task)
                && source.is_none_or(|arn| arn == task.export.source_arn)
                && filters.iter().all(kept)
        };
        let found: Vec<ExportTask> = self.lock().tasks.values().filter(|task| wanted(task)).cloned().collect();
        if let Some(id) = id.filter(|_| found.is_empty()) {
            return Err(not_found(id));
        }
        let (page, marker) = parameters.page(&found, |task| &task.export.task)?;
        Ok(Xml::default().maybe("Marker", marker).list("ExportTasks", "ExportTask", page.iter().map(ExportTask::xml)))
    }

    pub(super) fn cancel_export(&self, parameters: &Parameters) -> Result<Xml, Fault> {
        let id = parameters.required("ExportTaskIdentifier")?;
        let mut book = self.lock();
        let task = book.tasks.get_mut(&id).ok_or_else(|| not_found(&id))?;
        if !matches!(task.status, Status::Starting | Status::InProgress) {
            let message = format!("The export task {id} is {} and can't be canceled.", task.status.as_str());
            return Err(Fault::new("InvalidExportTaskStateFault", message));
        }
        task.status = Status::Canceling;
        task.cancel.notify_one();
        Ok(task.xml())
    }
}

type Field = fn(&ExportTask) -> String;

/// Source: RDS API reference, `DescribeExportTasks`, Filters: a status "must be lowercase".
fn field(filter: &str) -> Option<Field> {
    match filter {
        "export-task-identifier" => Some(|task| task.export.task.clone()),
        "s3-bucket" => Some(|task| task.export.bucket.clone()),
        "source-arn" => Some(|task| task.export.source_arn.clone()),
        "status" => Some(|task| task.status.as_str().to_lowercase()),
        _ => None,
    }
}

enum Exportable {
    Snapshot(Snapshot),
    /// By its id; it is cloned first.
    Cluster(String),
}

fn find(book: &Book, source_arn: &str) -> Result<Exportable, Fault> {
    match parse_arn(source_arn) {
        Some((kind, id)) if kind == "cluster-snapshot" => match book.snapshots.get(&id) {
            Some(snapshot) => Ok(Exportable::Snapshot(snapshot.clone())),
            None => Err(Fault::new("DBClusterSnapshotNotFoundFault", format!("DBClusterSnapshot {id} not found."))),
        },
        Some((kind, id)) if kind == "cluster" && book.clusters.contains(&id) => Ok(Exportable::Cluster(id)),
        Some((kind, id)) if kind == "cluster" => {
            Err(Fault::new("DBClusterNotFoundFault", format!("DBCluster {id} not found.")))
        }
        // An ARN of another kind is looked up among the snapshots of instances.
        Some((_, id)) => Err(Fault::new("DBSnapshotNotFound", format!("DBSnapshot {id} not found."))),
        None => Err(Fault::invalid(format!("Invalid ARN: {source_arn}"))),
    }
}

/// A letter first; ASCII letters, digits, hyphens; no two hyphens together; no trailing hyphen.
fn check_id(id: &str) -> Result<(), Fault> {
    let valid = id.starts_with(|c: char| c.is_ascii_alphabetic())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !id.contains("--")
        && !id.ends_with('-')
        && id.len() <= MAX_ID_LENGTH;
    if valid {
        return Ok(());
    }
    Err(Fault::invalid(
        "The parameter ExportTaskIdentifier is not a valid identifier. Identifiers must begin with a letter; must \
         contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive \
         hyphens.",
    ))
}

fn already_exists(id: &str) -> Fault {
    Fault::new("ExportTaskAlreadyExists", format!("Export task with ID {id} already exists."))
}

fn not_found(id: &str) -> Fault {
    Fault::new("ExportTaskNotFound", format!("Export task {id} not found."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_held_to_the_rules_of_rds() {
        for good in ["prod-20261122", "a", "Prod-1-s101500", &"a".repeat(60)] {
            assert!(check_id(good).is_ok(), "{good}");
        }
        for bad in ["", "1prod", "a--b", "a-", "a_b", "a:b", "日", &"a".repeat(61)] {
            assert_eq!(check_id(bad).unwrap_err().code, "InvalidParameterValue", "{bad}");
        }
    }
}
