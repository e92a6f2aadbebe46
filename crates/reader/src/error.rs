use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStreamError;

/// Cheap to clone: one failed request to S3 may be the answer to many.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    #[error("there is no sync {0:?} in this reader's list")]
    UnknownSync(String),
    #[error("sync {0:?} is in this reader's list twice")]
    RepeatedSync(String),
    #[error("nothing has been published at {0} yet")]
    NotPublished(String),
    #[error("no row can have this key: it {0}")]
    InvalidKey(&'static str),
    /// The bodies of a `get_many` together, or one of them `alone`. No more of them were read than fit.
    #[error("the rows have more than {limit} bytes together")]
    TooLarge { limit: u64, alone: bool },
    /// Nothing is read from there until that has an end: what stands there may be the other's rows.
    #[error(
        "{object} is of sync {found:?}, not of {expected:?}: another sync publishes to this place, or it was renamed"
    )]
    OfAnotherSync { object: String, found: String, expected: String },
    /// S3 is away, and nothing that is still true is cached.
    #[error("{object} cannot be read now")]
    Unavailable { object: String, source: Arc<S3Failure> },
    /// A mistake in the configuration: the role lacks a right, or the bucket does not exist.
    #[error("{object} may not be read: s3:GetObject on the object and s3:ListBucket on the bucket are needed")]
    Denied { object: String, source: Arc<S3Failure> },
    /// Either it was damaged, or the generation is so old that it was collected, and no newer one can be seen.
    #[error("{object} is named by the manifest and not there")]
    Gone { object: String },
    /// What stands in S3 is not what the generation's manifest says.
    #[error("{object} is damaged: {why}")]
    Damaged { object: String, why: String },
}

#[derive(Debug, thiserror::Error)]
pub enum S3Failure {
    #[error(transparent)]
    Request(Box<SdkError<GetObjectError>>),
    #[error("the answer broke off")]
    Body(#[from] ByteStreamError),
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

impl From<SdkError<GetObjectError>> for S3Failure {
    fn from(error: SdkError<GetObjectError>) -> Self {
        Self::Request(Box::new(error))
    }
}

impl ReadError {
    pub(crate) fn damaged(object: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Damaged { object: object.into(), why: why.into() }
    }
}
