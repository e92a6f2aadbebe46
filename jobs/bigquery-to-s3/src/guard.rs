//! When a run must not be published, whatever the query says.

use anyhow::{Result, bail};
use handoff::sync::Totals;

use crate::scratch::ScratchTable;
use crate::syncs::{Guards, OnEmpty};

/// Before a row is read: what BigQuery's own counts tell.
pub fn at_the_beginning(guards: &Guards, table: &ScratchTable, published: u64) -> Result<()> {
    let (rows, null_keys, repeated) = (table.rows, table.null_keys, table.repeated_keys);
    if rows == 0 && guards.on_empty == OnEmpty::Fail {
        bail!("guard on_empty: the query gave no rows (set on_empty: publish if that may be)");
    }
    let rejected = null_keys + repeated;
    if !guards.max_rejects.allows(rejected, rows) {
        let such = table.a_repeated_key.as_ref().map_or(String::new(), |key| format!(", such as {key:?}"));
        bail!(
            "guard max_rejects: {rejected} of {rows} rows cannot be published: {null_keys} have no key, {repeated} have \
             one that other rows have too{such}"
        );
    }
    let vanished = published.saturating_sub(rows - rejected);
    if !guards.max_deletes.allows(vanished, published) {
        bail!("guard max_deletes: the query gave {rows} rows, {published} are published: at least {vanished} would go");
    }
    Ok(())
}

/// Whether there is anything that only a look at the rows can tell.
pub fn may_still_refuse(guards: &Guards, rows: u64, published: u64) -> bool {
    let rejects = !guards.max_rejects.allows(rows, rows);
    let empty = guards.on_empty == OnEmpty::Fail && rows > 0;
    rejects || empty || !guards.max_deletes.allows(published, published)
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

    fn table(rows: u64, null_keys: u64, repeated_keys: u64) -> ScratchTable {
        let a_repeated_key = (repeated_keys > 0).then(|| "7".to_owned());
        ScratchTable { rows, null_keys, repeated_keys, a_repeated_key, ..ScratchTable::default() }
    }

    #[test]
    fn what_bigquery_counts_is_told_before_a_row_is_read() {
        let judged = |rows, published| at_the_beginning(&GUARDS, &table(rows, 0, 0), published);
        assert!(judged(900, 1000).is_ok());
        assert!(judged(899, 1000).unwrap_err().to_string().contains("at least 101 would go"));
        assert!(judged(5, 15).is_ok(), "ten rows may always go");
        assert!(judged(0, 0).unwrap_err().to_string().starts_with("guard on_empty"));
        let publish = Guards { on_empty: OnEmpty::Publish, ..GUARDS };
        assert!(at_the_beginning(&publish, &table(0, 0, 0), 5).is_ok());
        let error = at_the_beginning(&GUARDS, &table(1001, 3, 2), 1000).unwrap_err().to_string();
        assert_eq!(
            error,
            "guard max_rejects: 5 of 1001 rows cannot be published: 3 have no key, 2 have one that other rows have \
             too, such as \"7\""
        );
        let lenient = Guards { max_rejects: Limit { rows: 900, fraction: 0.0 }, ..GUARDS };
        let error = at_the_beginning(&lenient, &table(1000, 800, 0), 1000).unwrap_err().to_string();
        assert!(error.contains("at least 800 would go"), "rows without a key are none: {error}");
    }

    #[test]
    fn rows_are_compared_first_only_where_a_guard_could_refuse_them() {
        let any = Limit { rows: 0, fraction: 1.0 };
        let open = Guards { on_empty: OnEmpty::Publish, max_deletes: any, max_rejects: any };
        assert!(!may_still_refuse(&open, 1000, 1000));
        assert!(may_still_refuse(&Guards { on_empty: OnEmpty::Fail, ..open }, 1000, 1000), "all may be rejected");
        assert!(may_still_refuse(&Guards { max_deletes: GUARDS.max_deletes, ..open }, 1000, 1000));
        assert!(!may_still_refuse(&Guards { max_deletes: GUARDS.max_deletes, ..open }, 1000, 0), "nothing can go");
        assert!(may_still_refuse(&Guards { max_rejects: GUARDS.max_rejects, ..open }, 1000, 0));
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
