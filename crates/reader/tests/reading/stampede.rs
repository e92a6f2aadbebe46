//! Many requests for what nobody has yet.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use reader::Layout;

use crate::cloud::Cloud;
use crate::cloud::press::{Press, bulky, key, numbered};

const REQUESTS: usize = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_for_one_cold_row_are_one_read() {
    for (sync, layout) in [("packed", Layout::Packed), ("objects", Layout::Objects)] {
        let cloud = Cloud::start().await;
        Press::new(&cloud, sync, layout, 4).publish(&numbered(1000, 1));
        let reader = Arc::new(cloud.reader(&[sync]).await);
        cloud.wire.delay(Duration::from_millis(50));
        let ask = || {
            let reader = Arc::clone(&reader);
            tokio::spawn(async move { reader.get(sync, &key(7)).await.unwrap().row.unwrap().body })
        };
        let answers = join_all((0..REQUESTS).map(|_| ask())).await;
        assert!(answers.into_iter().all(|body| body.unwrap() == numbered(8, 1)[&key(7)].as_bytes()));
        assert_eq!(cloud.row_reads(), 1, "{layout:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_rows_of_one_cold_shard_are_one_read_of_it() {
    let cloud = Cloud::start().await;
    Press::new(&cloud, "packed", Layout::Packed, 1).publish(&numbered(REQUESTS, 1));
    let reader = Arc::new(cloud.reader(&["packed"]).await);
    cloud.wire.delay(Duration::from_millis(50));
    let answers = join_all((0..REQUESTS).map(|n| {
        let reader = Arc::clone(&reader);
        tokio::spawn(async move { reader.get("packed", &key(n)).await.unwrap().row.is_some() })
    }));
    assert!(answers.await.into_iter().all(Result::unwrap));
    assert_eq!(cloud.row_reads(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_and_each_page_of_a_large_cold_shard_are_read_once() {
    let cloud = Cloud::start().await;
    let rows = bulky(8000, 512);
    Press::new(&cloud, "packed", Layout::Packed, 1).publish(&rows);
    let reader = Arc::new(cloud.reader(&["packed"]).await);
    cloud.wire.delay(Duration::from_millis(50));
    let answers = join_all((0..REQUESTS).map(|n| {
        let reader = Arc::clone(&reader);
        tokio::spawn(async move { reader.get("packed", &key(n)).await.unwrap().row.is_some() })
    }));
    assert!(answers.await.into_iter().all(Result::unwrap));
    // 1,000 rows are in four pages of keys and their bodies, behind one index.
    assert!(cloud.row_reads() <= 1 + 2 * 5, "{}", cloud.row_reads());
}
