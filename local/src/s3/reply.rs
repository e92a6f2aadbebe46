//! Between the words of the protocol and those of the store.

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use http::StatusCode;
use s3s::dto::{ETag, ETagCondition, Range, StreamingBlob, Timestamp};
use s3s::{Body, S3Error, S3ErrorCode, S3Response, S3Result, s3_error};

use super::store::{Condition, Object, Refused};

impl From<Refused> for S3Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoBucket => s3_error!(NoSuchBucket, "The specified bucket does not exist"),
            Refused::NoObject => no_such_key(),
            Refused::Condition => {
                s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
            }
        }
    }
}

pub(super) fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}

pub(super) fn etag(object: &Object) -> ETag {
    ETag::Strong(object.etag.clone())
}

/// S3 keeps whole seconds.
pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(since.as_secs()))
}

pub(super) fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

pub(super) async fn collect(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else { return Ok(Bytes::new()) };
    let chunks: Vec<Bytes> =
        body.try_collect().await.map_err(|error| s3_error!(IncompleteBody, "read the body: {error}"))?;
    if let [chunk] = &chunks[..] {
        return Ok(chunk.clone());
    }
    let mut whole = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    for chunk in &chunks {
        whole.extend_from_slice(chunk);
    }
    Ok(whole.freeze())
}

pub(super) fn blob(bytes: Bytes) -> StreamingBlob {
    StreamingBlob::from(Body::from(bytes))
}

/// The conditions of a write.
pub(super) fn condition(if_match: Option<ETagCondition>, if_none_match: Option<ETagCondition>) -> S3Result<Condition> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Condition::None),
        (None, Some(ETagCondition::Any)) => Ok(Condition::Missing),
        (Some(ETagCondition::Any), None) => Ok(Condition::Exists),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Condition::Is(etag.into_value())),
        // Source: Amazon S3 user guide, "How to prevent object overwrites with conditional writes".
        _ => Err(s3_error!(NotImplemented, "A header you provided implies functionality that is not implemented")),
    }
}

/// The conditions of a read.
pub(super) fn check_read(
    object: &Object,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let is = |condition: &ETagCondition| condition.as_etag().is_none_or(|etag| etag.value() == object.etag);
    if if_match.is_some_and(|condition| !is(condition)) {
        return Err(Refused::Condition.into());
    }
    if if_none_match.is_some_and(is) {
        return Err(S3Error::new(S3ErrorCode::NotModified));
    }
    Ok(())
}

/// The bytes that a `Range` asks for and the `Content-Range` that names them.
pub(super) fn slice(object: &Object, range: Option<&Range>) -> S3Result<(Bytes, Option<String>)> {
    let Some(range) = range else { return Ok((object.bytes.clone(), None)) };
    let whole = object.bytes.len();
    let refused = |_| s3_error!(InvalidRange, "The requested range is not satisfiable");
    let wanted = range.check(whole as u64).map_err(refused)?;
    let (start, end) = (usize::try_from(wanted.start), usize::try_from(wanted.end));
    let (Ok(start), Ok(end)) = (start, end) else { return Err(S3Error::new(S3ErrorCode::InvalidRange)) };
    if start >= end {
        return Err(s3_error!(InvalidRange, "The requested range is not satisfiable"));
    }
    Ok((object.bytes.slice(start..end), Some(format!("bytes {start}-{}/{whole}", end - 1))))
}

pub(super) fn partial<T>(output: T, content_range: Option<&str>) -> S3Response<T> {
    let mut response = S3Response::new(output);
    if content_range.is_some() {
        response.status = Some(StatusCode::PARTIAL_CONTENT);
    }
    response
}
