//! What can be wrong, line by line: what is other than on a good morning, the time, which finding, its state, a piece of
//! what it says, a piece of what helps.

use super::*;

type Case = (fn(&mut Facts), &'static str, &'static str, State, &'static str, &'static str);

pub(super) fn nothing_yet(f: &mut Facts) {
    (f.tasks, f.manifest, f.runs, f.loads) = (Ok(Vec::new()), Ok(None), Ok(Vec::new()), Ok(Vec::new()));
}

fn old_snapshot(f: &mut Facts) {
    f.snapshot = Ok(Some(Snapshot { id: "old".into(), created_at: at("-02:05") }));
}

fn under_way(f: &mut Facts) {
    f.tasks = Ok(vec![task("prod-20261122", "IN_PROGRESS", "04:00", None)]);
}

fn spot_after(f: &mut Facts, status: &str) {
    let daily = task("prod-20261122", status, "04:00", Some("04:30"));
    f.tasks = Ok(vec![daily, task("prod-20261122-s061500", "STARTING", "06:15", None)]);
}

fn skipped(f: &mut Facts) {
    let mut found = manifest();
    let table = &mut found.tables[0];
    (table.state, table.rows, table.parts) = (handoff::TableState::Skipped, 0, 0);
    found.warnings.push("shop.items: FAILED_TO_EXTRACT".into());
    f.manifest = Ok(Some(found));
}

fn loads(f: &mut Facts, loads: &[Load]) {
    f.loads = Ok(loads.to_vec());
}

fn orders() -> Load {
    load(DAY, "shop.orders", "loaded", 120)
}

fn build(f: &mut Facts) -> &mut Build {
    f.dbt.as_mut().unwrap().as_mut().unwrap().as_mut().unwrap()
}

fn proven(f: &mut Facts) -> &mut Vec<Load> {
    f.loads.as_mut().unwrap()
}

fn generations(f: &mut Facts, generations: &[Published]) {
    f.syncs.as_mut().unwrap()[0].generations = Ok(generations.to_vec());
}

fn served(f: &mut Facts) -> &mut Served {
    f.lookup.as_mut().unwrap().as_mut().unwrap()
}

fn alarm(f: &mut Facts) {
    f.alarms = Ok(vec![Alarm { name: "isthmus-prod-x".into(), reason: "1 > 0".into(), since: Some(at("04:12")) }]);
}

