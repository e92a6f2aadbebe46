//! Redis answers, and the answer is an error.

use local::redis::Redis;
use reader::{Layout, Origin, Reader};

use crate::cloud::press::{Press, key, numbered};
use crate::cloud::{Cloud, connected, until};
use crate::shared_cache::forgetful;

const ROWS: usize = 50;

async fn warm(cloud: &Cloud, redis: &Redis) -> Reader {
    Press::new(cloud, "packed", Layout::Packed, 4).publish(&numbered(ROWS, 1));
    let reader = cloud.reader_with(&["packed"], Some(connected(redis).await), forgetful()).await;
    read_all(&reader, Origin::S3).await;
    until("all is written", async || reader.counters().redis_writes == ROWS as u64).await;
    reader
}

async fn read_all(reader: &Reader, from: Origin) {
    for n in 0..ROWS {
        assert_eq!(reader.get("packed", &key(n)).await.unwrap().from, from);
    }
}

#[tokio::test]
async fn a_user_without_the_right_reads_from_s3_and_each_refusal_is_counted() {
    let cloud = Cloud::start().await;
    let redis = cloud.redis().await;
    let reader = warm(&cloud, &redis).await;
    assert_eq!(redis.command("ACL SETUSER default -get").await.unwrap(), "OK");
    read_all(&reader, Origin::S3).await;
    let keys: Vec<String> = (0..ROWS).map(key).collect();
    let batch = reader.get_many("packed", &keys.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    assert!(batch.rows.iter().all(Option::is_some));
    let counts = reader.counters();
    assert_eq!((counts.redis_errors, counts.redis_refused), (2 * ROWS as u64, 0), "{counts:?}");
    assert_eq!(redis.command("ACL SETUSER default +get").await.unwrap(), "OK");
    read_all(&reader, Origin::Redis).await;
    assert_eq!(reader.counters().redis_opened, 0, "the same connection");
}

/// After a failover the old primary is a replica: it answers what it is asked, and takes nothing any more.
#[tokio::test]
async fn a_node_that_has_become_a_replica_is_left_at_the_first_refusal() {
    let cloud = Cloud::start().await;
    let redis = cloud.redis().await;
    let reader = warm(&cloud, &redis).await;
    let nowhere = local::process::free_port().unwrap();
    assert_eq!(redis.command(&format!("REPLICAOF 127.0.0.1 {nowhere}")).await.unwrap(), "OK");
    // Not in Redis, so it is read from S3 and written.
    assert!(reader.get("packed", "nobody").await.unwrap().row.is_none());
    until("the connection is left", async || reader.counters().redis_opened == 1).await;
    assert_eq!(reader.counters().redis_errors, 1, "one READONLY was enough");
    assert_eq!(redis.command("REPLICAOF NO ONE").await.unwrap(), "OK");
    let writes = reader.counters().redis_writes;
    until("a new connection writes again", async || {
        reader.get("packed", "nobody").await.unwrap();
        reader.counters().redis_writes > writes
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_left_at_once_again_and_again_is_not_made_at_once() {
    let cloud = Cloud::start().await;
    let redis = cloud.redis().await;
    let reader = warm(&cloud, &redis).await;
    let nowhere = local::process::free_port().unwrap();
    assert_eq!(redis.command(&format!("REPLICAOF 127.0.0.1 {nowhere}")).await.unwrap(), "OK");
    let began = std::time::Instant::now();
    until("it is left five times", async || {
        reader.get("packed", "nobody").await.unwrap();
        reader.counters().redis_opened >= 5
    })
    .await;
    // The pause of these tests is 100 ms; the first time needs none.
    assert!(began.elapsed() >= std::time::Duration::from_millis(300), "{:?}", began.elapsed());
}
