use std::fmt;
use std::time::Duration;

use crate::document::Document;

/// Where a lease's document stands: something that is written only over what was read, or where nothing is.
pub trait Place: Clone + fmt::Display + Send + Sync + 'static {
    /// What stands there; none where nothing does. Over within `limit`.
    fn read(&self, limit: Duration) -> impl Future<Output = Result<Option<Standing>, Failure>> + Send;

    /// Over the document with this `ETag`, or where there is none. Over within `limit`.
    fn write(
        &self,
        document: &Document,
        over: Option<&str>,
        limit: Duration,
    ) -> impl Future<Output = Result<Put, Failure>> + Send;
}

/// What was read. `document` is none where it is not a lease of ours: another version, or somebody's hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub document: Option<Document>,
    pub etag: String,
}

/// What became of one conditional write.
#[derive(Debug)]
pub enum Put {
    Done {
        etag: String,
    },
    /// Something else stands there.
    Refused,
    /// It may have been carried out or not, or may still.
    Unknown(anyhow::Error),
}

#[derive(Debug)]
pub enum Failure {
    Passing(anyhow::Error),
    /// Waiting does not help.
    Final(anyhow::Error),
}
