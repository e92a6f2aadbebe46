//! The control plane: the few objects that say what the many are. Lists, gets, conditional puts and deletes by the AWS
//! SDK. Every call waits an outage out.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use futures_util::stream::{StreamExt, TryStreamExt};
use keyless::aws::Keyless;
use tokio::time::{Instant, sleep};
use tracing::warn;

/// Source: Amazon S3 API reference, `DeleteObjects`: at most 1,000 keys.
const DELETE_KEYS: usize = 1000;
const DELETES_IN_FLIGHT: usize = 8;
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

/// What became of a conditional put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// Ours stands there, with this `ETag`.
    Done(String),
    /// Somebody was quicker: what stands there is not what we expected.
    Lost,
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

    /// Creates the object; never replaces one.
    pub async fn create(&self, key: &str, bytes: impl Into<Bytes>) -> Result<Put> {
        self.put_if(key, bytes.into(), None).await
    }

    /// Replaces the object that has this `ETag`.
    pub async fn replace(&self, key: &str, bytes: impl Into<Bytes>, etag: &str) -> Result<Put> {
        self.put_if(key, bytes.into(), Some(etag)).await
    }

    async fn put_if(&self, key: &str, bytes: Bytes, etag: Option<&str>) -> Result<Put> {
        let put = self.patiently("write", key, || async {
            let request = self.s3.put_object().bucket(&self.name).key(key).content_type("application/json");
            let request = match etag {
                Some(etag) => request.if_match(etag),
                None => request.if_none_match("*"),
            };
            match request.body(ByteStream::from(bytes.clone())).send().await {
                Ok(answer) => Ok(Put::Done(answer.e_tag().unwrap_or_default().to_owned())),
                Err(error) if is(&error, &["PreconditionFailed", "NoSuchKey"]) => Ok(Put::Lost),
                Err(error) => Err(Failure::of(error)),
            }
        });
        match put.await? {
            // Perhaps our own earlier try was carried out, and only its answer was lost.
            Put::Lost => Ok(match self.get(key).await? {
                Some(object) if object.bytes == bytes => Put::Done(object.etag),
                _ => Put::Lost,
            }),
            done @ Put::Done(_) => Ok(done),
        }
    }

    /// The keys that begin with `prefix`, in order.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        Ok(self.listing(prefix, None).await?.0)
    }

    /// The common prefixes directly below `prefix` (which ends with a slash).
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>> {
        Ok(self.listing(prefix, Some("/")).await?.1)
    }

    async fn listing(&self, prefix: &str, delimiter: Option<&str>) -> Result<(Vec<String>, Vec<String>)> {
        let (mut keys, mut folders, mut token) = (Vec::new(), Vec::new(), None::<String>);
        loop {
            let page = self.patiently("list", prefix, || async {
                let request = self.s3.list_objects_v2().bucket(&self.name).prefix(prefix);
                let request = request.set_delimiter(delimiter.map(str::to_owned));
                request.set_continuation_token(token.clone()).send().await.map_err(Failure::of)
            });
            let page = page.await?;
            keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
            folders.extend(page.common_prefixes().iter().filter_map(|folder| folder.prefix().map(str::to_owned)));
            token = page.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                return Ok((keys, folders));
            }
        }
    }

    /// Keys that are not there are deleted too, as far as S3 is concerned.
    pub async fn delete(&self, keys: &[String]) -> Result<()> {
        let deletes = keys.chunks(DELETE_KEYS).map(|keys| self.delete_some(keys));
        futures_util::stream::iter(deletes).buffer_unordered(DELETES_IN_FLIGHT).try_collect().await
    }

    async fn delete_some(&self, keys: &[String]) -> Result<()> {
        let objects = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build());
        let objects = objects.collect::<Result<Vec<_>, _>>().context("name the keys to delete")?;
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build()?;
        let first = keys.first().map_or("", String::as_str);
        let refused = self.patiently("delete", first, || async {
            let request = self.s3.delete_objects().bucket(&self.name).delete(delete.clone());
            let answer = request.send().await.map_err(Failure::of)?;
            match answer.errors().iter().find(|error| error.code().is_some()) {
                Some(error) if matches!(error.code(), Some("InternalError" | "SlowDown" | "ServiceUnavailable")) => {
                    Err(Failure::Passing(anyhow::anyhow!("{}", error.message().unwrap_or("try again"))))
                }
                other => Ok(other.cloned()),
            }
        });
        match refused.await? {
            None => Ok(()),
            Some(error) => bail!(
                "delete s3://{}/{}: {}: {}",
                self.name,
                error.key().unwrap_or_default(),
                error.code().unwrap_or_default(),
                error.message().unwrap_or_default()
            ),
        }
    }

    /// Repeats what may pass, beyond what the SDK repeats, until `give_up_after`.
    async fn patiently<T, F>(&self, verb: &str, key: &str, call: impl Fn() -> F) -> Result<T>
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
            if let Some(failure) = self.keyless.credentials().await.err().filter(|failure| failure.is_permanent()) {
                bail!("{}: {}", self.attempted(verb, key), startup::with_causes(&*failure));
            }
            if began.elapsed() > self.give_up_after {
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

enum Failure {
    Passing(anyhow::Error),
    /// The credentials have run out.
    Expired(anyhow::Error),
    Final(anyhow::Error),
}

impl Failure {
    fn of<E>(error: SdkError<E>) -> Self
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

fn is<E: ProvideErrorMetadata>(error: &SdkError<E>, codes: &[&str]) -> bool {
    error.code().is_some_and(|code| codes.contains(&code))
}
