//! A batch that is too large is refused before it is read.

use reader::{Layout, ReadError, Reader, RedisSettings, Settings};

use crate::cloud::press::{Press, bulky, key};
use crate::cloud::{Cloud, connected, settings, until};

const LIMIT: u64 = 300_000;
/// Of one body, about.
const BODY: usize = 40_000;

fn limited() -> Settings {
    Settings { batch_bytes: LIMIT, ..settings() }
}

async fn ask(reader: &Reader, sync: &str, count: usize) -> Result<usize, ReadError> {
    let keys: Vec<String> = (0..count).map(key).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    Ok(reader.get_many(sync, &keys).await?.rows.iter().flatten().count())
}

#[tokio::test]
async fn what_fits_is_answered_and_of_what_does_not_no_more_is_read_than_fits() {
    let cloud = Cloud::start().await;
    let mut rows = bulky(60, BODY);
    rows.insert("large".into(), format!("{{\"text\":\"{}\"}}", "x".repeat(400_000)));
    for (sync, layout) in [("packed", Layout::Packed), ("objects", Layout::Objects)] {
        Press::new(&cloud, sync, layout, 1).publish(&rows);
        let reader = cloud.reader_with(&[sync], None, limited()).await;
        assert_eq!(ask(&reader, sync, 7).await.unwrap(), 7);
        let before = reader.counters().s3_bytes;
        let refused = ask(&reader, sync, 60).await.unwrap_err();
        assert!(matches!(refused, ReadError::TooLarge { limit: LIMIT, alone: false }), "{refused}");
        if layout == Layout::Objects {
            let read = reader.counters().s3_bytes - before;
            assert!(read <= LIMIT, "{read} bytes were read");
        }
        let refused = reader.get_many(sync, &["large"]).await.unwrap_err();
        assert!(matches!(refused, ReadError::TooLarge { alone: true, .. }), "{refused}");
        assert!(reader.get(sync, "large").await.unwrap().row.is_some(), "alone it is answered");
        let refused = reader.get_many(sync, &["large"]).await.unwrap_err();
        assert!(matches!(refused, ReadError::TooLarge { alone: true, .. }), "also from memory: {refused}");
        assert_eq!(reader.counters().s3_errors, 0, "S3 did nothing wrong");
    }
}

#[tokio::test]
async fn a_batch_out_of_redis_is_bounded_too_and_a_large_row_is_not_put_there() {
    let cloud = Cloud::start().await;
    let redis = cloud.redis().await;
    let mut rows = bulky(60, BODY);
    let largest = RedisSettings::new("").largest_row;
    rows.insert("large".into(), format!("\"{}\"", "x".repeat(largest)));
    for (sync, layout) in [("packed", Layout::Packed), ("objects", Layout::Objects)] {
        Press::new(&cloud, sync, layout, 1).publish(&rows);
        let generous = cloud.reader_with(&[sync], Some(connected(&redis).await), settings()).await;
        assert_eq!(ask(&generous, sync, 60).await.unwrap(), 60);
        generous.get(sync, "large").await.unwrap();
        until("all but one are in Redis", async || {
            let counts = generous.counters();
            (counts.redis_writes, counts.redis_dropped) == (60, 1)
        })
        .await;
        let reader = cloud.reader_with(&[sync], Some(connected(&redis).await), limited()).await;
        cloud.wire.forget();
        let refused = ask(&reader, sync, 60).await.unwrap_err();
        assert!(matches!(refused, ReadError::TooLarge { alone: false, .. }), "{refused}");
        assert_eq!((ask(&reader, sync, 7).await.unwrap(), cloud.row_reads()), (7, 0));
    }
}

/// The flight of a batch that has no room for a row is not the end of everybody else who waits for that row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_the_same_row_as_a_batch_that_is_refused_gets_it() {
    let cloud = Cloud::start().await;
    let rows = bulky(12, BODY);
    Press::new(&cloud, "objects", Layout::Objects, 1).publish(&rows);
    for _ in 0..20 {
        let reader = cloud.reader_with(&["objects"], None, limited()).await;
        let mut tasks = Vec::new();
        for n in 0..12 {
            let reader = reader.clone();
            tasks.push(tokio::spawn(async move { reader.get("objects", &key(n)).await }));
        }
        let (batch, other) = tokio::join!(ask(&reader, "objects", 12), ask(&reader, "objects", 6));
        assert!(matches!(batch, Err(ReadError::TooLarge { .. })));
        assert_eq!(other.unwrap(), 6);
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap().unwrap().row.unwrap().body, rows[&key(n)]);
        }
    }
}
