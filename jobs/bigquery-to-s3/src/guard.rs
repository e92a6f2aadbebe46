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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syncs::Limit;

    const GUARDS: Guards = Guards {
        on_empty: OnEmpty::Fail,
        max_deletes: Limit { rows: 10, fraction: 0.1 },
        max_rejects: Limit { rows: 0, fraction: 0.0 },
    };

    #[test]
    fn what_the_number_of_rows_tells_is_told_at_the_beginning() {
        assert!(at_the_beginning(&GUARDS, 900, 1000).is_ok());
        assert!(at_the_beginning(&GUARDS, 899, 1000).unwrap_err().to_string().contains("at least 101 would go"));
        assert!(at_the_beginning(&GUARDS, 5, 15).is_ok(), "ten rows may always go");
        assert!(at_the_beginning(&GUARDS, 0, 0).unwrap_err().to_string().starts_with("guard on_empty"));
        assert!(at_the_beginning(&Guards { on_empty: OnEmpty::Publish, ..GUARDS }, 0, 5).is_ok());
    }

    #[test]
    fn what_only_the_comparison_tells_is_told_before_the_flip() {
        let totals = |rows, deleted, rejected| Totals { rows, deleted, rejected, ..Totals::default() };
        assert!(at_the_end(&GUARDS, &totals(1000, 100, 0), 1000).is_ok());
        let error = |totals| at_the_end(&GUARDS, &totals, 1000).unwrap_err().to_string();
        assert!(error(totals(1000, 101, 0)).starts_with("guard max_deletes: 101 of 1000"));
        assert!(error(totals(999, 0, 1)).starts_with("guard max_rejects: 1 of 1000"));
        assert!(error(totals(0, 0, 5)).starts_with("guard on_empty"), "all rows rejected is empty too");
    }
}
