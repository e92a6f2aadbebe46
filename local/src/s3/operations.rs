//! The operations of S3 that this pipeline and its tools use.

#[allow(clippy::wildcard_imports)] // each operation has its input, its output and their parts
use s3s::dto::*;
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};

use super::listing::{MAX_KEYS, Query, page};
use super::reply::{blob, check_read, collect, condition, etag, length, no_such_key, partial, slice, timestamp};
use super::store::{Condition, Listed, Object as Stored, Refused, Store};
use super::uploads::Uploads;

const REGION: &str = "ap-northeast-1";

pub(super) struct Operations {
    store: Store,
    uploads: Uploads,
}

impl Operations {
    pub(super) fn new(store: Store) -> Self {
        Self { store, uploads: Uploads::default() }
    }

    fn bucket(&self, name: &str) -> S3Result<()> {
        if self.store.has_bucket(name) { Ok(()) } else { Err(Refused::NoBucket.into()) }
    }

    fn object(&self, bucket: &str, key: &str) -> S3Result<Stored> {
        self.bucket(bucket)?;
        self.store.get(bucket, key).ok_or_else(no_such_key)
    }
}

type Answer<T> = S3Result<S3Response<T>>;

#[async_trait::async_trait]
impl S3 for Operations {
    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
        let bucket = request.input.bucket;
        if self.store.has_bucket(&bucket) {
            return Err(s3_error!(
                BucketAlreadyOwnedByYou,
                "Your previous request to create the named bucket succeeded"
            ));
        }
        self.store.create_bucket(&bucket);
        Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{bucket}")) }))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        self.bucket(&request.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput { bucket_region: Some(REGION.into()), ..Default::default() }))
    }

    async fn get_bucket_location(&self, request: S3Request<GetBucketLocationInput>) -> Answer<GetBucketLocationOutput> {
        self.bucket(&request.input.bucket)?;
        let location_constraint = Some(BucketLocationConstraint::from(REGION.to_owned()));
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
        let bucket = |(name, bucket): (&String, &super::store::Bucket)| Bucket {
            name: Some(name.clone()),
            creation_date: Some(timestamp(bucket.created)),
            ..Default::default()
        };
        let buckets = self.store.lock().iter().map(bucket).collect();
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets), ..Default::default() }))
    }

    /// As of a bucket that keeps no versions: each object has one, which is called null.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>
    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> Answer<ListObjectVersionsOutput> {
        let input = request.input;
        self.bucket(&input.bucket)?;
        let listed = self.store.list(&input.bucket, input.prefix.as_deref().unwrap_or_default());
        let version = |object: Listed| ObjectVersion {
            key: Some(object.key),
            version_id: Some("null".into()),
            is_latest: Some(true),
            last_modified: Some(timestamp(object.last_modified)),
            ..Default::default()
        };
        let versions = listed.into_iter().map(version).collect();
        let output =
            ListObjectVersionsOutput { versions: Some(versions), is_truncated: Some(false), ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        let input = request.input;
        let object = self.object(&input.bucket, &input.key)?;
        check_read(&object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let (bytes, content_range) = slice(&object, input.range.as_ref())?;
        let output = GetObjectOutput {
            accept_ranges: Some("bytes".into()),
            content_length: Some(length(bytes.len())),
            content_range: content_range.clone(),
            content_type: object.content_type.clone(),
            e_tag: Some(etag(&object)),
            last_modified: Some(timestamp(object.last_modified)),
            metadata: Some(object.metadata.into_iter().collect()),
            body: Some(blob(bytes)),
            ..Default::default()
        };
        Ok(partial(output, content_range.as_deref()))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        let input = request.input;
        let object = self.object(&input.bucket, &input.key)?;
        check_read(&object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let (bytes, content_range) = slice(&object, input.range.as_ref())?;
        let output = HeadObjectOutput {
            accept_ranges: Some("bytes".into()),
            content_length: Some(length(bytes.len())),
            content_range: content_range.clone(),
            content_type: object.content_type.clone(),
            e_tag: Some(etag(&object)),
            last_modified: Some(timestamp(object.last_modified)),
            metadata: Some(object.metadata.into_iter().collect()),
            checksum_sha256: object.sha256.filter(|_| input.checksum_mode.is_some()),
            ..Default::default()
        };
        Ok(partial(output, content_range.as_deref()))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        let input = request.input;
        let condition = condition(input.if_match, input.if_none_match)?;
        let mut object = Stored::new(collect(input.body).await?);
        object.content_type = input.content_type;
        object.metadata = input.metadata.unwrap_or_default().into_iter().collect();
        object.sha256 = input.checksum_sha256;
        let e_tag = Some(ETag::Strong(self.store.put_if(&input.bucket, &input.key, &condition, object)?));
        let (encryption, ssekms_key_id) = self.store.encryption(&input.bucket);
        let server_side_encryption = Some(ServerSideEncryption::from_static(encryption));
        Ok(S3Response::new(PutObjectOutput { e_tag, server_side_encryption, ssekms_key_id, ..Default::default() }))
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        let input = request.input;
        let CopySource::Bucket { bucket, key, .. } = &input.copy_source else {
            return Err(s3_error!(NotImplemented, "Copy from an access point is not implemented here"));
        };
        let mut object = self.object(bucket, key)?;
        let (if_match, if_none_match) = (input.copy_source_if_match, input.copy_source_if_none_match);
        // A copy answers 412 for both conditions: it has no 304.
        check_read(&object, if_match.as_ref(), if_none_match.as_ref())
            .map_err(|_| S3Error::from(Refused::Condition))?;
        if input.metadata_directive.is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE) {
            object.content_type = input.content_type;
            object.metadata = input.metadata.unwrap_or_default().into_iter().collect();
        }
        // The copy of an object that came in parts is one whole: its ETag is that of its bytes.
        let (content_type, metadata) = (object.content_type, object.metadata);
        let copy = Stored { content_type, metadata, ..Stored::new(object.bytes) };
        let (e_tag, last_modified) = (Some(etag(&copy)), Some(timestamp(copy.last_modified)));
        self.store.put_if(&input.bucket, &input.key, &Condition::None, copy)?;
        let result = CopyObjectResult { e_tag, last_modified, ..Default::default() };
        Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
        let input = request.input;
        self.bucket(&input.bucket)?;
        self.store.delete_if(&input.bucket, &input.key, &condition(input.if_match, None)?)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(&self, request: S3Request<DeleteObjectsInput>) -> Answer<DeleteObjectsOutput> {
        let input = request.input;
        self.bucket(&input.bucket)?;
        if input.delete.objects.len() > MAX_KEYS {
            return Err(s3_error!(MalformedXML, "The XML you provided was not well-formed"));
        }
        let mut deleted = Vec::new();
        for object in input.delete.objects {
            self.store.delete(&input.bucket, &object.key);
            deleted.push(DeletedObject { key: Some(object.key), ..Default::default() });
        }
        let quiet = input.delete.quiet.unwrap_or(false);
        Ok(S3Response::new(DeleteObjectsOutput { deleted: (!quiet).then_some(deleted), ..Default::default() }))
    }

    async fn list_objects_v2(&self, request: S3Request<ListObjectsV2Input>) -> Answer<ListObjectsV2Output> {
        let input = request.input;
        let after = match &input.continuation_token {
            Some(token) => untoken(token)?,
            None => input.start_after.clone().unwrap_or_default(),
        };
        let max_keys = usize::try_from(input.max_keys.unwrap_or(1000)).unwrap_or(0).min(MAX_KEYS);
        let query = Query {
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref().unwrap_or_default(),
            after: &after,
            max_keys,
        };
        let page = {
            let buckets = self.store.lock();
            page(&buckets.get(&input.bucket).ok_or(Refused::NoBucket)?.objects, &query)
        };
        Ok(S3Response::new(listing(input, page, max_keys)))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        let input = request.input;
        self.bucket(&input.bucket)?;
        let mut base = Stored::new("");
        base.content_type = input.content_type;
        base.metadata = input.metadata.unwrap_or_default().into_iter().collect();
        let upload_id = Some(self.uploads.create(&input.bucket, &input.key, base));
        let (bucket, key) = (Some(input.bucket), Some(input.key));
        Ok(S3Response::new(CreateMultipartUploadOutput { bucket, key, upload_id, ..Default::default() }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        let input = request.input;
        let bytes = collect(input.body).await?;
        let part = self.uploads.part(&input.upload_id, &input.bucket, &input.key, input.part_number, bytes)?;
        Ok(S3Response::new(UploadPartOutput { e_tag: Some(etag(&part)), ..Default::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        let input = request.input;
        let condition = condition(input.if_match, input.if_none_match)?;
        let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let object = self.uploads.assemble(&input.upload_id, &input.bucket, &input.key, &parts)?;
        let e_tag = Some(etag(&object));
        self.store.put_if(&input.bucket, &input.key, &condition, object)?;
        self.uploads.forget(&input.upload_id, &input.bucket, &input.key)?;
        let (bucket, key) = (Some(input.bucket), Some(input.key));
        Ok(S3Response::new(CompleteMultipartUploadOutput { bucket, key, e_tag, ..Default::default() }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        let input = request.input;
        self.uploads.forget(&input.upload_id, &input.bucket, &input.key)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

fn listing(input: ListObjectsV2Input, page: super::listing::Page, max_keys: usize) -> ListObjectsV2Output {
    let url = input.encoding_type.as_ref().is_some_and(|encoding| encoding.as_str() == EncodingType::URL);
    let said = |text: String| if url { url_encoded(&text) } else { text };
    let object = |listed: Listed| Object {
        key: Some(said(listed.key)),
        e_tag: Some(ETag::Strong(listed.etag)),
        size: i64::try_from(listed.size).ok(),
        last_modified: Some(timestamp(listed.last_modified)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Default::default()
    };
    let count = page.objects.len() + page.common_prefixes.len();
    let folder = |prefix| CommonPrefix { prefix: Some(said(prefix)) };
    ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(said(input.prefix.unwrap_or_default())),
        max_keys: i32::try_from(max_keys).ok(),
        key_count: i32::try_from(count).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_deref().map(token),
        contents: Some(page.objects.into_iter().map(object).collect()),
        common_prefixes: Some(page.common_prefixes.into_iter().map(folder).collect()),
        delimiter: input.delimiter,
        encoding_type: input.encoding_type,
        start_after: input.start_after,
        ..Default::default()
    }
}

fn url_encoded(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, KEPT).to_string()
}

/// Opaque to clients, as S3's is: one that resumes at a key it saw would skip nothing, one that invents a token fails.
fn token(after: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(after)
}

fn untoken(token: &str) -> S3Result<String> {
    use base64::Engine;
    let refused = || s3_error!(InvalidArgument, "The continuation token provided is incorrect");
    let bytes = base64::engine::general_purpose::STANDARD.decode(token).map_err(|_| refused())?;
    String::from_utf8(bytes).map_err(|_| refused())
}
