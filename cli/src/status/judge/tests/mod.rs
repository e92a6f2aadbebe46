//! A morning in Tokyo, and everything that can be wrong with it.

mod cases;

use chrono::NaiveTime;
use chrono_tz::Asia::Tokyo;
use handoff::Manifest;
use serde_json::json;

use super::*;
use crate::status::facts::{Alarm, Build, Load, Names, Published, Run, Served, Snapshot, Sync, Task};
use cases::{BACKWARD, FORWARD, HEALTH, nothing_yet};

const DAY: &str = "2026-11-22";

/// `05:30` of the day, in Tokyo; `-` before it is the day before.
pub fn at(time: &str) -> chrono::DateTime<chrono::Utc> {
    let (day, time) = time.strip_prefix('-').map_or((DAY, time), |time| ("2026-11-21", time));
    format!("{day}T{time}:00+09:00").parse().unwrap()
}

pub fn clock(time: &str) -> Clock {
    Clock { now: at(time), zone: Tokyo, ready_by: NaiveTime::from_hms_opt(9, 0, 0).unwrap() }
}

pub fn manifest() -> Manifest {
    let table = |name: &str, rows: u64, time: &str| {
        json!({"name": name, "prefix": format!("prod-20261122/{name}/"), "state": "exported", "rows": rows, "bytes": 1,
            "parts": 1, "newest_part_at": at(time)})
    };
    let manifest = json!({"version": 1, "env": "prod", "export_date": DAY, "task_id": "prod-20261122", "snapshot_arn": "a",
        "snapshot_time": at("02:05"), "published_at": at("04:40"),
        "tables": [table("shop.items", 40, "04:31"), table("shop.orders", 120, "04:35")]});
    Manifest::read(manifest.to_string().as_bytes()).unwrap()
}

pub fn task(id: &str, status: &str, started: &str, ended: Option<&str>) -> Task {
    let (started_at, ended_at) = (Some(at(started)), ended.map(at));
    Task { id: id.into(), status: status.into(), percent: 61, started_at, ended_at, failure: Some("no KMS key".into()) }
}

pub fn load(day: &str, table: &str, state: &str, rows: u64) -> Load {
    Load {
        day: day.parse().unwrap(),
        table: table.into(),
        state: state.into(),
        rows: Some(rows),
        loaded_at: at("05:10"),
        first_good_at: None,
        snapshot_at: None,
        message: (state != "loaded").then(|| "38 rows, expected 40".into()),
    }
}

pub fn run(table: &str, state: &str) -> Run {
    Run {
        table: table.into(),
        name: format!("runs/{table}"),
        state: state.into(),
        run_time: Some(at("00:00")),
        started_at: Some(at("05:00")),
        ended_at: None,
        error: Some("access denied".into()),
    }
}

pub fn published(began: &str) -> Published {
    let began_at = at(began);
    Published {
        generation: "20261121T203000Z".into(),
        began_at,
        published_at: began_at,
        rows: 9,
        changed: 1,
        rejected: 0,
        puts: 1,
    }
}

/// Half past six: everything went well.
pub fn good() -> Facts {
    let names = Names {
        cluster: "shop".into(),
        project: "acme".into(),
        location: "asia-northeast1".into(),
        region: Some("ap-northeast-1".into()),
        export_bucket: "exports".into(),
    };
    let build = Build {
        day: DAY.parse().unwrap(),
        ended_at: at("05:20"),
        seconds: 300.0,
        nodes: 12,
        failed: Vec::new(),
        not_fresh: Vec::new(),
    };
    let sync = Sync {
        name: "users".into(),
        place: "s3://app/users".into(),
        generations: Ok(vec![published("05:30")]),
        published_at: Vec::new(),
    };
    Facts {
        env: "prod".parse().unwrap(),
        day: DAY.parse().unwrap(),
        names,
        listed: Ok(vec!["shop.items".into(), "shop.orders".into()]),
        snapshot: Ok(Some(Snapshot { id: "rds:shop-2026-11-21-17-05".into(), created_at: at("02:05") })),
        tasks: Ok(vec![task("prod-20261122", "COMPLETE", "04:00", Some("04:36"))]),
        manifest: Ok(Some(manifest())),
        runs: Ok(vec![run("shop.items", "SUCCEEDED"), run("shop.orders", "SUCCEEDED")]),
        loads: Ok(vec![load(DAY, "shop.items", "loaded", 40), load(DAY, "shop.orders", "loaded", 120)]),
        dbt: Some(Ok(Some(build))),
        syncs: Ok(vec![sync]),
        lookup: Some(Ok(Served { healthy: Ok(()), generations: vec![("users".into(), "20261121T203000Z".into())] })),
        alarms: Ok(Vec::new()),
        dead_letters: Ok(0),
    }
}

