//! A real Redis Cluster of three nodes, and nobody who says that it is one.

use std::time::{Duration, Instant};

use local::redis::{Redis, RedisCluster};
use reader::{Layout, Origin, Reader, RedisCache};

use crate::cloud::press::{Press, key, numbered};
use crate::cloud::{Cloud, connected, settings, until};
use crate::shared_cache::forgetful;

const ROWS: usize = 300;
/// Redis Cluster hashes only what stands in braces.
const TAGGED: &str = "user-{000001}";

async fn rows_of(node: &Redis) -> u64 {
    node.command("DBSIZE").await.unwrap().parse().unwrap()
}

async fn read_all(reader: &Reader, sync: &str) {
    for n in 0..ROWS {
        assert_eq!(reader.get(sync, &key(n)).await.unwrap().row.unwrap().body, numbered(ROWS, 1)[&key(n)]);
    }
}

/// All rows have been read and are in Redis, and are not in the process.
async fn warm(cloud: &Cloud, cluster: &RedisCluster) -> Reader {
    Press::new(cloud, "packed", Layout::Packed, 4).publish(&numbered(ROWS, 1));
    let reader = cloud.reader_with(&["packed"], Some(connected(&cluster.nodes[1]).await), forgetful()).await;
    read_all(&reader, "packed").await;
    until("all is written", async || reader.counters().redis_writes == ROWS as u64).await;
    reader
}

#[tokio::test]
async fn each_row_is_shared_by_the_node_that_has_its_slot() {
    let cloud = Cloud::start().await;
    let cluster = RedisCluster::start(cloud.dir.path()).await.unwrap();
    let mut rows = numbered(ROWS, 1);
    rows.insert(TAGGED.into(), "{}".into());
    let keys: Vec<&str> = rows.keys().map(String::as_str).collect();
    for (sync, layout) in [("packed", Layout::Packed), ("objects", Layout::Objects)] {
        Press::new(&cloud, sync, layout, 4).publish(&rows);
        let first = cloud.reader_with(&[sync], Some(connected(&cluster.nodes[0]).await), settings()).await;
        first.get_many(sync, &keys).await.unwrap();
        until("all is written", async || first.counters().redis_writes == keys.len() as u64).await;
        cloud.wire.forget();
        let second = cloud.reader_with(&[sync], Some(connected(&cluster.nodes[2]).await), settings()).await;
        for key in [&key(7), &key(8), &key(9), TAGGED] {
            assert_eq!(second.get(sync, key).await.unwrap().from, Origin::Redis, "{key}");
        }
        assert!(second.get_many(sync, &keys).await.unwrap().rows.iter().all(Option::is_some));
        assert_eq!(
            (cloud.row_reads(), first.counters().redis_errors + second.counters().redis_errors),
            (0, 0),
            "{sync}"
        );
    }
    for node in &cluster.nodes {
        assert!(rows_of(node).await > keys.len() as u64 / 3, "{} has its share", node.url());
    }
}

#[tokio::test]
async fn slots_that_move_are_found_where_they_are() {
    let cloud = Cloud::start().await;
    let cluster = RedisCluster::start(cloud.dir.path()).await.unwrap();
    let reader = warm(&cloud, &cluster).await;
    let moved = rows_of(&cluster.nodes[0]).await;
    cluster.move_slots().await.unwrap();
    until("every row is in Redis again", async || {
        read_all(&reader, "packed").await;
        rows_of(&cluster.nodes[1]).await + rows_of(&cluster.nodes[2]).await == ROWS as u64
    })
    .await;
    let counts = reader.counters();
    assert!(moved > 0 && counts.redis_errors > 0, "MOVED was counted: {counts:?}");
    assert_eq!(counts.redis_opened, 0, "no connection was given up for it");
    read_all(&reader, "packed").await;
    let after = reader.counters();
    assert_eq!((after.redis_errors, after.redis_hits), (counts.redis_errors, counts.redis_hits + ROWS as u64));
}

#[tokio::test]
async fn a_node_that_is_lost_takes_its_own_rows_with_it_and_no_others() {
    let cloud = Cloud::start().await;
    let mut cluster = RedisCluster::start(cloud.dir.path()).await.unwrap();
    let reader = warm(&cloud, &cluster).await;
    let lost = rows_of(&cluster.nodes[2]).await;
    drop(cluster.nodes.pop());
    until("its connection is given up", async || {
        read_all(&reader, "packed").await;
        reader.counters().redis_opened == 1
    })
    .await;
    let (before, began) = (reader.counters(), Instant::now());
    read_all(&reader, "packed").await;
    let after = reader.counters();
    assert_eq!(after.redis_hits - before.redis_hits, ROWS as u64 - lost, "the others answer");
    assert_eq!(after.redis_errors, before.redis_errors, "nobody waits for the one that is lost");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn the_first_answer_comes_when_all_nodes_stand() {
    let cloud = Cloud::start().await;
    let cluster = RedisCluster::start(cloud.dir.path()).await.unwrap();
    cluster.nodes[0].signal(libc::SIGSTOP);
    let cache = RedisCache::connect(reader::RedisSettings::new(cluster.nodes[1].url())).unwrap();
    assert!(!cache.answers_within(Duration::from_millis(300)).await);
    cluster.nodes[0].signal(libc::SIGCONT);
    assert!(cache.answers_within(Duration::from_secs(20)).await);
}
