//! Whether what a sync reads was built today of loads that were proven. The job dbt decides that after each build, and
//! leaves it in the config bucket: `dbt/gates.json`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use chrono::NaiveDate;
use serde::Deserialize;

use crate::syncs::{Require, Sync};

#[derive(Debug, Deserialize)]
struct Gates {
    /// The day whose loads the build was made of.
    export_date: NaiveDate,
    syncs: BTreeMap<String, Gate>,
}

#[derive(Debug, Deserialize)]
struct Gate {
    fresh: bool,
    /// Each names a table, a model or a test.
    because: Vec<String>,
}

/// An error says what was late, or what failed. Without a day, that of the last build counts.
pub fn check(sync: &Sync, file: Option<&Path>, day: Option<NaiveDate>) -> Result<()> {
    if sync.require == Require::Any {
        return Ok(());
    }
    let required = || format!("{} is not published: it requires fresh marts", sync.name);
    let file = file.context("GATES_FILE is not set").with_context(required)?;
    let bytes = std::fs::read(file).with_context(|| format!("read {}", file.display())).with_context(required)?;
    let gates: Gates = serde_json::from_slice(&bytes).with_context(|| format!("read {}", file.display()))?;
    judge(sync, &gates, day).with_context(required)
}

fn judge(sync: &Sync, gates: &Gates, day: Option<NaiveDate>) -> Result<()> {
    let built = gates.export_date;
    let day = day.unwrap_or(built);
    ensure!(built == day, "the last build is of {built}, not of {day}");
    let Some(gate) = gates.syncs.get(sync.name.as_str()) else {
        bail!("the build of {built} does not know it: `isthmus dbt exposures` writes what dbt knows of syncs");
    };
    ensure!(gate.fresh, "{}", gate.because.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syncs::Syncs;

    fn told(require: &str, gates: Option<&str>, day: Option<&str>) -> String {
        let list = format!(
            "syncs: {{users: {{query: SELECT 1, key: id, destination: {{bucket: abc, prefix: u}}, layout: objects{require}}}}}"
        );
        let syncs = Syncs::parse(&list, Path::new("syncs.yaml"), None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gates.json");
        if let Some(gates) = gates {
            std::fs::write(&file, gates).unwrap();
        }
        let day = day.map(|day| day.parse().unwrap());
        match check(syncs.get("users").unwrap(), Some(&file), day) {
            Ok(()) => "published".to_owned(),
            Err(error) => format!("{error:#}").replace(&folder.path().display().to_string(), "config"),
        }
    }

    const FRESH: &str = r#"{"export_date": "2026-11-22", "syncs": {"users": {"fresh": true, "because": []}}}"#;
    const LATE: &str = r#"{"export_date": "2026-11-22", "execution": "x", "syncs": {"users": {"fresh": false,
        "because": ["table shop.orders: short", "test unique_users: Got 1 result"]}}}"#;
    const FRESHLY: &str = ", require: fresh";

    #[test]
    fn a_sync_of_fresh_marts_is_published_on_their_day() {
        assert_eq!(told(FRESHLY, Some(FRESH), Some("2026-11-22")), "published");
        assert_eq!(told(FRESHLY, Some(FRESH), None), "published");
    }

    #[test]
    fn a_sync_that_is_held_back_names_what_was_late_or_failed() {
        let expected = "users is not published: it requires fresh marts: table shop.orders: short; test unique_users: Got 1 result";
        assert_eq!(told(FRESHLY, Some(LATE), Some("2026-11-22")), expected);
    }

    #[test]
    fn the_build_of_another_day_says_nothing_of_this_one() {
        let expected = "users is not published: it requires fresh marts: the last build is of 2026-11-22, not of 2026-11-23";
        assert_eq!(told(FRESHLY, Some(FRESH), Some("2026-11-23")), expected);
    }

    #[test]
    fn what_no_build_knows_is_held_back() {
        assert!(told(FRESHLY, None, None).starts_with("users is not published: it requires fresh marts: read config/gates.json"));
        let other = r#"{"export_date": "2026-11-22", "syncs": {}}"#;
        assert!(told(FRESHLY, Some(other), None).contains("the build of 2026-11-22 does not know it"));
    }

    #[test]
    fn a_sync_that_takes_any_rows_asks_nobody() {
        for any in ["", ", require: any"] {
            assert_eq!(told(any, Some(LATE), Some("2026-11-22")), "published");
            assert_eq!(told(any, None, None), "published");
        }
    }
}
