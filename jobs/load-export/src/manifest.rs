//! Waits for the export manifest of the day.

use handoff::{Environment, ExportDate, ExportKey, ExportTaskId, InvalidManifest, Manifest};
use tracing::info;

use crate::bucket::{Answer, Bucket, BucketError};
use crate::wait::Wait;

#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("waited {minutes} minutes for {wanted}, and {why}: look at the export task and at publish-export")]
    Late { wanted: String, minutes: u64, why: String },
    #[error("read {object}")]
    Invalid { object: String, source: InvalidManifest },
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

/// Which manifest is to be loaded, and where it is.
#[derive(Debug)]
pub struct ManifestSource<'a> {
    pub bucket: Bucket<'a>,
    pub env: &'a Environment,
    pub date: ExportDate,
    /// The manifest must contain what this task exported.
    pub task: Option<ExportTaskId>,
}

impl ManifestSource<'_> {
    pub async fn wait(&self, mut wait: Wait) -> Result<Manifest, ManifestError> {
        let key = ExportKey::Manifest(self.env, self.date);
        let object = self.bucket.object(&key);
        let wanted = self.task.as_ref().map_or_else(|| object.clone(), |task| format!("{task} in {object}"));
        loop {
            let why = match self.bucket.get(&key).await? {
                Answer::Is(bytes) => {
                    let manifest = Manifest::parse(&bytes, self.env, self.date);
                    let manifest =
                        manifest.map_err(|source| ManifestError::Invalid { object: object.clone(), source })?;
                    match self.task.as_ref().filter(|task| !manifest.contains(task)) {
                        None => return Ok(manifest),
                        Some(_) => format!("it shows {}", manifest.task_id),
                    }
                }
                Answer::Not => "it is not there".to_owned(),
                Answer::Failed(error) => format!("the last try failed: {error}"),
            };
            if wait.is_over() {
                return Err(ManifestError::Late { wanted, minutes: wait.minutes(), why });
            }
            let say = |left| info!(object, minutes_left = left, "waiting for {wanted} ({why}), {left} minutes left");
            wait.pause(say).await;
        }
    }
}
