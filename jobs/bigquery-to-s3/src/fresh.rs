//! Whether what a sync reads was built of the day's proven loads. The job dbt decides that after each build, and leaves it
//! in the config bucket: `dbt/gates.json`. Whatever is not known holds a sync back.

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
    execution: String,
    /// None while it builds, and after it was killed: marts are of both days then, and no test has seen them.
    syncs: Option<BTreeMap<String, Gate>>,
}

#[derive(Debug, Deserialize)]
struct Gate {
    fresh: bool,
    /// Each names a table, a model or a test.
    because: Vec<String>,
}

/// An error says what was late, or what failed. A list that says nothing of it requires fresh marts where there are gates.
pub fn check(sync: &Sync, file: Option<&Path>, day: Option<NaiveDate>) -> Result<()> {
    let default = if file.is_some() { Require::Fresh } else { Require::Any };
    match sync.require.unwrap_or(default) {
        Require::Any => Ok(()),
        Require::Fresh => opened(sync, file, day).context("not published, it requires fresh marts"),
    }
}

fn opened(sync: &Sync, file: Option<&Path>, day: Option<NaiveDate>) -> Result<()> {
    let file = file.context("the variable GATES_FILE is not set, so nothing is known of them")?;
    let day = day.context("say of which day with --export-date")?;
    let bytes = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let gates: Gates = serde_json::from_slice(&bytes).with_context(|| format!("read {}", file.display()))?;
    judge(sync, &gates, day)
}

fn judge(sync: &Sync, gates: &Gates, day: NaiveDate) -> Result<()> {
    let Gates { export_date: built, execution, syncs } = gates;
    ensure!(*built == day, "the last build is of {built}, not of {day}");
    let Some(syncs) = syncs else { bail!("the build of {built} by {execution} has not ended") };
    let Some(gate) = syncs.get(sync.name.as_str()) else {
        bail!("the build of {built} does not know it: `isthmus dbt exposures` tells dbt of each sync");
    };
    ensure!(gate.fresh, "{}", gate.because.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syncs::Syncs;

    const DAY: Option<&str> = Some("2026-11-22");

    /// Of a sync with this setting, while the file of gates is not named, named but not there, or says this.
    fn told(require: &str, gates: Option<&str>, day: Option<&str>) -> String {
        let list = format!(
            "syncs: {{users: {{query: SELECT 1, key: id, destination: {{bucket: abc, prefix: u}}, layout: objects{require}}}}}"
        );
        let syncs = Syncs::parse(&list, Path::new("syncs.yaml"), None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gates.json");
        if let Some(gates) = gates.filter(|gates| !gates.is_empty()) {
            std::fs::write(&file, gates).unwrap();
        }
        let day = day.map(|day| day.parse().unwrap());
        match check(syncs.get("users").unwrap(), gates.map(|_| file.as_path()), day) {
            Ok(()) => "published".to_owned(),
            Err(error) => {
                let told = format!("{error:#}").replace(&folder.path().display().to_string(), "config");
                told.strip_prefix("not published, it requires fresh marts: ").expect("the reason comes last").to_owned()
            }
        }
    }

    fn gates(syncs: &str) -> String {
        format!(r#"{{"export_date": "2026-11-22", "execution": "dbt-1"{syncs}}}"#)
    }

    fn fresh() -> String {
        gates(r#", "syncs": {"users": {"fresh": true, "because": []}}"#)
    }

    fn late() -> String {
        let because = r#"["table shop.orders: short", "test unique_users: Got 1 result"]"#;
        gates(&format!(r#", "syncs": {{"users": {{"fresh": false, "because": {because}}}}}"#))
    }

    #[test]
    fn a_sync_of_fresh_marts_is_published_on_their_day() {
        assert_eq!(told(", require: fresh", Some(&fresh()), DAY), "published");
    }

    #[test]
    fn a_sync_that_is_held_back_names_what_was_late_or_failed() {
        let expected = "table shop.orders: short; test unique_users: Got 1 result";
        assert_eq!(told(", require: fresh", Some(&late()), DAY), expected);
    }

    #[test]
    fn where_there_are_gates_a_sync_asks_them_unless_it_takes_any_rows() {
        assert_eq!(told("", Some(&late()), DAY), told(", require: fresh", Some(&late()), DAY));
        assert_eq!(told(", require: any", Some(&late()), DAY), "published");
        assert_eq!(told(", require: any", Some(""), None), "published");
        assert_eq!(told("", None, None), "published");
    }

    #[test]
    fn the_build_of_another_day_says_nothing_of_this_one() {
        let told = told("", Some(&fresh()), Some("2026-11-23"));
        assert_eq!(told, "the last build is of 2026-11-22, not of 2026-11-23");
    }

    #[test]
    fn what_is_not_known_holds_it_back() {
        assert!(told("", Some(""), DAY).starts_with("read config/gates.json: No such file"));
        assert!(told("", Some("{\"export_date\": "), DAY).starts_with("read config/gates.json: EOF"));
        assert_eq!(told("", Some(&gates("")), DAY), "the build of 2026-11-22 by dbt-1 has not ended");
        assert!(
            told("", Some(&gates(r#", "syncs": {}"#)), DAY).starts_with("the build of 2026-11-22 does not know it")
        );
        assert_eq!(told("", Some(&fresh()), None), "say of which day with --export-date");
        assert!(told(", require: fresh", None, DAY).starts_with("the variable GATES_FILE is not set"));
    }
}
