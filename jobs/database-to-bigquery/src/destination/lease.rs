//! One execution at a time loads a table: two would put older rows over newer ones.
//!
//! Two guards, and neither trusts a wall clock. The **lease** is a document in the description of a table in the scratch
//! dataset, written only over the `etag` that was read; `crates/lease` says who has it. The **fence** is for one that
//! stopped in the middle of a write and wakes up late: the ids of all jobs by which a holder may change the table are in
//! its document, and whoever takes the lease after one that did not end well makes jobs of these ids first. BigQuery
//! takes an id once, so what comes late is refused, and what came before has ended.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use chrono::{TimeDelta, Utc};
use lease::{Document, Failure, Gate, LeaseAt, LeaseError, Put, Standing, Terms};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;
use tracing::{info, warn};

use super::BigQuery;
use super::job::JobId;
use super::rest::{Rest, is_passing, message};
use crate::extracts::Table;

/// A document that nobody has written to for so long goes away: by BigQuery's clock, and no decision hangs on it.
const KEPT: TimeDelta = TimeDelta::days(7);

#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error("{holder} is loading it")]
    Busy { holder: String },
    #[error("take the lease of {0}")]
    Other(String, #[source] anyhow::Error),
}

/// Ours until it is given back or lost.
pub struct Lease {
    held: LeaseAt<Place>,
    holder: String,
    /// How long one that cannot be renewed is waited for.
    patience: Duration,
    /// What the jobs are called by which we change the table.
    pub jobs: JobId,
}

impl BigQuery {
    /// Waits for one that is not renewed any more: its holder was killed.
    pub async fn take_lease(&self, table: &Table, holder: &str, time: Duration) -> Result<Lease, NotTaken> {
        let place = self.place(table);
        let terms = Terms { holder: holder.to_owned(), time, give_up_after: self.give_up_after };
        let jobs = JobId::new(&table.dataset, &table.destination, Utc::now());
        let taken = LeaseAt::take(&place, &terms, async |before: Option<&Document>| {
            if let Some(unsettled) = before.and_then(|before| unsettled(&before.payload)) {
                self.fence(&unsettled).await?;
                info!(table = %table.source, "{}: what {unsettled} may still do to the table is refused", table.source);
            }
            Ok::<_, LeaseError>(payload(&jobs, false))
        });
        match taken.await {
            // This execution is loading it already, and the document has that one's jobs: no fence would know ours.
            Ok(held) if held.payload()["jobs"] != jobs.to_string() => Err(NotTaken::Busy { holder: holder.to_owned() }),
            Ok(held) => Ok(Lease { held, holder: holder.to_owned(), patience: self.give_up_after, jobs }),
            Err(LeaseError::HeldBy { name, .. }) => Err(NotTaken::Busy { holder: name }),
            Err(error) => Err(NotTaken::Other(table.target(), error.into())),
        }
    }

    fn place(&self, table: &Table) -> Place {
        let name = format!("lease__{}__{}", table.dataset, table.destination);
        let (project, dataset) = (self.project.to_string(), self.scratch.to_string());
        Place { rest: self.rest.clone(), project, dataset, name }
    }
}

fn payload(jobs: &JobId, settled: bool) -> Value {
    json!({"jobs": jobs.to_string(), "settled": settled})
}

/// The jobs of a holder of whom nobody knows whether all of them have ended.
fn unsettled(payload: &Value) -> Option<JobId> {
    let settled = payload["settled"] == true;
    payload["jobs"].as_str().filter(|_| !settled).map(JobId::known)
}

impl Lease {
    /// Whether a step that changes the table may begin; waits while it is in doubt, and not for ever.
    pub async fn check(&self) -> Result<()> {
        passes(&self.held.gate(), &self.holder, self.patience).await
    }

    /// Whoever comes next need not wait. `settled`: no job of ours is under way.
    pub async fn give_back(self, settled: bool) {
        let payload = payload(&self.jobs, settled);
        if let Err(error) = self.held.release(payload).await {
            warn!("give back the lease of {}: {}", self.jobs, startup::with_causes(&error));
        }
    }
}

async fn passes(gate: &Gate, holder: &str, patience: Duration) -> Result<()> {
    match timeout(patience, gate.passes(Duration::ZERO)).await {
        Ok(passed) => Ok(passed?),
        Err(_) => bail!("{holder} holds the lease and could not renew it for {patience:?}"),
    }
}

/// A table without columns, whose description is the document.
#[derive(Debug, Clone)]
struct Place {
    rest: Rest,
    project: String,
    dataset: String,
    name: String,
}

