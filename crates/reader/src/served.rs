//! A generation as its manifest describes it, in few bytes: what a request needs to find a row.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use handoff::from_hex;
use handoff::sync::{Destination, Generation, GenerationManifest, KeyHash, Layout, ShardRecord, SyncKey};

use crate::changes::{History, Mark};
use crate::shard::ShardObject;

#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) generation: Generation,
    pub(crate) published_at: DateTime<Utc>,
    pub(crate) rows: u64,
    pub(crate) layout: Layout,
    /// In layout packed, by shard: 65,536 of them take 4 MiB, where the manifest takes 16.
    pub(crate) files: Arc<[Option<File>]>,
    /// In layout objects: which keys changed when.
    pub(crate) history: Arc<History>,
    /// Whether the objects of vanished keys are known to be gone.
    pub(crate) swept: Arc<AtomicBool>,
}

pub(crate) struct File {
    generation: Arc<Generation>,
    bytes: u64,
    rows: u64,
    sha256: [u8; 32],
}

/// Where a key of layout packed is to be looked for.
pub(crate) struct Place<'a> {
    pub(crate) shard: u32,
    /// Who wrote the shard: as long as that does not change, neither do its rows.
    pub(crate) written_by: &'a Generation,
    file: &'a File,
}

impl Served {
    /// An error where the manifest cannot be what it says.
    pub(crate) fn new(manifest: &GenerationManifest, history: History) -> Result<Self, String> {
        let mut writers: BTreeSet<Arc<Generation>> = BTreeSet::new();
        let packed = manifest.records.iter().filter(|_| manifest.layout == Layout::Packed);
        let files: Result<Vec<Option<File>>, String> = packed.map(|record| File::of(record, &mut writers)).collect();
        Ok(Self {
            generation: manifest.generation.clone(),
            published_at: manifest.published_at,
            rows: manifest.totals.rows,
            layout: manifest.layout,
            files: files?.into(),
            history: Arc::new(history),
            swept: Arc::default(),
        })
    }

    /// Whether what stands under a key of layout objects may be cached. Between the flip and the deletes an object may
    /// still be there whose row is gone.
    pub(crate) fn is_settled(&self, mark: Mark) -> bool {
        self.swept.load(Ordering::Relaxed) || !self.history.may_linger(mark)
    }

    /// None where no row can be: the shard has none.
    pub(crate) fn place(&self, key: &str) -> Option<Place<'_>> {
        let shards = u32::try_from(self.files.len()).unwrap_or_default();
        let shard = KeyHash::of(key).shard(shards);
        let file = self.files.get(shard as usize)?.as_ref()?;
        Some(Place { shard, written_by: &file.generation, file })
    }
}

impl Place<'_> {
    pub(crate) fn object(&self, destination: &Destination) -> ShardObject {
        let File { generation, bytes, rows, sha256 } = self.file;
        let key = destination.key(&SyncKey::Shard(generation, self.shard));
        ShardObject { key, bytes: *bytes, sha256: *sha256, rows: *rows }
    }
}

impl File {
    fn of(record: &ShardRecord, writers: &mut BTreeSet<Arc<Generation>>) -> Result<Option<Self>, String> {
        let Some(file) = &record.file else { return Ok(None) };
        let sha256 = from_hex(&file.sha256).ok_or_else(|| format!("shard {} has no SHA-256", record.shard))?;
        let known = writers.get(&file.generation).cloned();
        let generation = known.unwrap_or_else(|| Arc::new(file.generation.clone()));
        writers.insert(Arc::clone(&generation));
        Ok(Some(Self { generation, bytes: file.bytes, rows: record.totals.rows, sha256 }))
    }
}
