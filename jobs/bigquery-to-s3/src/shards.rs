//! A shard is the unit of work: rows → sorted → rendered → compared with what stands in S3 → written → done.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::StringArray;
use bytes::Bytes;
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use handoff::sync::{
    Destination, Generation, GenerationManifest, Layout, ShardFile, ShardRange, ShardRecord, SyncKey, Totals,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::as_it_was::ensure_as_it_was;
use crate::counters::Counters;
use crate::delta::{Change, Delta, delta, delta_as_read};
use crate::digest::{hex, sha256};
use crate::inspection::Found;
use crate::put::{Put, PutEngine};
use crate::read::{Chunk, ReadRows};
use crate::rows::{ChunkRows, Reject, Rendered, Rendering};
use crate::scratch::ScratchTable;
use crate::standing::{Standing, Stands};
use crate::{change_file, shard_file};

/// Shards of a chunk in flight at once: enough that the PUT window is full although each waits for S3 now and then.
const SHARDS_IN_FLIGHT: usize = 24;

/// What became of a range of shards: the proof that it stands in S3, and all that the manifest has to say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub records: Vec<ShardRecord>,
    pub changes: Option<String>,
    pub rejects: Option<String>,
    /// What stood otherwise than it should, and is put right.
    #[serde(default)]
    pub found: Found,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Finds out what there is to write.
    Compare,
    Write,
}

/// Works on the shards of one generation of one sync.
pub struct Workshop {
    pub generation: Generation,
    pub rendering: Arc<Rendering>,
    /// Write every row, changed or not.
    pub full: bool,
    pub standing: Standing,
    pub table: ScratchTable,
    pub counters: Arc<Counters>,
    /// Going back: what has to come out.
    pub earlier: Option<GenerationManifest>,
    /// None where nothing may be written: a plan.
    pub writer: Option<Writer>,
    pub cores: Arc<Semaphore>,
}

/// Writes the immutable objects of a generation, and the rows.
pub struct Writer {
    pub engine: PutEngine,
    pub bucket: Arc<str>,
    pub destination: Destination,
}

/// A shard after the comparison, before the first write.
struct Prepared {
    record: ShardRecord,
    /// The shard's own object, where it differs from the standing one, or rows are written.
    file: Option<Body>,
    rendered: Rendered,
    delta: Delta,
    found: Found,
}

/// A shard beside what stands.
struct Compared {
    delta: Delta,
    found: Found,
    list_lost: bool,
}

#[derive(Clone)]
struct Body {
    bytes: Bytes,
    sha256: [u8; 32],
}

/// As the query says.
const SHARD_OF_NULL_KEYS: u32 = 0;

impl Workshop {
    /// Dying anywhere in here leaves the range undone: it is done again, and every write of it is one that may be
    /// repeated.
    pub async fn chunk(self: Arc<Self>, pass: Pass, chunk: Chunk, read: ReadRows) -> Result<Done> {
        let ShardRange { first, last } = chunk.range;
        let counted = &self.table.shard_rows[first as usize..=last as usize];
        let rows = Arc::new(ChunkRows::new(read, chunk.range, self.rendering.shards, counted)?);
        let shards = iter(first..=last).map(|shard| self.shard(pass, Arc::clone(&rows), shard));
        let mut worked: Vec<Worked> = shards.buffered(SHARDS_IN_FLIGHT).try_collect().await?;
        if let Some(worked) = worked.first_mut().filter(|worked| worked.record.shard == SHARD_OF_NULL_KEYS) {
            worked.reject_null_keys(self.table.null_keys);
        }
        let stands = pass == Pass::Write || worked.iter().all(|shard| shard.stands);
        let mut done = Done { records: Vec::new(), changes: None, rejects: None, found: Found::default() };
        let (mut changes, mut rejects) = (Vec::new(), Vec::new());
        for shard in worked {
            done.records.push(shard.record);
            done.found += shard.found;
            changes.extend(shard.changes);
            rejects.extend(shard.rejects);
        }
        let Some(writer) = &self.writer else { return Ok(done) };
        if stands && !changes.is_empty() {
            let key = writer.destination.key(&SyncKey::Changes(&self.generation, chunk.range));
            writer.put(&key, change_file::write(&changes)?, PARQUET).await?;
            done.changes = Some(key);
        }
        if !rejects.is_empty() {
            let key = writer.destination.key(&SyncKey::Rejects(&self.generation, chunk.range));
            writer.put(&key, lines(&rejects)?, "application/x-ndjson").await?;
            done.rejects = Some(key);
        }
        let mark = if stands { SyncKey::Done } else { SyncKey::Compared };
        let key = writer.destination.key(&mark(&self.generation, chunk.range));
        writer.put(&key, serde_json::to_vec(&done)?.into(), "application/json").await?;
        Ok(done)
    }

