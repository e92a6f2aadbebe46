//! The export bucket, one look at a time: what it answered decides what comes next.

use std::sync::Arc;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use handoff::ExportKey;
use keyless::aws::{Keyless, KeylessError};
use tracing::warn;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug)]
pub struct Bucket<'a> {
    pub s3: &'a aws_sdk_s3::Client,
    pub keyless: &'a Keyless,
    pub name: &'a str,
}

#[derive(Debug)]
pub enum Answer<T> {
    Is(T),
    /// Nothing is there to be read, or something is where there should be nothing.
    Not,
    /// The network or a service has a bad moment.
    Failed(String),
}

/// What waiting does not help against.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    #[error("{attempted}: the role needs {rights}")]
    Denied { attempted: String, rights: &'static str, source: BoxError },
    #[error("{attempted}: check S3_BUCKET_NAME and AWS_REGION")]
    WrongBucket { attempted: String, source: BoxError },
    #[error("{0}")]
    Credentials(Arc<KeylessError>),
}

const TO_READ: &str = "s3:GetObject and kms:Decrypt on it, and s3:ListBucket on the bucket (without it S3 answers \
                       AccessDenied for an object that is not there yet)";
const TO_WRITE: &str = "s3:PutObject and kms:GenerateDataKey on it";

impl Bucket<'_> {
    pub fn object(&self, key: &ExportKey<'_>) -> String {
        format!("s3://{}/{key}", self.name)
    }

    pub async fn get(&self, key: &ExportKey<'_>) -> Result<Answer<Vec<u8>>, BucketError> {
        let id = match self.credentials().await? {
            Ok(id) => id,
            Err(why) => return Ok(Answer::Failed(why)),
        };
        match self.s3.get_object().bucket(self.name).key(key.to_string()).send().await {
            Ok(object) => match object.body.collect().await {
                Ok(body) => Ok(Answer::Is(body.to_vec())),
                Err(error) => Ok(Answer::Failed(startup::with_causes(&error))),
            },
            Err(error) if error.code() == Some("NoSuchKey") => Ok(Answer::Not),
            Err(error) => self.refused(format!("read {}", self.object(key)), TO_READ, error, &id),
        }
    }

    /// Writes the object unless there is one.
    pub async fn create(&self, key: &ExportKey<'_>, body: Vec<u8>) -> Result<Answer<()>, BucketError> {
        let id = match self.credentials().await? {
            Ok(id) => id,
            Err(why) => return Ok(Answer::Failed(why)),
        };
        let put = self.s3.put_object().bucket(self.name).key(key.to_string()).content_type("application/json");
        match put.if_none_match("*").body(ByteStream::from(body)).send().await {
            Ok(_) => Ok(Answer::Is(())),
            Err(error) if error.code() == Some("PreconditionFailed") => Ok(Answer::Not),
            Err(error) => self.refused(format!("write {}", self.object(key)), TO_WRITE, error, &id),
        }
    }

    /// The access key, or why there is none now. Asked for first, so that a role that does not trust us is told as what it
    /// is, and not as an error of S3.
    async fn credentials(&self) -> Result<Result<String, String>, BucketError> {
        match self.keyless.credentials().await {
            Ok(credentials) => Ok(Ok(credentials.access_key_id().to_owned())),
            Err(failure) if failure.is_permanent() => Err(BucketError::Credentials(failure)),
            Err(failure) => Ok(Err(startup::with_causes(&*failure))),
        }
    }

    fn refused<T, E>(
        &self,
        attempted: String,
        rights: &'static str,
        error: SdkError<E>,
        access_key_id: &str,
    ) -> Result<Answer<T>, BucketError>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match error.code() {
            Some("ExpiredToken" | "TokenRefreshRequired") => {
                self.keyless.reject(access_key_id);
                Ok(Answer::Failed("AWS calls our credentials expired".into()))
            }
            Some("AccessDenied") => Err(BucketError::Denied { attempted, rights, source: error.into() }),
            Some("NoSuchBucket" | "PermanentRedirect" | "AuthorizationHeaderMalformed" | "InvalidBucketName") => {
                Err(BucketError::WrongBucket { attempted, source: error.into() })
            }
            _ => {
                let cause = startup::with_causes(&error);
                warn!("could not {attempted}, trying again: {cause}");
                Ok(Answer::Failed(cause))
            }
        }
    }
}
