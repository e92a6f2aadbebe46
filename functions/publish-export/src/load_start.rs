//! What a publication sets off: Google's daily workflow, which loads the day. It is started at least once for each
//! export that is shown, and not at each poll: a marker object is written after the start. A second start does no harm,
//! because the workflow's jobs take over what they find. Where Google cannot be reached, every poll tries again, a human
//! is told once, and the workflow's own schedule loads the day later.

mod target;

use chrono::SecondsFormat;
use handoff::{ExportDate, ExportKey, ExportTaskId, Manifest};
use keyless::google::{Google, GoogleError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use startup::with_causes;
use tracing::{error, info, warn};

use crate::report::{Report, Reporter, subject};
use crate::{Error, manifests};

pub use target::{InvalidWorkflowName, Target, WorkflowName};

#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    task_id: ExportTaskId,
    at: String,
    #[serde(flatten)]
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// The execution.
    Started(String),
    /// The newer day that was shown already: loading this one would put older rows in the place of newer ones.
    Superseded(ExportDate),
    /// A human was told, in these words. The next poll tries again.
    Refused(String),
    Unreachable(String),
}

impl State {
    fn is_final(&self) -> bool {
        matches!(self, Self::Started(_) | Self::Superseded(_))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct LoadStart<'a> {
    pub(crate) reporter: Reporter<'a>,
    pub(crate) google: &'a Google,
    pub(crate) target: &'a Target,
}

impl LoadStart<'_> {
    /// `shown` are the manifests that this run has found or written. Only the newest day of all is loaded; gives its
    /// task where its load was started now.
    pub(crate) async fn of_newest(&self, shown: &[Manifest]) -> Result<Option<ExportTaskId>, Error> {
        let newest = shown.iter().map(|manifest| manifest.export_date).max();
        let mut started = None;
        for manifest in shown {
            let before = self.marked(&manifest.task_id).await?;
            if before.as_ref().is_some_and(State::is_final) {
                continue;
            }
            let in_bucket = manifests::newest_after(self.reporter.bucket, &manifest.env, manifest.export_date).await?;
            match newest.max(in_bucket).filter(|newest| *newest > manifest.export_date) {
                Some(newer) => self.supersede(manifest, newer).await?,
                None if self.start(manifest, before.as_ref()).await? => started = Some(manifest.task_id.clone()),
                None => {}
            }
        }
        Ok(started)
    }

    async fn supersede(&self, manifest: &Manifest, newer: ExportDate) -> Result<(), Error> {
        let (task, by_hand) = (&manifest.task_id, self.target.workflow.by_hand(&argument(manifest)));
        info!(event = "load_superseded", task_id = %task, "{task} is not loaded: {newer} is published. To load it: {by_hand}");
        self.mark(task, State::Superseded(newer)).await
    }

    async fn start(&self, manifest: &Manifest, before: Option<&State>) -> Result<bool, Error> {
        let task = &manifest.task_id;
        match self.execute(manifest).await {
            Ok(execution) => {
                info!(event = "load_started", task_id = %task, execution, "started {execution} for {task}");
                // If we die before the marker, the next run starts it again.
                self.mark(task, State::Started(execution)).await.map(|()| true)
            }
            Err(failure) => self.failed(manifest, &failure, before).await.map(|()| false),
        }
    }

    async fn execute(&self, manifest: &Manifest) -> Result<String, GoogleError> {
        let Target { workflow, endpoint, google } = self.target;
        let url = format!("{endpoint}/v1/{workflow}/executions");
        let answer = self.google.post(format!("start {workflow}"), url, &json!({"argument": argument(manifest)})).await;
        let answer = answer.map_err(|error| match &error {
            // The advice of a refused token is there already.
            GoogleError::Refused { advice, .. } if advice.is_empty() => error.with_advice(|status| match status {
                403 => format!("{} needs workflows.executions.create in this project", google.service_account),
                404 => "GOOGLE_WORKFLOW must be the full name of the workflow".to_owned(),
                _ => String::new(),
            }),
            _ => error,
        })?;
        Ok(answer["name"].as_str().unwrap_or_default().to_owned())
    }

