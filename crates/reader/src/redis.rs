//! The cache that all processes share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use redis::auth::{BasicAuth, StreamingCredentialsProvider};

#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://` or `rediss://`, with user and password where they do not change.
    pub url: String,
    pub credentials: Credentials,
    /// For an answer in a request's way. Later than this, S3 is asked.
    pub timeout: Duration,
    /// For a new connection, in the background.
    pub connect_timeout: Duration,
    /// Values that wait to be written.
    pub waiting_writes: usize,
    pub waiting_bytes: usize,
}

#[derive(Clone)]
pub enum Credentials {
    InUrl,
    /// Gives user and token anew whenever they change, as `ElastiCache` with IAM needs it; connections that stand are
    /// authenticated again.
    Provider(Arc<dyn StreamingCredentialsProvider>),
}

#[derive(Debug, thiserror::Error)]
pub enum RedisCacheError {
    #[error("the address of Redis cannot be used")]
    Url(#[from] redis::RedisError),
}

impl RedisSettings {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: Credentials::InUrl,
            timeout: Duration::from_millis(50),
            connect_timeout: Duration::from_secs(1),
            waiting_writes: 4096,
            waiting_bytes: 16 * 1024 * 1024,
        }
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Clones share one connection.
#[derive(Clone)]
pub struct RedisCache;

impl RedisCache {
    /// Does not wait for Redis: rows are read from S3 until it is there.
    pub fn connect(_settings: RedisSettings) -> Result<Self, RedisCacheError> {
        todo!()
    }
}
