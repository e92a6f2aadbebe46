//! The local S3 against what the real one does, asked by the real SDK.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use local::s3::S3;

const BUCKET: &str = "acme-exports";

async fn client(s3: &S3, access_key: &str, secret: &str) -> Client {
    let credentials = Credentials::new(access_key, secret, Some("session".into()), None, "test");
    let config = startup::aws_config()
        .region(Region::new("ap-northeast-1"))
        .credentials_provider(credentials)
        .endpoint_url(s3.endpoint())
        .load()
        .await;
    Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build())
}

async fn started() -> (S3, Client) {
    let s3 = S3::start().await.unwrap();
    let client = client(&s3, "local", "secret").await;
    client.create_bucket().bucket(BUCKET).send().await.unwrap();
    (s3, client)
}

fn code<T, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    result: Result<T, aws_sdk_s3::error::SdkError<E, R>>,
) -> String {
    let error = result.err().unwrap();
    error.code().map_or_else(|| format!("{error:?}"), ToOwned::to_owned)
}

async fn text(client: &Client, key: &str, range: &str) -> (String, Option<String>) {
    let got = client.get_object().bucket(BUCKET).key(key).range(range).send().await.unwrap();
    let range = got.content_range.clone();
    (String::from_utf8(got.body.collect().await.unwrap().to_vec()).unwrap(), range)
}

#[tokio::test]
async fn what_is_put_is_read_back_with_its_etag_and_metadata() {
    let (s3, client) = started().await;
    let put = client.put_object().bucket(BUCKET).key("a b/日本+1.json").content_type("application/json");
    let put = put.metadata("origin", "test").body(ByteStream::from_static(b"hello")).send().await.unwrap();
    assert_eq!(put.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    let got = client.get_object().bucket(BUCKET).key("a b/日本+1.json").send().await.unwrap();
    assert_eq!((got.content_type(), got.content_length()), (Some("application/json"), Some(5)));
    assert_eq!(got.metadata().unwrap()["origin"], "test");
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello");
    assert_eq!(s3.store().get(BUCKET, "a b/日本+1.json").unwrap().bytes, "hello");
    client.delete_object().bucket(BUCKET).key("a b/日本+1.json").send().await.unwrap();
    assert!(s3.store().is_empty(BUCKET));
}

#[tokio::test]
async fn a_checksum_that_came_with_an_object_is_told_to_whoever_asks_for_it() {
    let (s3, client) = started().await;
    let sha256 = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    let put = client.put_object().bucket(BUCKET).key("a").checksum_sha256(sha256);
    put.body(ByteStream::from_static(b"hello")).send().await.unwrap();
    let head = || client.head_object().bucket(BUCKET).key("a");
    assert_eq!(head().send().await.unwrap().checksum_sha256(), None);
    let asked = head().checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(asked.checksum_sha256(), Some(sha256));
    // Where a KMS key encrypts, the ETag is no hash of the bytes.
    s3.store().encrypt_with_kms(BUCKET, "arn:aws:kms:ap-northeast-1:123456789012:key/1");
    s3.store().put(BUCKET, "b", "hello");
    assert_ne!(s3.store().head(BUCKET, "b").unwrap().etag, s3.store().head(BUCKET, "a").unwrap().etag);
}

#[tokio::test]
async fn what_is_missing_is_named_by_the_code_of_s3() {
    let (_s3, client) = started().await;
    assert_eq!(code(client.get_object().bucket(BUCKET).key("none").send().await), "NoSuchKey");
    assert_eq!(code(client.get_object().bucket("no-such").key("none").send().await), "NoSuchBucket");
    assert_eq!(code(client.list_objects_v2().bucket("no-such").send().await), "NoSuchBucket");
    let head = client.head_object().bucket(BUCKET).key("none").send().await.unwrap_err();
    assert!(head.into_service_error().is_not_found());
    let head = client.head_bucket().bucket("no-such").send().await.unwrap_err();
    assert!(head.into_service_error().is_not_found());
}

#[tokio::test]
async fn a_conditional_write_that_does_not_hold_changes_nothing() {
    let (s3, client) = started().await;
    let put = |body: &'static str| {
        client.put_object().bucket(BUCKET).key("CURRENT").body(ByteStream::from_static(body.as_bytes()))
    };
    assert_eq!(code(put("x").if_match("\"0\"").send().await), "NoSuchKey", "If-Match on a missing key is a 404");
    let first = put("one").if_none_match("*").send().await.unwrap();
    assert_eq!(code(put("two").if_none_match("*").send().await), "PreconditionFailed");
    put("two").if_match(first.e_tag().unwrap()).send().await.unwrap();
    assert_eq!(code(put("three").if_match(first.e_tag().unwrap()).send().await), "PreconditionFailed");
    assert_eq!(s3.store().get(BUCKET, "CURRENT").unwrap().bytes, "two");
    let get = client.get_object().bucket(BUCKET).key("CURRENT").if_match(first.e_tag().unwrap()).send().await;
    assert_eq!(code(get), "PreconditionFailed");
    let etag = s3.store().head(BUCKET, "CURRENT").unwrap().etag;
    let get = client.get_object().bucket(BUCKET).key("CURRENT").if_none_match(format!("\"{etag}\"")).send().await;
    assert_eq!(get.unwrap_err().raw_response().unwrap().status().as_u16(), 304);
}