    async fn shard(&self, pass: Pass, rows: Arc<ChunkRows>, shard: u32) -> Result<Worked> {
        if pass == Pass::Compare && self.standing.is_nothing(shard, self.rendering.shards) {
            return self.judge(rows, shard).await.with_context(|| format!("shard {shard}"));
        }
        let prepared = self.prepare(rows, shard).await.with_context(|| format!("shard {shard}"))?;
        if let (Some(earlier), Pass::Compare) = (&self.earlier, pass) {
            let own = prepared.record.file.as_ref().map(|file| file.sha256.as_str());
            let same = ensure_as_it_was(earlier, &self.standing, shard, &prepared.rendered, own).await;
            same.with_context(|| format!("shard {shard}"))?;
        }
        if let (Some(writer), Pass::Write) = (&self.writer, pass) {
            self.write(writer, &prepared).await.with_context(|| format!("shard {shard}"))?;
        }
        let stands = !self.full && prepared.file.is_none() && prepared.delta.changes.is_empty();
        let (record, found) = (prepared.record, prepared.found);
        self.counters.rows_done.add(record.totals.rows + record.totals.rejected);
        Ok(Worked { record, stands, changes: prepared.delta.changes, rejects: prepared.rendered.rejects, found })
    }

    /// Where there is nothing to compare with, only what is refused is worth knowing.
    async fn judge(&self, rows: Arc<ChunkRows>, shard: u32) -> Result<Worked> {
        let judged = self.on_a_core(move |rendering| rows.judge(shard, rendering)).await?;
        let (rows, rejects) = (judged.rows, judged.rejects);
        let rejected = rejects.iter().map(|reject| reject.rows).sum();
        let totals = Totals { rows, bytes: judged.bytes, created: rows, rejected, ..Totals::default() };
        self.counters.rows_done.add(rows + rejected);
        let record = ShardRecord { shard, totals, file: None };
        Ok(Worked { record, stands: rows == 0, changes: Vec::new(), rejects, found: Found::default() })
    }

    async fn on_a_core<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Rendering) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let rendering = Arc::clone(&self.rendering);
        let core = Arc::clone(&self.cores).acquire_owned().await?;
        let work = spawn_blocking(move || {
            let done = work(&rendering);
            drop(core);
            done
        });
        work.await.context("render")?
    }

    async fn prepare(&self, rows: Arc<ChunkRows>, shard: u32) -> Result<Prepared> {
        let work = move |rendering: &Rendering| {
            let rendered = rows.render(shard, rendering)?;
            drop(rows);
            let file = shard_object(rendering.layout, &rendered)?;
            Ok((rendered, file))
        };
        let (rendered, file) = self.on_a_core(work).await?;
        let shards = self.rendering.shards;
        let damage = self.standing.damage(shard).await?;
        let mut same = self.same(shard, file.as_ref()).filter(|_| damage.is_nothing());
        let (delta, mut found) = if same.is_some() && self.standing.is_clean(shard, shards) {
            (all_unchanged(&rendered), Found::default())
        } else {
            let Compared { delta, found, list_lost } = self.compare(shard, &rendered).await?;
            same = same.filter(|_| !list_lost);
            (delta, found)
        };
        found += damage;
        let own = file.as_ref().map(|file| ShardFile {
            generation: self.generation.clone(),
            bytes: file.bytes.len() as u64,
            sha256: hex(&file.sha256),
        });
        let mut totals = delta.totals;
        totals.rows = rendered.keys.len() as u64;
        totals.bytes = rendered.bodies.len() as u64;
        totals.rejected = rendered.rejects.iter().map(|reject| reject.rows).sum();
        // Where rows of an unfinished run are put right, the next run has to know of it, should this one not publish.
        let written = same.is_none() || !delta.writes.is_empty();
        let record = ShardRecord { shard, totals, file: same.or(own) };
        Ok(Prepared { record, file: file.filter(|_| written), rendered, delta, found })
    }

    /// The standing object of this shard, if it holds the very same rows.
    fn same(&self, shard: u32, file: Option<&Body>) -> Option<ShardFile> {
        let manifest = &self.standing.published.as_ref()?.manifest;
        let standing = manifest.records.get(shard as usize).filter(|_| manifest.shards == self.rendering.shards)?;
        standing.file.clone().filter(|standing| Some(&standing.sha256) == file.map(|file| hex(&file.sha256)).as_ref())
    }

    async fn compare(&self, shard: u32, rendered: &Rendered) -> Result<Compared> {
        let Rendering { shards, layout, .. } = *self.rendering;
        let values = (0..rendered.keys.len()).map(|n| (rendered.keys[n].as_str(), rendered.value(layout, n)));
        if let Some(held) = self.standing.held_packed(shard, shards).await? {
            return Ok(Compared { delta: delta_as_read(held, values)?, found: Found::default(), list_lost: false });
        }
        let Stands { held, found, list_lost } = self.standing.held(shard, shards, Some(rendered)).await?;
        Ok(Compared { delta: delta(held, values), found, list_lost })
    }

    /// First the list of what the shard's objects will be: should we die while they are written, the next run knows
    /// which ones to doubt.
    async fn write(&self, writer: &Writer, prepared: &Prepared) -> Result<()> {
        if let Some(file) = &prepared.file {
            let key = writer.destination.key(&SyncKey::Shard(&self.generation, prepared.record.shard));
            writer.put_hashed(key, file.clone(), PARQUET).await?;
        }
        if self.rendering.layout == Layout::Objects {
            let rows = &prepared.rendered;
            if self.full {
                writer.engine.put_all((0..rows.keys.len()).map(|n| writer.row(rows, n))).await?;
            } else {
                writer.engine.put_all(prepared.delta.writes.iter().map(|n| writer.row(rows, *n))).await?;
            }
        }
        Ok(())
    }
}

