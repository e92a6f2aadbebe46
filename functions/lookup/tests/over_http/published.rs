//! Generations in an S3 of one's own, written with the job's own file formats.

use std::collections::BTreeMap;

use arrow_array::StringArray;
use bigquery_to_s3::{change_file, delta::Change, shard_file};
use bytes::Bytes;
use chrono::Utc;
use handoff::sync::{
    Current, Destination, Generation, GenerationManifest, KeyHash, Layout, SYNC_VERSION, ShardFile, ShardRange,
    ShardRecord, SyncKey, Totals,
};
use local::s3::Store;
use sha2::{Digest, Sha256};

pub const BUCKET: &str = "acme-app";
const SHARDS: u32 = 8;

/// Rows of one sync: key and body.
pub type Rows = BTreeMap<String, String>;

pub fn rows(count: usize) -> Rows {
    (0..count).map(|n| (format!("user-{n}"), format!("{{\"id\": {n}, \"name\": \"利用者 {n}\"}}"))).collect()
}

pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn destination(sync: &str) -> Destination {
    Destination { bucket: BUCKET.to_owned(), prefix: sync.to_owned() }
}

/// Publishes a generation that holds `rows` and nothing else.
pub fn publish(store: &Store, sync: &str, layout: Layout, generation: &str, rows: &Rows) {
    publish_as(sync, store, &destination(sync), layout, generation, rows);
}

/// Sync `orders`, where `sync` has its place.
pub fn publish_of_another(store: &Store, sync: &str, generation: &str, rows: &Rows) {
    publish_as("orders", store, &destination(sync), Layout::Objects, generation, rows);
}

fn publish_as(sync: &str, store: &Store, destination: &Destination, layout: Layout, generation: &str, rows: &Rows) {
    let generation = generation.parse::<Generation>().unwrap();
    let put = |key: &SyncKey<'_>, bytes: Bytes| store.put(BUCKET, &destination.key(key), bytes);
    if layout == Layout::Objects {
        for (key, body) in rows {
            store.put(BUCKET, &destination.object_key(key, KeyHash::of(key)), body.clone());
        }
    }
    let records: Vec<ShardRecord> = (0..SHARDS)
        .map(|shard| {
            let of_shard: Vec<_> = rows.iter().filter(|(key, _)| KeyHash::of(key).shard(SHARDS) == shard).collect();
            let totals = Totals { rows: of_shard.len() as u64, ..Totals::default() };
            let file = (!of_shard.is_empty()).then(|| {
                let bytes = file(layout, &of_shard);
                put(&SyncKey::Shard(&generation, shard), bytes.clone());
                ShardFile { generation: generation.clone(), bytes: bytes.len() as u64, sha256: sha256(&bytes) }
            });
            ShardRecord { shard, totals, file }
        })
        .collect();
    let all = ShardRange { first: 0, last: SHARDS - 1 };
    let changes: Vec<_> = rows.keys().map(|key| (Change::Updated, key.clone())).collect();
    put(&SyncKey::Changes(&generation, all), change_file::write(&changes).unwrap());
    let manifest = GenerationManifest {
        version: SYNC_VERSION,
        sync: sync.to_owned(),
        scratch: None,
        verified: None,
        layout,
        generation: generation.clone(),
        previous: None,
        published_at: Utc::now(),
        key: "id".to_owned(),
        query_sha256: String::new(),
        shards: SHARDS,
        totals: Totals { rows: rows.len() as u64, ..Totals::default() },
        changes: vec![destination.key(&SyncKey::Changes(&generation, all))],
        rejects: Vec::new(),
        records,
    };
    put(&SyncKey::Manifest(&generation), manifest.to_json().into());
    put(&SyncKey::Deleted(&generation), Bytes::from("{}"));
    let current = serde_json::to_vec(&Current::new(destination, &generation)).unwrap();
    put(&SyncKey::Current, current.into());
}

fn file(layout: Layout, rows: &[(&String, &String)]) -> Bytes {
    let keys = StringArray::from_iter_values(rows.iter().map(|(key, _)| key));
    if layout == Layout::Objects {
        let sha256: Vec<_> = rows.iter().map(|(_, body)| Sha256::digest(body).into()).collect();
        let md5: Vec<_> = rows.iter().map(|(_, body)| bigquery_to_s3::digest::md5(body)).collect();
        return shard_file::write_objects(keys, &sha256, &md5).unwrap();
    }
    let (mut bodies, mut offsets) = (String::new(), vec![0]);
    for (_, body) in rows {
        bodies += body;
        offsets.push(i32::try_from(bodies.len()).unwrap());
    }
    shard_file::write_packed(keys, bodies.into(), offsets).unwrap()
}
