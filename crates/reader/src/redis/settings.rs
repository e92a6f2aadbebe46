use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::auth::StreamingCredentialsProvider;

#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://` or `rediss://`, with user and password where they do not change.
    pub url: String,
    pub credentials: Credentials,
    /// For an answer in a request's way. Later than this, S3 is asked.
    pub timeout: Duration,
    /// For a new connection, in the background.
    pub connect_timeout: Duration,
    /// How long Redis is left alone after it could not be reached; a fifth longer or shorter each time.
    pub pause: Duration,
    /// In bytes. Larger rows are left to S3, so that a hundred that are asked for at once are bounded.
    pub largest_row: usize,
    /// Rows that may wait to be written.
    pub waiting_writes: usize,
    /// And their bytes.
    pub waiting_bytes: u32,
}

#[derive(Clone)]
pub enum Credentials {
    InUrl,
    /// Gives user and token anew whenever they change, as `ElastiCache` with IAM needs it; a connection that stands is
    /// authenticated again.
    Provider(Arc<dyn StreamingCredentialsProvider>),
}

#[derive(Debug, thiserror::Error)]
#[error("the address of Redis cannot be used")]
pub struct RedisCacheError(#[from] redis::RedisError);

impl RedisSettings {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: Credentials::InUrl,
            timeout: Duration::from_millis(50),
            connect_timeout: Duration::from_secs(1),
            pause: Duration::from_secs(3),
            largest_row: 256 * 1024,
            waiting_writes: 4096,
            waiting_bytes: 16 * 1024 * 1024,
        }
    }
}

/// The address may hold a password.
impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
