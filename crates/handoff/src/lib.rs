//! What AWS and Google Cloud hand each other, and nothing else: the names of export tasks, the keys of the objects in
//! the export bucket, the export manifest and its drift, and the list of tables that both sides read; and, in [`sync`], what
//! bigquery-to-s3 publishes for the application.
//!
//! Everything here is pure: no clock, no environment, no network.

mod date;
mod drift;
mod environment;
mod fixed_zone;
mod hex;
mod key;
mod manifest;
mod staged;
pub mod sync;
#[cfg(feature = "table-list")]
mod table_list;
mod table_name;
mod task_id;

pub use date::{ExportDate, InvalidExportDate};
pub use drift::{Change, Drift, drift_between};
pub use environment::{Environment, InvalidEnvironment};
pub use fixed_zone::{FixedZone, InvalidFixedZone};
pub use hex::from_hex;
pub use key::{ExportKey, PartKey, TablePrefix, is_leftover};
pub use manifest::{Column, InvalidManifest, MANIFEST_VERSION, Manifest, Statistics, Table, TableState};
pub use staged::{origin_of, staged_key};
#[cfg(feature = "table-list")]
pub use table_list::{
    Database, Engine, InvalidTableList, OnMissing, Proof, TableEntry, TableList, TransferTable, name_in_database,
    table_list_schema,
};
pub use table_name::{InvalidTableName, TableName};
pub use task_id::{ExportTaskId, InvalidExportTaskId, TaskKind};