    /// Told once; a refusal also where "unreachable" was told before, because that one does not pass by itself.
    async fn failed(&self, manifest: &Manifest, failure: &GoogleError, before: Option<&State>) -> Result<(), Error> {
        let (task, told) = (&manifest.task_id, with_causes(failure));
        let news = match before {
            Some(State::Refused(_)) => false,
            Some(State::Unreachable(_)) => failure.is_permanent(),
            _ => true,
        };
        if !news {
            warn!(event = "load_not_started", task_id = %task, "the load of {task} is still not started: {told}");
            return Ok(());
        }
        error!(event = "load_not_started", task_id = %task, "the load of {task} was not started: {told}");
        self.reporter.send(&self.report(manifest, &told)).await?;
        // If we die before the marker, the next run tells it again.
        let state = if failure.is_permanent() { State::Refused } else { State::Unreachable };
        self.mark(task, state(told.clone())).await?;
        match self.reporter.settings.topic_arn {
            Some(_) => Ok(()),
            None => Err(Error::LoadNotStarted { task: task.clone(), told }),
        }
    }

    fn report(&self, manifest: &Manifest, told: &str) -> Report {
        let (task, date, workflow) = (&manifest.task_id, manifest.export_date, &self.target.workflow);
        let text = format!(
            "{date} was published from {task}, and {workflow} was not started.\n\
             Cause: {told}\n\n\
             Each poll tries again, and the workflow's own schedule loads the day at its time. By hand:\n{}\n",
            workflow.by_hand(&argument(manifest))
        );
        Report { subject: subject(&format!("isthmus: the load of {task} was not started")), text }
    }

    async fn marked(&self, task: &ExportTaskId) -> Result<Option<State>, Error> {
        let marker = self.reporter.bucket.get(&ExportKey::LoadStart(task).to_string()).await?;
        // One that cannot be read is written anew: a second start does no harm.
        Ok(marker.and_then(|bytes| serde_json::from_slice::<Marker>(&bytes).ok()).map(|marker| marker.state))
    }

    async fn mark(&self, task: &ExportTaskId, state: State) -> Result<(), Error> {
        let at = self.reporter.now.to_rfc3339_opts(SecondsFormat::Secs, true);
        let marker = json!(Marker { task_id: task.clone(), at, state });
        self.reporter.bucket.put(&ExportKey::LoadStart(task).to_string(), marker.to_string().into_bytes()).await
    }
}

/// What the workflow is told: daily.workflow.yaml reads both.
fn argument(manifest: &Manifest) -> String {
    json!({"export_date": manifest.export_date, "task_id": manifest.task_id}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn the_workflow_is_told_date_and_task() {
        let manifest = samples::manifest(&samples::task("prod-20261122-s101500", "2026-11-22T01:15:00Z"));
        assert_eq!(argument(&manifest), r#"{"export_date":"2026-11-22","task_id":"prod-20261122-s101500"}"#);
    }

    #[test]
    fn a_marker_is_read_as_it_was_written() {
        let execution = "projects/p/locations/l/workflows/w/executions/e";
        for (state, json) in [
            (State::Started(execution.into()), json!({"started": execution})),
            (State::Superseded("2026-11-23".parse().unwrap()), json!({"superseded": "2026-11-23"})),
            (State::Refused("no".into()), json!({"refused": "no"})),
            (State::Unreachable("no answer".into()), json!({"unreachable": "no answer"})),
        ] {
            let mut marker = json!({"task_id": "prod-20261122", "at": "2026-11-21T20:00:00Z"});
            marker.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
            let read: Marker = serde_json::from_value(marker.clone()).unwrap();
            assert_eq!((json!(read), read.state), (marker, state));
        }
    }
}
