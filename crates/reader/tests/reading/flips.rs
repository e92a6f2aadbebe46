//! Publications while rows are read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reader::{Generation, Layout, Origin, Reader};

use crate::cloud::press::{Press, Rows, key, numbered};
use crate::cloud::{Cloud, POLL, body, connected, follows};

const ROWS: usize = 400;
const PUBLICATIONS: usize = 10;
/// A poll may be a tenth later; the rest is for two busy cores.
const MARGIN: Duration = Duration::from_millis(700);

/// When each generation was flipped, and which version its rows are.
type Flips = Arc<Mutex<BTreeMap<Generation, (usize, Instant)>>>;

/// The oldest version that a reader may still give to a request that began at this moment.
fn oldest_allowed(flips: &Flips, asked: Instant) -> usize {
    let flips = flips.lock().unwrap();
    let known = flips.values().filter(|(_, at)| *at + POLL + MARGIN < asked);
    known.map(|(version, _)| *version).max().unwrap_or(0)
}

fn version(body: &[u8]) -> usize {
    let text = std::str::from_utf8(body).unwrap();
    let (_, version) = text.rsplit_once(':').unwrap();
    version.trim_end_matches('}').parse().unwrap()
}

async fn read_all_the_time(
    reader: Reader,
    sync: &'static str,
    flips: Flips,
    stop: Arc<AtomicBool>,
    reads: Arc<AtomicUsize>,
) {
    let keys: Vec<String> = (0..ROWS).step_by(9).map(key).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        n = (n + 17) % ROWS;
        let asked = Instant::now();
        let answer = reader.get(sync, &key(n)).await.unwrap();
        let seen = version(&answer.row.unwrap().body);
        assert!(seen >= oldest_allowed(&flips, asked), "{sync}: version {seen} is too old");
        let batch = reader.get_many(sync, &keys).await.unwrap();
        let mut versions: Vec<usize> = batch.rows.into_iter().map(|row| version(&row.unwrap().body)).collect();
        versions.dedup();
        if sync == "packed" {
            let of_generation = flips.lock().unwrap().get(&batch.generation).map(|(version, _)| *version);
            assert_eq!(
                (versions.len(), of_generation),
                (1, Some(versions[0])),
                "a mixed batch of {}",
                batch.generation
            );
        }
        assert!(versions.iter().all(|seen| *seen >= oldest_allowed(&flips, asked)));
        reads.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_publications_under_constant_reads_give_no_error_no_mixed_batch_and_no_old_row() {
    let cloud = Cloud::start().await;
    let redis = cloud.redis().await;
    for (sync, layout) in [("packed", Layout::Packed), ("objects", Layout::Objects)] {
        let (flips, stop, reads) = (Flips::default(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut press = Press::new(&cloud, sync, layout, 8);
        let first = press.publish(&numbered(ROWS, 0));
        flips.lock().unwrap().insert(first, (0, Instant::now()));
        let mut readers = Vec::new();
        for _ in 0..2 {
            let reader = cloud.reader_with(&[sync], Some(connected(&redis).await), crate::cloud::settings()).await;
            let task =
                read_all_the_time(reader.clone(), sync, Arc::clone(&flips), Arc::clone(&stop), Arc::clone(&reads));
            readers.push((reader, tokio::spawn(task)));
        }
        for version in 1..=PUBLICATIONS {
            let written = press.write(&numbered(ROWS, version));
            // Entered before it can be seen; that it is known a moment too early is harmless.
            flips.lock().unwrap().insert(written.manifest.generation.clone(), (version, Instant::now()));
            let generation = press.flip(written);
            follows(&readers[0].0, sync, &generation).await;
            tokio::time::sleep(Duration::from_millis(150)).await; // reads of this generation, before the next comes
        }
        stop.store(true, Ordering::Relaxed);
        for (reader, task) in readers {
            task.await.unwrap();
            // Which of the two finds the other's rows in Redis is chance; that both hand theirs over is not.
            let counts = reader.counters();
            assert!(counts.redis_writes > 0 && counts.redis_errors == 0, "{sync}: {counts:?}");
        }
        assert!(reads.load(Ordering::Relaxed) > PUBLICATIONS * 2, "{reads:?}");
    }
}

#[tokio::test]
async fn rows_that_did_not_change_stay_warm_over_publications() {
    let cloud = Cloud::start().await;
    let redis = cloud.redis().await;
    for (sync, layout) in [("packed", Layout::Packed), ("objects", Layout::Objects)] {
        let mut press = Press::new(&cloud, sync, layout, 64);
        let mut rows = numbered(ROWS, 0);
        press.publish(&rows);
        let settings = || reader::Settings { index_bytes: 0, ..crate::cloud::settings() };
        let reader = cloud.reader_with(&[sync], Some(connected(&redis).await), settings()).await;
        for n in 0..ROWS {
            body(&reader, sync, &key(n)).await.unwrap();
        }
        let mut latest = None;
        for version in 1..4 {
            rows.insert(key(7), format!("{{\"n\":7,\"version\":{version}}}"));
            latest = Some(press.publish(&rows));
            follows(&reader, sync, latest.as_ref().unwrap()).await;
        }
        let shard = |n: usize| handoff::sync::KeyHash::of(&key(n)).shard(64);
        let unchanged = || (0..ROWS).filter(|n| if layout == Layout::Packed { shard(*n) != shard(7) } else { *n != 7 });
        cloud.wire.forget();
        for n in unchanged() {
            let answer = reader.get(sync, &key(n)).await.unwrap();
            assert_eq!((answer.from, Some(&answer.generation)), (Origin::Memory, latest.as_ref()), "{sync} {n}");
        }
        assert_eq!(cloud.row_reads(), 0, "{sync}");
        assert_eq!(body(&reader, sync, &key(7)).await.unwrap(), rows[&key(7)]);

        // A process that begins now has them from Redis: three generations later, without one read of S3.
        let later = cloud.reader_with(&[sync], Some(connected(&redis).await), settings()).await;
        if layout == Layout::Objects {
            crate::cloud::until("three lists of changes are read", async || later.counters().s3_reads >= 4).await;
        }
        cloud.wire.forget();
        for n in unchanged() {
            assert_eq!(later.get(sync, &key(n)).await.unwrap().from, Origin::Redis, "{sync} {n}");
        }
        assert_eq!(cloud.row_reads(), 0, "{sync}");
    }
}

/// As a sync that was renamed, and named back.
#[tokio::test]
async fn rows_that_did_not_change_stay_warm_over_a_generation_that_another_name_published() {
    let cloud = Cloud::start().await;
    let redis = cloud.redis().await;
    let mut press = Press::new(&cloud, "objects", Layout::Objects, 4);
    let mut rows = numbered(20, 0);
    press.publish(&rows);
    let reader = cloud.reader_with(&["objects"], Some(connected(&redis).await), crate::cloud::settings()).await;
    body(&reader, "objects", &key(1)).await.unwrap();
    crate::cloud::until("it is written", async || reader.counters().redis_writes == 1).await;
    drop(reader);
    let mut changes = Vec::new();
    for (version, sync) in [(1, "orders"), (2, "objects")] {
        rows.insert(key(7), format!("{{\"n\":7,\"version\":{version}}}"));
        press.sync = sync.into();
        let generation = press.publish(&rows);
        changes.push(format!("/objects/g/{generation}/changes/"));
    }
    let later = cloud.reader_with(&["objects"], Some(connected(&redis).await), crate::cloud::settings()).await;
    crate::cloud::until("the list of the other name's changes is read", async || {
        cloud.wire.requests().iter().any(|request| request.path.contains(&changes[0]))
    })
    .await;
    crate::cloud::until("it is known what changed", async || later.counters().s3_reads >= 3).await;
    assert_eq!(later.get("objects", &key(1)).await.unwrap().from, Origin::Redis);
}

#[tokio::test]
async fn a_generation_whose_list_of_changes_is_lost_is_followed_and_no_older_row_kept() {
    let cloud = Cloud::start().await;
    let mut press = Press::new(&cloud, "objects", Layout::Objects, 4);
    press.publish(&numbered(10, 0));
    let reader = cloud.reader(&["objects"]).await;
    for damage in [None, Some("not a list")] {
        assert_eq!(version(body(&reader, "objects", &key(1)).await.unwrap().as_bytes()), usize::from(damage.is_some()));
        let written = press.write(&numbered(10, 1 + usize::from(damage.is_some())));
        let changes = &written.manifest.changes[0];
        match damage {
            None => drop(cloud.s3.store().delete(crate::cloud::BUCKET, changes)),
            Some(bytes) => press.put(changes, bytes),
        }
        let generation = press.flip_only(&written);
        press.settle(written);
        follows(&reader, "objects", &generation).await;
        assert_eq!(
            version(body(&reader, "objects", &key(1)).await.unwrap().as_bytes()),
            1 + usize::from(damage.is_some())
        );
    }
}

#[tokio::test]
async fn a_row_that_vanished_is_not_kept_while_its_object_waits_to_be_deleted() {
    let cloud = Cloud::start().await;
    let mut press = Press::new(&cloud, "objects", Layout::Objects, 4);
    press.publish(&numbered(10, 0));
    let reader = cloud.reader(&["objects"]).await;
    let fewer: Rows = numbered(9, 0);
    let written = press.write(&fewer);
    let generation = press.flip_only(&written);
    follows(&reader, "objects", &generation).await;
    // Between the flip and the deletes the object is still there; whoever reads it must not keep it.
    assert!(body(&reader, "objects", &key(9)).await.is_some());
    press.sweep(&written);
    assert_eq!(body(&reader, "objects", &key(9)).await, None);
}

#[tokio::test]
async fn a_lambda_that_was_frozen_looks_first() {
    let cloud = Cloud::start().await;
    let mut press = Press::new(&cloud, "packed", Layout::Packed, 4);
    press.publish(&numbered(10, 0));
    let settings = reader::Settings { poll: Duration::from_hours(1), ..crate::cloud::settings() };
    let reader = cloud.reader_with(&["packed"], None, settings).await;
    let next = press.publish(&numbered(10, 1));
    let polls = reader.counters().polls;
    reader.refresh_if_older_than(Duration::from_mins(1)).await;
    assert_eq!(reader.counters().polls, polls, "it was looked at a moment ago");
    reader.refresh_if_older_than(Duration::ZERO).await;
    assert_eq!(reader.generation("packed").unwrap().generation, next);
    assert_eq!(version(body(&reader, "packed", &key(1)).await.unwrap().as_bytes()), 1);
}

#[tokio::test]
async fn a_generation_that_was_collected_under_a_sleeping_reader_is_left_for_the_new_one() {
    let cloud = Cloud::start().await;
    let mut press = Press::new(&cloud, "packed", Layout::Packed, 1);
    press.publish(&numbered(10, 0));
    let old = press.shard_key(0);
    let settings = reader::Settings { poll: Duration::from_hours(1), ..crate::cloud::settings() };
    let reader = cloud.reader_with(&["packed"], None, settings).await;
    press.publish(&numbered(10, 1));
    cloud.s3.store().delete(crate::cloud::BUCKET, &old);
    tokio::time::sleep(Duration::from_millis(1100)).await; // CURRENT is looked at again after a second at the earliest
    assert_eq!(version(body(&reader, "packed", &key(1)).await.unwrap().as_bytes()), 1);
    assert_eq!(
        reader.get_many("packed", &[&key(2)]).await.unwrap().generation,
        reader.generation("packed").unwrap().generation
    );
}

#[tokio::test]
async fn the_etag_of_current_is_sent_and_an_unchanged_one_costs_no_body() {
    let cloud = Cloud::start().await;
    Press::new(&cloud, "packed", Layout::Packed, 1).publish(&numbered(10, 0));
    let reader = cloud.reader(&["packed"]).await;
    crate::cloud::until("three polls", async || reader.counters().polls >= 4).await;
    let polls: Vec<_> = cloud.wire.requests().into_iter().filter(|r| r.path.ends_with("/CURRENT")).skip(1).collect();
    for poll in &polls {
        assert_eq!(
            (poll.status, poll.answered_bytes, poll.headers.contains_key("if-none-match")),
            (Some(304), 0, true)
        );
    }
    assert!(polls.len() >= 2);
}
