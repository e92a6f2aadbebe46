//! The cache that all processes share. Redis may be away, slow, full or wrong: the worst that follows is that S3 is asked.

mod connection;
mod entry;
mod nodes;
mod refusals;
mod settings;
mod slots;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use redis::{Pipeline, Value};
use tokio::time::timeout;

use crate::counters::Counters;
use nodes::Nodes;
use writer::Writer;

pub(crate) use entry::Entry;
pub use redis::auth::{BasicAuth, StreamingCredentialsProvider};
pub use settings::{Credentials, RedisCacheError, RedisSettings};

/// Clones share their connections.
#[derive(Clone)]
pub struct RedisCache(Arc<Inner>);

struct Inner {
    nodes: Arc<Nodes>,
    writer: Writer,
    counters: Arc<Counters>,
    settings: RedisSettings,
}

impl RedisCache {
    /// Within a Tokio runtime. Does not wait for Redis: rows are read from S3 until it is there.
    pub fn connect(settings: RedisSettings) -> Result<Self, RedisCacheError> {
        let counters = Arc::new(Counters::default());
        let nodes = Nodes::start(&settings, Arc::clone(&counters))?;
        let writer = Writer::start(&settings, Arc::clone(&nodes), Arc::clone(&counters));
        Ok(Self(Arc::new(Inner { nodes, writer, counters, settings })))
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Waits until Redis has answered, if it does in this time. Nobody has to: rows come from S3 meanwhile.
    pub async fn answers_within(&self, time: Duration) -> bool {
        timeout(time, self.0.nodes.stand()).await.is_ok()
    }

    pub(crate) async fn get(&self, key: &str) -> Option<Entry> {
        self.get_many(&[key]).await.pop().flatten()
    }

    /// In the order of the keys. Single GETs, so that keys of many slots may be asked for; one round trip to each node.
    pub(crate) async fn get_many(&self, keys: &[&str]) -> Vec<Option<Entry>> {
        let asked = self.0.nodes.parts(keys.iter().copied()).into_iter().map(|part| async move {
            let mut gets = Pipeline::with_capacity(part.places.len());
            for place in &part.places {
                gets.cmd("GET").arg(keys[*place]);
            }
            (part.node.ask(&gets, self.0.settings.timeout).await, part.places)
        });
        let mut entries = vec![None; keys.len()];
        for (answers, places) in join_all(asked).await {
            for (answer, place) in answers.into_iter().zip(places) {
                entries[place] = self.entry(answer);
            }
        }
        entries
    }

    fn entry(&self, answer: Value) -> Option<Entry> {
        let counters = &self.0.counters;
        let entry = match answer {
            Value::Nil => {
                counters.redis_misses.one();
                return None;
            }
            // Counted already.
            Value::ServerError(_) => return None,
            Value::BulkString(bytes) => Entry::decode(&Bytes::from(bytes)),
            _ => None,
        };
        if entry.is_some() { &counters.redis_hits } else { &counters.redis_refused }.one();
        entry
    }

    /// Never waits.
    pub(crate) fn put(&self, key: &str, entry: &Entry, ttl: Duration) {
        let bytes = entry.row.as_ref().map_or(0, |row| row.body.len());
        if bytes > self.0.settings.largest_row {
            return self.0.counters.redis_dropped.one();
        }
        self.0.writer.put(key, entry.encode(), ttl);
    }
}
