//! An S3 behind a wire, and readers of it.

pub mod press;

use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Credentials, Region};
use local::redis::Redis;
use local::s3::S3;
use local::wire::{Recorded, Wire};
use reader::{Reader, RedisCache, RedisSettings, Settings, Source};
use tempfile::TempDir;

pub const BUCKET: &str = "acme-app-data";
pub const POLL: Duration = Duration::from_millis(100);

pub struct Cloud {
    pub s3: S3,
    pub wire: Wire,
    pub dir: TempDir,
}

impl Cloud {
    pub async fn start() -> Self {
        let s3 = S3::start().await.unwrap();
        s3.store().create_bucket(BUCKET);
        let wire = Wire::start(&s3.endpoint()).await.unwrap();
        Self { s3, wire, dir: tempfile::tempdir().unwrap() }
    }

    pub async fn client(&self) -> Client {
        let config = startup::aws_config()
            .region(Region::new("ap-northeast-1"))
            .credentials_provider(Credentials::new("local", "secret", None, None, "test"))
            .endpoint_url(self.wire.endpoint())
            .load()
            .await;
        Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build())
    }

    pub async fn redis(&self) -> Redis {
        Redis::start(self.dir.path()).await.unwrap()
    }

    pub async fn reader(&self, syncs: &[&str]) -> Reader {
        self.reader_with(syncs, None, settings()).await
    }

    pub async fn reader_with(&self, syncs: &[&str], redis: Option<RedisCache>, settings: Settings) -> Reader {
        let source = |sync: &&str| Source { sync: (*sync).into(), bucket: BUCKET.into(), prefix: (*sync).into() };
        let sources = syncs.iter().map(source).collect();
        Reader::open(self.client().await, redis, sources, settings).await.unwrap()
    }

    /// GETs of rows and shards; not what the poll reads.
    pub fn row_reads(&self) -> usize {
        self.wire.requests().iter().filter(|request| is_row(request)).count()
    }
}

pub fn settings() -> Settings {
    Settings { poll: POLL, s3_timeout: Duration::from_secs(2), ..Settings::default() }
}

/// Patient: on a busy machine a healthy Redis may answer late, which is no matter of most tests.
pub async fn connected(redis: &Redis) -> RedisCache {
    connected_with(redis, Duration::from_secs(5)).await
}

pub async fn connected_with(redis: &Redis, timeout: Duration) -> RedisCache {
    let settings = RedisSettings { timeout, pause: Duration::from_millis(100), ..RedisSettings::new(redis.url()) };
    let cache = RedisCache::connect(settings).unwrap();
    assert!(cache.answers_within(Duration::from_secs(10)).await);
    cache
}

pub fn is_row(request: &Recorded) -> bool {
    let is_shard = request.path.contains(".parquet") && !request.path.contains("/changes/");
    is_shard || (request.path.contains(".json") && !request.path.contains("/g/"))
}

/// Fails after twenty seconds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub async fn follows(reader: &Reader, sync: &str, generation: &reader::Generation) {
    let what = format!("{sync} in {generation}");
    until(&what, async || reader.generation(sync).is_ok_and(|published| published.generation == *generation)).await;
}

pub async fn body(reader: &Reader, sync: &str, key: &str) -> Option<String> {
    let row = reader.get(sync, key).await.unwrap().row?;
    Some(String::from_utf8(row.body.to_vec()).unwrap())
}
