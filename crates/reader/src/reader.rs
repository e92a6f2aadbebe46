use std::time::Duration;

use crate::{Answer, Batch, Counts, Published, ReadError, RedisCache, Settings, Source};

/// A cheap handle: clones share everything. Following `CURRENT` stops when the last one is dropped.
#[derive(Clone)]
pub struct Reader;

impl Reader {
    /// Reads `CURRENT` of each sync first. One that was never published is no error: it is followed from its first
    /// publication on, and [`ReadError::NotPublished`] until then.
    pub async fn open(
        _s3: aws_sdk_s3::Client,
        _redis: Option<RedisCache>,
        _sources: Vec<Source>,
        _settings: Settings,
    ) -> Result<Self, ReadError> {
        todo!()
    }

    pub async fn get(&self, _sync: &str, _key: &str) -> Result<Answer, ReadError> {
        todo!()
    }

    pub async fn get_many(&self, _sync: &str, _keys: &[&str]) -> Result<Batch, ReadError> {
        todo!()
    }

    pub fn generation(&self, _sync: &str) -> Result<Published, ReadError> {
        todo!()
    }

    /// For programs that are frozen between calls, as a Lambda is: polls every sync that was not looked at for so long.
    pub async fn refresh_if_older_than(&self, _age: Duration) -> Result<(), ReadError> {
        todo!()
    }

    pub fn counters(&self) -> Counts {
        todo!()
    }
}
