//! What the accounts show, each from one source.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use handoff::{Manifest, TransferTable};

use crate::status::facts::{Asked, Load, Run};

#[derive(Debug, Clone)]
pub struct Seen {
    pub tables: Asked<Vec<TransferTable>>,
    /// How far Google's clock is ahead of AWS's.
    pub google_ahead: Asked<TimeDelta>,
    /// Export tasks of the whole account that are under way.
    pub exporting: Asked<usize>,
    /// Spot exports of the live cluster, and whether RDS says of which moment they are.
    pub live_exports: Asked<Vec<(String, bool)>>,
    /// Of the environment's newest export task.
    pub export_key: Asked<Option<KeySeen>>,
    pub manifest: Asked<Option<Manifest>>,
    /// By table: the batch folders that its parts lie in.
    pub batches: Asked<BTreeMap<String, usize>>,
    pub loads: Asked<Vec<Load>>,
    pub runs: Asked<Vec<RunSeen>>,
    /// Who may do what with each raw dataset.
    pub grants: Asked<Vec<Dataset>>,
    /// With `--write` only.
    pub written: Option<Written>,
}

/// The newest run of a config, of the day, that has ended.
#[derive(Debug, Clone)]
pub struct RunSeen {
    pub run: Run,
    /// When its table was changed last.
    pub modified: DateTime<Utc>,
    /// The last line of its log, where it left the table as it was.
    pub said: Option<String>,
}

/// The KMS key that something was encrypted with, beside the one that it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySeen {
    pub of: String,
    pub key: Option<String>,
    pub product: Asked<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    pub name: String,
    /// The roles of `isthmus-transfer@…`.
    pub of_transfer_account: Vec<String>,
}

/// What writes have shown.
#[derive(Debug, Clone)]
pub struct Written {
    /// A second create, and a replacement on another ETag: what S3 answered, `None` where it took it.
    pub create_twice: Asked<Option<u16>>,
    pub replace_another: Asked<Option<u16>>,
    /// How S3 says that the object is encrypted, and with what.
    pub encryption: Asked<(String, KeySeen)>,
    /// A table's `lastModifiedTime`: before and after some seconds without a change.
    pub modified: Asked<(DateTime<Utc>, DateTime<Utc>)>,
}
