//! What comes of what: a column or a table of the source, the models of the warehouse that are made of it, the syncs that
//! publish them, and what breaks where a column goes away. Read from the SQL itself, by a parser of BigQuery's dialect.
//!
//! Everything here is pure: no clock, no environment, no network.

mod dbt;
mod graph;
mod impact;
mod query;
mod reader;
mod scope;
mod syncs;
mod trace;

pub use dbt::{DbtManifest, InvalidDbtManifest};
pub use graph::{Column, Lineage, Node, NodeId, Unknown};
pub use impact::{Impact, impact};
pub use query::{NotUnderstood, Output, Query, RelationColumn, analyze};
pub use syncs::{InvalidSyncs, Sync, syncs};
pub use trace::{Direction, Trace, Traced};
