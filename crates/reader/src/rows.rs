//! The rows that this process keeps, bounded by their bytes, and the flights to fetch others: one for each row.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use handoff::sync::Generation;
use moka::Expiry;
use moka::future::Cache;

use crate::redis::Entry;
use crate::{Origin, ReadError, Row};

/// What an entry takes beside its key and body: the cache's own bookkeeping and ours, generously.
const OVERHEAD_BYTES: usize = 256;

#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) row: Option<Row>,
    /// The generation under which it was read.
    pub(crate) stamp: Arc<Generation>,
    /// Where whoever fetched it had it from.
    pub(crate) from: Origin,
    pub(crate) keep: Duration,
}

impl Kept {
    pub(crate) fn entry(&self) -> Entry {
        Entry { row: self.row.clone(), stamp: Arc::clone(&self.stamp) }
    }
}

struct AsLongAsKept;

impl Expiry<String, Kept> for AsLongAsKept {
    fn expire_after_create(&self, _: &String, kept: &Kept, _: Instant) -> Option<Duration> {
        Some(kept.keep)
    }

    fn expire_after_update(&self, _: &String, kept: &Kept, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(kept.keep)
    }
}

pub(crate) struct Rows(Cache<String, Kept>);

impl Rows {
    pub(crate) fn new(memory_bytes: u64) -> Self {
        let weight = |name: &String, kept: &Kept| {
            let body = kept.row.as_ref().map_or(0, |row| row.body.len());
            u32::try_from(name.len() + body + OVERHEAD_BYTES).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(memory_bytes).weigher(weight).expire_after(AsLongAsKept).build())
    }

    pub(crate) async fn get(&self, name: &str) -> Option<Kept> {
        self.0.get(name).await
    }

    pub(crate) async fn keep(&self, name: String, kept: Kept) {
        self.0.insert(name, kept).await;
    }

    pub(crate) async fn forget(&self, name: &str) {
        self.0.invalidate(name).await;
    }

    /// Waits for a flight that is under way; and whether this one was it.
    pub(crate) async fn get_or_fetch(
        &self,
        name: &str,
        fetch: BoxFuture<'_, Result<Kept, ReadError>>,
    ) -> Result<(Kept, bool), ReadError> {
        let entry = self.0.entry_by_ref(name).or_try_insert_with(fetch).await.map_err(|error| (*error).clone())?;
        let mine = entry.is_fresh();
        Ok((entry.into_value(), mine))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(bytes: usize, keep: Duration) -> Kept {
        let row = Some(Row::new(vec![b'x'; bytes].into()));
        Kept { row, stamp: Arc::new("20261125T190000Z".parse().unwrap()), from: Origin::S3, keep }
    }

    #[tokio::test]
    async fn rows_take_no_more_memory_than_they_may() {
        let rows = Rows::new(1024 * 1024);
        for n in 0..20_000 {
            rows.keep(format!("row-{n}"), kept(1000, Duration::from_hours(1))).await;
        }
        rows.0.run_pending_tasks().await;
        let (bytes, count) = (rows.0.weighted_size(), rows.0.entry_count());
        assert!(bytes <= 1024 * 1024 && (500..=840).contains(&count), "{count} rows, {bytes} bytes");
    }

    #[tokio::test]
    async fn a_row_that_must_not_be_kept_is_given_once() {
        let rows = Rows::new(1024 * 1024);
        let fetched = rows.get_or_fetch("row", Box::pin(async { Ok(kept(10, Duration::ZERO)) })).await.unwrap();
        assert!(fetched.1 && rows.get("row").await.is_none());
    }
}
