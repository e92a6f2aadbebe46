//! Waits for the export manifest of the day.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use handoff::{Environment, ExportDate, ExportKey, InvalidManifest, Manifest};
use keyless::aws::{Keyless, KeylessError};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

const SAY_EVERY: Duration = Duration::from_mins(1);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("waited {minutes} minutes for {object}, and {why}: look at the export task and at publish-export")]
    Late { object: String, minutes: u64, why: String },
    #[error("read {object}")]
    Invalid { object: String, source: InvalidManifest },
    #[error(
        "read {object}: the role needs s3:GetObject and kms:Decrypt on it, and s3:ListBucket on the bucket (without it \
         S3 answers AccessDenied for an object that is not there yet)"
    )]
    Denied { object: String, source: BoxError },
    #[error("read {object}: check S3_BUCKET_NAME and AWS_REGION")]
    WrongBucket { object: String, source: BoxError },
    #[error("{0}")]
    Credentials(Arc<KeylessError>),
}

/// Where the manifest of a day is, and how to ask for it.
#[derive(Debug)]
pub struct ManifestSource<'a> {
    pub s3: &'a aws_sdk_s3::Client,
    pub keyless: &'a Keyless,
    pub bucket: &'a str,
    pub env: &'a Environment,
    pub date: ExportDate,
    pub poll: Duration,
}

/// What one look came to; anything else ends the waiting.
enum Look {
    Found(Box<Manifest>),
    NotYet,
    /// The network or a service has a bad moment.
    Failed(String),
}

impl ManifestSource<'_> {
    pub async fn wait(&self, limit: Duration) -> Result<Manifest, ManifestError> {
        let (began, object) = (Instant::now(), self.object());
        let mut said: Option<Instant> = None;
        loop {
            let why = match self.look().await? {
                Look::Found(manifest) => return Ok(*manifest),
                Look::NotYet => "it is not there".to_owned(),
                Look::Failed(error) => format!("the last try failed: {error}"),
            };
            let (waited, minutes) = (began.elapsed(), |length: Duration| length.as_secs() / 60);
            if waited >= limit {
                return Err(ManifestError::Late { object, minutes: minutes(limit), why });
            }
            if said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
                said = Some(Instant::now());
                let left = minutes(limit.saturating_sub(waited));
                info!(object, minutes_left = left, "waiting for {object} ({why}), {left} minutes left");
            }
            sleep(self.poll.min(limit.saturating_sub(waited))).await;
        }
    }

    async fn look(&self) -> Result<Look, ManifestError> {
        // Asked for first, so that a role that does not trust us is told as what it is, and not as an S3 error.
        let credentials = match self.keyless.credentials().await {
            Ok(credentials) => credentials,
            Err(failure) if failure.is_permanent() => return Err(ManifestError::Credentials(failure)),
            Err(failure) => return Ok(Look::Failed(startup::with_causes(&*failure))),
        };
        let key = ExportKey::Manifest(self.env, self.date).to_string();
        let bytes = match self.s3.get_object().bucket(self.bucket).key(key).send().await {
            Ok(object) => match object.body.collect().await {
                Ok(body) => body.into_bytes(),
                Err(error) => return Ok(Look::Failed(startup::with_causes(&error))),
            },
            Err(error) => return self.refused(error, credentials.access_key_id()),
        };
        let manifest = Manifest::parse(&bytes, self.env, self.date);
        let manifest = manifest.map_err(|source| ManifestError::Invalid { object: self.object(), source })?;
        Ok(Look::Found(Box::new(manifest)))
    }

    fn refused<E>(&self, error: SdkError<E>, access_key_id: &str) -> Result<Look, ManifestError>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let object = self.object();
        match error.code() {
            Some("NoSuchKey") => Ok(Look::NotYet),
            Some("ExpiredToken" | "TokenRefreshRequired") => {
                self.keyless.reject(access_key_id);
                Ok(Look::Failed("AWS calls our credentials expired".into()))
            }
            Some("AccessDenied") => Err(ManifestError::Denied { object, source: error.into() }),
            Some("NoSuchBucket" | "PermanentRedirect" | "AuthorizationHeaderMalformed" | "InvalidBucketName") => {
                Err(ManifestError::WrongBucket { object, source: error.into() })
            }
            _ => {
                let cause = startup::with_causes(&error);
                warn!(object, "could not read {object}, trying again: {cause}");
                Ok(Look::Failed(cause))
            }
        }
    }

    fn object(&self) -> String {
        format!("s3://{}/{}", self.bucket, ExportKey::Manifest(self.env, self.date))
    }
}
