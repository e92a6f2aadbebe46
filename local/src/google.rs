//! Google's side of a program on AWS: the token exchange of a workload identity pool, the service accounts' tokens, and
//! the workflows that they start. One server for the three APIs, whose paths do not meet.

mod accounts;
mod condition;
mod federation;
mod refused;
mod workflows;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use percent_encoding::percent_decode_str;
use serde_json::Value;

pub use federation::Provider;
pub use workflows::{Execution, Work};

use accounts::Accounts;
use refused::Refused;
use workflows::Workflows;

use crate::listen::Listening;

pub struct Google {
    listening: Listening,
    server: Arc<Server>,
}

struct Server {
    provider: Provider,
    /// Where the names of AWS STS lead to.
    aws_sts: String,
    accounts: Mutex<Accounts>,
    workflows: Mutex<Workflows>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Google {
    /// `aws_sts` says who signed what.
    pub async fn start(provider: Provider, aws_sts: &str) -> Result<Self> {
        let (accounts, workflows) = (Mutex::default(), Mutex::default());
        let server = Arc::new(Server { provider, aws_sts: aws_sts.to_owned(), accounts, workflows });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&server));
        Ok(Self { listening: Listening::start("Google's APIs", router).await?, server })
    }

    pub fn endpoint(&self) -> String {
        self.listening.endpoint().to_owned()
    }

    /// `roles/iam.workloadIdentityUser` on this account for `principalSet://…`.
    pub fn let_act(&self, account: &str, principals: &str) {
        lock(&self.server.accounts).bindings.insert((account.to_owned(), principals.to_owned()));
    }

    /// The account that this token is of, while it is good.
    pub fn whose(&self, token: &str) -> Option<String> {
        lock(&self.server.accounts).account(token).ok()
    }

    /// A role on the project for this account.
    pub fn permit(&self, account: &str, permission: &str) {
        lock(&self.server.workflows).permissions.insert((account.to_owned(), permission.to_owned()));
    }

    /// `name` is `projects/P/locations/L/workflows/W`.
    pub fn deploy(&self, name: &str, work: Work) {
        lock(&self.server.workflows).deployed.insert(name.to_owned(), work);
    }

    pub fn executions(&self) -> Vec<Execution> {
        lock(&self.server.workflows).executions.clone()
    }

    /// Waits for the end of everything that was started.
    pub async fn settled(&self) -> Vec<Execution> {
        while self.executions().iter().any(|execution| execution.result.is_none()) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        self.executions()
    }

    /// From now on nobody takes the tokens that were given out.
    pub fn forget_tokens(&self) {
        lock(&self.server.accounts).forget();
    }
}

async fn answer(
    State(server): State<Arc<Server>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match server.call(&method, uri.path(), &headers, &body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(refused) => refused.into_response(),
    }
}

impl Server {
    async fn call(
        self: &Arc<Self>,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Value, Refused> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let bearer = text("authorization").strip_prefix("Bearer ").unwrap_or_default();
        let path = percent_decode_str(path).decode_utf8_lossy();
        if (method, &*path) == (&Method::POST, "/v1/token") {
            return self.exchange(text("content-type"), body).await;
        }
        let account = path.strip_prefix("/v1/projects/-/serviceAccounts/");
        if let Some(email) = account.and_then(|rest| rest.strip_suffix(":generateAccessToken")) {
            return lock(&self.accounts).generate(bearer, email, &self.provider.audience, body);
        }
        match path.strip_prefix("/v1/").and_then(|name| name.split_once("/executions")) {
            Some((workflow, execution)) => self.executions(method, bearer, workflow, execution, body),
            None => Err(Refused::not_found(&format!("{method} {path}"))),
        }
    }

    async fn exchange(&self, content_type: &str, body: &[u8]) -> Result<Value, Refused> {
        let form = format!("/?{}", String::from_utf8_lossy(body)).parse::<Uri>().unwrap_or_default();
        let exchange = Query::try_from_uri(&form).map(|query| query.0);
        match (content_type, exchange) {
            ("application/x-www-form-urlencoded", Ok(exchange)) => {
                let attributes = self.provider.let_in(&exchange, &self.aws_sts).await?;
                Ok(lock(&self.accounts).federate(attributes))
            }
            _ => Err(Refused::exchange("invalid_request", "The request is not a form.")),
        }
    }

    fn executions(
        self: &Arc<Self>,
        method: &Method,
        bearer: &str,
        workflow: &str,
        execution: &str,
        body: &[u8],
    ) -> Result<Value, Refused> {
        let account = lock(&self.accounts).account(bearer)?;
        let mut workflows = lock(&self.workflows);
        match (method, execution) {
            (&Method::POST, "") => {
                workflows.may(&account, "workflows.executions.create", workflow)?;
                let (execution, work) = workflows.create(workflow, body)?;
                let (server, name, running) =
                    (Arc::clone(self), execution.name.clone(), work(execution.argument.clone()));
                tokio::spawn(async move {
                    let result = running.await;
                    lock(&server.workflows).end(&name, result);
                });
                Ok(execution.shown())
            }
            (&Method::GET, "") => {
                workflows.may(&account, "workflows.executions.list", workflow)?;
                Ok(workflows.list(workflow))
            }
            (&Method::GET, id) => {
                workflows.may(&account, "workflows.executions.get", workflow)?;
                workflows.get(&format!("{workflow}/executions{id}"))
            }
            _ => Err(Refused::not_found(&format!("{method} {workflow}/executions{execution}"))),
        }
    }
}
