//! The library by itself: a cold row of a shard that comes whole or in parts, with S3 far away, and a warm row.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::config::{Credentials, Region};
use handoff::sync::Layout;
use local::redis::Redis;
use local::s3::S3;
use local::wire::{Keep, Wire};
use reader::{Origin, Reader, RedisCache, RedisSettings, Settings, Source};

use crate::lookup::published::{BUCKET, SYNC, body, key, publish};
use crate::{Figures, median};

/// What each answer of S3 takes longer.
const FAR: Duration = Duration::from_millis(30);
const COLD_READS: u32 = 40;
const WARM_ROWS: u32 = 5000;

pub async fn measure() -> Result<Figures> {
    let mut figures = Figures::new();
    // About a megabyte as a shard, and four.
    let (small, large) = (cold(25_000).await?, cold(100_000).await?);
    figures.extend([("reader_1mb_whole_ms", small.whole), ("reader_1mb_parts_ms", small.parts)]);
    figures.extend([("reader_4mb_whole_ms", large.whole), ("reader_4mb_parts_ms", large.parts)]);
    figures.extend([("reader_1mb_shard_kb", small.shard_kb), ("reader_4mb_shard_kb", large.shard_kb)]);
    figures.extend(warm().await?);
    Ok(figures)
}

struct Cold {
    shard_kb: f64,
    whole: f64,
    parts: f64,
}

/// Each row is read by a reader of its own, which knows the manifest and nothing else.
async fn cold(rows: u32) -> Result<Cold> {
    let s3 = S3::start().await?;
    publish(s3.store(), Layout::Packed, rows, 1)?;
    let shard = s3.store().list(BUCKET, "").into_iter().find(|object| object.key.ends_with(".parquet"));
    let shard = s3.store().get(BUCKET, &shard.context("there is no shard")?.key).context("it went away")?;
    let wire = Wire::start(&s3.endpoint()).await?;
    wire.keep(Keep::Nothing);
    wire.delay(FAR);
    let read = async |whole_shard_bytes: u64| -> Result<f64> {
        let mut taken = Vec::new();
        for n in 0..COLD_READS {
            let settings = Settings { whole_shard_bytes, poll: Duration::from_hours(1), ..Settings::default() };
            let n = n * rows / COLD_READS;
            taken.extend(ask(&open(&wire.endpoint(), None, settings).await?, n..n + 1, Origin::S3).await?);
        }
        Ok(median(taken))
    };
    let shard_kb = f64::from(u32::try_from(shard.bytes.len())?) / 1000.0;
    Ok(Cold { shard_kb, whole: read(u64::MAX).await?, parts: read(0).await? })
}

/// Out of memory, out of Redis, and out of a shard that is in memory while the row is not.
async fn warm() -> Result<Figures> {
    let dir = tempfile::tempdir()?;
    let (s3, redis) = (S3::start().await?, Redis::start(dir.path()).await?);
    publish(s3.store(), Layout::Packed, WARM_ROWS, 16)?;
    let (all, endpoint) = (0..WARM_ROWS, s3.endpoint());
    let first = open(&endpoint, Some(connected(&redis).await?), Settings::default()).await?;
    for n in all.clone() {
        first.get(SYNC, &key(n)).await?;
    }
    let began = Instant::now();
    while first.counters().redis_writes < u64::from(WARM_ROWS) {
        ensure!(began.elapsed() < Duration::from_mins(1), "{} rows are in Redis", first.counters().redis_writes);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let memory = ask(&first, all.clone(), Origin::Memory).await?;
    let second = open(&endpoint, Some(connected(&redis).await?), Settings::default()).await?;
    let from_redis = ask(&second, all.clone(), Origin::Redis).await?;
    let third = open(&endpoint, None, Settings { memory_bytes: 0, ..Settings::default() }).await?;
    for n in all.clone() {
        third.get(SYNC, &key(n)).await?;
    }
    let shard = ask(&third, all, Origin::Memory).await?;
    Ok(Figures::from([
        ("reader_memory_ms", median(memory)),
        ("reader_redis_ms", median(from_redis)),
        ("reader_shard_in_memory_ms", median(shard)),
    ]))
}

/// The milliseconds that each row took.
async fn ask(reader: &Reader, rows: Range<u32>, from: Origin) -> Result<Vec<f64>> {
    let mut taken = Vec::new();
    for n in rows {
        let asked = key(n);
        let began = Instant::now();
        let answer = reader.get(SYNC, &asked).await?;
        taken.push(began.elapsed().as_secs_f64() * 1000.0);
        let row = answer.row.with_context(|| format!("{asked} is not there"))?;
        ensure!(row.body == body(n).as_bytes(), "another row than {asked}");
        ensure!(answer.from == from, "{asked} came from {:?}", answer.from);
    }
    Ok(taken)
}

async fn open(s3: &str, redis: Option<RedisCache>, settings: Settings) -> Result<Reader> {
    let config = startup::aws_config()
        .region(Region::new("ap-northeast-1"))
        .credentials_provider(Credentials::new("local", "secret", None, None, "bench"))
        .endpoint_url(s3)
        .load()
        .await;
    let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build());
    let source = Source { sync: SYNC.to_owned(), bucket: BUCKET.to_owned(), prefix: SYNC.to_owned() };
    Ok(Reader::open(s3, redis, vec![source], settings).await?)
}

/// Patient: on a busy machine a healthy Redis may answer late.
async fn connected(redis: &Redis) -> Result<RedisCache> {
    let settings = RedisSettings { timeout: Duration::from_secs(5), ..RedisSettings::new(redis.url()) };
    let cache = RedisCache::connect(settings)?;
    ensure!(cache.answers_within(Duration::from_secs(10)).await, "Redis does not answer");
    Ok(cache)
}
