//! What is read of a table, and what came of it: the same for every database.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};

use crate::catalog::SourceTable;
use crate::columns::{Selection, Unreadable};
use crate::disk;
use crate::extracts::Table;
use crate::sheet::{Losses, ParquetFile};

/// What is read of a table in one transaction.
#[derive(Clone)]
pub struct Order<'a> {
    pub table: &'a Table,
    /// The watermark of the last time; every row where there is none.
    pub since: Option<&'a str>,
    /// Whether all primary keys are read as well.
    pub keys: bool,
    pub dir: &'a Path,
    pub hmac: Option<&'a hmac::Key>,
    pub meter: Arc<Meter>,
}

impl Order<'_> {
    /// Before the first row: how many there may be, and whether they have room.
    pub fn announce(&self, source: &SourceTable) -> Result<()> {
        if self.since.is_some() {
            return Ok(()); // nobody knows how many are new
        }
        self.meter.expected.store(source.rows, Ordering::Relaxed);
        disk::room_for(source, self.dir)
    }
}

/// The rows of a table under way.
#[derive(Debug, Default)]
pub struct Meter {
    pub read: AtomicU64,
    /// By the database's guess; 0 where there is none.
    pub expected: AtomicU64,
}

#[derive(Debug)]
pub struct Extract {
    pub rows: ParquetFile,
    /// `COUNT(*)` in the same snapshot; none for a program, whose stream says when it is whole.
    pub counted: Option<u64>,
    pub losses: Losses,
    /// All primary keys of the same snapshot.
    pub keys: Option<ParquetFile>,
    pub selection: Selection,
    /// The database's clock just before the snapshot.
    pub snapshot_time: DateTime<Utc>,
    /// The largest cursor of the same snapshot; none without rows.
    pub watermark: Option<String>,
    /// How long the transaction was open.
    pub transaction: Duration,
}

/// Why a table was not read, by what helps.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the table was altered while it was read")]
    Altered(#[source] anyhow::Error),
    /// Another time may do.
    #[error("the database ended the transaction")]
    Interrupted(#[source] anyhow::Error),
    #[error("the transaction was open as long as it may: raise max_seconds, or read less of the table")]
    TooLong,
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl ReadError {
    /// With what was attempted.
    pub fn context(self, attempted: String) -> Self {
        match self {
            Self::Altered(error) => Self::Altered(error.context(attempted)),
            Self::Interrupted(error) => Self::Interrupted(error.context(attempted)),
            Self::Other(error) => Self::Other(error.context(attempted)),
            Self::TooLong | Self::Unreadable(_) => self,
        }
    }

    /// How long to wait before the table is read again from a new snapshot, `tries` times already; none: not again.
    pub fn again_after(&self, tries: u32) -> Option<Duration> {
        match self {
            Self::Altered(_) => (tries < 2).then_some(Duration::ZERO),
            // A failover takes half a minute. Source: Amazon Aurora, "High availability".
            Self::Interrupted(_) => (tries < 6).then(|| Duration::from_secs(1 << tries.saturating_sub(1).min(4))),
            Self::TooLong | Self::Unreadable(_) | Self::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(error: &ReadError) -> Vec<u64> {
        (1..).map_while(|tries| error.again_after(tries)).map(|pause| pause.as_secs()).collect()
    }

    #[test]
    fn an_altered_table_is_read_once_more_and_a_failover_is_waited_out() {
        assert_eq!(tries(&ReadError::Altered(anyhow::anyhow!("1412"))), [0]);
        let waits = tries(&ReadError::Interrupted(anyhow::anyhow!("gone")));
        assert!(waits.len() == 5 && waits.iter().sum::<u64>() >= 30, "{waits:?}");
        assert!(tries(&ReadError::TooLong).is_empty());
    }
}
