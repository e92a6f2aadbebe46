//! Multipart uploads that are under way.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use s3s::dto::CompletedPart;
use s3s::{S3Result, s3_error};

use super::store::{Object, hex};

/// Source: Amazon S3 user guide, "Amazon S3 multipart upload limits": every part but the last.
const MIN_PART_BYTES: usize = 5 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<BTreeMap<String, Upload>>);

#[derive(Debug)]
struct Upload {
    bucket: String,
    key: String,
    base: Object,
    parts: BTreeMap<i32, Object>,
}

impl Uploads {
    /// `base` carries the metadata that the whole object will have.
    pub(super) fn create(&self, bucket: &str, key: &str, base: Object) -> String {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let upload = Upload { bucket: bucket.to_owned(), key: key.to_owned(), base, parts: BTreeMap::new() };
        self.lock().insert(id.clone(), upload);
        id
    }

    /// A part that is sent twice replaces itself.
    pub(super) fn part(&self, id: &str, bucket: &str, key: &str, number: i32, bytes: Bytes) -> S3Result<Object> {
        if !(1..=10_000).contains(&number) {
            return Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"));
        }
        let mut uploads = self.lock();
        let upload = find(&mut uploads, id, bucket, key)?;
        let part = Object::new(bytes);
        upload.parts.insert(number, part.clone());
        Ok(part)
    }

    /// The whole object; the upload stays until `forget`, so that a refused write can be tried again.
    pub(super) fn assemble(&self, id: &str, bucket: &str, key: &str, parts: &[CompletedPart]) -> S3Result<Object> {
        let mut uploads = self.lock();
        let upload = find(&mut uploads, id, bucket, key)?;
        if parts.is_empty() {
            return Err(s3_error!(MalformedXML, "You must specify at least one part"));
        }
        if !parts.is_sorted_by_key(|part| part.part_number) {
            return Err(s3_error!(InvalidPartOrder, "The list of parts was not in ascending order."));
        }
        let chosen = parts.iter().map(|part| upload.chosen(part)).collect::<S3Result<Vec<_>>>()?;
        if chosen[..chosen.len() - 1].iter().any(|part| part.bytes.len() < MIN_PART_BYTES) {
            return Err(s3_error!(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size"));
        }
        Ok(whole(&upload.base, &chosen))
    }

    pub(super) fn forget(&self, id: &str, bucket: &str, key: &str) -> S3Result<()> {
        let mut uploads = self.lock();
        find(&mut uploads, id, bucket, key)?;
        uploads.remove(id);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Upload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upload {
    fn chosen(&self, part: &CompletedPart) -> S3Result<&Object> {
        let sent = part.part_number.and_then(|number| self.parts.get(&number));
        let same = |object: &&Object| part.e_tag.as_ref().is_none_or(|etag| etag.value() == object.etag);
        sent.filter(same)
            .ok_or_else(|| s3_error!(InvalidPart, "One or more of the specified parts could not be found."))
    }
}

fn find<'a>(uploads: &'a mut BTreeMap<String, Upload>, id: &str, bucket: &str, key: &str) -> S3Result<&'a mut Upload> {
    let upload = uploads.get_mut(id).filter(|upload| upload.bucket == bucket && upload.key == key);
    upload.ok_or_else(|| s3_error!(NoSuchUpload, "The specified multipart upload does not exist."))
}

/// The ETag is the MD5 of the parts' MD5s and their number.
fn whole(base: &Object, parts: &[&Object]) -> Object {
    let mut bytes = BytesMut::with_capacity(parts.iter().map(|part| part.bytes.len()).sum());
    let mut digest = Md5::new();
    for part in parts {
        bytes.extend_from_slice(&part.bytes);
        digest.update(Md5::digest(&part.bytes));
    }
    let etag = format!("{}-{}", hex(&digest.finalize()), parts.len());
    let last_modified = std::time::SystemTime::now();
    Object { bytes: bytes.freeze(), etag, last_modified, ..base.clone() }
}
