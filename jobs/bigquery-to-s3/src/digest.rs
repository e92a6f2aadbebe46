//! SHA-256: of a body it decides whether a row changed, is what the request's signature covers, and is the checksum that
//! S3 keeps. One computation for all three. MD5 is only what S3 lists.

use std::fmt::Write;

use md5::Md5;
use sha2::{Digest, Sha256};

pub fn sha256(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The `ETag` of an object that was put in one piece, unless it is encrypted with a KMS key.
/// Source: Amazon S3 API reference, "Object", `ETag`.
pub fn md5(bytes: impl AsRef<[u8]>) -> [u8; 16] {
    <Md5 as md5::Digest>::digest(bytes).into()
}

pub fn hex(hash: &[u8]) -> String {
    hash.iter().fold(String::with_capacity(2 * hash.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
