//! The control plane: the few objects that say what the many are, by the AWS SDK. Here they are read and listed; what
//! writes is in [`crate::leased`]. Every call waits an outage out.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::ChecksumMode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use keyless::aws::Keyless;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::digest::sha256;

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct Bucket {
    pub s3: Client,
    pub keyless: Keyless,
    pub name: String,
    /// How long a call is repeated while S3 cannot be reached.
    pub give_up_after: Duration,
}

#[derive(Debug, Clone)]
pub struct Object {
    pub bytes: Bytes,
    pub etag: String,
}

/// An object as a listing has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    /// Without quotes.
    pub etag: String,
}

/// What S3 knows of the content of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    NoObject,
    /// It is encrypted with a key that is not ours: not by us.
    Unreadable,
    Sha256([u8; 32]),
}

impl Bucket {
    pub async fn get(&self, key: &str) -> Result<Option<Object>> {
        let got = self.patiently("read", key, || async {
            let answer = match self.s3.get_object().bucket(&self.name).key(key).send().await {
                Ok(answer) => answer,
                Err(error) if is(&error, &["NoSuchKey"]) => return Ok(None),
                Err(error) => return Err(Failure::of(error)),
            };
            let etag = answer.e_tag().unwrap_or_default().to_owned();
            let bytes = answer.body.collect().await.map_err(|error| Failure::Passing(error.into()))?.into_bytes();
            Ok(Some(Object { bytes, etag }))
        });
        got.await
    }

    /// The keys that begin with `prefix`, in order.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.listed(prefix, |object| Some(object.key)).await
    }

    /// What `take` makes of each object: of a folder with 300,000 of them, keys and `ETag`s are not all needed as text.
    pub async fn listed<T>(&self, prefix: &str, take: impl Fn(Listed) -> Option<T>) -> Result<Vec<T>> {
        Ok(self.listing(prefix, None, take).await?.0)
    }

    /// The SHA-256 that S3 keeps of an object, without its bytes if it can be.
    pub async fn checksum(&self, key: &str) -> Result<Checksum> {
        let head = self.patiently("look at", key, || async {
            let head = self.s3.head_object().bucket(&self.name).key(key).checksum_mode(ChecksumMode::Enabled);
            let error = match head.send().await {
                Ok(head) => match head.checksum_sha256().and_then(sha256_of) {
                    Some(sha256) => return Ok(Checksum::Sha256(sha256)),
                    None => return self.checksum_of_bytes(key).await,
                },
                Err(error) => error,
            };
            match error.raw_response().map(|answer| answer.status().as_u16()) {
                Some(404) => Ok(Checksum::NoObject),
                // The answer to a HEAD has no body that says why it was refused.
                Some(400 | 403) => self.checksum_of_bytes(key).await,
                _ => Err(Failure::of(error)),
            }
        });
        head.await
    }

    /// Of an object that was copied here, or put without a checksum.
    async fn checksum_of_bytes(&self, key: &str) -> Result<Checksum, Failure> {
        match self.s3.get_object().bucket(&self.name).key(key).send().await {
            Ok(answer) => {
                let bytes = answer.body.collect().await.map_err(|error| Failure::Passing(error.into()))?;
                Ok(Checksum::Sha256(sha256(bytes.into_bytes())))
            }
            Err(error) if is(&error, &["NoSuchKey"]) => Ok(Checksum::NoObject),
            Err(error) if is(&error, &["AccessDenied", "InvalidRequest"]) => Ok(Checksum::Unreadable),
            Err(error) => Err(Failure::of(error)),
        }
    }

    /// The common prefixes directly below `prefix` (which ends with a slash).
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>> {
        Ok(self.listing(prefix, Some("/"), |_| None::<Listed>).await?.1)
    }

    async fn listing<T>(
        &self,
        prefix: &str,
        delimiter: Option<&str>,
        take: impl Fn(Listed) -> Option<T>,
    ) -> Result<(Vec<T>, Vec<String>)> {
        let (mut taken, mut folders, mut token) = (Vec::new(), Vec::new(), None::<String>);
        loop {
            let page = self.patiently("list", prefix, || async {
                let request = self.s3.list_objects_v2().bucket(&self.name).prefix(prefix);
                let request = request.set_delimiter(delimiter.map(str::to_owned));
                request.set_continuation_token(token.clone()).send().await.map_err(Failure::of)
            });
            let page = page.await?;
            taken.extend(page.contents().iter().filter_map(|object| {
                let etag = object.e_tag().unwrap_or_default().trim_matches('"').to_owned();
                take(Listed { key: object.key()?.to_owned(), etag })
            }));
            folders.extend(page.common_prefixes().iter().filter_map(|folder| folder.prefix().map(str::to_owned)));
            token = page.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                return Ok((taken, folders));
            }
        }
    }

    /// Repeats what may pass, beyond what the SDK repeats, until `give_up_after`.
    pub(crate) async fn patiently<T, F>(&self, verb: &str, key: &str, call: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let (began, mut pause, mut told) = (Instant::now(), Duration::from_millis(200), false);
        loop {
            let error = match call().await {
                Ok(done) => return Ok(done),
                Err(Failure::Final(error)) => return Err(error).with_context(|| self.attempted(verb, key)),
                Err(Failure::Expired(error)) => {
                    if let Ok(credentials) = self.keyless.credentials().await {
                        self.keyless.reject(credentials.access_key_id());
                    }
                    error
                }
                Err(Failure::Passing(error)) => error,
            };
            // Without credentials nothing will pass, and why there are none is what people must know.
            let without = self.keyless.credentials().await.err();
            let gives_up = began.elapsed() > self.give_up_after;
            if let Some(failure) = without.filter(|failure| gives_up || failure.is_permanent()) {
                bail!("{}: {}", self.attempted(verb, key), startup::with_causes(&*failure));
            }
            if gives_up {
                return Err(error).with_context(|| self.attempted(verb, key));
            }
            if !std::mem::replace(&mut told, true) {
                let cause = startup::with_causes(error.as_ref());
                warn!("could not {verb} s3://{}/{key}, trying again: {cause}", self.name);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn attempted(&self, verb: &str, key: &str) -> String {
        format!("{verb} s3://{}/{key}", self.name)
    }
}

fn sha256_of(base64: &str) -> Option<[u8; 32]> {
    STANDARD.decode(base64).ok()?.try_into().ok()
}

pub(crate) enum Failure {
    Passing(anyhow::Error),
    /// The credentials have run out.
    Expired(anyhow::Error),
    Final(anyhow::Error),
}

impl Failure {
    pub(crate) fn of<E>(error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().unwrap_or_default().to_owned();
        let error = anyhow::Error::from(error);
        match (code.as_str(), status) {
            ("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired", _) => Self::Expired(error),
            ("RequestTimeout" | "ConditionalRequestConflict" | "OperationAborted", _)
            | (_, None | Some(429 | 500..)) => Self::Passing(error),
            _ => Self::Final(error),
        }
    }
}

pub(crate) fn is<E: ProvideErrorMetadata>(error: &SdkError<E>, codes: &[&str]) -> bool {
    error.code().is_some_and(|code| codes.contains(&code))
}
