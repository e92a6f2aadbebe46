use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Generation, KeyHash, folder_name, object_file_name};

/// Where a sync publishes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    pub bucket: String,
    /// No slash at either end.
    pub prefix: String,
}

impl Destination {
    /// The key of an object of this sync. No other place builds one.
    pub fn key(&self, of: &SyncKey<'_>) -> String {
        format!("{}/{of}", self.prefix)
    }

    /// What the objects of a folder begin with: `{prefix}/0110/`.
    pub fn folder(&self, folder: u32) -> String {
        format!("{}/{}/", self.prefix, folder_name(folder))
    }

    /// The object of a row in layout `objects`: `{prefix}/0110/user-1.json`.
    pub fn object_key(&self, key: &str, hash: KeyHash) -> String {
        format!("{}/{}/{}", self.prefix, hash.folder(), object_file_name(key))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// Shards that were read and finished together, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ShardRange {
    pub first: u32,
    pub last: u32,
}

impl fmt::Display for ShardRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:05}-{:05}", self.first, self.last)
    }
}

/// An object (or, where it says so, a prefix) under a sync's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncKey<'a> {
    /// `CURRENT`: which generation readers read.
    Current,
    /// `lease.json`: which execution may write.
    Lease,
    /// `g/`: under it, one prefix for each generation.
    Generations,
    /// `g/{generation}/`
    Generation(&'a Generation),
    /// What the generation is made of; written first.
    Started(&'a Generation),
    /// `g/{generation}/{shard}.parquet`: the rows of a shard (packed), or the hashes of its objects.
    Shard(&'a Generation, u32),
    /// What became of a range of shards; written when all of it stands in S3.
    Done(&'a Generation, ShardRange),
    DonePrefix(&'a Generation),
    /// As `Done`, of a range that was compared and not yet written.
    Compared(&'a Generation, ShardRange),
    ComparedPrefix(&'a Generation),
    /// The keys that were created, updated or deleted.
    Changes(&'a Generation, ShardRange),
    /// The rows that were not published, and why.
    Rejects(&'a Generation, ShardRange),
    /// `g/{generation}/manifest.json`: the generation is whole.
    Manifest(&'a Generation),
    Summary(&'a Generation),
    /// The objects of vanished keys are gone (layout `objects`).
    Deleted(&'a Generation),
    /// The log has the line that says that it is published.
    Told(&'a Generation),
}

impl fmt::Display for SyncKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("CURRENT"),
            Self::Lease => f.write_str("lease.json"),
            Self::Generations => f.write_str("g/"),
            Self::Generation(generation) => write!(f, "g/{generation}/"),
            Self::Started(generation) => write!(f, "g/{generation}/started.json"),
            Self::Shard(generation, shard) => write!(f, "g/{generation}/{shard:05}.parquet"),
            Self::Done(generation, range) => write!(f, "g/{generation}/done/{range}.json"),
            Self::Compared(generation, range) => write!(f, "g/{generation}/compared/{range}.json"),
            Self::ComparedPrefix(generation) => write!(f, "g/{generation}/compared/"),
            Self::DonePrefix(generation) => write!(f, "g/{generation}/done/"),
            Self::Changes(generation, range) => write!(f, "g/{generation}/changes/{range}.parquet"),
            Self::Rejects(generation, range) => write!(f, "g/{generation}/rejects/{range}.jsonl"),
            Self::Manifest(generation) => write!(f, "g/{generation}/manifest.json"),
            Self::Summary(generation) => write!(f, "g/{generation}/summary.json"),
            Self::Told(generation) => write!(f, "g/{generation}/told.json"),
            Self::Deleted(generation) => write!(f, "g/{generation}/deleted.json"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_a_sync_stands_under_its_prefix() {
        let sync = Destination { bucket: "acme".into(), prefix: "user-profiles".into() };
        let generation = &"20261125T190000Z".parse().unwrap();
        let range = ShardRange { first: 0, last: 63 };
        for (key, expected) in [
            (SyncKey::Current, "user-profiles/CURRENT"),
            (SyncKey::Shard(generation, 42), "user-profiles/g/20261125T190000Z/00042.parquet"),
            (SyncKey::Done(generation, range), "user-profiles/g/20261125T190000Z/done/00000-00063.json"),
            (SyncKey::Manifest(generation), "user-profiles/g/20261125T190000Z/manifest.json"),
        ] {
            assert_eq!(sync.key(&key), expected);
        }
        assert_eq!(sync.object_key("1", KeyHash::of("1")), "user-profiles/0110/1.json");
    }
}