/// A morning at the end of sixty days: one table was lost today, some days were late, one sync is behind.
pub fn sixty_days() -> Facts {
    let mut facts = good();
    let tables = ["customers", "inventory", "items", "order_items", "orders", "payments", "prices", "shipments"];
    facts.listed = Ok(tables.map(|table| format!("shop.{table}")).to_vec());
    let today: handoff::ExportDate = DAY.parse().unwrap();
    let mut loads = Vec::new();
    for (before, n) in (0..60_u32).rev().flat_map(|before| (0_u32..8).map(move |n| (before, n))) {
        let day = today.days_before(before);
        let state = match (before, n) {
            (0, 3) => continue,
            (17 | 18, 6) | (41, 1) => "short",
            _ => "loaded",
        };
        let minutes = if before == 33 { 400 } else { 65 + i64::from((before * 7 + n * 3) % 20) };
        let loaded_at = day.midnight(Tokyo) + chrono::TimeDelta::minutes(240 + minutes);
        let rows = u64::from((n + 1) * 40_000 + (60 - before) * (n + 2) * 211 + (before * 7919 + n * 104_729) % 9_000);
        let snapshot_at = Some(day.midnight(Tokyo) + chrono::TimeDelta::minutes(125));
        let name = format!("shop.{}", tables[n as usize]);
        loads.push(Load { loaded_at, snapshot_at, ..load(&day.to_string(), &name, state, rows) });
    }
    facts.loads = Ok(loads);
    facts.runs = Ok(facts
        .listed
        .iter()
        .flatten()
        .map(|table| Run { ended_at: Some(at("05:07")), ..run(table, "SUCCEEDED") })
        .collect());
    let generation = |began: &str, ended: &str, puts| Published {
        published_at: at(ended),
        rows: 5_012_844,
        changed: puts,
        puts,
        ..published(began)
    };
    let sync = |name: &str, newest: Published| Sync {
        name: name.into(),
        place: format!("s3://app/{name}"),
        generations: Ok(vec![newest, generation("-05:31", "-05:44", 262_004)]),
        published_at: (1..14).map(|before| at("05:44") - chrono::TimeDelta::days(before)).collect(),
    };
    facts.syncs = Ok(vec![
        sync("user-profiles", generation("05:21", "05:33", 251_903)),
        sync("item-prices", generation("-05:35", "-05:36", 4_119)),
    ]);
    facts
}

fn change(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = good();
    change(&mut facts);
    facts
}

/// `name state: found`, and what helps; of the finding, and of its parts that are not good.
fn told(facts: &Facts, time: &str, name: &str) -> (State, String, String) {
    let report = judge(facts, &clock(time));
    let finding = report.findings.iter().find(|finding| finding.name == name).unwrap();
    let mut shown = std::iter::once(finding).chain(&finding.parts).filter(|part| part.state != State::Good);
    let lines: Vec<String> = shown.clone().map(|part| part.found.clone()).collect();
    (finding.state, lines.join(" | "), shown.find_map(|part| part.command.clone()).unwrap_or_default())
}

#[test]
fn a_morning_on_which_all_went_well_is_good_and_nothing_needs_help() {
    let report = judge(&good(), &clock("06:30"));
    let states: Vec<_> = report.findings.iter().map(|finding| (finding.name.as_str(), finding.state)).collect();
    let expected = [
        ("snapshot", State::Good),
        ("export", State::Good),
        ("manifest", State::Good),
        ("transfer runs", State::Good),
        ("tables", State::Good),
        ("extractor", State::Off),
        ("dbt", State::Good),
        ("syncs", State::Good),
        ("lookup", State::Good),
        ("alarms", State::Good),
        ("dead letters", State::Good),
    ];
    assert_eq!(states, expected);
    assert_eq!((report.state, report.exit_code), (State::Good, 0));
    let mut all = report.findings.iter().flat_map(|finding| std::iter::once(finding).chain(&finding.parts));
    assert_eq!(all.find_map(|finding| finding.command.as_ref()), None);
}

#[test]
fn whatever_is_wrong_is_said_with_why_and_what_helps() {
    for (n, (change_it, time, name, state, says, helps)) in
        FORWARD.into_iter().chain(BACKWARD).chain(HEALTH).enumerate()
    {
        let (found, said, command) = told(&change(change_it), time, name);
        assert_eq!(found, state, "{n} {name} at {time}: {said}");
        assert!(said.contains(says), "{n} {name} at {time}: {said:?} has no {says:?}");
        assert!(command.contains(helps), "{n} {name} at {time}: {command:?} has no {helps:?}");
    }
}

#[test]
fn the_exit_code_is_that_of_the_worst_finding() {
    for (change_it, time, code) in [
        ((|_| ()) as fn(&mut Facts), "06:30", 0),
        (nothing_yet, "04:10", 4),
        (nothing_yet, "09:00", 1),
        (|f| f.alarms = Err("no".into()), "06:30", 3),
        // Something that could not be asked hides nothing that is late.
        (
            |f| {
                nothing_yet(f);
                f.alarms = Err("no".into());
            },
            "09:00",
            1,
        ),
        // And what is on its way is not more than what could not be asked.
        (
            |f| {
                nothing_yet(f);
                f.alarms = Err("no".into());
            },
            "04:10",
            3,
        ),
        (|f| f.dead_letters = Ok(1), "06:30", 1),
    ] {
        assert_eq!(judge(&change(change_it), &clock(time)).exit_code, code, "at {time}");
    }
}

#[test]
fn numbers_are_grouped_and_counted_in_words() {
    assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    assert_eq!((count(1, "table"), count(2, "table")), ("1 table".into(), "2 tables".into()));
}
