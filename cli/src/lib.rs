//! What the operator's command decides: how a list of tables differs from an export, and how that is proposed; what dbt is
//! told about sources and syncs; how lineage is shown; and how the day stands in both clouds.
// Texts for people are put together from a few lines; an allocation for each costs nothing here.
#![allow(clippy::format_push_string)]

mod clouds;
mod comparison;
pub mod dbt;
pub mod deploy;
mod destinations;
pub mod doctor;
pub mod operate;
pub mod picture;
mod proposal;
pub mod status;

pub use comparison::{Comparison, Found, Gone, Why};
pub use destinations::{List, shared};
pub use proposal::proposal;
