//! Figures for `docs/research/reader.md`:
//! `cargo test -p reader --release --test reading measure -- --ignored --nocapture --test-threads 1`

use std::time::{Duration, Instant};

use reader::{Layout, Origin, Reader, Settings};

use crate::cloud::press::{Press, bulky, key};
use crate::cloud::{Cloud, connected, settings};

const READS: usize = 40;

fn milliseconds(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let at = |share: usize| times[times.len() * share / 100].as_secs_f64() * 1000.0;
    (at(50), at(99))
}

/// Cold reads, each of another row by another reader.
async fn cold(cloud: &Cloud, rows: usize, whole_shard_bytes: u64) -> (f64, f64, usize, usize) {
    let mut times = Vec::new();
    cloud.wire.forget();
    for n in 0..READS {
        let settings = Settings { whole_shard_bytes, poll: Duration::from_hours(1), ..settings() };
        let reader = cloud.reader_with(&["packed"], None, settings).await;
        let asked = key(n * rows / READS);
        let began = Instant::now();
        assert!(reader.get("packed", &asked).await.unwrap().row.is_some());
        times.push(began.elapsed());
    }
    let bytes: usize = cloud.wire.requests().iter().filter(|r| crate::cloud::is_row(r)).map(|r| r.answered_bytes).sum();
    let (median, slowest) = milliseconds(times);
    (median, slowest, cloud.row_reads() / READS, bytes / READS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn a_whole_shard_against_parts_of_it() {
    println!("| shard | S3 answers after | whole: p50, p99 | parts: p50, p99 | GETs | bytes of parts |");
    for kib in [64, 256, 1024, 4096] {
        let cloud = Cloud::start().await;
        let rows = kib * 1024 / 300;
        let mut press = Press::new(&cloud, "packed", Layout::Packed, 1);
        press.publish(&bulky(rows, 512));
        let bytes = press.get(&press.shard_key(0)).len();
        for delay in [0, 30] {
            cloud.wire.delay(Duration::from_millis(delay));
            let whole = cold(&cloud, rows, u64::MAX).await;
            let parts = cold(&cloud, rows, 0).await;
            println!(
                "| {} KiB | {delay} ms | {:.1}, {:.1} ms | {:.1}, {:.1} ms | {} | {} KiB |",
                bytes / 1024,
                whole.0,
                whole.1,
                parts.0,
                parts.1,
                parts.2,
                parts.3 / 1024
            );
        }
    }
}

async fn warm(reader: &Reader, sync: &str, reads: usize, rows: usize, from: Origin) -> (f64, f64) {
    let mut times = Vec::new();
    for n in 0..reads {
        let asked = key(n % rows);
        let began = Instant::now();
        let answer = reader.get(sync, &asked).await.unwrap();
        times.push(began.elapsed());
        assert_eq!(answer.from, from);
    }
    milliseconds(times)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn a_warm_row() {
    const ROWS: usize = 5000;
    for (sync, layout) in [("packed", Layout::Packed), ("objects", Layout::Objects)] {
        let cloud = Cloud::start().await;
        let redis = cloud.redis().await;
        Press::new(&cloud, sync, layout, 16).publish(&bulky(ROWS, 512));
        let first = cloud.reader_with(&[sync], Some(connected(&redis).await), settings()).await;
        for n in 0..ROWS {
            first.get(sync, &key(n)).await.unwrap();
        }
        crate::cloud::until("all is written", async || first.counters().redis_writes >= ROWS as u64).await;
        let memory = warm(&first, sync, 50_000, ROWS, Origin::Memory).await;
        let second = cloud.reader_with(&[sync], Some(connected(&redis).await), settings()).await;
        let from_redis = warm(&second, sync, ROWS, ROWS, Origin::Redis).await;
        println!(
            "| {sync} | memory {:.4}, {:.4} ms | Redis {:.3}, {:.3} ms |",
            memory.0, memory.1, from_redis.0, from_redis.1
        );
        let settings = Settings { memory_bytes: 0, ..settings() };
        if layout == Layout::Packed {
            let third = cloud.reader_with(&[sync], None, settings).await;
            for n in 0..200 {
                third.get(sync, &key(n)).await.unwrap();
            }
            let shard = warm(&third, sync, 5000, ROWS, Origin::Memory).await;
            println!("| {sync} | shard in memory {:.4}, {:.4} ms |", shard.0, shard.1);
        }
    }
}
