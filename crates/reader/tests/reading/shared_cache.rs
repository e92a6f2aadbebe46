//! Redis: what it is good for, and what it cannot do to anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use local::redis::Redis;
use reader::{Layout, Origin, Reader, RedisCache, RedisSettings, Settings};

use crate::cloud::press::{Press, key, numbered};
use crate::cloud::{BUCKET, Cloud, body, connected, connected_with, settings, until};

const ROWS: usize = 400;

/// Nothing stays in the process, so that every read goes to Redis or S3.
pub fn forgetful() -> Settings {
    Settings { memory_bytes: 0, index_bytes: 0, ..settings() }
}

#[tokio::test]
async fn what_one_process_read_another_has_from_redis() {
    let cloud = Cloud::start().await;
    let redis = cloud.redis().await;
    for (sync, layout) in [("packed", Layout::Packed), ("objects", Layout::Objects)] {
        Press::new(&cloud, sync, layout, 4).publish(&numbered(100, 1));
        let first = cloud.reader_with(&[sync], Some(connected(&redis).await), settings()).await;
        let all: Vec<String> = (0..100).map(key).chain(["nobody".to_owned()]).collect();
        let keys: Vec<&str> = all.iter().map(String::as_str).collect();
        first.get_many(sync, &keys).await.unwrap();
        until("all is written", async || first.counters().redis_writes == 101).await;
        cloud.wire.forget();
        let second = cloud.reader_with(&[sync], Some(connected(&redis).await), settings()).await;
        assert_eq!(second.get(sync, &key(7)).await.unwrap().from, Origin::Redis);
        let absent = second.get(sync, "nobody").await.unwrap();
        assert_eq!((absent.row, absent.from), (None, Origin::Redis));
        let batch = second.get_many(sync, &keys).await.unwrap();
        assert_eq!(batch.rows.iter().flatten().count(), 100);
        assert_eq!(cloud.row_reads(), 0, "{sync}");
    }
}

