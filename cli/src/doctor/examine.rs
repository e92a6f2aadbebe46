//! What was seen, held against what is assumed. Pure.

#[cfg(test)]
mod tests;

use chrono::TimeDelta;
use handoff::TableState;

use super::seen::{Dataset, KeySeen, RunSeen, Seen, Written};
use super::{Assumption, Outcome};
use crate::status::facts::Asked;
use crate::status::judge::{count, is_good};

/// load-export allows two clouds' clocks to differ by this much.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(60);
/// load-export allows two services' stamps to be the wrong way round by this much.
const COMMIT_SKEW: TimeDelta = TimeDelta::seconds(1);
/// "You can have up to five concurrent DB snapshot export tasks in progress per AWS account."
const EXPORTS_AT_ONCE: usize = 5;
/// What a load needs of its account; the last two have the first's rights and more.
const WRITERS: [&str; 3] = ["WRITER", "OWNER", "roles/bigquery.dataOwner"];

pub fn examine(seen: &Seen) -> Vec<Assumption> {
    let mut all = vec![
        clocks(seen),
        exports_at_once(seen),
        export_key(seen),
        live_snapshot_time(seen),
        text_statistics(seen),
        wildcard(seen),
        batches(seen),
        file_age(seen),
        no_new_files(seen),
        commit(seen),
        transfer_account(seen),
    ];
    all.extend(seen.written.iter().flat_map(written));
    all
}

fn holds(found: impl Into<String>) -> (Outcome, String, Option<&'static str>) {
    (Outcome::Holds, found.into(), None)
}

fn broken(found: impl Into<String>, set: &'static str) -> (Outcome, String, Option<&'static str>) {
    (Outcome::Broken, found.into(), Some(set))
}

fn not_seen(found: &str) -> (Outcome, String, Option<&'static str>) {
    (Outcome::NotSeen, found.to_owned(), None)
}