#[rustfmt::skip] // a case is a line or two
pub(super) const FORWARD: [Case; 24] = [
    (|f| { nothing_yet(f); f.snapshot = Ok(None); }, "04:10", "snapshot", State::Waiting, "no automated snapshot", "--db-cluster-identifier shop --snapshot-type automated --region ap-northeast-1"),
    (|f| { nothing_yet(f); old_snapshot(f); }, "09:00", "snapshot", State::Late,
        "old, made 1 d 6 h ago: last night's backup is not there", "describe-db-cluster-snapshots"),
    // The day has an export: whatever it was made of, it was not refused.
    (old_snapshot, "09:00", "snapshot", State::Good, "", ""),
    (nothing_yet, "04:10", "export", State::Waiting, "no export task of 2026-11-22", "prod-start-export"),
    (nothing_yet, "09:00", "export", State::Late, "no export task of 2026-11-22", "prod-start-export"),
    (under_way, "04:20", "export", State::Waiting, "IN_PROGRESS, 61 % since 04:00", ""),
    (under_way, "10:00", "export", State::Late, "61 % since 04:00", "aws logs tail"),
    (|f| f.tasks = Ok(vec![task("prod-20261122", "FAILED", "04:00", Some("04:05"))]), "04:20", "export", State::Failed,
        "FAILED: no KMS key", "'{\"kind\":\"manual\",\"spot\":true}'"),
    (|f| spot_after(f, "FAILED"), "06:30", "export", State::Waiting, "s061500 STARTING", ""),
    (|f| spot_after(f, "COMPLETE"), "10:30", "export", State::Good, "", ""),
    (nothing_yet, "04:10", "manifest", State::Waiting, "waits for the export", ""),
    (|f| f.manifest = Ok(None), "04:50", "manifest", State::Waiting, "looks each 15 minutes", "prod-publish-export --cli-binary-format raw-in-base64-out --payload '{\"kind\":\"poll\"}' /dev/stdout --region ap-northeast-1"),
    (|f| f.manifest = Ok(None), "05:15", "manifest", State::Late, "the export ended 39 min ago and was not published", "prod-publish-export"),
    (skipped, "05:15", "manifest", State::Failed, "shop.items: FAILED_TO_EXTRACT", "[\"shop.items\"]"),
    (|f| f.runs.as_mut().unwrap()[0].state = "RUNNING".into(), "05:15", "transfer runs", State::Waiting, "1 of 2 runs ended well, 1 under way", ""),
    (|f| { loads(f, &[]); f.runs = Ok(vec![run("shop.items", "FAILED")]); }, "05:15", "transfer runs", State::Failed,
        "access denied", "{\"export_date\":\"2026-11-22\"}"),
    // The rows came by another run.
    (|f| f.runs = Ok(vec![run("shop.items", "FAILED")]), "05:15", "transfer runs", State::Good, "", ""),
    (|f| { loads(f, &[]); f.runs = Ok(Vec::new()); }, "09:15", "transfer runs", State::Late, "none of this day", "gcloud workflows run isthmus-prod-daily"),
    (|f| loads(f, &[orders()]), "06:00", "tables", State::Waiting, "1 of 2 tables proven, 120 rows | no load of 2026-11-22 was proven", ""),
    (|f| loads(f, &[load("2026-11-21", "shop.items", "loaded", 40), orders()]), "09:00", "tables", State::Late,
        "no load of 2026-11-22 was proven", "--project acme"),
    (|f| loads(f, &[load(DAY, "shop.items", "short", 38), orders()]), "06:00", "tables", State::Failed,
        "short at 05:10: 38 rows, expected 40", "--location asia-northeast1"),
    (|f| f.loads.as_mut().unwrap().push(load("2026-11-20", "crm.leads", "loaded", 3)), "09:00", "extractor", State::Late,
        "0 of 1 table loaded | not loaded for 2026-11-22 yet, last for 2026-11-20", ""),
    // Weeks without a load are weeks in which it is late.
    (|f| f.loads.as_mut().unwrap().push(load("2026-09-24", "crm.leads", "loaded", 3)), "09:00", "extractor", State::Late,
        "not loaded for 2026-11-22 yet, last for 2026-09-24", ""),
    // Its rows are its own: the tables of the export are the line above.
    (|f| { loads(f, &[orders()]); f.loads.as_mut().unwrap().push(load(DAY, "crm.leads", "loaded", 3)); }, "06:00", "tables", State::Waiting,
        "1 of 2 tables proven, 120 rows |", ""),
];

