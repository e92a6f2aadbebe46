//! What stands in S3 is not what it should be: an error that names the object, and never another row.

use bytes::Bytes;
use reader::{Layout, ReadError, Reader, Source};

use crate::cloud::press::{Press, bulky, key, numbered};
use crate::cloud::{BUCKET, Cloud, body, follows, settings, until};

async fn damaged(cloud: &Cloud, key: &str) -> (String, String) {
    let reader = cloud.reader(&["packed"]).await;
    let alone = reader.get("packed", key).await.unwrap_err();
    let together = reader.get_many("packed", &[key]).await.unwrap_err();
    assert_eq!(alone.to_string(), together.to_string());
    match alone {
        ReadError::Damaged { object, why } => (object, why),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_shard_that_was_changed_cut_off_or_replaced_is_told_as_damaged() {
    let cloud = Cloud::start().await;
    let mut press = Press::new(&cloud, "packed", Layout::Packed, 2);
    press.publish(&numbered(1000, 1));
    let shard = handoff::sync::KeyHash::of(&key(1)).shard(2);
    let (name, other) = (press.shard_key(shard), press.shard_key(1 - shard));
    let good = press.get(&name);
    let mut flipped = good.to_vec();
    flipped[good.len() / 2] ^= 1;
    for (bytes, expected) in [
        (Bytes::from(flipped), "its SHA-256 is not the manifest's"),
        (good.slice(..good.len() - 1), "bytes, the manifest says"),
        (Bytes::new(), "it has 0 bytes, the manifest says"),
        (press.get(&other), "the manifest"),
    ] {
        press.put(&name, bytes);
        let (object, why) = damaged(&cloud, &key(1)).await;
        assert!(object == format!("s3://{BUCKET}/{name}") && why.contains(expected), "{object}: {why}");
    }
    cloud.s3.store().delete(BUCKET, &name);
    let reader = cloud.reader(&["packed"]).await;
    assert!(matches!(reader.get("packed", &key(1)).await, Err(ReadError::Gone { .. })));
    // A request that fails is not remembered.
    press.put(&name, good);
    assert_eq!(body(&reader, "packed", &key(1)).await.unwrap(), numbered(2, 1)[&key(1)]);
}

#[tokio::test]
async fn a_large_shard_that_was_changed_or_cut_off_is_told_as_damaged() {
    let cloud = Cloud::start().await;
    let rows = bulky(8000, 512);
    let mut press = Press::new(&cloud, "packed", Layout::Packed, 1);
    press.publish(&rows);
    let name = press.shard_key(0);
    let good = press.get(&name);
    let mut pages = good.to_vec();
    pages[4..4096].fill(0); // the first page of keys
    let mut footer = good.to_vec();
    let end = footer.len();
    footer[end - 300..end - 200].fill(0xff);
    let other = {
        let mut press = Press::new(&cloud, "other", Layout::Packed, 1);
        press.publish(&bulky(7000, 512));
        press.get(&press.shard_key(0))
    };
    for (what, bytes) in [
        ("pages", Bytes::from(pages)),
        ("footer", Bytes::from(footer)),
        ("cut off", good.slice(..good.len() - 1000)),
        ("another", other),
        ("empty", Bytes::new()),
    ] {
        press.put(&name, bytes);
        let (object, why) = damaged(&cloud, &key(1)).await;
        assert!(object == format!("s3://{BUCKET}/{name}") && !why.is_empty(), "{what}: {object}: {why}");
    }
}

#[tokio::test]
async fn a_current_that_cannot_be_followed_is_told_and_the_last_good_generation_served() {
    let cloud = Cloud::start().await;
    let mut press = Press::new(&cloud, "packed", Layout::Packed, 2);
    let first = press.publish(&numbered(100, 1));
    let reader = cloud.reader(&["packed"]).await;
    let current = "packed/CURRENT";
    let good = press.get(current);
    let text = String::from_utf8(good.to_vec()).unwrap();
    let (missing, foreign) = ("20270101T000000Z", "20270102T000000Z");
    let manifest = press.get(&format!("packed/g/{first}/manifest.json"));
    press.put(&format!("packed/g/{foreign}/manifest.json"), manifest);
    for (broken, expected) in [
        (text.replace(first.as_str(), missing), "is named by the manifest and not there"),
        (text.replace(first.as_str(), foreign), "it is of generation"),
        (text.replace("\"version\":1", "\"version\":2"), "it has version 2, this program knows 1"),
        ("{}".to_owned(), "missing field"),
    ] {
        press.put(current, broken);
        let told = async || reader.generation("packed").unwrap().problem.is_some_and(|told| told.contains(expected));
        until(expected, told).await;
        assert_eq!(reader.generation("packed").unwrap().generation, first);
        assert_eq!(body(&reader, "packed", &key(5)).await.unwrap(), numbered(6, 1)[&key(5)]);
    }
    cloud.s3.store().delete(BUCKET, current);
    until("it is gone", async || {
        reader.generation("packed").unwrap().problem.is_some_and(|told| told.ends_with("it is gone"))
    })
    .await;
    let next = press.publish(&numbered(100, 2));
    follows(&reader, "packed", &next).await;
    assert_eq!(reader.generation("packed").unwrap().problem, None);
}

#[tokio::test]
async fn a_place_where_another_sync_publishes_is_refused_until_its_own_is_there_again() {
    let cloud = Cloud::start().await;
    for (sync, layout) in [("packed", Layout::Packed), ("objects", Layout::Objects)] {
        let mut press = Press::new(&cloud, sync, layout, 2);
        let first = press.publish(&numbered(100, 1));
        let reader = cloud.reader(&[sync]).await;
        body(&reader, sync, &key(5)).await.unwrap();
        let own = press.get(&format!("{sync}/CURRENT"));
        press.sync = "orders".into();
        press.publish(&numbered(100, 2));
        let refused = async || matches!(reader.generation(sync), Err(ReadError::OfAnotherSync { .. }));
        until("it is refused", refused).await;
        let told = reader.get(sync, &key(5)).await.unwrap_err().to_string();
        assert!(told.contains("is of sync \"orders\", not of") && told.contains("/manifest.json"), "{told}");
        assert!(matches!(reader.get_many(sync, &[&key(5)]).await, Err(ReadError::OfAnotherSync { .. })));

        cloud.wire.outage();
        until("S3 is away", async || matches!(reader.generation(sync), Err(ReadError::Unavailable { .. }))).await;
        assert!(reader.get(sync, &key(5)).await.is_err(), "and what was served before does not come back by that");
        cloud.wire.restore();
        until("it is refused again", refused).await;
        press.put(&format!("{sync}/CURRENT"), own);
        follows(&reader, sync, &first).await;
        assert!(body(&reader, sync, &key(5)).await.is_some());
    }
}

#[tokio::test]
async fn a_place_that_was_adopted_is_read_under_its_new_name_and_no_longer_under_its_old_one() {
    let cloud = Cloud::start().await;
    let mut press = Press::new(&cloud, "packed", Layout::Packed, 2);
    let first = press.publish(&numbered(100, 1));
    let reader = cloud.reader(&["packed"]).await;
    let mut current: serde_json::Value = serde_json::from_slice(&press.get("packed/CURRENT")).unwrap();
    current["owner"] = serde_json::json!({"sync": "orders", "scratch": "acme.isthmus_scratch"});
    press.put("packed/CURRENT", current.to_string());
    until("it is refused", async || matches!(reader.generation("packed"), Err(ReadError::OfAnotherSync { .. }))).await;

    // The manifest still says whose it was.
    press.sync = "orders".into();
    press.publish(&numbered(100, 2));
    current["owner"]["sync"] = "packed".into();
    press.put("packed/CURRENT", current.to_string());
    follows(&reader, "packed", &first).await;
    let name = format!("packed/g/{first}/manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&press.get(&name)).unwrap();
    assert_eq!(manifest["sync"], "packed");
    manifest["sync"] = "orders".into();
    press.put(&name, manifest.to_string());
    let renamed = cloud.reader(&["packed"]).await;
    assert!(body(&renamed, "packed", &key(5)).await.is_some());
    // It is `CURRENT` that says so.
    current.as_object_mut().unwrap().remove("owner");
    press.put("packed/CURRENT", current.to_string());
    let source = Source { sync: "packed".into(), bucket: BUCKET.into(), prefix: "packed".into() };
    let refused = Reader::open(cloud.client().await, None, vec![source], settings()).await.err();
    assert!(matches!(refused, Some(ReadError::OfAnotherSync { .. })), "{refused:?}");
}

#[tokio::test]
async fn one_sync_that_cannot_be_read_does_not_keep_the_others_from_being_opened() {
    let cloud = Cloud::start().await;
    Press::new(&cloud, "packed", Layout::Packed, 2).publish(&numbered(10, 1));
    cloud.s3.store().put(BUCKET, "broken/CURRENT", "not JSON");
    let reader = cloud.reader(&["packed", "broken"]).await;
    assert!(body(&reader, "packed", &key(1)).await.is_some());
    let refused = reader.get("broken", "1").await.unwrap_err();
    assert!(
        matches!(&refused, ReadError::Damaged { object, .. } if object == "s3://acme-app-data/broken/CURRENT"),
        "{refused}"
    );
}
