//! The cache that all processes share. Redis may be away, slow, full or wrong: the worst that follows is that S3 is asked.

mod connection;
mod entry;
mod settings;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use crate::counters::Counters;
use connection::Connection;
use writer::Writer;

pub(crate) use entry::Entry;
pub use redis::auth::{BasicAuth, StreamingCredentialsProvider};
pub use settings::{Credentials, RedisCacheError, RedisSettings};

/// Clones share one connection.
#[derive(Clone)]
pub struct RedisCache(Arc<Inner>);

struct Inner {
    connection: Arc<Connection>,
    writer: Writer,
    counters: Arc<Counters>,
    settings: RedisSettings,
}

impl RedisCache {
    /// Within a Tokio runtime. Does not wait for Redis: rows are read from S3 until it is there.
    pub fn connect(settings: RedisSettings) -> Result<Self, RedisCacheError> {
        let counters = Arc::new(Counters::default());
        let connection = Connection::start(&settings, Arc::clone(&counters))?;
        let writer = Writer::start(&settings, Arc::clone(&connection), Arc::clone(&counters));
        Ok(Self(Arc::new(Inner { connection, writer, counters, settings })))
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Waits until Redis has answered, if it does in this time. Nobody has to: rows come from S3 meanwhile.
    pub async fn answers_within(&self, time: Duration) -> bool {
        timeout(time, self.0.connection.stands()).await.is_ok()
    }

    pub(crate) async fn get(&self, key: &str) -> Option<Entry> {
        self.values(redis::cmd("GET").arg(key), 1).await.pop().flatten()
    }

    /// In the order of the keys.
    pub(crate) async fn get_many(&self, keys: &[&str]) -> Vec<Option<Entry>> {
        self.values(redis::cmd("MGET").arg(keys), keys.len()).await
    }

    /// As many as were asked for, or none at all where Redis did not answer.
    async fn values(&self, command: &redis::Cmd, asked: usize) -> Vec<Option<Entry>> {
        let counters = &self.0.counters;
        let Some((mut connection, number)) = self.0.connection.get() else {
            counters.redis_skipped.one();
            return Vec::new();
        };
        let answer = match timeout(self.0.settings.timeout, connection.send_packed_command(command)).await {
            Ok(Ok(value)) => value,
            Ok(Err(error)) => return self.failed(number, &error.to_string()),
            Err(_) => return self.failed(number, &format!("no answer within {:?}", self.0.settings.timeout)),
        };
        self.0.connection.works();
        let values = match answer {
            redis::Value::Array(values) => values,
            value => vec![value],
        };
        let entries: Vec<Option<Entry>> = values.into_iter().map(|value| self.entry(value)).collect();
        if entries.len() == asked { entries } else { Vec::new() }
    }

    fn failed(&self, number: u64, why: &str) -> Vec<Option<Entry>> {
        self.0.counters.redis_errors.one();
        self.0.connection.failed(number, why);
        Vec::new()
    }

    fn entry(&self, value: redis::Value) -> Option<Entry> {
        let counters = &self.0.counters;
        let entry = match value {
            redis::Value::Nil => {
                counters.redis_misses.one();
                return None;
            }
            redis::Value::BulkString(bytes) => Entry::decode(&Bytes::from(bytes)),
            _ => None,
        };
        if entry.is_some() { &counters.redis_hits } else { &counters.redis_refused }.one();
        entry
    }

    /// Never waits.
    pub(crate) fn put(&self, key: &str, entry: &Entry, ttl: Duration) {
        self.0.writer.put(key, entry.encode(), ttl);
    }
}
