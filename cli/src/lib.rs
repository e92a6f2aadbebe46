//! What the operator's command decides: how a list of tables differs from an export, and how that is proposed; what dbt is
//! told about sources and syncs; and how lineage is shown.
// Texts for people are put together from a few lines; an allocation for each costs nothing here.
#![allow(clippy::format_push_string)]

mod comparison;
pub mod dbt;
pub mod deploy;
mod destinations;
pub mod picture;
mod proposal;

pub use comparison::{Comparison, Found, Gone, Why};
pub use destinations::shared;
pub use proposal::proposal;
