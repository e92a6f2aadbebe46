//! Takes the ids of jobs away from an execution that may still make them.

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use serde_json::Value;

use super::BigQuery;
use super::job::{CHANGING, JobId, TRIES, configuration, is_worth_another};

/// What a job is marked with that has an id so that no other can have it.
const LABEL: (&str, &str) = ("purpose", "fence");

impl BigQuery {
    /// Returns when no job of these ids can change anything any more: it cannot be made, or it has ended.
    pub async fn fence(&self, jobs: &JobId) -> Result<()> {
        try_join_all(CHANGING.iter().map(|step| self.fence_step(jobs.step(step)))).await.map(|_| ())
    }

    /// Another attempt is made only after one that failed by no fault of its own, so the first that did not is the last.
    async fn fence_step(&self, step: JobId) -> Result<()> {
        for n in 1..=TRIES {
            let id = step.attempt(n);
            let mut fence = configuration("SELECT 1", &[]);
            fence.labels.insert(LABEL.0.to_owned(), LABEL.1.to_owned());
            let job = self.start(&id, fence).await.with_context(|| format!("fence job {id}"))?;
            // Where there was one already, it ends here.
            let job = self.end_of(&id, &serde_json::to_value(job)?).await?;
            if !is_worth_another(&job) {
                break;
            }
        }
        Ok(())
    }
}

/// The id of a job of ours was taken away: another execution loads the table now.
pub fn is_fence(job: &Value) -> bool {
    job["configuration"]["labels"][LABEL.0] == LABEL.1
}
