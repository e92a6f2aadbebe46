//! Takes the ids of jobs away from an execution that may still make them.

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use serde_json::Value;

use super::BigQuery;
use super::job::{CHANGING, JobId, TRIES, configuration};

/// What a job is marked with that has an id so that no other can have it.
const LABEL: (&str, &str) = ("purpose", "fence");

impl BigQuery {
    /// Returns when no job of these ids can change anything any more: it cannot be made, or it has ended.
    pub async fn fence(&self, jobs: &JobId) -> Result<()> {
        let ids = CHANGING.iter().flat_map(|step| (1..=TRIES).map(|n| jobs.step(step).attempt(n)));
        try_join_all(ids.map(|id| self.fence_one(id))).await.map(|_| ())
    }

    async fn fence_one(&self, id: String) -> Result<()> {
        let mut fence = configuration("SELECT 1", &[]);
        fence.labels.insert(LABEL.0.to_owned(), LABEL.1.to_owned());
        let job = self.start(&id, fence).await.with_context(|| format!("fence job {id}"))?;
        self.end_of(&id, &serde_json::to_value(job)?).await?; // where there was one already
        Ok(())
    }
}

/// The id of a job of ours was taken away: another execution loads the table now.
pub fn is_fence(job: &Value) -> bool {
    job["configuration"]["labels"][LABEL.0] == LABEL.1
}
