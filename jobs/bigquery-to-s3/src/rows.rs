//! The rows of a chunk, shard by shard: sorted by key, rendered, and those that cannot be published set aside.

#[cfg(test)]
mod tests;

use std::ops::Range;

use anyhow::{Context, Result, ensure};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, Int64Array, RecordBatch, StringArray};
use bytes::Bytes;
use handoff::sync::{Destination, KeyHash, Layout, MAX_OBJECT_KEY_BYTES, ShardRange};
use serde::Serialize;

use crate::digest::{md5, sha256};
use crate::inspection::Content;
use crate::json::{RowEncoder, RowFormat};
use crate::read::ReadRows;
use crate::scratch::{KEY_COLUMN, SHARD_COLUMN};
use crate::sieve::Repeated;

/// A chunk as it was read, and where the rows of each of its shards are.
pub struct ChunkRows {
    batches: Vec<Batch>,
    first: u32,
    shards: Vec<Vec<Place>>,
    repeated: Repeated,
}

struct Batch {
    keys: StringArray,
    /// The query's own columns.
    columns: RecordBatch,
}

#[derive(Clone, Copy)]
struct Place {
    batch: u32,
    row: u32,
}

/// What rendering needs to know of the sync.
#[derive(Debug, Clone)]
pub struct Rendering {
    pub destination: Destination,
    pub layout: Layout,
    pub shards: u32,
    pub max_body_bytes: usize,
    pub format: RowFormat,
}

/// The rows of one shard that will be published, in the order of their keys.
pub struct Rendered {
    pub keys: Vec<String>,
    /// All bodies, one after the other.
    pub bodies: Bytes,
    /// Where each body begins, and where the last ends.
    pub offsets: Vec<i32>,
    /// SHA-256 of each body; only layout objects needs them.
    pub hashes: Vec<[u8; 32]>,
    /// MD5 of each body, likewise.
    pub md5s: Vec<[u8; 16]>,
    pub rejects: Vec<Reject>,
}

/// What there is to say of the rows of one shard before any is published.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judged {
    pub rows: u64,
    /// Of all bodies.
    pub bytes: u64,
    pub rejects: Vec<Reject>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reject {
    pub key: Option<String>,
    pub reason: String,
    /// So many of them.
    pub rows: u64,
}

impl ChunkRows {
    /// Proves that each shard has as many rows as BigQuery counted.
    pub fn new(read: ReadRows, range: ShardRange, shards_of_sync: u32, counted: &[u64]) -> Result<Self> {
        let ReadRows { batches, repeated } = read;
        let mut shards: Vec<Vec<Place>> = vec![Vec::new(); (range.last - range.first + 1) as usize];
        let mut own = Vec::with_capacity(batches.len());
        for (batch, columns) in (0..).zip(batches) {
            let numbers = take_column(&columns, SHARD_COLUMN)?;
            let numbers: &Int64Array = numbers.as_primitive_opt::<Int64Type>().context("shards are not INT64")?;
            for (row, shard) in (0..).zip(numbers.values().iter()) {
                let place = u32::try_from(*shard).ok().and_then(|shard| shard.checked_sub(range.first));
                let shard_rows = place.and_then(|place| shards.get_mut(place as usize));
                shard_rows
                    .with_context(|| format!("a row of shard {shard} came with shards {range}"))?
                    .push(Place { batch, row });
            }
            own.push(Batch::new(&columns)?);
        }
        let mut rows: Vec<u64> = shards.iter().map(|rows| rows.len() as u64).collect();
        for (key, dropped) in repeated.dropped() {
            let place = KeyHash::of(key).shard(shards_of_sync).checked_sub(range.first);
            if let Some(rows) = place.and_then(|place| rows.get_mut(place as usize)) {
                *rows += dropped;
            }
        }
        for ((shard, rows), counted) in (range.first..).zip(rows).zip(counted) {
            ensure!(rows == *counted, "shard {shard} has {rows} rows, BigQuery counted {counted}");
        }
        Ok(Self { batches: own, first: range.first, shards, repeated })
    }

