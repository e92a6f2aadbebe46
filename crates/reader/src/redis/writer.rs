//! Writes to Redis, behind the requests: a queue that is bounded in number and bytes. What does not fit is not written.

use std::sync::Arc;
use std::time::Duration;

use redis::Pipeline;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::RedisSettings;
use super::connection::Connection;
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
    pub(super) fn start(settings: &RedisSettings, connection: Arc<Connection>, counters: Arc<Counters>) -> Self {
        let (queue, waiting) = channel(settings.waiting_writes.max(1));
        tokio::spawn(write(waiting, connection, Arc::clone(&counters)));
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

async fn write(mut waiting: Receiver<Waiting>, connection: Arc<Connection>, counters: Arc<Counters>) {
    let mut rows = Vec::with_capacity(AT_ONCE);
    while waiting.recv_many(&mut rows, AT_ONCE).await > 0 {
        let (written, dropped) = send(&rows, &connection, &counters).await;
        counters.redis_writes.add(written);
        counters.redis_dropped.add(dropped);
        rows.clear();
    }
}

/// How many Redis took, and how many it did not: it is away, or full.
async fn send(rows: &[Waiting], connection: &Arc<Connection>, counters: &Counters) -> (u64, u64) {
    let all = rows.len() as u64;
    let Some((mut standing, number)) = connection.get() else { return (0, all) };
    let mut pipeline = Pipeline::with_capacity(rows.len());
    for Waiting { key, value, ttl, .. } in rows {
        let milliseconds = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        pipeline.cmd("SET").arg(key).arg(value.as_slice()).arg("PX").arg(milliseconds);
    }
    pipeline.ignore_errors();
    let answer = timeout(ANSWER_WITHIN, pipeline.query_async::<Vec<redis::Value>>(&mut standing)).await;
    let why = match answer {
        Ok(Ok(answers)) => {
            let written = answers.iter().filter(|answer| matches!(answer, redis::Value::Okay)).count() as u64;
            return (written, all - written.min(all));
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer to a write within {ANSWER_WITHIN:?}"),
    };
    counters.redis_errors.one();
    connection.failed(number, &why);
    (0, all)
}