#[tokio::test]
async fn ranges_are_cut_as_asked() {
    let (s3, client) = started().await;
    s3.store().put(BUCKET, "k", "0123456789");
    assert_eq!(text(&client, "k", "bytes=2-4").await, ("234".into(), Some("bytes 2-4/10".into())));
    assert_eq!(text(&client, "k", "bytes=7-").await, ("789".into(), Some("bytes 7-9/10".into())));
    assert_eq!(text(&client, "k", "bytes=-3").await, ("789".into(), Some("bytes 7-9/10".into())));
    assert_eq!(text(&client, "k", "bytes=-99").await, ("0123456789".into(), Some("bytes 0-9/10".into())));
    assert_eq!(code(client.get_object().bucket(BUCKET).key("k").range("bytes=10-").send().await), "InvalidRange");
    s3.store().put(BUCKET, "empty", "");
    assert_eq!(code(client.get_object().bucket(BUCKET).key("empty").range("bytes=-8").send().await), "InvalidRange");
}

#[tokio::test]
async fn more_than_a_thousand_keys_come_in_pages() {
    let (s3, client) = started().await;
    for n in 0..2_345 {
        s3.store().put(BUCKET, &format!("prod/{n:05} +%&<日>"), "x");
    }
    s3.store().put(BUCKET, "other", "x");
    let mut pages = client.list_objects_v2().bucket(BUCKET).prefix("prod/").into_paginator().send();
    let (mut sizes, mut keys) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        sizes.push(page.contents().len());
        keys.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
    }
    assert_eq!(sizes, [1000, 1000, 345]);
    assert_eq!(keys, s3.store().keys(BUCKET, "prod/"));
    let top = client.list_objects_v2().bucket(BUCKET).delimiter("/").send().await.unwrap();
    assert_eq!(top.common_prefixes()[0].prefix(), Some("prod/"));
    assert_eq!((top.contents()[0].key(), top.key_count()), (Some("other"), Some(2)));
}

#[tokio::test]
async fn a_copy_is_made_without_its_bytes_passing_the_client() {
    let (s3, client) = started().await;
    s3.store().put(BUCKET, "a b/part-日", "bytes");
    let source = format!("{BUCKET}/a%20b/part-%E6%97%A5");
    let copied = client.copy_object().bucket(BUCKET).key("to").copy_source(&source).send().await.unwrap();
    let etag = s3.store().head(BUCKET, "to").unwrap().etag;
    assert_eq!(copied.copy_object_result().unwrap().e_tag(), Some(format!("\"{etag}\"").as_str()));
    let none = client.copy_object().bucket(BUCKET).key("to").copy_source(format!("{BUCKET}/none")).send().await;
    assert_eq!(code(none), "NoSuchKey");
    let changed = client.copy_object().bucket(BUCKET).key("to").copy_source(&source).copy_source_if_match("\"0\"");
    assert_eq!(code(changed.send().await), "PreconditionFailed");
}

#[tokio::test]
async fn many_keys_are_deleted_at_once_also_those_that_are_not_there() {
    let (s3, client) = started().await;
    for key in ["a", "b", "c"] {
        s3.store().put(BUCKET, key, key);
    }
    let ids = ["a", "b", "none"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(ids.to_vec())).build().unwrap();
    let deleted = client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (3, 0));
    assert_eq!(s3.store().keys(BUCKET, ""), ["c"]);
}

#[tokio::test]
async fn parts_become_one_object_when_the_upload_is_completed() {
    let (s3, client) = started().await;
    let upload = client.create_multipart_upload().bucket(BUCKET).key("big").send().await.unwrap();
    let id = upload.upload_id().unwrap();
    let mut parts = Vec::new();
    for (number, body) in [(1, vec![b'a'; 5 * 1024 * 1024]), (2, b"end".to_vec())] {
        let part = client.upload_part().bucket(BUCKET).key("big").upload_id(id).part_number(number);
        let part = part.body(ByteStream::from(body)).send().await.unwrap();
        parts.push(CompletedPart::builder().part_number(number).e_tag(part.e_tag().unwrap()).build());
    }
    assert!(s3.store().is_empty(BUCKET), "nothing shows before the end");
    let complete = || client.complete_multipart_upload().bucket(BUCKET).key("big").upload_id(id);
    let upload = |parts: &[CompletedPart]| CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build();
    let reversed: Vec<_> = parts.iter().rev().cloned().collect();
    assert_eq!(code(complete().multipart_upload(upload(&reversed)).send().await), "InvalidPartOrder");
    complete().multipart_upload(upload(&parts)).send().await.unwrap();
    let object = s3.store().get(BUCKET, "big").unwrap();
    assert_eq!(object.bytes.len(), 5 * 1024 * 1024 + 3);
    assert!(object.etag.ends_with("-2"));
    let abort = client.abort_multipart_upload().bucket(BUCKET).key("big").upload_id(id).send().await;
    assert_eq!(code(abort), "NoSuchUpload");
}

#[tokio::test]
async fn keys_that_nobody_registered_come_in_until_the_door_is_closed() {
    let (s3, _) = started().await;
    let read = async |access_key: &str, secret: &str| {
        client(&s3, access_key, secret).await.list_objects_v2().bucket(BUCKET).send().await
    };
    s3.allow("ASIAKNOWN", "right");
    assert!(read("ASIAOTHER", "anything").await.is_ok());
    assert!(read("ASIAKNOWN", "right").await.is_ok());
    assert_eq!(code(read("ASIAKNOWN", "wrong").await), "SignatureDoesNotMatch");
    s3.close();
    assert_eq!(code(read("ASIAOTHER", "anything").await), "InvalidAccessKeyId");
    assert!(read("ASIAKNOWN", "right").await.is_ok());
    s3.expire("ASIAKNOWN");
    assert_eq!(code(read("ASIAKNOWN", "right").await), "ExpiredToken");
}
