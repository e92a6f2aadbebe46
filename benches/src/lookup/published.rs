//! A generation of numbered rows, written straight into S3 with the job's own file format.

use anyhow::Result;
use arrow_array::StringArray;
use bigquery_to_s3::digest::{hex, sha256};
use bigquery_to_s3::shard_file;
use chrono::Utc;
use handoff::sync::{
    Current, Destination, Generation, GenerationManifest, KeyHash, Layout, SYNC_VERSION, ShardFile, ShardRecord,
    SyncKey, Totals,
};
use local::s3::Store;

pub const BUCKET: &str = "bench-app";
pub const SYNC: &str = "user-profiles";

pub fn key(n: u32) -> String {
    format!("user-{n:08}")
}

/// About 200 bytes that do not compress to nothing: a part of them is the row's own hash.
pub fn body(n: u32) -> String {
    let own = hex(&sha256(key(n)));
    format!(
        "{{\"user_id\":\"{}\",\"name\":\"User {n}\",\"score\":{},\"segment\":\"{own}\",\"updated_at\":\"2026-11-25T19:00:00Z\",\
         \"country\":\"JP\",\"plan\":\"standard\"}}",
        key(n),
        n % 1000
    )
}

pub fn publish(store: &Store, layout: Layout, rows: u32, shards: u32) -> Result<()> {
    store.create_bucket(BUCKET);
    let destination = Destination { bucket: BUCKET.to_owned(), prefix: SYNC.to_owned() };
    let generation: Generation = "20261125T190000Z".parse()?;
    let mut of_shard = vec![Vec::new(); shards as usize];
    for n in 0..rows {
        // Numbers of eight digits: their order is that of the keys.
        of_shard[KeyHash::of(&key(n)).shard(shards) as usize].push(n);
    }
    let mut records = Vec::new();
    for (shard, numbers) in (0..).zip(&of_shard) {
        let totals = Totals { rows: numbers.len() as u64, ..Totals::default() };
        let file = match (layout, &numbers[..]) {
            (_, []) => None,
            (Layout::Packed, numbers) => Some(packed(numbers)?),
            (Layout::Objects, numbers) => {
                for n in numbers {
                    store.put(BUCKET, &destination.object_key(&key(*n), KeyHash::of(&key(*n))), body(*n));
                }
                None
            }
        };
        let file = file.map(|bytes| {
            let (size, sha256) = (bytes.len() as u64, hex(&sha256(&bytes)));
            store.put(BUCKET, &destination.key(&SyncKey::Shard(&generation, shard)), bytes);
            ShardFile { generation: generation.clone(), bytes: size, sha256 }
        });
        records.push(ShardRecord { shard, totals, file });
    }
    let manifest = manifest(layout, &generation, u64::from(rows), shards, records);
    store.put(BUCKET, &destination.key(&SyncKey::Manifest(&generation)), manifest.to_json());
    let current = serde_json::to_vec(&Current::new(&destination, &generation))?;
    store.put(BUCKET, &destination.key(&SyncKey::Current), current);
    Ok(())
}

fn packed(numbers: &[u32]) -> Result<bytes::Bytes> {
    let keys = StringArray::from_iter_values(numbers.iter().map(|n| key(*n)));
    let (mut bodies, mut offsets) = (String::new(), vec![0]);
    for n in numbers {
        bodies += &body(*n);
        offsets.push(i32::try_from(bodies.len())?);
    }
    shard_file::write_packed(keys, bodies.into(), offsets)
}

fn manifest(
    layout: Layout,
    generation: &Generation,
    rows: u64,
    shards: u32,
    records: Vec<ShardRecord>,
) -> GenerationManifest {
    GenerationManifest {
        version: SYNC_VERSION,
        sync: SYNC.to_owned(),
        scratch: None,
        verified: None,
        layout,
        generation: generation.clone(),
        previous: None,
        published_at: Utc::now(),
        key: "user_id".to_owned(),
        query_sha256: String::new(),
        shards,
        totals: Totals { rows, ..Totals::default() },
        changes: Vec::new(),
        rejects: Vec::new(),
        records,
    }
}
