//! The objects of the local S3, shared by its wire and by whoever looks at them in this process.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use md5::{Digest, Md5};

/// A cheap handle: clones see the same objects.
#[derive(Debug, Clone, Default)]
pub struct Store(Arc<Mutex<BTreeMap<String, Bucket>>>);

#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) created: SystemTime,
    pub(super) objects: BTreeMap<String, Object>,
    /// Encrypted with a KMS key: then no `ETag` is the MD5 of the bytes.
    kms: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Object {
    pub bytes: Bytes,
    /// Without quotes.
    pub etag: String,
    /// The checksum that came with it, in base64.
    pub sha256: Option<String>,
    pub last_modified: SystemTime,
    pub content_type: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

/// An object without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    pub size: u64,
    pub etag: String,
    pub last_modified: SystemTime,
}

/// What must hold of the object that stands at a key before it is replaced or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    None,
    /// `If-None-Match: *`
    Missing,
    /// `If-Match: *`
    Exists,
    /// `If-Match: "…"`
    Is(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("there is no such bucket")]
    NoBucket,
    #[error("there is no object to match")]
    NoObject,
    #[error("the condition does not hold")]
    Condition,
}

impl Object {
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let etag = hex(&Md5::digest(&bytes));
        let (last_modified, metadata) = (SystemTime::now(), BTreeMap::new());
        Self { bytes, etag, sha256: None, last_modified, content_type: None, metadata }
    }

    fn listed(&self, key: &str) -> Listed {
        let (etag, last_modified) = (self.etag.clone(), self.last_modified);
        Listed { key: key.to_owned(), size: self.bytes.len() as u64, etag, last_modified }
    }
}

impl Condition {
    fn check(&self, standing: Option<&Object>) -> Result<(), Refused> {
        match (self, standing) {
            (Self::None, _) | (Self::Missing, None) | (Self::Exists, Some(_)) => Ok(()),
            (Self::Is(etag), Some(object)) if object.etag == *etag => Ok(()),
            (Self::Exists | Self::Is(_), None) => Err(Refused::NoObject),
            (Self::Missing | Self::Is(_), Some(_)) => Err(Refused::Condition),
        }
    }
}

impl Store {
    pub fn create_bucket(&self, bucket: &str) {
        self.lock().entry(bucket.to_owned()).or_insert_with(Bucket::new);
    }

    /// As if the bucket's default encryption were this KMS key, from now on.
    pub fn encrypt_with_kms(&self, bucket: &str, key_arn: &str) {
        self.lock().entry(bucket.to_owned()).or_insert_with(Bucket::new).kms = Some(key_arn.to_owned());
    }

    /// As a write is answered: by S3's own key where no other is set.
    pub(super) fn encryption(&self, bucket: &str) -> (&'static str, Option<String>) {
        let key = self.lock().get(bucket).and_then(|bucket| bucket.kms.clone());
        (if key.is_some() { "aws:kms" } else { "AES256" }, key)
    }

    pub fn has_bucket(&self, bucket: &str) -> bool {
        self.lock().contains_key(bucket)
    }

    /// Creates the bucket if need be. Returns the ETag.
    pub fn put(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) -> String {
        self.create_bucket(bucket);
        self.put_if(bucket, key, &Condition::None, Object::new(bytes)).unwrap_or_default()
    }

    /// Writes the whole object if `condition` holds of what stands there, in one step.
    pub fn put_if(
        &self,
        bucket: &str,
        key: &str,
        condition: &Condition,
        mut object: Object,
    ) -> Result<String, Refused> {
        let mut buckets = self.lock();
        let Bucket { objects, kms, .. } = buckets.get_mut(bucket).ok_or(Refused::NoBucket)?;
        if kms.is_some() {
            object.etag = uuid::Uuid::new_v4().simple().to_string();
        }
        condition.check(objects.get(key))?;
        let etag = object.etag.clone();
        objects.insert(key.to_owned(), object);
        Ok(etag)
    }