struct Worked {
    record: ShardRecord,
    /// There is nothing to write: all of it stands already.
    stands: bool,
    changes: Vec<(Change, String)>,
    rejects: Vec<Reject>,
    found: Found,
}

impl Worked {
    /// They were counted, not read: one line says it for all of them.
    fn reject_null_keys(&mut self, rows: u64) {
        if rows > 0 {
            self.record.totals.rejected += rows;
            self.rejects.push(Reject { key: None, reason: "the key is null".into(), rows });
        }
    }
}

const PARQUET: &str = "application/vnd.apache.parquet";

fn shard_object(layout: Layout, rendered: &Rendered) -> Result<Option<Body>> {
    if rendered.keys.is_empty() {
        return Ok(None);
    }
    let keys = StringArray::from_iter_values(&rendered.keys);
    let bytes = match layout {
        Layout::Packed => shard_file::write_packed(keys, rendered.bodies.clone(), rendered.offsets.clone())?,
        Layout::Objects => shard_file::write_objects(keys, &rendered.hashes, &rendered.md5s)?,
    };
    let sha256 = sha256(&bytes);
    Ok(Some(Body { bytes, sha256 }))
}

fn lines(rejects: &[Reject]) -> Result<Bytes> {
    let lines: Vec<String> = rejects.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    Ok((lines.join("\n") + "\n").into())
}

fn all_unchanged(rendered: &Rendered) -> Delta {
    let mut delta = Delta::default();
    delta.totals.unchanged = rendered.keys.len() as u64;
    delta
}

impl Writer {
    async fn put(&self, key: &str, bytes: Bytes, content_type: &'static str) -> Result<()> {
        let sha256 = sha256(&bytes);
        self.put_hashed(key.to_owned(), Body { bytes, sha256 }, content_type).await
    }

    async fn put_hashed(&self, key: String, body: Body, content_type: &'static str) -> Result<()> {
        let permit = self.engine.permit().await;
        let Body { bytes, sha256 } = body;
        let put = Put { bucket: Arc::clone(&self.bucket), key, body: bytes, sha256, content_type };
        Ok(self.engine.put(permit, put).await?)
    }

    fn row(&self, rendered: &Rendered, n: usize) -> Put {
        let row_key = &rendered.keys[n];
        let key = self.destination.object_key(row_key, handoff::sync::KeyHash::of(row_key));
        let (bucket, body, sha256) = (Arc::clone(&self.bucket), rendered.body(n), rendered.hashes[n]);
        Put { bucket, key, body, sha256, content_type: "application/json" }
    }
}
