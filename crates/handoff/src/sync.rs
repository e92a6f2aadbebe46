//! What bigquery-to-s3 publishes and the reading side reads: generations, shards, keys, the manifest of a generation and
//! the pointer to the current one. See `docs/spec/publication.md`.

mod current;
mod generation;
mod key;
mod manifest;
mod row_key;

pub use current::{Current, Owner};
pub use generation::{Generation, InvalidGeneration};
pub use key::{Destination, ShardRange, SyncKey};
pub use manifest::{
    GenerationManifest, InvalidGenerationManifest, Layout, SYNC_VERSION, ShardFile, ShardRecord, Totals,
};
pub use row_key::{FOLDERS, KeyHash, MAX_OBJECT_KEY_BYTES, MAX_SHARDS, folder_name, key_of_object, object_file_name};
