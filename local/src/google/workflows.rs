//! Executions of Workflows. <https://cloud.google.com/workflows/docs/reference/executions/rest>

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

use super::refused::Refused;

/// "The size limit is 32KB."
const LONGEST_ARGUMENT: usize = 32 * 1024;
/// What a client may set. The rest of an execution is output only.
const SETTABLE: [&str; 5] =
    ["argument", "callLogLevel", "labels", "disableConcurrencyQuotaOverflowBuffering", "executionHistoryLevel"];

/// What a workflow does with its argument.
pub type Work = Arc<dyn Fn(Value) -> Pin<Box<dyn Future<Output = Result<Value, String>> + Send>> + Send + Sync>;

#[derive(Default)]
pub(super) struct Workflows {
    /// By name: `projects/P/locations/L/workflows/W`.
    pub(super) deployed: BTreeMap<String, Work>,
    /// Who may do what with the workflows of the project.
    pub(super) permissions: BTreeSet<(String, String)>,
    /// In the order in which they were created.
    pub(super) executions: Vec<Execution>,
}

#[derive(Debug, Clone)]
pub struct Execution {
    /// `projects/P/locations/L/workflows/W/executions/E`
    pub name: String,
    pub argument: Value,
    start_time: String,
    /// `None` while it is active.
    pub result: Option<Result<Value, String>>,
}

impl Workflows {
    pub(super) fn may(&self, account: &str, permission: &str, workflow: &str) -> Result<(), Refused> {
        let allowed = self.permissions.contains(&(account.to_owned(), permission.to_owned()));
        if allowed { Ok(()) } else { Err(Refused::denied(permission, workflow)) }
    }

    /// The new execution, and its work.
    pub(super) fn create(&mut self, workflow: &str, body: &[u8]) -> Result<(Execution, Work), Refused> {
        let work = self.deployed.get(workflow).cloned();
        let work = work.ok_or_else(|| Refused::not_found(&format!("Workflow {workflow}")))?;
        let body: Value = serde_json::from_slice(body).map_err(|error| Refused::invalid(error.to_string()))?;
        let unknown = body.as_object().and_then(|body| body.keys().find(|key| !SETTABLE.contains(&key.as_str())));
        if let Some(key) = unknown {
            return Err(Refused::invalid(format!("Invalid JSON payload received. Unknown name \"{key}\"")));
        }
        let argument = match body.get("argument") {
            None => Value::Null,
            Some(Value::String(text)) if text.len() > LONGEST_ARGUMENT => {
                return Err(Refused::invalid("execution argument is longer than 32KB"));
            }
            Some(Value::String(text)) => {
                serde_json::from_str(text).map_err(|_| Refused::invalid("execution argument must be a valid JSON"))?
            }
            Some(_) => return Err(Refused::invalid("Invalid value at 'execution.argument' (TYPE_STRING)")),
        };
        let name = format!("{workflow}/executions/{}", uuid::Uuid::new_v4());
        let start_time = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let execution = Execution { name, argument, start_time, result: None };
        self.executions.push(execution.clone());
        Ok((execution, work))
    }

    pub(super) fn end(&mut self, name: &str, result: Result<Value, String>) {
        if let Some(execution) = self.executions.iter_mut().find(|execution| execution.name == name) {
            execution.result = Some(result);
        }
    }

    pub(super) fn get(&self, name: &str) -> Result<Value, Refused> {
        let found = self.executions.iter().find(|execution| execution.name == name);
        found.map(Execution::shown).ok_or_else(|| Refused::not_found(&format!("Execution {name}")))
    }

    /// The newest first, without their arguments: the view `BASIC`.
    pub(super) fn list(&self, workflow: &str) -> Value {
        let of_workflow = |execution: &&Execution| execution.name.starts_with(&format!("{workflow}/executions/"));
        let basic = |execution: &Execution| json!({"name": execution.name, "startTime": execution.start_time, "state": execution.state()});
        json!({"executions": self.executions.iter().rev().filter(of_workflow).map(basic).collect::<Vec<_>>()})
    }
}

impl Execution {
    fn state(&self) -> &'static str {
        match self.result {
            None => "ACTIVE",
            Some(Ok(_)) => "SUCCEEDED",
            Some(Err(_)) => "FAILED",
        }
    }

    pub(super) fn shown(&self) -> Value {
        let mut shown = json!({"name": self.name, "startTime": self.start_time, "state": self.state(),
            "argument": self.argument.to_string(), "workflowRevisionId": "000001-local"});
        match &self.result {
            None => {}
            Some(Ok(result)) => shown["result"] = result.to_string().into(),
            Some(Err(error)) => shown["error"] = json!({"payload": error, "context": "local"}),
        }
        shown
    }
}
