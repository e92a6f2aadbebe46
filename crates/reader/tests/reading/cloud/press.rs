//! Publishes as bigquery-to-s3 does, with its own writers of files, but out of a map.

use std::collections::BTreeMap;

use bigquery_to_s3::delta::{Delta, Held, delta};
use bigquery_to_s3::digest::{hex, md5, sha256};
use bigquery_to_s3::{change_file, shard_file};
use bytes::Bytes;
use handoff::sync::{
    Current, Destination, Generation, GenerationManifest, KeyHash, Layout, SYNC_VERSION, ShardFile, ShardRange,
    ShardRecord, SyncKey, Totals,
};
use local::s3::Store;

use super::{BUCKET, Cloud};

pub type Rows = BTreeMap<String, String>;

pub struct Press {
    store: Store,
    pub sync: String,
    pub destination: Destination,
    layout: Layout,
    pub shards: u32,
    standing: Rows,
    previous: Option<GenerationManifest>,
}

/// A generation that is written, and not published.
pub struct Written {
    pub manifest: GenerationManifest,
    vanished: Vec<String>,
    rows: Rows,
}

impl Press {
    pub fn new(cloud: &Cloud, sync: &str, layout: Layout, shards: u32) -> Self {
        let destination = Destination { bucket: BUCKET.into(), prefix: sync.into() };
        let store = cloud.s3.store().clone();
        Self { store, sync: sync.into(), destination, layout, shards, standing: Rows::new(), previous: None }
    }

    pub fn publish(&mut self, rows: &Rows) -> Generation {
        let written = self.write(rows);
        self.flip(written)
    }

    /// Everything that comes before the flip.
    pub fn write(&self, rows: &Rows) -> Written {
        let latest = self.previous.as_ref().map(|previous| &previous.generation);
        let generation = Generation::next("2026-11-25T19:00:00Z".parse().unwrap(), latest);
        let delta = self.delta(rows);
        let records: Vec<ShardRecord> = (0..self.shards).map(|shard| self.shard(&generation, shard, rows)).collect();
        if self.layout == Layout::Objects {
            for n in &delta.writes {
                let (key, body) = rows.iter().nth(*n).unwrap();
                self.put(&self.destination.object_key(key, KeyHash::of(key)), body.clone());
            }
        }
        let mut totals = Totals { rows: rows.len() as u64, ..delta.totals };
        totals.bytes = rows.values().map(|body| body.len() as u64).sum();
        let changes =
            self.destination.key(&SyncKey::Changes(&generation, ShardRange { first: 0, last: self.shards - 1 }));
        self.put(&changes, change_file::write(&delta.changes).unwrap());
        let manifest = GenerationManifest {
            version: SYNC_VERSION,
            sync: self.sync.clone(),
            scratch: None,
            verified: None,
            layout: self.layout,
            previous: latest.cloned(),
            published_at: "2026-11-25T19:03:00Z".parse().unwrap(),
            key: "id".into(),
            query_sha256: String::new(),
            shards: self.shards,
            totals,
            changes: vec![changes],
            rejects: Vec::new(),
            records,
            generation,
        };
        let vanished = self.standing.keys().filter(|key| !rows.contains_key(*key)).cloned().collect();
        Written { manifest, vanished, rows: rows.clone() }
    }

    pub fn flip(&mut self, written: Written) -> Generation {
        let flipped = self.flip_only(&written);
        self.sweep(&written);
        self.settle(written);
        flipped
    }

    pub fn flip_only(&self, written: &Written) -> Generation {
        let generation = &written.manifest.generation;
        self.put(&self.destination.key(&SyncKey::Manifest(generation)), written.manifest.to_json());
        let current = serde_json::to_vec(&Current::new(&self.destination, generation)).unwrap();
        self.put(&self.destination.key(&SyncKey::Current), current);
        generation.clone()
    }