    pub fn render(&self, shard: u32, rendering: &Rendering) -> Result<Rendered> {
        let places = self.sorted(shard);
        let mut pen = Pen::new(self, rendering, shard)?;
        let mut rendered = Rendered::with_capacity(places.len());
        let mut bodies = Vec::new();
        for run in runs(&places, |a, b| self.key(a) == self.key(b)) {
            match pen.write(&places[run], &mut bodies)? {
                Ok(key) => rendered.keep(key, &bodies, rendering.layout).with_context(|| format!("shard {shard}"))?,
                Err(reject) => rendered.rejects.push(reject),
            }
        }
        Ok(Rendered { bodies: bodies.into(), ..rendered })
    }

    /// What `render` would publish and what it would refuse, where nobody has to know more: no hash is computed.
    pub fn judge(&self, shard: u32, rendering: &Rendering) -> Result<Judged> {
        let places = self.sorted(shard);
        let mut pen = Pen::new(self, rendering, shard)?;
        let (mut judged, mut body) = (Judged::default(), Vec::new());
        for run in runs(&places, |a, b| self.key(a) == self.key(b)) {
            body.clear();
            match pen.write(&places[run], &mut body)? {
                Ok(_) => {
                    judged.rows += 1;
                    judged.bytes += body.len() as u64;
                }
                Err(reject) => judged.rejects.push(reject),
            }
        }
        Ok(judged)
    }

    /// Rows with the same key come together, in whatever order: none of them will be published.
    fn sorted(&self, shard: u32) -> Vec<Place> {
        let mut places = self.shards[(shard - self.first) as usize].clone();
        places.sort_unstable_by(|a, b| self.key(*a).cmp(&self.key(*b)));
        places
    }

    fn key(&self, place: Place) -> Option<&str> {
        let keys = &self.batches[place.batch as usize].keys;
        keys.is_valid(place.row as usize).then(|| keys.value(place.row as usize))
    }
}

impl Batch {
    fn new(columns: &RecordBatch) -> Result<Self> {
        let keys = take_column(columns, KEY_COLUMN)?;
        let keys = keys.as_string_opt::<i32>().context("keys are not STRING")?.clone();
        let own = |name: &str| name != KEY_COLUMN && name != SHARD_COLUMN;
        let schema = columns.schema();
        let own: Vec<usize> =
            (0..).zip(schema.fields()).filter(|(_, field)| own(field.name())).map(|(n, _)| n).collect();
        Ok(Self { keys, columns: columns.project(&own)? })
    }
}

fn take_column<'a>(columns: &'a RecordBatch, name: &str) -> Result<&'a dyn Array> {
    Ok(columns.column_by_name(name).with_context(|| format!("the rows have no column {name}"))?.as_ref())
}

/// Neighbours that are alike.
fn runs(places: &[Place], alike: impl Fn(Place, Place) -> bool) -> Vec<Range<usize>> {
    let mut runs = Vec::with_capacity(places.len());
    let mut begin = 0;
    for n in 1..=places.len() {
        if n == places.len() || !alike(places[begin], places[n]) {
            runs.push(begin..n);
            begin = n;
        }
    }
    runs
}

/// Writes the rows of one shard.
struct Pen<'a> {
    chunk: &'a ChunkRows,
    rendering: &'a Rendering,
    shard: u32,
    encoders: Vec<RowEncoder<'a>>,
}

impl<'a> Pen<'a> {
    fn new(chunk: &'a ChunkRows, rendering: &'a Rendering, shard: u32) -> Result<Self> {
        let encoders = chunk.batches.iter().map(|batch| RowEncoder::new(&batch.columns, &rendering.format));
        Ok(Self { chunk, rendering, shard, encoders: encoders.collect::<Result<Vec<_>, _>>()? })
    }

