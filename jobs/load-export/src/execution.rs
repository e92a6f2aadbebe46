//! Which execution this is, and the export date that all of its attempts share.

use chrono::{DateTime, Utc};
use handoff::{ExportDate, ExportKey};
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::bucket::{Answer, Bucket, BucketError};
use crate::config::Config;
use crate::wait::Wait;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Cloud Run's, or one of our own where a person starts the program.
    pub name: String,
    pub attempt: u32,
    /// Whether there may be another attempt.
    pub is_cloud_run: bool,
}

impl Execution {
    /// `name` is empty where a person starts the program.
    pub fn new(name: &str, attempt: u32) -> Self {
        if name.is_empty() {
            return Self { name: format!("by-hand-{}", uuid::Uuid::new_v4()), attempt, is_cloud_run: false };
        }
        Self { name: name.to_owned(), attempt, is_cloud_run: true }
    }

    /// What one load is called in the audit table.
    pub fn load_id(&self) -> String {
        format!("{}/{}", self.name, self.attempt)
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixed {
    export_date: ExportDate,
}

#[derive(Debug, thiserror::Error)]
pub enum DateError {
    #[error("{object} does not say the export date of this execution: {source}; give it with --export-date")]
    Invalid { object: String, source: serde_json::Error },
    #[error("waited {minutes} minutes to learn the export date of this execution from {object}: {why}")]
    Late { object: String, minutes: u64, why: String },
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

/// The export date where none was given: today, where the business is, when the first attempt asked. An attempt after
/// midnight finds what the first one wrote. Nothing replaces the object, so dying anywhere here is harmless.
pub async fn export_date(
    bucket: &Bucket<'_>,
    config: &Config,
    now: DateTime<Utc>,
    mut wait: Wait,
) -> Result<ExportDate, DateError> {
    let (execution, today) = (&config.execution, ExportDate::of(now, config.time_zone.zone()));
    if !execution.is_cloud_run {
        return Ok(today);
    }
    let key = ExportKey::Execution(&execution.name);
    let object = bucket.object(&key);
    loop {
        let why = match bucket.get(&key).await? {
            Answer::Is(bytes) => {
                let fixed: Fixed =
                    serde_json::from_slice(&bytes).map_err(|source| DateError::Invalid { object, source })?;
                return Ok(fixed.export_date);
            }
            Answer::Not => {
                let fixed = serde_json::to_vec(&Fixed { export_date: today });
                match bucket.create(&key, fixed.unwrap_or_default()).await? {
                    Answer::Is(()) => return Ok(today),
                    Answer::Not => continue, // another attempt was first
                    Answer::Failed(why) => why,
                }
            }
            Answer::Failed(why) => why,
        };
        if wait.is_over() {
            return Err(DateError::Late { object, minutes: wait.minutes(), why });
        }
        wait.pause(|left| info!(object, "waiting for {object} ({why}), {left} minutes left")).await;
    }
}