    /// The deletes that come after the flip.
    pub fn sweep(&self, written: &Written) {
        if self.layout == Layout::Objects {
            for key in &written.vanished {
                self.store.delete(BUCKET, &self.destination.object_key(key, KeyHash::of(key)));
            }
            self.put(&self.destination.key(&SyncKey::Deleted(&written.manifest.generation)), "{}");
        }
    }

    pub fn settle(&mut self, written: Written) {
        self.standing = written.rows;
        self.previous = Some(written.manifest);
    }

    fn delta(&self, rows: &Rows) -> Delta {
        let held = self.standing.iter().map(|(key, body)| Held {
            key: key.clone(),
            value: Some(body.clone().into_bytes()),
            published: true,
            touched: false,
        });
        delta(held, rows.iter().map(|(key, body)| (key.as_str(), body.as_bytes())))
    }

    fn shard(&self, generation: &Generation, shard: u32, rows: &Rows) -> ShardRecord {
        let of_shard = rows.iter().filter(|(key, _)| KeyHash::of(key).shard(self.shards) == shard);
        let of_shard: Vec<(&String, &String)> = of_shard.collect();
        let totals = Totals { rows: of_shard.len() as u64, ..Totals::default() };
        if of_shard.is_empty() {
            return ShardRecord { shard, totals, file: None };
        }
        let bytes = self.file(&of_shard);
        let hash = hex(&sha256(&bytes));
        let standing = self.previous.as_ref().and_then(|previous| previous.records[shard as usize].file.clone());
        if let Some(same) = standing.filter(|standing| standing.sha256 == hash) {
            return ShardRecord { shard, totals, file: Some(same) };
        }
        let file = ShardFile { generation: generation.clone(), bytes: bytes.len() as u64, sha256: hash };
        self.put(&self.destination.key(&SyncKey::Shard(generation, shard)), bytes);
        ShardRecord { shard, totals, file: Some(file) }
    }

    fn file(&self, rows: &[(&String, &String)]) -> Bytes {
        let keys = arrow_array::StringArray::from_iter_values(rows.iter().map(|(key, _)| key.as_str()));
        if self.layout == Layout::Objects {
            let sha256: Vec<_> = rows.iter().map(|(_, body)| sha256(body)).collect();
            let md5: Vec<_> = rows.iter().map(|(_, body)| md5(body)).collect();
            return shard_file::write_objects(keys, &sha256, &md5).unwrap();
        }
        let ends = rows.iter().scan(0, |end, (_, body)| {
            *end += i32::try_from(body.len()).unwrap();
            Some(*end)
        });
        let offsets = std::iter::once(0).chain(ends).collect();
        let bodies: String = rows.iter().map(|(_, body)| body.as_str()).collect();
        shard_file::write_packed(keys, bodies.into(), offsets).unwrap()
    }

    /// The object of a shard, by its key.
    pub fn shard_key(&self, shard: u32) -> String {
        let file = self.previous.as_ref().unwrap().records[shard as usize].file.clone().unwrap();
        self.destination.key(&SyncKey::Shard(&file.generation, shard))
    }

    pub fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        self.store.put(BUCKET, key, bytes);
    }

    pub fn get(&self, key: &str) -> Bytes {
        self.store.get(BUCKET, key).unwrap().bytes
    }
}

/// `count` rows that tell their version.
pub fn numbered(count: usize, version: usize) -> Rows {
    (0..count).map(|n| (key(n), format!("{{\"n\":{n},\"version\":{version}}}"))).collect()
}

pub fn key(n: usize) -> String {
    format!("user-{n:06}")
}

/// Rows whose bodies hardly get smaller, so that few make a large shard.
pub fn bulky(count: usize, bytes: usize) -> Rows {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..count)
        .map(|n| {
            let text: String = (0..bytes / 16).map(|_| format!("{:016x}", next())).collect();
            (key(n), format!("{{\"n\":{n},\"text\":\"{text}\"}}"))
        })
        .collect()
}
