//! GETs of one sync's objects, and what each answer means.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use bytes::Bytes;
use futures_util::FutureExt;
use handoff::sync::Destination;
use tokio::time::timeout;

use crate::counters::Counters;
use crate::room::Room;
use crate::{ReadError, S3Failure};

pub(crate) struct Bucket {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) destination: Destination,
    pub(crate) timeout: Duration,
    pub(crate) counters: Arc<Counters>,
}

#[derive(Debug)]
pub(crate) enum Got {
    Object(Object),
    NotThere,
    /// Only where an `ETag` was given.
    Same,
}

#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    pub(crate) etag: Option<String>,
    /// `bytes 0-9/1234`, of a part.
    pub(crate) content_range: Option<String>,
}

/// What of an object.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    All,
    /// Unless it is still this one.
    Newer(String),
    Part(Range<u64>),
    /// So many bytes at its end.
    Tail(u64),
}

/// The head of an answer.
enum Asked {
    /// Its body is still to be read.
    Object(Box<GetObjectOutput>),
    Nothing(Got),
}

impl Bucket {
    /// `s3://acme-app-data/users/CURRENT`
    pub(crate) fn name(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.destination.bucket)
    }

    pub(crate) async fn get(&self, key: &str, wanted: Wanted) -> Result<Got, ReadError> {
        self.get_into(&Room::for_one(), key, wanted).await
    }

    /// The body is read only where it fits.
    pub(crate) async fn get_into(&self, room: &Room, key: &str, wanted: Wanted) -> Result<Got, ReadError> {
        let looked = self.look_into(room, key, wanted).await;
        self.counters.s3_reads.one();
        match &looked {
            Ok(Got::Object(object)) => self.counters.s3_bytes.add(object.bytes.len() as u64),
            Ok(_) | Err(ReadError::TooLarge { .. }) => {}
            Err(_) => self.counters.s3_errors.one(),
        }
        looked
    }

    /// A poll: not counted as a read.
    pub(crate) async fn look(&self, key: &str, wanted: Wanted) -> Result<Got, ReadError> {
        self.look_into(&Room::for_one(), key, wanted).await
    }

    async fn look_into(&self, room: &Room, key: &str, wanted: Wanted) -> Result<Got, ReadError> {
        let answered = async {
            let answer = match self.ask(key, wanted).await {
                Ok(Asked::Object(output)) => output,
                Ok(Asked::Nothing(got)) => return Ok(got),
                Err(failure) => return Err(self.failed(key, failure)),
            };
            room.take(answer.content_length.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default())?;
            collect(*answer).await.map(Got::Object).map_err(|failure| self.failed(key, failure))
        };
        // In a box: the SDK's future is large, and its type would be part of every caller's.
        let late = |_| Err(self.failed(key, S3Failure::TimedOut(self.timeout)));
        timeout(self.timeout, answered.boxed()).await.unwrap_or_else(late)
    }

    async fn ask(&self, key: &str, wanted: Wanted) -> Result<Asked, S3Failure> {
        let request = self.s3.get_object().bucket(&self.destination.bucket).key(key);
        let request = match wanted {
            Wanted::All => request,
            Wanted::Newer(etag) => request.if_none_match(etag),
            Wanted::Part(part) => request.range(format!("bytes={}-{}", part.start, part.end.saturating_sub(1))),
            Wanted::Tail(bytes) => request.range(format!("bytes=-{bytes}")),
        };
        match request.send().await {
            Ok(output) => Ok(Asked::Object(Box::new(output))),
            Err(error) if status(&error) == Some(304) => Ok(Asked::Nothing(Got::Same)),
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                Ok(Asked::Nothing(Got::NotThere))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn failed(&self, key: &str, failure: S3Failure) -> ReadError {
        let object = self.name(key);
        match &failure {
            // A part that S3 does not find in the object: it is shorter than the manifest says.
            S3Failure::Request(error) if status(error) == Some(416) => ReadError::damaged(object, "it is cut off"),
            S3Failure::Request(error) if matches!(status(error), Some(401 | 403 | 404)) => {
                ReadError::Denied { object, source: Arc::new(failure) }
            }
            _ => ReadError::Unavailable { object, source: Arc::new(failure) },
        }
    }
}

async fn collect(output: GetObjectOutput) -> Result<Object, S3Failure> {
    let (etag, content_range) = (output.e_tag, output.content_range);
    Ok(Object { bytes: output.body.collect().await?.into_bytes(), etag, content_range })
}

fn status(error: &SdkError<GetObjectError>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}
