//! Chunks that are read before anybody has time for them, as far as there is room.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

use crate::chunks::{CHUNK_BYTES, read_row_bytes};
use crate::counters::Counters;
use crate::read::{Chunk, ReadRows, Reader};
use crate::room::Room;
use crate::scratch::ScratchTable;

/// What the columns of all chunks may take together, from the first row that is read to the last that is written. A shard
/// that takes more is read alone.
const READ_BYTES: u64 = 5 * CHUNK_BYTES;

pub struct ReadAhead {
    reader: Reader,
    path: Arc<str>,
    row_bytes: u64,
    /// There are keys of several rows.
    sieve: bool,
    room: Room,
    counters: Arc<Counters>,
}

/// A chunk that has been read, and its share of the room.
pub struct Read {
    pub chunk: Chunk,
    pub rows: ReadRows,
    pub room: OwnedSemaphorePermit,
}

impl ReadAhead {
    pub fn new(reader: &Reader, table: &ScratchTable, counters: &Arc<Counters>) -> Self {
        Self {
            reader: reader.clone(),
            path: table.path.as_str().into(),
            row_bytes: read_row_bytes(table),
            sieve: table.repeated_keys > 0,
            room: Room::of(READ_BYTES),
            counters: Arc::clone(counters),
        }
    }

    /// Begins at once, in a task of its own: a stream that nobody polls, because all are busy with other chunks, would look
    /// as if BigQuery said nothing. Ends when the caller drops it.
    pub fn begin(&self, nth: usize, chunk: Chunk) -> impl Future<Output = Result<Read>> + use<> {
        let (reader, path, counters) = (self.reader.clone(), Arc::clone(&self.path), Arc::clone(&self.counters));
        let (room, sieve, bytes) = (self.room.clone(), self.sieve, chunk.rows.saturating_mul(self.row_bytes));
        let mut one = JoinSet::new();
        one.spawn(async move {
            let room = room.take(bytes).await?;
            let rows = if chunk.rows > 0 { reader.read(nth, &path, chunk, sieve).await? } else { ReadRows::default() };
            counters.rows_read.add(chunk.rows);
            Ok(Read { chunk, rows, room })
        });
        async move { one.join_next().await.context("nothing was spawned")?.context("read a chunk")? }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use google_cloud_auth::credentials::anonymous;
    use handoff::sync::ShardRange;
    use local::generated::{Generated, Options};
    use local::read::ReadWire;

    use super::*;
    use crate::read::Patience;

    struct Setting {
        generated: Generated,
        wire: ReadWire,
        counters: Arc<Counters>,
        ahead: ReadAhead,
    }

    impl Setting {
        async fn start(row_bytes: u64) -> Self {
            Self::of(ScratchTable { frame_bytes: row_bytes, ..ScratchTable::default() }).await
        }

        async fn of(table: ScratchTable) -> Self {
            let options = Options { rows: 40_000, shards: 4, ..Options::default() };
            let generated = Generated::start(options).await.unwrap();
            generated.create_table("scratch", "users");
            let wire = ReadWire::start(&generated.grpc_endpoint()).await.unwrap();
            let patience = Patience { idle: Duration::from_millis(500), give_up_after: Duration::from_secs(20) };
            let (endpoint, credentials) = (wire.endpoint(), anonymous::Builder::new().build());
            let reader = Reader::connect(Some(&endpoint), &credentials, "acme", patience).await.unwrap();
            let table = ScratchTable { path: "projects/acme/datasets/scratch/tables/users".to_owned(), ..table };
            let counters = Arc::<Counters>::default();
            let ahead = ReadAhead::new(&reader, &table, &counters);
            Self { generated, wire, counters, ahead }
        }

        fn chunk(&self, shard: u32) -> Chunk {
            let rows = self.generated.shard_rows()[shard as usize] as u64;
            Chunk { range: ShardRange { first: shard, last: shard }, rows }
        }

        async fn until_read(&self, rows: u64) {
            let began = Instant::now();
            while self.counters.rows_read.get() < rows {
                assert!(began.elapsed() < Duration::from_secs(20), "{} of {rows} rows", self.counters.rows_read.get());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_chunk_is_read_while_nobody_has_time_for_it() {
        let setting = Setting::start(100).await;
        let chunks = [0, 1, 2].map(|shard| setting.chunk(shard));
        let begun: Vec<_> = (0..).zip(chunks).map(|(nth, chunk)| setting.ahead.begin(nth, chunk)).collect();
        setting.until_read(chunks.iter().map(|chunk| chunk.rows).sum()).await;
        let calls = setting.wire.rows().len();
        for (read, chunk) in begun.into_iter().zip(chunks) {
            let read = read.await.unwrap();
            let rows: usize = read.rows.batches.iter().map(arrow_array::RecordBatch::num_rows).sum();
            assert_eq!((read.chunk, rows as u64), (chunk, chunk.rows));
        }
        assert_eq!(setting.wire.rows().len(), calls, "no stream was taken for idle and opened again");
    }

    /// About 10,000 rows in a shard, so that each takes more than half of the room.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_chunk_for_which_there_is_no_room_is_not_begun_until_there_is() {
        one_waits_for_the_other(Setting::start(READ_BYTES / 15_000).await).await;
    }

    /// The columns of both would fit, their keys beside them do not.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn keys_that_are_remembered_take_room() {
        let frame_bytes = READ_BYTES / 20_400;
        one_waits_for_the_other(
            Setting::of(ScratchTable { frame_bytes, repeated_keys: 2, ..ScratchTable::default() }).await,
        )
        .await;
    }

    async fn one_waits_for_the_other(setting: Setting) {
        let (first, second) = (setting.ahead.begin(0, setting.chunk(0)), setting.ahead.begin(1, setting.chunk(1)));
        let mut both = [Box::pin(first), Box::pin(second)];
        let (read, _, rest) = futures_util::future::select_all(both.iter_mut()).await;
        let read = read.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(setting.counters.rows_read.get(), read.chunk.rows, "the other one waits");
        drop(read);
        for other in rest {
            assert!(other.await.is_ok());
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_chunk_that_takes_more_than_all_the_room_is_read_alone() {
        let setting = Setting::start(READ_BYTES).await;
        assert!(setting.ahead.begin(0, setting.chunk(0)).await.is_ok());
    }
}