    /// Of rows with the same key: appends their body, or says why there is none; then nothing was appended.
    fn write(&mut self, places: &[Place], bodies: &mut Vec<u8>) -> Result<Result<&'a str, Reject>> {
        let key = self.chunk.key(places[0]).context("a row without a key came, and none was asked for")?;
        let hash = KeyHash::of(key);
        let (shard, computed) = (self.shard, hash.shard(self.rendering.shards));
        ensure!(computed == shard, "key {key:?} is of shard {computed}, BigQuery says {shard}");
        let rows = self.chunk.repeated.rows(key, places.len());
        let refused = self.refuse(key, hash, rows).or_else(|| self.body(places[0], bodies).err());
        Ok(match refused {
            Some(reason) => Err(Reject { key: Some(key.to_owned()), reason, rows }),
            None => Ok(key),
        })
    }

    fn refuse(&self, key: &str, hash: KeyHash, rows: u64) -> Option<String> {
        if rows > 1 {
            return Some(format!("{rows} rows have this key"));
        }
        let bytes = match self.rendering.layout {
            Layout::Packed => key.len(),
            Layout::Objects => self.rendering.destination.object_key(key, hash).len(),
        };
        let (limit, what) = (MAX_OBJECT_KEY_BYTES, if bytes == key.len() { "key" } else { "object's key" });
        (key.is_empty())
            .then(|| "the key is empty".to_owned())
            .or_else(|| (bytes > limit).then(|| format!("the {what} has {bytes} bytes, {limit} is the limit")))
    }

    fn body(&mut self, place: Place, bodies: &mut Vec<u8>) -> Result<(), String> {
        let begin = bodies.len();
        let encoder = &mut self.encoders[place.batch as usize];
        encoder.encode(place.row as usize, bodies).map_err(|refused| refused.to_string())?;
        let (bytes, limit) = (bodies.len() - begin, self.rendering.max_body_bytes);
        if bytes > limit {
            bodies.truncate(begin);
            return Err(format!("the body has {bytes} bytes, {limit} is the limit (max_body_bytes)"));
        }
        Ok(())
    }
}

impl Rendered {
    fn with_capacity(rows: usize) -> Self {
        Self {
            keys: Vec::with_capacity(rows),
            bodies: Bytes::new(),
            offsets: vec![0],
            hashes: Vec::new(),
            md5s: Vec::new(),
            rejects: Vec::new(),
        }
    }

    /// The last of `bodies` is the one of this key.
    fn keep(&mut self, key: &str, bodies: &[u8], layout: Layout) -> Result<()> {
        let begin = *self.offsets.last().unwrap_or(&0);
        let end = i32::try_from(bodies.len()).ok().context("there are over 2 GiB: set more shards")?;
        if layout == Layout::Objects {
            let body = &bodies[usize::try_from(begin)?..];
            self.hashes.push(sha256(body));
            self.md5s.push(md5(body));
        }
        self.keys.push(key.to_owned());
        self.offsets.push(end);
        Ok(())
    }

    /// What the layout compares.
    pub fn value(&self, layout: Layout, n: usize) -> &[u8] {
        let at = |n: usize| usize::try_from(self.offsets[n]).unwrap_or_default();
        match layout {
            Layout::Packed => &self.bodies[at(n)..at(n + 1)],
            Layout::Objects => &self.hashes[n],
        }
    }

    /// Of the object that this key is to have; only layout objects has any.
    pub fn content(&self, key: &str) -> Option<Content<'_>> {
        let n = self.keys.binary_search_by(|other| other.as_str().cmp(key)).ok()?;
        Some(Content { sha256: self.hashes.get(n)?, md5: self.md5s.get(n).copied() })
    }

    pub fn body(&self, n: usize) -> Bytes {
        let at = |n: usize| usize::try_from(self.offsets[n]).unwrap_or_default();
        self.bodies.slice(at(n)..at(n + 1))
    }
}
