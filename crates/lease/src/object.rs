//! The lease's object in S3: one attempt at a time, each within a limit.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use keyless::aws::Keyless;
use tokio::time::timeout;

use crate::document::Document;
use crate::place::{Failure, Place, Put, Standing};

/// Where a lease is, and the client for it.
#[derive(Debug, Clone)]
pub struct LeaseObject {
    pub s3: Client,
    /// Told when S3 says that the credentials have run out.
    pub keyless: Option<Keyless>,
    pub bucket: String,
    pub key: String,
}

impl Place for LeaseObject {
    async fn read(&self, limit: Duration) -> Result<Option<Standing>, Failure> {
        let read = async {
            let config = aws_sdk_s3::config::Builder::new().retry_config(RetryConfig::disabled());
            let get = self.s3.get_object().bucket(&self.bucket).key(&self.key).customize().config_override(config);
            let answer = match get.send().await {
                Ok(answer) => answer,
                Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
                Err(error) => return Err(self.failure("read", error).await),
            };
            let etag = answer.e_tag().unwrap_or_default().to_owned();
            let body = answer.body.collect().await.map_err(|error| Failure::Passing(error.into()))?;
            Ok(Some(Standing { document: Document::parse(&body.into_bytes()), etag }))
        };
        match timeout(limit, read).await {
            Ok(read) => read,
            Err(_) => Err(Failure::Passing(anyhow!("read {self}: no answer within {limit:?}"))),
        }
    }

    async fn write(&self, document: &Document, over: Option<&str>, limit: Duration) -> Result<Put, Failure> {
        let json = serde_json::to_vec(document).context("write a lease").map_err(Failure::Final)?;
        let config = aws_sdk_s3::config::Builder::new().retry_config(RetryConfig::disabled());
        let put = self.s3.put_object().bucket(&self.bucket).key(&self.key).content_type("application/json");
        let put = match over {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        let sent = put.body(ByteStream::from(json)).customize().config_override(config).send();
        match timeout(limit, sent).await {
            Err(_) => Ok(Put::Unknown(anyhow!("write {self}: no answer within {limit:?}"))),
            Ok(Ok(answer)) => Ok(Put::Done { etag: answer.e_tag().unwrap_or_default().to_owned() }),
            Ok(Err(error)) if matches!(error.code(), Some("PreconditionFailed" | "NoSuchKey")) => Ok(Put::Refused),
            Ok(Err(error)) => match self.failure("write", error).await {
                Failure::Passing(error) => Ok(Put::Unknown(error)),
                failure @ Failure::Final(_) => Err(failure),
            },
        }
    }
}

impl LeaseObject {
    async fn failure<E>(&self, verb: &str, error: SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().unwrap_or_default().to_owned();
        let attempted = anyhow::Error::from(error).context(format!("{verb} {self}"));
        match (code.as_str(), status) {
            ("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired", _) => {
                if let Some(keyless) = &self.keyless
                    && let Ok(credentials) = keyless.credentials().await
                {
                    keyless.reject(credentials.access_key_id());
                }
                Failure::Passing(attempted)
            }
            ("RequestTimeout" | "RequestTimeTooSkewed" | "ConditionalRequestConflict" | "OperationAborted", _)
            | (_, None | Some(408 | 409 | 429 | 500..)) => Failure::Passing(attempted),
            _ => Failure::Final(attempted),
        }
    }
}

impl std::fmt::Display for LeaseObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the lease s3://{}/{}", self.bucket, self.key)
    }
}
