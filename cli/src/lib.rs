//! What the operator's command decides: how a list of tables differs from an export, and how that is proposed.

mod comparison;
mod proposal;

pub use comparison::{Comparison, Found, Gone, Why};
pub use proposal::proposal;
