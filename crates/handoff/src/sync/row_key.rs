use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

/// Sixteen bits of the hash are as many as one object for each shard makes sense with.
pub const MAX_SHARDS: u32 = 65_536;
/// Source: Amazon S3 user guide, "Naming Amazon S3 objects": at most 1,024 bytes of UTF-8.
pub const MAX_OBJECT_KEY_BYTES: usize = 1024;

/// How many digits of the hash begin an object's key: sixteen prefixes that S3 can split by, the same ones every day.
const FOLDER_BITS: u32 = 4;
/// How many folders hold the objects of a sync.
pub const FOLDERS: u32 = 1 << FOLDER_BITS;

/// RFC 3986's unreserved characters, as Python's `quote(key, safe="")` leaves them.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The first 32 bits of SHA-256 of a row's key (UTF-8): BigQuery computes the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyHash(u32);

impl KeyHash {
    pub fn of(key: &str) -> Self {
        let hash = Sha256::digest(key.as_bytes());
        Self(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]))
    }

    /// The shard of this key: the first bits of the hash, as many as `shards` (a power of two) has.
    pub fn shard(self, shards: u32) -> u32 {
        let bits = shards.trailing_zeros();
        if bits == 0 { 0 } else { self.0 >> (32 - bits) }
    }

    /// `0110`
    pub fn folder(self) -> String {
        folder_name(self.shard(FOLDERS))
    }
}

/// `0110`, of folder 6.
pub fn folder_name(folder: u32) -> String {
    format!("{folder:04b}")
}

/// The key of the row whose object has this name; none where no row's has.
pub fn key_of_object(file_name: &str) -> Option<String> {
    let key = percent_decode_str(file_name.strip_suffix(".json")?).decode_utf8().ok()?;
    (object_file_name(&key) == file_name).then(|| key.into_owned())
}

/// The last part of a row's object key: `%E6%9C%AC.json`. No key of a row can leave its folder.
pub fn object_file_name(key: &str) -> String {
    format!("{}.json", utf8_percent_encode(key, KEPT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_is_the_beginning_of_the_hash() {
        // printf 1 | sha256sum: 6b86b273…; printf 2: d4735e3a…
        let (one, two) = (KeyHash::of("1"), KeyHash::of("2"));
        assert_eq!([1, 2, 16, 256, 65_536].map(|shards| one.shard(shards)), [0, 0, 6, 0x6b, 0x6b86]);
        assert_eq!([1, 2, 16, 256, 65_536].map(|shards| two.shard(shards)), [0, 1, 13, 0xd4, 0xd473]);
        assert_eq!((one.folder().as_str(), two.folder().as_str()), ("0110", "1101"));
    }

    #[test]
    fn a_file_name_is_plain_ascii_and_one_path_segment() {
        for (key, name) in [
            ("user-1_a.b~c", "user-1_a.b~c.json"),
            ("a/b", "a%2Fb.json"),
            ("..", "...json"),
            ("50%", "50%25.json"),
            ("a b+c", "a%20b%2Bc.json"),
            ("本", "%E6%9C%AC.json"),
            ("🛫", "%F0%9F%9B%AB.json"),
        ] {
            assert_eq!(object_file_name(key), name);
            assert_eq!(key_of_object(name).as_deref(), Some(key));
        }
        for other in ["", "1", "a%2fb.json", "a b.json", "%FF.json", "1.json.bak"] {
            assert_eq!(key_of_object(other), None, "{other}");
        }
    }
}
