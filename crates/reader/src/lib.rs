//! Reads what bigquery-to-s3 publishes, for applications on AWS: a row in under a millisecond when it is warm, and always
//! of one generation. See `docs/spec/reader.md`.
//!
//! ```no_run
//! # async fn sample(s3: aws_sdk_s3::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use reader::{Reader, RedisCache, RedisSettings, Settings, Source};
//! let redis = RedisCache::connect(RedisSettings::new("rediss://cache.example.com:6379"))?;
//! let source =
//!     Source { sync: "user-profiles".into(), bucket: "acme-app-data".into(), prefix: "user-profiles".into() };
//! let reader = Reader::open(s3, Some(redis), vec![source], Settings::default()).await?;
//! let answer = reader.get("user-profiles", "user-1").await?;
//! if let Some(row) = answer.row {
//!     println!("{} of {}", String::from_utf8_lossy(&row.body), answer.generation);
//! }
//! # Ok(()) }
//! ```

mod answer;
mod bucket;
mod changes;
mod counters;
mod error;
mod follow;
mod jitter;
mod objects;
mod packed;
mod reader;
mod redis;
mod room;
mod rows;
mod served;
mod settings;
mod shard;

pub use answer::{Answer, Batch, Origin, Published, Row};
pub use counters::Counts;
pub use error::{ReadError, S3Failure};
pub use handoff::sync::{Generation, Layout};
pub use reader::Reader;
pub use redis::{BasicAuth, Credentials, RedisCache, RedisCacheError, RedisSettings, StreamingCredentialsProvider};
pub use settings::{MAX_KEY_BYTES, Settings, Source};
