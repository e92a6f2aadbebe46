//! Writes to Redis, behind the requests: a queue that is bounded in number and bytes. What does not fit is not written.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::{Pipeline, Value};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::RedisSettings;
use super::nodes::Nodes;
use crate::counters::Counters;

/// Rows in one round trip.
const AT_ONCE: usize = 64;
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    queue: Sender<Waiting>,
    room: Arc<Semaphore>,
    counters: Arc<Counters>,
}

struct Waiting {
    key: String,
    value: Vec<u8>,
    ttl: Duration,
    _room: OwnedSemaphorePermit,
}

impl Writer {
    /// The task ends with the writer.
    pub(super) fn start(settings: &RedisSettings, nodes: Arc<Nodes>, counters: Arc<Counters>) -> Self {
        let (queue, waiting) = channel(settings.waiting_writes.max(1));
        tokio::spawn(write(waiting, nodes, Arc::clone(&counters)));
        Self { queue, room: Arc::new(Semaphore::new(settings.waiting_bytes as usize)), counters }
    }

    pub(super) fn put(&self, key: &str, value: Vec<u8>, ttl: Duration) {
        let bytes = u32::try_from(key.len() + value.len()).unwrap_or(u32::MAX);
        let queued = Arc::clone(&self.room)
            .try_acquire_many_owned(bytes)
            .ok()
            .and_then(|room| self.queue.try_send(Waiting { key: key.to_owned(), value, ttl, _room: room }).ok());
        if queued.is_none() {
            self.counters.redis_dropped.one();
        }
    }
}

async fn write(mut waiting: Receiver<Waiting>, nodes: Arc<Nodes>, counters: Arc<Counters>) {
    let mut rows = Vec::with_capacity(AT_ONCE);
    while waiting.recv_many(&mut rows, AT_ONCE).await > 0 {
        let written = send(&rows, &nodes).await;
        counters.redis_writes.add(written);
        counters.redis_dropped.add(rows.len() as u64 - written);
        rows.clear();
    }
}

/// How many Redis took. Not the others: it is away, full, or another node has the key.
async fn send(rows: &[Waiting], nodes: &Nodes) -> u64 {
    let parts = nodes.parts(rows.iter().map(|row| row.key.as_str()));
    let sent = parts.into_iter().map(|part| async move {
        let mut sets = Pipeline::with_capacity(part.places.len());
        for Waiting { key, value, ttl, .. } in part.places.iter().map(|place| &rows[*place]) {
            let milliseconds = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
            sets.cmd("SET").arg(key).arg(value.as_slice()).arg("PX").arg(milliseconds);
        }
        let answers = part.node.ask(&sets, ANSWER_WITHIN).await;
        answers.iter().filter(|answer| matches!(answer, Value::Okay)).count() as u64
    });
    join_all(sent).await.into_iter().sum()
}
