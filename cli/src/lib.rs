//! What the operator's command decides: how a list of tables differs from an export, and how that is proposed; what dbt is
//! told about sources and syncs; and how lineage is shown.

mod comparison;
pub mod dbt;
pub mod picture;
mod proposal;

pub use comparison::{Comparison, Found, Gone, Why};
pub use proposal::proposal;
