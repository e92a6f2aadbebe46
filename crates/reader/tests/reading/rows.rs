//! What a row is, and what is none.

use reader::{Layout, Origin, ReadError, Reader, Source};

use crate::cloud::press::{Press, Rows, bulky, key, numbered};
use crate::cloud::{BUCKET, Cloud, body, follows, settings};

const LAYOUTS: [(&str, Layout); 2] = [("packed", Layout::Packed), ("objects", Layout::Objects)];

#[tokio::test]
async fn every_row_is_found_by_its_key_alone_and_together_and_nothing_else_is() {
    let cloud = Cloud::start().await;
    let mut rows = numbered(2000, 1);
    for strange in ["🛫", "a/b", "..", "../../CURRENT", "50%", "%2F", " ", "a b+c", "本", "\u{0}", &"x".repeat(1000)]
    {
        rows.insert(strange.to_owned(), format!("{{\"strange\":{strange:?}}}"));
    }
    for (sync, layout) in LAYOUTS {
        let mut press = Press::new(&cloud, sync, layout, 16);
        let generation = press.publish(&rows);
        let reader = cloud.reader(&[sync]).await;
        for (key, expected) in &rows {
            assert_eq!(body(&reader, sync, key).await.as_ref(), Some(expected), "{layout:?} {key:?}");
        }
        for absent in ["user", "user-2000000", "A/b", "a%2Fb", "%F0%9F%9B%AB", ".", "CURRENT"] {
            assert_eq!(body(&reader, sync, absent).await, None, "{layout:?} {absent:?}");
        }
        let fresh = cloud.reader(&[sync]).await;
        let mut keys: Vec<&str> = rows.keys().rev().map(String::as_str).collect();
        keys.extend(["nobody", "user-000001", "user-000001"]);
        let batch = fresh.get_many(sync, &keys).await.unwrap();
        assert_eq!((batch.rows.len(), &batch.generation), (keys.len(), &generation));
        for (key, row) in keys.iter().zip(&batch.rows) {
            assert_eq!(row.as_ref().map(|row| &row.body[..]), rows.get(*key).map(String::as_bytes), "{key:?}");
        }
        let published = fresh.generation(sync).unwrap();
        assert_eq!((published.rows, published.layout, published.problem), (rows.len() as u64, layout, None));
    }
}

#[tokio::test]
async fn a_key_that_no_row_can_have_and_a_sync_that_is_not_listed_are_refused() {
    let cloud = Cloud::start().await;
    for (sync, layout) in LAYOUTS {
        Press::new(&cloud, sync, layout, 4).publish(&numbered(10, 1));
    }
    let reader = cloud.reader(&["packed", "objects"]).await;
    for (sync, _) in LAYOUTS {
        for (key, why) in [(String::new(), "is empty"), ("é".repeat(513), "is longer than 1024 bytes")] {
            let refused = reader.get(sync, &key).await.unwrap_err();
            assert!(matches!(refused, ReadError::InvalidKey(told) if told == why), "{refused}");
            assert!(matches!(reader.get_many(sync, &["a", &key]).await, Err(ReadError::InvalidKey(_))));
        }
        // As long as a key may be, though no object can have such a name.
        assert_eq!(reader.get(sync, &"é".repeat(512)).await.unwrap().row, None);
    }
    assert!(matches!(reader.get("users", "1").await, Err(ReadError::UnknownSync(sync)) if sync == "users"));
    let source = || Source { sync: "packed".into(), bucket: BUCKET.into(), prefix: "packed".into() };
    let twice = Reader::open(cloud.client().await, None, vec![source(), source()], settings()).await;
    assert!(matches!(twice, Err(ReadError::RepeatedSync(_))));
}

#[tokio::test]
async fn a_sync_is_followed_from_its_first_publication_on() {
    let cloud = Cloud::start().await;
    let reader = cloud.reader(&["packed"]).await;
    let none = reader.get("packed", &key(1)).await.unwrap_err();
    assert_eq!(none.to_string(), "nothing has been published at s3://acme-app-data/packed yet");
    let generation = Press::new(&cloud, "packed", Layout::Packed, 4).publish(&numbered(10, 1));
    follows(&reader, "packed", &generation).await;
    assert_eq!(body(&reader, "packed", &key(1)).await.unwrap(), numbered(10, 1)[&key(1)]);
}

#[tokio::test]
async fn of_a_large_shard_come_its_index_and_single_pages() {
    let cloud = Cloud::start().await;
    let mut rows = bulky(12_000, 512);
    // Longer than the bounds in the page index: only the pages themselves tell these keys apart.
    let alike = "same ".repeat(30);
    rows.extend((0..3000).map(|n| (format!("{alike}{n:04}"), format!("{n}"))));
    let mut press = Press::new(&cloud, "packed", Layout::Packed, 1);
    press.publish(&rows);
    let bytes = press.get(&press.shard_key(0)).len();
    assert!(bytes > 3 * 1024 * 1024, "{bytes}");

    let reader = cloud.reader(&["packed"]).await;
    assert_eq!(body(&reader, "packed", &key(700)).await.as_ref(), Some(&rows[&key(700)]));
    let answered: usize =
        cloud.wire.requests().iter().filter(|r| crate::cloud::is_row(r)).map(|r| r.answered_bytes).sum();
    assert!(cloud.row_reads() <= 4 && answered < bytes / 8, "{} GETs, {answered} of {bytes} bytes", cloud.row_reads());
    let neighbour = reader.get("packed", &key(701)).await.unwrap();
    assert_eq!((neighbour.row.unwrap().body, cloud.row_reads()), (rows[&key(701)].clone().into(), cloud.row_reads()));

    let sample: Rows = rows.iter().step_by(7).map(|(key, body)| (key.clone(), body.clone())).collect();
    for (key, expected) in &sample {
        assert_eq!(body(&reader, "packed", key).await.as_ref(), Some(expected), "{key}");
        assert_eq!(body(&reader, "packed", &format!("{key}!")).await, None, "{key}!");
    }
    let keys: Vec<&str> = rows.keys().map(String::as_str).collect();
    let batch = cloud.reader(&["packed"]).await.get_many("packed", &keys).await.unwrap();
    assert!(keys.iter().zip(batch.rows).all(|(key, row)| row.unwrap().body == rows[*key].as_bytes()));
}

#[tokio::test]
async fn it_is_told_where_an_answer_came_from() {
    let cloud = Cloud::start().await;
    Press::new(&cloud, "packed", Layout::Packed, 64).publish(&numbered(20, 1));
    let reader = cloud.reader(&["packed"]).await;
    let from = async |key: &str| reader.get("packed", key).await.unwrap().from;
    assert_eq!((from(&key(1)).await, from(&key(1)).await), (Origin::S3, Origin::Memory));
    let mut origins = Vec::new();
    for n in 100..200 {
        origins.push(from(&key(n)).await);
    }
    assert!(origins.contains(&Origin::Manifest), "most of 64 shards are empty");
    let counts = reader.counters();
    assert_eq!((counts.gets, counts.absent), (102, 100));
}