    pub fn get(&self, bucket: &str, key: &str) -> Option<Object> {
        self.lock().get(bucket)?.objects.get(key).cloned()
    }

    pub fn head(&self, bucket: &str, key: &str) -> Option<Listed> {
        self.lock().get(bucket)?.objects.get(key).map(|object| object.listed(key))
    }

    /// Every object whose key begins with `prefix`, in the order of their keys.
    pub fn list(&self, bucket: &str, prefix: &str) -> Vec<Listed> {
        let buckets = self.lock();
        let Some(bucket) = buckets.get(bucket) else { return Vec::new() };
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let under = bucket.objects.range::<str, _>(from).take_while(|(key, _)| key.starts_with(prefix));
        under.map(|(key, object)| object.listed(key)).collect()
    }

    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        self.list(bucket, prefix).into_iter().map(|object| object.key).collect()
    }

    /// Whether there was such an object.
    pub fn delete(&self, bucket: &str, key: &str) -> bool {
        self.lock().get_mut(bucket).is_some_and(|bucket| bucket.objects.remove(key).is_some())
    }

    pub fn delete_if(&self, bucket: &str, key: &str, condition: &Condition) -> Result<(), Refused> {
        let mut buckets = self.lock();
        let objects = &mut buckets.get_mut(bucket).ok_or(Refused::NoBucket)?.objects;
        condition.check(objects.get(key))?;
        objects.remove(key);
        Ok(())
    }

    /// Makes every object under `prefix` look as if written at `time`; returns how many.
    pub fn set_last_modified(&self, bucket: &str, prefix: &str, time: SystemTime) -> usize {
        let mut buckets = self.lock();
        let Some(bucket) = buckets.get_mut(bucket) else { return 0 };
        let under = bucket.objects.iter_mut().filter(|(key, _)| key.starts_with(prefix));
        under.map(|(_, object)| object.last_modified = time).count()
    }

    /// How many objects a bucket has.
    pub fn len(&self, bucket: &str) -> usize {
        self.lock().get(bucket).map_or(0, |bucket| bucket.objects.len())
    }

    pub fn is_empty(&self, bucket: &str) -> bool {
        self.len(bucket) == 0
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bucket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    fn new() -> Self {
        Self { created: SystemTime::now(), objects: BTreeMap::new(), kms: None }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_written_whole_or_not_at_all() {
        let store = Store::default();
        assert_eq!(store.put_if("b", "k", &Condition::None, Object::new("x")), Err(Refused::NoBucket));
        let first = store.put("b", "k", "one");
        assert_eq!(first, "f97c5d29941bfb1b2fdab0874906ab82");
        assert_eq!(store.put_if("b", "k", &Condition::Missing, Object::new("two")), Err(Refused::Condition));
        assert_eq!(
            store.put_if("b", "other", &Condition::Is(first.clone()), Object::new("two")),
            Err(Refused::NoObject)
        );
        assert!(store.put_if("b", "k", &Condition::Is(first.clone()), Object::new("two")).is_ok());
        assert_eq!(store.put_if("b", "k", &Condition::Is(first), Object::new("three")), Err(Refused::Condition));
        assert_eq!(store.get("b", "k").unwrap().bytes, "two");
    }

    #[test]
    fn a_prefix_lists_what_begins_with_it_and_nothing_else() {
        let store = Store::default();
        for key in ["a/1", "a/2", "ab", "b/1"] {
            store.put("b", key, key);
        }
        assert_eq!(store.keys("b", "a/"), ["a/1", "a/2"]);
        assert_eq!((store.len("b"), store.len("none")), (4, 0));
        assert!(store.delete("b", "a/1") && !store.delete("b", "a/1"));
        assert_eq!(store.set_last_modified("b", "", SystemTime::UNIX_EPOCH), 3);
        assert_eq!(store.head("b", "ab").unwrap().last_modified, SystemTime::UNIX_EPOCH);
    }
}
