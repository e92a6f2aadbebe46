//! What each object's MD5 costs in the list of a shard: the figures of `docs/research/etags.md`.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context, Result};
use arrow_array::StringArray;
use bigquery_to_s3::digest::{md5, sha256};
use bigquery_to_s3::shard_file;
use handoff::sync::Layout;

/// Five million rows in 4,096 shards.
const SHARD_ROWS: u32 = 1220;
const SHARDS: u32 = 400;
const BODY_BYTES: usize = 1024;
const BODIES: u32 = 200_000;

fn main() -> Result<()> {
    let body = vec![b'x'; BODY_BYTES];
    let each = |spent: Duration, times: u32| spent.as_secs_f64() * 1e6 / f64::from(times);
    let ((), of_sha256) = spent(|| (0..BODIES).for_each(|_| drop(black_box(sha256(black_box(&body)).to_vec()))))?;
    let ((), of_md5) = spent(|| (0..BODIES).for_each(|_| drop(black_box(md5(black_box(&body)).to_vec()))))?;
    println!("SHA-256 of {BODY_BYTES} bytes: {:.2} us; MD5: {:.2} us", each(of_sha256, BODIES), each(of_md5, BODIES));

    let names: Vec<String> = (0..SHARD_ROWS).map(|n| format!("user-{:07}", n * 4096)).collect();
    let keys = || StringArray::from_iter_values(&names);
    let sha256s: Vec<_> = names.iter().map(sha256).collect();
    let md5s: Vec<_> = names.iter().map(md5).collect();
    let offsets = || (0..=i32::try_from(SHARD_ROWS).unwrap_or(0)).map(|n| n * 32).collect();
    let without = || shard_file::write(Layout::Objects, keys(), sha256s.concat().into(), offsets());
    let with = || shard_file::write_objects(keys(), &sha256s, &md5s);
    let rows = SHARD_ROWS * SHARDS;
    let (bytes_without, spent_without) =
        spent(|| (0..SHARDS).fold(None, |_, _| Some(without().map(|file| file.len()))))?;
    let (bytes_with, spent_with) = spent(|| (0..SHARDS).fold(None, |_, _| Some(with().map(|file| file.len()))))?;
    for (what, bytes, spent) in [("without", bytes_without, spent_without), ("with", bytes_with, spent_with)] {
        let bytes = bytes.context("no shard")??;
        let bytes_a_key = f64::from(u32::try_from(bytes)?) / f64::from(SHARD_ROWS);
        println!("list {what} MD5: {bytes} bytes a shard, {bytes_a_key:.1} a key; {:.2} us a key", each(spent, rows));
    }
    Ok(())
}

/// Processor time of this process, which other processes do not make longer.
fn spent<T>(work: impl FnOnce() -> T) -> Result<(T, Duration)> {
    let before = processor_time()?;
    let done = work();
    Ok((done, processor_time()?.saturating_sub(before)))
}

fn processor_time() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/schedstat").context("read /proc/self/schedstat")?;
    let nanos = stat.split(' ').next().context("no time")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}