#[rustfmt::skip]
pub(super) const BACKWARD: [Case; 21] = [
    // Off where somebody says so, and not because nothing was found.
    (|f| f.dbt = None, "09:00", "dbt", State::Off, "this environment has none", ""),
    (|f| f.dbt = Some(Ok(None)), "06:00", "dbt", State::Waiting, "no build has left its results", ""),
    (|f| f.dbt = Some(Ok(None)), "09:00", "dbt", State::Late, "no build has left its results", "isthmus-prod-dbt"),
    (|f| build(f).day = "2026-11-21".parse().unwrap(), "06:00", "dbt", State::Waiting, "the newest build is of 2026-11-21", ""),
    (|f| build(f).day = "2026-11-21".parse().unwrap(), "09:00", "dbt", State::Late, "the newest build is of 2026-11-21", "isthmus-prod-dbt"),
    (|f| build(f).failed.push(("unique_orders".into(), "Got 2 results".into())), "06:00", "dbt", State::Failed,
        "1 of 12 models and tests failed, at 05:20 | Got 2 results", "gcloud logging read"),
    (|f| build(f).not_fresh.push(("users".into(), "table shop.items: short".into())), "06:00", "dbt", State::Late,
        "table shop.items: short", "isthmus-prod-dbt"),
    (|f| generations(f, &[]), "06:00", "syncs", State::Waiting, "nothing was published to s3://app/users yet", ""),
    (|f| generations(f, &[published("-05:30")]), "09:00", "syncs", State::Late, "1 d 3 h old, 9 rows", "--args=--sync=users"),
    // Before the day's rows were proven, it cannot be made of them; just after, it can.
    (|f| generations(f, &[published("05:09")]), "06:00", "syncs", State::Waiting, "0 of 1 sync", ""),
    (|f| generations(f, &[published("05:10")]), "06:00", "syncs", State::Good, "", ""),
    // In the very second: a generation's name has no fractions.
    (|f| { proven(f)[0].loaded_at += chrono::TimeDelta::milliseconds(700); generations(f, &[published("05:10")]); }, "06:00", "syncs",
        State::Good, "", ""),
    // Loaded once more after it was published.
    (|f| { proven(f)[1].first_good_at = Some(at("05:10")); proven(f)[1].loaded_at = at("10:00"); }, "10:30", "syncs", State::Good, "", ""),
    (|f| { proven(f)[1] = Load { first_good_at: Some(at("05:10")), ..load(DAY, "shop.orders", "short", 1) }; }, "10:30", "syncs", State::Good, "", ""),
    // No row of the day stands yet, whatever was published since four o'clock.
    (|f| loads(f, &[load(DAY, "shop.orders", "short", 1)]), "09:30", "syncs", State::Late, "0 of 1 sync", ""),
    // A table of the extractor has no part in it.
    (|f| f.loads.as_mut().unwrap().push(Load { loaded_at: at("08:00"), ..load(DAY, "crm.leads", "loaded", 3) }), "09:00", "syncs", State::Good, "", ""),
    // Where BigQuery does not answer, the day's first part is all that is known.
    (|f| { f.loads = Err("403".into()); generations(f, &[published("04:30")]); }, "06:00", "syncs", State::Waiting, "0 of 1 sync", ""),
    (|f| { f.loads = Err("403".into()); generations(f, &[published("04:31")]); }, "06:00", "syncs", State::Good, "", ""),
    (|f| f.syncs.as_mut().unwrap()[0].generations = Err("denied".into()), "06:00", "syncs", State::Unknown,
        "could not be asked: denied", "aws sts get-caller-identity"),
    (|f| served(f).healthy = Err("503: not-ready".into()), "06:00", "lookup", State::Failed, "503: not-ready", "/aws/lambda/prod-lookup --since 1d --region ap-northeast-1"),
    (|f| served(f).generations[0].1 = "20261120T203000Z".into(), "06:00", "lookup", State::Late,
        "answers from 20261120T203000Z, published is 20261121T203000Z", "prod-lookup"),
];

#[rustfmt::skip]
pub(super) const HEALTH: [Case; 4] = [
    (alarm, "06:00", "alarms", State::Failed, "1 alarm open | since 04:12: 1 > 0", "--alarm-names isthmus-prod-x --region ap-northeast-1"),
    (|f| f.dead_letters = Ok(2), "06:00", "dead letters", State::Failed, "2 events not delivered", "isthmus-prod-dead-letters --output text --region ap-northeast-1)\" --region ap-northeast-1"),
    (|f| f.alarms = Err("AccessDenied: not you".into()), "06:00", "alarms", State::Unknown, "could not be asked: AccessDenied: not you", "aws sts"),
    (|f| f.loads = Err("403".into()), "06:00", "tables", State::Unknown, "could not be asked: 403", "gcloud auth"),
];
