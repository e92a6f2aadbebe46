//! Each assumption both ways, not seen yet, and not to be asked.

use serde_json::json;

use super::*;
use crate::status::facts::Run;
use crate::status::judge::tests::{at, load, manifest, run};

fn seen() -> Seen {
    let list: handoff::TableList =
        serde_json::from_value(json!({"databases": {"shop": {"tables": {"items": {}, "orders": {}}}}})).unwrap();
    let mut manifest = manifest();
    let text =
        json!({"name": "name", "source_type": "text", "parquet_type": "STRING", "nulls": 1, "min": "a", "max": "z"});
    manifest.tables[0].columns = vec![serde_json::from_value(text).unwrap()];
    let mut items = run("shop.items", "SUCCEEDED");
    items.ended_at = Some(at("05:07"));
    let orders = Run { started_at: Some(at("04:40")), ..run("shop.orders", "SUCCEEDED") };
    let said = Some("No new files found matching \"x\".".into());
    Seen {
        tables: Ok(list.transfers(&"prod".parse().unwrap()).unwrap()),
        google_ahead: Ok(TimeDelta::seconds(-1)),
        exporting: Ok(1),
        export_key: Ok(Some(key("prod-20261122", "arn:aws:kms:::key/1"))),
        live_exports: Ok(vec![("prod-20261122-s101500".into(), false)]),
        manifest: Ok(Some(manifest)),
        batches: Ok([("shop.items".to_owned(), 2), ("shop.orders".to_owned(), 1)].into()),
        loads: Ok(vec![load("2026-11-22", "shop.items", "loaded", 40)]),
        runs: Ok(vec![
            RunSeen { run: items, modified: at("05:06"), said: None },
            RunSeen { run: orders, modified: at("-05:00"), said },
        ]),
        grants: Ok(vec![Dataset { name: "raw_shop".into(), of_transfer_account: vec!["WRITER".into()] }]),
        written: Some(Written {
            create_twice: Ok(Some(412)),
            replace_another: Ok(Some(412)),
            encryption: Ok(("aws:kms".into(), key("s3://app", "arn:aws:kms:::key/1"))),
            modified: Ok((at("05:00"), at("05:00"))),
        }),
    }
}

fn key(of: &str, key: &str) -> KeySeen {
    KeySeen { of: of.into(), key: Some(key.into()), product: Ok("arn:aws:kms:::key/1".into()) }
}

fn written(seen: &mut Seen) -> &mut Written {
    seen.written.as_mut().unwrap()
}

fn blind(seen: &mut Seen) -> &mut RunSeen {
    &mut seen.runs.as_mut().unwrap()[1]
}

