//! Room for a table's Parquet file.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use rustix::fs::statvfs;

use crate::catalog::SourceTable;

/// A table of ten columns took a sixth of its bytes in the database; bytes that cannot be compressed take all.
const AT_LEAST: u64 = 4;

pub fn room_for(source: &SourceTable, dir: &Path) -> Result<()> {
    let disk = statvfs(dir).with_context(|| format!("look at the disk of {}", dir.display()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    ensure!(
        free >= source.bytes / AT_LEAST,
        "{} has {} MiB in the database, and the disk of {} has {} MiB left: give the task more (ephemeral storage), or \
         load fewer tables at once",
        source.name,
        source.bytes >> 20,
        dir.display(),
        free >> 20
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_cannot_fit_is_not_begun() {
        let mut source = SourceTable {
            name: "shop.orders".parse().unwrap(),
            columns: Vec::new(),
            primary_key: Vec::new(),
            indexed: Vec::new(),
            rows: 0,
            bytes: 1 << 20,
        };
        let dir = tempfile::tempdir().unwrap();
        room_for(&source, dir.path()).unwrap();
        source.bytes = u64::MAX;
        let error = room_for(&source, dir.path()).unwrap_err().to_string();
        assert!(error.starts_with("shop.orders has ") && error.contains("ephemeral storage"), "{error}");
    }
}
