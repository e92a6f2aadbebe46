//! The export bucket: each call that is made to S3, and what its refusal means.

use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier, ServerSideEncryption};
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::Error;

/// S3 answers a copy when it is made, and makes some 100 MB a second: 5 GiB need longer than other calls may take.
const COPY_TIMEOUT: Duration = Duration::from_mins(4);

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
const KEYS_IN_ONE_DELETE: usize = 1000;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket<'a> {
    client: &'a Client,
    name: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) last_modified: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Created {
    Now,
    /// Also what a repeated call finds when the answer to the first was lost.
    Before,
}

impl Object {
    fn listed(object: aws_sdk_s3::types::Object) -> Option<Self> {
        let last_modified = object.last_modified.and_then(|at| DateTime::from_timestamp(at.secs(), at.subsec_nanos()));
        Some(Self { size: u64::try_from(object.size?).ok()?, key: object.key?, last_modified })
    }
}

impl<'a> Bucket<'a> {
    pub(crate) fn new(client: &'a Client, name: &'a str) -> Self {
        Self { client, name }
    }

    /// A small object, whole. `None` where there is none.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Bytes>, Error> {
        let answer = self.client.get_object().bucket(self.name).key(key).send().await;
        match answer {
            Ok(object) => self.body(key, object).await.map(Some),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(Error::aws("s3:GetObject", self.uri(key), error)),
        }
    }

    pub(crate) async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Error> {
        let bytes = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        let answer = self.client.get_object().bucket(self.name).key(key).range(bytes).send().await;
        let object = answer.map_err(|error| Error::aws("s3:GetObject", self.uri(key), error))?;
        self.body(key, object).await
    }

    async fn body(&self, key: &str, object: GetObjectOutput) -> Result<Bytes, Error> {
        let body = object.body.collect().await;
        let failed = |source| Error::Unreachable { action: "s3:GetObject", object: self.uri(key), source };
        body.map(aws_sdk_s3::primitives::AggregatedBytes::into_bytes).map_err(|error| failed(Box::new(error)))
    }

    /// All objects below `prefix`, in the order of their keys.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<Object>, Error> {
        let mut pages = self.client.list_objects_v2().bucket(self.name).prefix(prefix).into_paginator().send();
        let mut objects = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::aws("s3:ListBucket", self.uri(prefix), error))?;
            objects.extend(page.contents.unwrap_or_default().into_iter().filter_map(Object::listed));
        }
        Ok(objects)
    }

    /// The folders that begin with `prefix` and come after `start_after`.
    pub(crate) async fn folders(&self, prefix: &str, start_after: &str) -> Result<Vec<String>, Error> {
        let request = self.client.list_objects_v2().bucket(self.name).prefix(prefix).delimiter("/");
        let mut pages = request.start_after(start_after).into_paginator().send();
        let mut folders = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::aws("s3:ListBucket", self.uri(prefix), error))?;
            folders.extend(page.common_prefixes.unwrap_or_default().into_iter().filter_map(|folder| folder.prefix));
        }
        Ok(folders)
    }

    pub(crate) async fn put(&self, key: &str, body: Vec<u8>) -> Result<(), Error> {
        let request = self.client.put_object().bucket(self.name).key(key).content_type("application/json");
        let answer = request.body(ByteStream::from(body)).send().await;
        answer.map(|_| ()).map_err(|error| Error::aws("s3:PutObject", self.uri(key), error))
    }

    /// Writes an object only where there is none.
    pub(crate) async fn create(&self, key: &str, body: Vec<u8>) -> Result<Created, Error> {
        let request = self.client.put_object().bucket(self.name).key(key).content_type("application/json");
        let answer = request.if_none_match("*").body(ByteStream::from(body)).send().await;
        match answer {
            Ok(_) => Ok(Created::Now),
            // 412: it is there. 409: another create of it is under way, so that it is there in a moment.
            Err(error) if matches!(status(&error), Some(412 | 409)) => Ok(Created::Before),
            Err(error) => Err(Error::aws("s3:PutObject", self.uri(key), error)),
        }
    }

    /// A copy within the bucket, encrypted with `kms_key_id` where the original is: without it, S3 would use the
    /// bucket's default, which may be weaker.
    pub(crate) async fn copy(&self, from: &str, to: &str, kms_key_id: Option<&str>) -> Result<(), Error> {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(COPY_TIMEOUT).operation_timeout(COPY_TIMEOUT);
        let patient = Builder::new().timeout_config(timeouts.build());
        let source = format!("{}/{}", self.name, percent_encoded(from));
        let mut request = self.client.copy_object().bucket(self.name).key(to).copy_source(source);
        if let Some(key) = kms_key_id {
            request = request.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key);
        }
        let answer = request.customize().config_override(patient).send().await;
        answer.map(|_| ()).map_err(|error| Error::aws("s3:PutObject", self.uri(to), error))
    }

    pub(crate) async fn delete(&self, keys: &[String]) -> Result<(), Error> {
        for keys in keys.chunks(KEYS_IN_ONE_DELETE) {
            let whole = |source| Error::AwsFailed { action: "s3:DeleteObject", object: self.uri(&keys[0]), source };
            let ids = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build()).collect::<Result<_, _>>();
            let ids = ids.map_err(|error| whole(Box::new(error)))?;
            let delete = Delete::builder().set_objects(Some(ids)).quiet(true).build();
            let delete = delete.map_err(|error| whole(Box::new(error)))?;
            let answer = self.client.delete_objects().bucket(self.name).delete(delete).send().await;
            let answer = answer.map_err(|error| Error::aws("s3:DeleteObject", self.uri(&keys[0]), error))?;
            // A call that succeeded can have left single keys.
            if let Some(error) = answer.errors().first() {
                let key = error.key().unwrap_or_default();
                let (code, message) = (error.code().unwrap_or_default(), error.message().unwrap_or_default());
                let source = format!("{code}: {message}").into();
                return Err(Error::AwsFailed { action: "s3:DeleteObject", object: self.uri(key), source });
            }
        }
        Ok(())
    }

    fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }
}

fn status<E>(error: &SdkError<E, aws_sdk_s3::config::http::HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E, aws_sdk_s3::config::http::HttpResponse>) -> bool {
    error.code() == Some("NoSuchKey") || (status(error) == Some(404) && error.code().is_none())
}

/// A copy's source is a header, not a path: the SDK leaves its encoding to us.
fn percent_encoded(key: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}"); // a string takes everything
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_of_a_copy_survives_the_header() {
        assert_eq!(
            percent_encoded("a-1/shop/shop.注文 +/1/p.parquet"),
            "a-1/shop/shop.%E6%B3%A8%E6%96%87%20%2B/1/p.parquet"
        );
    }
}