/// What is other, which assumption it is about, what comes out, a piece of what is said and of what to set.
type Case = (fn(&mut Seen), &'static str, Outcome, &'static str, &'static str);

#[rustfmt::skip] // a case is a line or two
const CASES: [Case; 49] = [
    (|_| (), "clocks", Outcome::Holds, "-1 s", ""),
    (|s| s.google_ahead = Ok(TimeDelta::seconds(61)), "clocks", Outcome::Broken, "+61 s", "MIN_FILE_AGE_SECONDS"),
    (|s| s.google_ahead = Err("no".into()), "clocks", Outcome::Unknown, "could not be asked: no", ""),
    (|_| (), "five tasks", Outcome::Holds, "1 task under way, room for 4 more", ""),
    (|s| s.exporting = Ok(5), "five tasks", Outcome::Holds, "5 tasks under way, room for none", ""),
    (|s| s.exporting = Ok(6), "five tasks", Outcome::Broken, "more than five", "the quota was raised"),
    (|_| (), "exports are encrypted", Outcome::Holds, "prod-20261122 is, with arn:aws:kms:::key/1", ""),
    (|s| s.export_key = Ok(Some(key("prod-20261122", "arn:aws:kms:::key/2"))), "exports are encrypted", Outcome::Broken, "key/2, and the product's is arn:aws:kms:::key/1", "sam deploy"),
    (|s| s.export_key = Ok(None), "exports are encrypted", Outcome::NotSeen, "nothing was exported", ""),
    (|s| s.export_key.as_mut().unwrap().as_mut().unwrap().product = Err("no".into()), "exports are encrypted", Outcome::Unknown, "could not be asked: no", ""),
    (|_| (), "SnapshotTime", Outcome::Holds, "s101500 has none", ""),
    (|s| s.live_exports.as_mut().unwrap()[0].1 = true, "SnapshotTime", Outcome::Broken, "has one", "publish-export takes it"),
    (|s| s.live_exports = Ok(Vec::new()), "SnapshotTime", Outcome::NotSeen, "isthmus spot", ""),
    (|_| (), "extremes of texts", Outcome::Holds, "1 of 1 text column", ""),
    (|s| s.manifest.as_mut().unwrap().as_mut().unwrap().tables[0].columns[0].statistics.max = None, "extremes of texts", Outcome::Broken, "0 of 1", "by their nulls alone"),
    (|s| s.manifest.as_mut().unwrap().as_mut().unwrap().tables[0].columns[0].statistics.nulls = Some(40), "extremes of texts", Outcome::NotSeen, "no column of texts", ""),
    (|s| s.manifest = Ok(None), "extremes of texts", Outcome::NotSeen, "no manifest yet", ""),
    (|_| (), "star of a transfer", Outcome::Holds, "shop.items was loaded so, 40 rows", ""),
    (|s| {
        let mut failed = load("2026-11-22", "shop.items", "failed", 0);
        failed.message = Some("No new files found matching …".into());
        s.loads = Ok(vec![failed]);
    }, "star of a transfer", Outcome::Broken, "no file was found", "*/*.parquet"),
    (|s| s.loads = Ok(Vec::new()), "star of a transfer", Outcome::NotSeen, "no table was loaded", ""),
    (|s| s.tables.as_mut().unwrap()[0].pattern = "*/*.parquet".into(), "star of a transfer", Outcome::NotSeen, "no table was loaded", ""),
    (|_| (), "more batch folders", Outcome::Holds, "shop.items lies in 2 folders and is proven", ""),
    (|s| s.loads = Ok(vec![load("2026-11-22", "shop.items", "short", 20)]), "more batch folders", Outcome::Broken, "is not proven", "*/*.parquet"),
    (|s| s.batches = Ok([("shop.items".to_owned(), 1)].into()), "more batch folders", Outcome::NotSeen, "one folder", ""),
    (|s| s.loads = Ok(Vec::new()), "more batch folders", Outcome::NotSeen, "not loaded yet", ""),
    (|_| (), "ten minutes old", Outcome::Holds, "1740 s old", ""),
    (|s| blind(s).run.started_at = Some(at("05:00")), "ten minutes old", Outcome::Broken, "25 min old", "MIN_FILE_AGE_SECONDS"),
    (|s| s.runs = Ok(Vec::new()), "ten minutes old", Outcome::NotSeen, "no run of the day", ""),
    (|_| (), "no new file", Outcome::Holds, "shop.orders", ""),
    (|s| blind(s).run.state = "FAILED".into(), "no new file", Outcome::Broken, "ended FAILED", "load-export tells it"),
    (|s| { s.runs.as_mut().unwrap().pop(); }, "no new file", Outcome::NotSeen, "every run", ""),
    (|_| (), "changes while its run", Outcome::Holds, "1 run ended", ""),
    (|s| s.runs.as_mut().unwrap()[0].modified = at("06:00"), "changes while its run", Outcome::Broken, "3180 s after its run", "who changes raw tables"),
    (|s| { s.runs.as_mut().unwrap().remove(0); }, "changes while its run", Outcome::NotSeen, "no run of the day", ""),
    (|_| (), "edit every raw dataset", Outcome::Holds, "on 1 dataset", ""),
    (|s| s.grants.as_mut().unwrap()[0].of_transfer_account.clear(), "edit every raw dataset", Outcome::Broken, "[] on raw_shop", "identities.tf"),
    (|s| s.grants = Ok(Vec::new()), "edit every raw dataset", Outcome::NotSeen, "no raw dataset", ""),
    (|_| (), "If-None-Match", Outcome::Holds, "412", ""),
    (|s| written(s).create_twice = Ok(None), "If-None-Match", Outcome::Broken, "S3 took it", "do not publish"),
    (|s| written(s).create_twice = Ok(Some(501)), "If-None-Match", Outcome::Broken, "501", "do not publish"),
    (|_| (), "(If-Match", Outcome::Holds, "412", ""),
    (|s| written(s).replace_another = Ok(None), "(If-Match", Outcome::Broken, "S3 took it", "do not publish"),
    (|_| (), "bucket encrypts", Outcome::Holds, "s3://app is, with arn:aws:kms:::key/1", ""),
    (|s| written(s).encryption.as_mut().unwrap().0 = "AES256".into(), "bucket encrypts", Outcome::Broken, "AES256", "buckets.tf"),
    // AWS's own key is a KMS key too.
    (|s| written(s).encryption.as_mut().unwrap().1.key = Some("arn:aws:kms:::key/aws-s3".into()), "bucket encrypts", Outcome::Broken, "key/aws-s3", "buckets.tf"),
    (|s| written(s).encryption.as_mut().unwrap().1.key = None, "bucket encrypts", Outcome::Broken, "encrypted with none", "buckets.tf"),
    (|_| (), "lastModifiedTime", Outcome::Holds, "it stayed at", ""),
    (|s| written(s).modified = Ok((at("05:00"), at("05:01"))), "lastModifiedTime", Outcome::Broken, "it moved", "every table again"),
    (|s| written(s).modified = Err("denied".into()), "lastModifiedTime", Outcome::Unknown, "denied", ""),
];

#[test]
fn each_assumption_comes_out_as_the_accounts_show_it() {
    for (n, (change, assumed, outcome, says, set)) in CASES.into_iter().enumerate() {
        let mut seen = seen();
        change(&mut seen);
        let all = examine(&seen);
        let found: Vec<_> = all.iter().filter(|found| found.assumed.contains(assumed)).collect();
        let [found] = found[..] else { panic!("{n}: {assumed:?} is about {} assumptions", found.len()) };
        assert_eq!(found.outcome, outcome, "{n} {found:?}");
        assert!(found.found.contains(says) && found.set.unwrap_or_default().contains(set), "{n} {found:?}");
        assert_eq!(found.outcome == Outcome::Broken, found.set.is_some(), "{n} {found:?}");
    }
}

#[test]
fn what_needs_a_write_is_not_spoken_of_without_one() {
    let read_only = Seen { written: None, ..seen() };
    assert_eq!((examine(&read_only).len(), examine(&seen()).len()), (11, 15));
}
