//! The bucket while the lease of a prefix is ours. Only here are conditional puts and deletes, so there is none that does
//! not ask the gate, before each of its attempts.

use std::ops::Deref;

use anyhow::{Context, Result, anyhow, bail};
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use futures_util::stream::{StreamExt, TryStreamExt};
use lease::Gate;
use tokio::time::timeout;

use crate::bucket::{Bucket, Failure, is};
use crate::cut_off::cut_off;
use crate::put::AttemptLimit;

/// Source: Amazon S3 API reference, `DeleteObjects`: at most 1,000 keys.
const DELETE_KEYS: usize = 1000;
const DELETES_IN_FLIGHT: usize = 8;

#[derive(Debug, Clone)]
pub struct LeasedBucket {
    bucket: Bucket,
    gate: Gate,
    limit: AttemptLimit,
}

/// What became of a conditional put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// Ours stands there, with this `ETag`.
    Done(String),
    /// Somebody was quicker: what stands there is not what we expected.
    Lost,
}

impl Deref for LeasedBucket {
    type Target = Bucket;

    fn deref(&self) -> &Bucket {
        &self.bucket
    }
}

impl LeasedBucket {
    pub fn new(bucket: Bucket, gate: Gate, limit: AttemptLimit) -> Self {
        Self { bucket, gate, limit }
    }

    pub fn gate(&self) -> &Gate {
        &self.gate
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
        let put = self.patiently("write", key, || {
            self.attempt(bytes.len(), async {
                let request = self.s3.put_object().bucket(&self.name).key(key).content_type("application/json");
                let request = match etag {
                    Some(etag) => request.if_match(etag),
                    None => request.if_none_match("*"),
                };
                let request = request.body(ByteStream::from(bytes.clone())).customize();
                match request.config_override(once()).send().await {
                    Ok(answer) => Ok(Put::Done(answer.e_tag().unwrap_or_default().to_owned())),
                    Err(error) if is(&error, &["PreconditionFailed", "NoSuchKey"]) => Ok(Put::Lost),
                    Err(error) => Err(Failure::of(error)),
                }
            })
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
        let refused = self.patiently("delete", first, || {
            self.attempt(0, async {
                let request = self.s3.delete_objects().bucket(&self.name).delete(delete.clone()).customize();
                let answer = request.config_override(once()).send().await.map_err(Failure::of)?;
                match answer.errors().iter().find(|error| error.code().is_some()) {
                    Some(error)
                        if matches!(error.code(), Some("InternalError" | "SlowDown" | "ServiceUnavailable")) =>
                    {
                        Err(Failure::Passing(anyhow!("{}", error.message().unwrap_or("try again"))))
                    }
                    other => Ok(other.cloned()),
                }
            })
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

    /// One attempt, under way only while the lease is ours.
    async fn attempt<T>(&self, bytes: usize, call: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let limit = self.limit.of(bytes);
        match timeout(self.give_up_after, self.gate.passes(limit)).await {
            Ok(Ok(())) => {}
            Ok(Err(lost)) => return Err(Failure::Final(lost.into())),
            Err(_) => {
                let error = anyhow!("the lease could not be renewed for {:?}", self.give_up_after);
                return Err(Failure::Final(error));
            }
        }
        let late = || Failure::Passing(anyhow!("no answer within {limit:?}"));
        cut_off(limit, call).await.unwrap_or_else(|| Err(late()))
    }
}

/// What the SDK repeats by itself would not ask the gate.
fn once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}