#[tokio::test]
async fn rows_expire_after_a_day_and_absent_ones_after_half_a_minute_each_at_its_own_time() {
    let cloud = Cloud::start().await;
    let redis = cloud.redis().await;
    Press::new(&cloud, "packed", Layout::Packed, 1).publish(&numbered(50, 1));
    let reader = cloud.reader_with(&["packed"], Some(connected(&redis).await), settings()).await;
    for n in 0..60 {
        body(&reader, "packed", &key(n)).await;
    }
    until("all is written", async || reader.counters().redis_writes == 60).await;
    let mut connection = redis::Client::open(redis.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let names: Vec<String> = redis::cmd("KEYS").arg("isthmus:packed:*").query_async(&mut connection).await.unwrap();
    let mut lives = Vec::new();
    for name in names {
        let seconds: u64 = redis::cmd("TTL").arg(&name).query_async(&mut connection).await.unwrap();
        lives.push(seconds);
    }
    lives.sort_unstable();
    assert_eq!(lives.len(), 60);
    assert!(lives[..10].iter().all(|seconds| (24..=35).contains(seconds)), "{lives:?}");
    assert!(lives[10..].iter().all(|seconds| (73_000..=99_400).contains(seconds)), "{lives:?}");
    lives.dedup();
    assert!(lives.len() > 30, "they do not go together: {lives:?}");
}

#[tokio::test]
async fn a_value_that_nobody_wrote_so_counts_as_none() {
    let cloud = Cloud::start().await;
    let redis = cloud.redis().await;
    let rows = numbered(20, 1);
    Press::new(&cloud, "packed", Layout::Packed, 1).publish(&rows);
    let reader = cloud.reader_with(&["packed"], Some(connected(&redis).await), settings()).await;
    reader.get_many("packed", &rows.keys().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    until("all is written", async || reader.counters().redis_writes == 20).await;
    let mut connection = redis::Client::open(redis.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let mut names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    names.sort_unstable();
    for (n, name) in names.iter().enumerate() {
        let mut value: Vec<u8> = redis::cmd("GET").arg(name).query_async(&mut connection).await.unwrap();
        match n % 3 {
            0 => *value.last_mut().unwrap() ^= 1,
            1 => value.truncate(20),
            _ => value = b"{\"somebody\":\"else\"}".to_vec(),
        }
        redis::cmd("SET").arg(name).arg(value).exec_async(&mut connection).await.unwrap();
    }
    let other = cloud.reader_with(&["packed"], Some(connected(&redis).await), forgetful()).await;
    for (key, expected) in &rows {
        let answer = other.get("packed", key).await.unwrap();
        assert_eq!((answer.row.unwrap().body, answer.from), (expected.clone().into(), Origin::S3));
    }
    assert_eq!(other.counters().redis_refused, 20);
}

/// Reads rows until told to stop; how many, and the longest that one took.
fn load(reader: &Reader, stop: &Arc<AtomicBool>) -> Vec<tokio::task::JoinHandle<(u64, Duration)>> {
    let task = |worker: usize| {
        let (reader, stop) = (reader.clone(), Arc::clone(stop));
        tokio::spawn(async move {
            let (mut reads, mut longest, mut n) = (0, Duration::ZERO, worker * 97);
            while !stop.load(Ordering::Relaxed) {
                n = (n + 101) % ROWS;
                let began = Instant::now();
                let answer = reader.get("packed", &key(n)).await.unwrap();
                longest = longest.max(began.elapsed());
                assert_eq!(answer.row.unwrap().body, numbered_body(n));
                reads += 1;
            }
            (reads, longest)
        })
    };
    (0..8).map(task).collect()
}

fn numbered_body(n: usize) -> String {
    format!("{{\"n\":{n},\"version\":1}}")
}

async fn under_load(trouble: impl AsyncFnOnce(&Reader, Redis) -> Redis) -> Duration {
    let cloud = Cloud::start().await;
    let redis = cloud.redis().await;
    Press::new(&cloud, "packed", Layout::Packed, 64).publish(&numbered(ROWS, 1));
    let cache = connected_with(&redis, RedisSettings::new("").timeout).await;
    let reader = cloud.reader_with(&["packed"], Some(cache), forgetful()).await;
    let all: Vec<String> = (0..ROWS).map(key).collect();
    reader.get_many("packed", &all.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let tasks = load(&reader, &stop);
    until("Redis answers", async || reader.counters().redis_hits > 100).await;
    let redis = trouble(&reader, redis).await;
    let hits = reader.counters().redis_hits;
    until("Redis answers again", async || reader.counters().redis_hits > hits + 100).await;
    stop.store(true, Ordering::Relaxed);
    let mut longest = Duration::ZERO;
    for task in tasks {
        let (reads, its_longest) = task.await.unwrap();
        assert!(reads > 0);
        longest = longest.max(its_longest);
    }
    drop(redis);
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_killed_under_load_costs_no_error_and_is_used_again_when_it_is_back() {
    let longest = under_load(async |reader, redis| {
        redis.signal(libc::SIGKILL);
        let skipped = reader.counters().redis_skipped;
        until("nobody asks a Redis that is gone", async || reader.counters().redis_skipped > skipped + 200).await;
        redis.restart().await.unwrap()
    });
    assert!(longest.await < Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_holds_its_connections_and_says_nothing_costs_a_moment_once() {
    let longest = under_load(async |reader, redis| {
        redis.signal(libc::SIGSTOP);
        until("the circuit is open", async || reader.counters().redis_skipped > 0).await;
        let (errors, skipped) = (reader.counters().redis_errors, reader.counters().redis_skipped);
        until("S3 is read instead", async || reader.counters().redis_skipped > skipped + 200).await;
        assert!(reader.counters().redis_errors <= errors + 8, "no request waits for it any more");
        redis.signal(libc::SIGCONT);
        redis
    });
    let longest = longest.await;
    assert!(longest < Duration::from_secs(1), "{longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_is_full_is_read_and_not_written() {
    let cloud = Cloud::start().await;
    let options = ["--maxmemory", "1mb", "--maxmemory-policy", "noeviction"];
    let redis = Redis::start_with(cloud.dir.path(), local::process::free_port().unwrap(), &options).await.unwrap();
    Press::new(&cloud, "packed", Layout::Packed, 64).publish(&numbered(ROWS, 1));
    let reader = cloud.reader_with(&["packed"], Some(connected(&redis).await), forgetful()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let tasks = load(&reader, &stop);
    until("writes are refused", async || reader.counters().redis_dropped > 100).await;
    let reads = reader.counters().s3_reads;
    until("S3 is read", async || reader.counters().s3_reads > reads + 200).await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    let counts = reader.counters();
    assert_eq!(
        (counts.redis_opened, counts.redis_errors > 100),
        (0, true),
        "it still answers, with errors: {counts:?}"
    );
}

#[tokio::test]
async fn without_redis_from_the_beginning_rows_come_from_s3_at_once() {
    let cloud = Cloud::start().await;
    Press::new(&cloud, "packed", Layout::Packed, 1).publish(&numbered(10, 1));
    let port = local::process::free_port().unwrap();
    let cache = RedisCache::connect(RedisSettings::new(format!("redis://127.0.0.1:{port}"))).unwrap();
    assert!(!cache.answers_within(Duration::from_millis(50)).await);
    let reader = cloud.reader_with(&["packed"], Some(cache), settings()).await;
    let began = Instant::now();
    assert_eq!(reader.get("packed", &key(1)).await.unwrap().from, Origin::S3);
    assert!(began.elapsed() < Duration::from_millis(500));
    assert!(RedisCache::connect(RedisSettings::new("http://nowhere")).is_err());
}

#[tokio::test]
async fn two_environments_that_share_a_redis_share_no_row() {
    let cloud = Cloud::start().await;
    let redis = cloud.redis().await;
    for (prefix, version) in [("stg", 1), ("prod", 2)] {
        let mut press = Press::new(&cloud, prefix, Layout::Packed, 1);
        press.sync = "users".into();
        press.publish(&numbered(10, version));
        let source = reader::Source { sync: "users".into(), bucket: BUCKET.into(), prefix: prefix.into() };
        let cache = Some(connected(&redis).await);
        let reader = Reader::open(cloud.client().await, cache, vec![source], settings()).await.unwrap();
        assert_eq!(body(&reader, "users", &key(1)).await.unwrap(), numbered(10, version)[&key(1)]);
        until("it is written", async || reader.counters().redis_writes == 1).await;
    }
    assert_eq!(redis.command("DBSIZE").await.unwrap(), "2");
}
