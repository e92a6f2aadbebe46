//! When a run must not be published, whatever the query says.

use anyhow::{Result, bail};
use handoff::sync::Totals;

use crate::syncs::{Guards, OnEmpty};

/// Before anything is written: what can be known from the number of rows alone.
pub fn at_the_beginning(guards: &Guards, rows: u64, published: u64) -> Result<()> {
    if rows == 0 && guards.on_empty == OnEmpty::Fail {
        bail!("guard on_empty: the query gave no rows (set on_empty: publish if that may be)");
    }
    let vanished = published.saturating_sub(rows);
    if !guards.max_deletes.allows(vanished, published) {
        bail!("guard max_deletes: the query gave {rows} rows, {published} are published: at least {vanished} would go");
    }
    Ok(())
}

/// Before the flip: what was really found.
pub fn at_the_end(guards: &Guards, totals: &Totals, published: u64) -> Result<()> {
    if totals.rows == 0 && guards.on_empty == OnEmpty::Fail {
        bail!("guard on_empty: no row of the query can be published; {} were rejected", totals.rejected);
    }
    if !guards.max_rejects.allows(totals.rejected, totals.rows + totals.rejected) {
        let (rejected, rows) = (totals.rejected, totals.rows + totals.rejected);
        bail!("guard max_rejects: {rejected} of {rows} rows cannot be published; the generation's rejects/ say why");
    }
    if !guards.max_deletes.allows(totals.deleted, published) {
        bail!("guard max_deletes: {} of {published} published keys would be deleted", totals.deleted);
    }
    Ok(())
}