fn about<T>(
    assumed: &'static str,
    asked: &Asked<T>,
    decide: impl FnOnce(&T) -> (Outcome, String, Option<&'static str>),
) -> Assumption {
    let unknown = |why: &String| (Outcome::Unknown, format!("could not be asked: {why}"), None);
    let (outcome, found, set) = asked.as_ref().map_or_else(unknown, decide);
    Assumption { assumed, outcome, found, set }
}

fn clocks(seen: &Seen) -> Assumption {
    about("the clocks of both clouds differ by less than a minute", &seen.google_ahead, |ahead| {
        let found = format!("Google's is {:+} s from AWS's, give or take one", ahead.num_seconds());
        if ahead.abs() < CLOCK_SKEW {
            return holds(found);
        }
        broken(
            found,
            "nothing here: load-export may take a run for one that read other files; raise MIN_FILE_AGE_SECONDS by it",
        )
    })
}

fn exports_at_once(seen: &Seen) -> Assumption {
    about("an account exports five tasks at once, and no more", &seen.exporting, |under_way| {
        let found = format!("{} under way", count(*under_way, "task"));
        match *under_way {
            0..EXPORTS_AT_ONCE => holds(format!("{found}, room for {} more", EXPORTS_AT_ONCE - under_way)),
            EXPORTS_AT_ONCE => holds(format!("{found}, room for none: the next start is refused until one has ended")),
            _ => {
                broken(format!("{found}: more than five"), "nothing: the quota was raised, and start-export only gains")
            }
        }
    })
}

fn export_key(seen: &Seen) -> Assumption {
    about("exports are encrypted with the product's key", &seen.export_key, |newest| match newest {
        None => not_seen("nothing was exported yet"),
        Some(seen) => {
            product_key(seen, "sam deploy: template.yaml reads KmsKeyArn from the parameters of terraform/aws")
        }
    })
}

fn product_key(seen: &KeySeen, set: &'static str) -> (Outcome, String, Option<&'static str>) {
    let KeySeen { of, key, product } = seen;
    match (product, key.as_deref().unwrap_or("none")) {
        (Err(why), _) => (Outcome::Unknown, format!("could not be asked: {why}"), None),
        (Ok(product), key) if key == product => holds(format!("{of} is, with {key}")),
        (Ok(product), key) => broken(format!("{of} is encrypted with {key}, and the product's is {product}"), set),
    }
}

fn live_snapshot_time(seen: &Seen) -> Assumption {
    about("the export of a live cluster has no SnapshotTime", &seen.live_exports, |exports| {
        let told: Vec<&str> = exports.iter().filter(|(_, has)| *has).map(|(id, _)| id.as_str()).collect();
        match (exports.last(), told.last()) {
            (None, _) => not_seen("no live cluster was exported yet: isthmus spot TABLE does so"),
            (Some((id, _)), None) => holds(format!("{id} has none: its start is taken as the time of its rows")),
            (_, Some(id)) => broken(format!("{id} has one"), "nothing: publish-export takes it where it is there"),
        }
    })
}

fn text_statistics(seen: &Seen) -> Assumption {
    const ASSUMED: &str = "RDS marks the extremes of texts as exact, so `proof: statistics` can compare them";
    about(ASSUMED, &seen.manifest, |manifest| {
        let Some(manifest) = manifest else { return not_seen("the day has no manifest yet") };
        let with_rows = manifest.tables.iter().filter(|table| table.state == TableState::Exported);
        let texts = with_rows.flat_map(|table| table.columns.iter().map(move |column| (table, column)));
        // One without a value, or with a long one, has no extremes on purpose.
        let texts: Vec<_> = texts
            .filter(|(table, column)| {
                column.parquet_type == "STRING" && column.statistics.nulls.is_some_and(|nulls| nulls < table.rows)
            })
            .collect();
        let told = texts.iter().filter(|(_, column)| column.statistics.max.is_some()).count();
        let found = format!("{told} of {} with values have their extremes", count(texts.len(), "text column"));
        match (texts.len(), told) {
            (0, _) => not_seen("no column of texts with values and counted nulls"),
            (_, 0) => broken(found, "nothing: texts are proven by their nulls alone"),
            _ => holds(found),
        }
    })
}

fn wildcard(seen: &Seen) -> Assumption {
    about("the star of a transfer's path crosses the batch folders", &seen.loads, |loads| {
        let exported = |name: &str| {
            let manifest = seen.manifest.as_ref().ok()?.as_ref()?;
            manifest.tables.iter().find(|table| table.name.to_string() == name && table.rows > 0)
        };
        let simple = |name: &str| {
            seen.tables.iter().flatten().any(|table| table.source.to_string() == name && table.pattern == "*.parquet")
        };
        // Parts always lie in a batch folder: whatever was loaded by one star came through one.
        let today: Vec<_> =
            loads.iter().filter(|load| simple(&load.table) && exported(&load.table).is_some()).collect();
        let newest = today.iter().map(|load| load.day).max();
        let today = today.into_iter().filter(|load| Some(load.day) == newest);
        let (good, bad): (Vec<_>, Vec<_>) = today.partition(|load| is_good(&load.state));
        match (
            good.first(),
            bad.iter().find(|load| load.message.as_ref().is_some_and(|said| said.contains("No new files"))),
        ) {
            (Some(load), _) => holds(format!("{} was loaded so, {} rows", load.table, load.rows.unwrap_or(0))),
            (None, Some(load)) => broken(
                format!("{}: no file was found", load.table),
                "pattern: \"*/*.parquet\" for each table of config/tables.yaml, and apply terraform/gcp",
            ),
            (None, None) => not_seen("no table was loaded so yet"),
        }
    })
}

fn batches(seen: &Seen) -> Assumption {
    about(
        "a large table lies in more batch folders than 1, and all of them are loaded (T2)",
        &seen.batches,
        |batches| {
            let several: Vec<_> = batches.iter().filter(|(_, batches)| **batches > 1).collect();
            let state = |table: &str| {
                let loads = seen.loads.iter().flatten().filter(|load| load.table == table);
                loads.max_by_key(|load| load.day).map(|load| load.state.clone())
            };
            let short = several.iter().find(|(table, _)| state(table).is_some_and(|state| !is_good(&state)));
            let proven = several.iter().find(|(table, _)| state(table).is_some_and(|state| is_good(&state)));
            match (short, proven) {
                (Some((table, folders)), _) => broken(
                    format!("{table} lies in {folders} folders and is not proven"),
                    "look at its line of isthmus status; then pattern: \"*/*.parquet\"",
                ),
                (None, Some((table, folders))) => holds(format!("{table} lies in {folders} folders and is proven")),
                (None, None) if several.is_empty() => not_seen("every table of the day lies in one folder"),
                (None, None) => not_seen("what lies in several folders is not loaded yet"),
            }
        },
    )
}

fn file_age(seen: &Seen) -> Assumption {
    about("a transfer sees files that are ten minutes old", &seen.runs, |runs| {
        let part = |table: &str| {
            let manifest = seen.manifest.as_ref().ok()?.as_ref()?;
            manifest.tables.iter().find(|found| found.name.to_string() == table)?.newest_part_at
        };
        let age = |seen: &&RunSeen| Some(seen.run.started_at? - part(&seen.run.table)?);
        let (blind, seeing): (Vec<_>, Vec<_>) = runs.iter().partition(|seen| seen.said.is_some());
        let oldest_blind = blind.iter().filter_map(&age).max();
        let youngest_seen = seeing.iter().filter_map(age).filter(|age| *age > TimeDelta::zero()).min();
        match (oldest_blind, youngest_seen) {
            (Some(age), _) if age >= TimeDelta::minutes(10) => broken(
                format!("a run found none that were {} min old", age.num_minutes()),
                "MIN_FILE_AGE_SECONDS of load-export, to more than that",
            ),
            (_, Some(age)) => holds(format!("the youngest that were seen were {} s old", age.num_seconds())),
            _ => not_seen("no run of the day has ended"),
        }
    })
}

fn no_new_files(seen: &Seen) -> Assumption {
    about("a run that finds no new file ends SUCCEEDED and leaves the table (T6)", &seen.runs, |runs| {
        let without = runs.iter().find(|seen| seen.said.as_ref().is_some_and(|said| said.contains("No new files")));
        match without.map(|seen| (&seen.run, seen.run.state.as_str())) {
            None => not_seen("every run of the day found files"),
            Some((run, "SUCCEEDED")) => holds(format!("so it was with {}", run.table)),
            Some((run, state)) => broken(
                format!("{} ended {state}", run.table),
                "nothing: load-export tells it as the failure that it is",
            ),
        }
    })
}

fn commit(seen: &Seen) -> Assumption {
    const ASSUMED: &str = "a table changes while its run is under way, and not by itself afterwards";
    about(ASSUMED, &seen.runs, |runs| {
        let changed = runs.iter().filter(|seen| seen.said.is_none() && seen.run.state == "SUCCEEDED");
        let changed: Vec<_> = changed.filter_map(|seen| Some((seen, seen.run.ended_at?))).collect();
        let later = changed.iter().find(|(seen, ended)| seen.modified > *ended + COMMIT_SKEW);
        match (later, changed.len()) {
            (_, 0) => not_seen("no run of the day has changed its table"),
            (None, runs) => {
                holds(format!("{} ended no more than a second before its table's last change", count(runs, "run")))
            }
            (Some((seen, ended)), _) => broken(
                format!(
                    "{} was changed {} s after its run had ended",
                    seen.run.table,
                    (seen.modified - *ended).num_seconds()
                ),
                "find out who changes raw tables; if it is nobody, each start of load-export transfers the table again",
            ),
        }
    })
}

fn transfer_account(seen: &Seen) -> Assumption {
    about("isthmus-transfer may edit every raw dataset", &seen.grants, |datasets| {
        let may = |dataset: &&Dataset| {
            let held = &dataset.of_transfer_account;
            held.iter()
                .any(|role| WRITERS.contains(&role.as_str()) || role.contains("dataEditor") || role.contains("isthmus"))
        };
        match (datasets.iter().find(|dataset| !may(dataset)), datasets.len()) {
            (_, 0) => not_seen("there is no raw dataset"),
            (None, all) => holds(format!("it does, on {}", count(all, "dataset"))),
            (Some(dataset), _) => broken(
                format!("it has {:?} on {}", dataset.of_transfer_account, dataset.name),
                "apply terraform/gcp: identities.tf grants it",
            ),
        }
    })
}

fn written(written: &Written) -> Vec<Assumption> {
    let refused = |status: &Option<u16>| match status {
        Some(412) => holds("S3 answers 412"),
        Some(status) => broken(format!("S3 answers {status}"), "do not publish: CURRENT and leases rest on 412"),
        None => broken("S3 took it", "do not publish: two writers would overwrite each other"),
    };
    vec![
        about("S3 creates an object once (If-None-Match)", &written.create_twice, refused),
        about("S3 replaces only what was read (If-Match)", &written.replace_another, refused),
        about("the application bucket encrypts with the product's key", &written.encryption, |(kind, key)| {
            const SET: &str = "apply terraform/aws: buckets.tf sets the key";
            match kind.as_str() {
                "aws:kms" => product_key(key, SET),
                other => broken(format!("{other:?}"), SET),
            }
        }),
        about("a table's lastModifiedTime stays while nothing changes it", &written.modified, |(before, after)| {
            if before == after {
                return holds(format!("it stayed at {before}"));
            }
            broken(
                format!("it moved from {before} to {after}"),
                "nothing: each start of load-export transfers every table again",
            )
        }),
    ]
}