impl lease::Place for Place {
    async fn read(&self, limit: Duration) -> Result<Option<Standing>, Failure> {
        let (status, body) = self.call(Method::GET, None, None, limit).await.map_err(Failure::Passing)?;
        match status {
            StatusCode::OK => {
                let table: Value = serde_json::from_str(&body).map_err(|error| Failure::Passing(error.into()))?;
                let document = Document::parse(table["description"].as_str().unwrap_or_default().as_bytes());
                Ok(Some(Standing { document, etag: etag(&table) }))
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.failure(status, &body)),
        }
    }

    async fn write(&self, document: &Document, over: Option<&str>, limit: Duration) -> Result<Put, Failure> {
        let text = serde_json::to_string(document).map_err(|error| Failure::Final(error.into()))?;
        let expires = (Utc::now() + KEPT).timestamp_millis().to_string();
        let mut table = json!({"description": text, "expirationTime": expires});
        let method = if over.is_some() { Method::PATCH } else { Method::POST };
        if over.is_none() {
            table["tableReference"] =
                json!({"projectId": self.project, "datasetId": self.dataset, "tableId": self.name});
        }
        let (status, body) = match self.call(method, over, Some(&table), limit).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Put::Unknown(error)),
        };
        match (status, over) {
            (StatusCode::OK, _) => match serde_json::from_str(&body) {
                Ok(table) => Ok(Put::Done { etag: etag(&table) }),
                Err(error) => Ok(Put::Unknown(error.into())),
            },
            (StatusCode::PRECONDITION_FAILED | StatusCode::NOT_FOUND, Some(_)) | (StatusCode::CONFLICT, None) => {
                Ok(Put::Refused)
            }
            _ => match self.failure(status, &body) {
                Failure::Passing(error) => Ok(Put::Unknown(error)),
                failure @ Failure::Final(_) => Err(failure),
            },
        }
    }
}

impl Place {
    async fn call(
        &self,
        method: Method,
        over: Option<&str>,
        body: Option<&Value>,
        limit: Duration,
    ) -> Result<(StatusCode, String)> {
        let (Rest { client, endpoint, .. }, Self { project, dataset, name, .. }) = (&self.rest, self);
        let tables = format!("{endpoint}/bigquery/v2/projects/{project}/datasets/{dataset}/tables");
        let url = if method == Method::POST { tables } else { format!("{tables}/{name}") };
        let mut request = client.request(method.clone(), url);
        if let Some(etag) = over {
            request = request.header(http::header::IF_MATCH, etag);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answered = timeout(limit, async {
            let answer = self.rest.send(request).await?;
            Ok::<_, anyhow::Error>((answer.status(), answer.text().await?))
        });
        let answered = answered.await.with_context(|| format!("{method} {self}: no answer within {limit:?}"))?;
        answered.with_context(|| format!("{method} {self}"))
    }

    fn failure(&self, status: StatusCode, body: &str) -> Failure {
        let error = anyhow!("{self}: HTTP {}: {}", status.as_u16(), message(body));
        let passing = is_passing(status.as_u16(), body) || status == StatusCode::CONFLICT;
        if passing { Failure::Passing(error) } else { Failure::Final(error) }
    }
}

fn etag(table: &Value) -> String {
    table["etag"].as_str().unwrap_or_default().to_owned()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the lease {}.{}", self.dataset, self.name)
    }
}

#[cfg(test)]
mod tests {
    use lease::{Gatekeeper, Moment};

    use super::*;

    #[tokio::test]
    async fn a_lease_that_stays_in_doubt_is_not_waited_for_for_ever() {
        let keeper = Gatekeeper::new(Moment::now(), Duration::ZERO);
        let gate = keeper.gate();
        let waited = passes(&gate, "task-1 (7)", Duration::from_millis(30));
        let told = timeout(Duration::from_mins(1), waited).await.unwrap().unwrap_err();
        assert_eq!(told.to_string(), "task-1 (7) holds the lease and could not renew it for 30ms");
        keeper.lose("task-2 (8) took the lease");
        let told = passes(&gate, "task-1 (7)", Duration::from_mins(15)).await.unwrap_err();
        assert_eq!(told.to_string(), "task-2 (8) took the lease");
    }

    #[test]
    fn the_jobs_of_one_that_did_not_end_well_are_fenced_and_no_others() {
        let jobs = JobId::known("isthmus-raw-t-1");
        assert_eq!(unsettled(&payload(&jobs, false)), Some(jobs.clone()));
        assert_eq!(unsettled(&payload(&jobs, true)), None);
        assert_eq!(unsettled(&json!({})), None);
    }
}
