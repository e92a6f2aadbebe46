//! The job as a process, from manifest to audit table.

use crate::cloud;

use std::time::Duration;

use cloud::{BUCKET, Cloud, manifest, manifest_at, manifest_key, message, report, states};
use local::transfer::Options;
use serde_json::json;

#[tokio::test]
async fn every_table_is_loaded_proved_and_audited_and_a_second_start_changes_nothing() {
    let cloud = Cloud::start().await;
    cloud.configure(&["cart", "orders", "users"]).await;
    cloud.bigquery.query("CREATE OR REPLACE TABLE raw_shop.cart AS SELECT 1 AS n").await.unwrap();
    cloud.export("orders", 7);
    cloud.export("users", 3);
    cloud.publish(&manifest(&[("cart", 0), ("orders", 7), ("users", 3), ("visits", 5)]));

    let first = cloud.run().await;
    assert_eq!(first.exit_code, Some(0), "{}", first.log);
    assert_eq!(states(&first), ["shop.cart truncated", "shop.orders loaded", "shop.users loaded"]);
    assert_eq!(report(&first)["unlisted"], json!(["shop.visits"]));
    assert_eq!((cloud.rows("cart").await, cloud.rows("orders").await, cloud.rows("users").await), (0, 7, 3));
    let audit = ["shop.cart truncated 0 0", "shop.orders loaded 7 7", "shop.users loaded 3 3"];
    assert_eq!(cloud.audit().await, audit);
    assert_eq!(cloud.starts(), 2);

    let second = cloud.run().await;
    assert_eq!(second.exit_code, Some(0), "{}", second.log);
    assert_eq!(states(&first), states(&second));
    assert_eq!((cloud.starts(), cloud.audit().await), (2, audit.map(str::to_owned).to_vec()));
    assert_eq!((&report(&first)["runs_started"], &report(&second)["runs_started"]), (&json!(2), &json!(0)));

    let text = cloud.job().run(&["--export-date", cloud::DATE]).await.unwrap().log;
    assert!(text.contains("shop.orders  loaded                 7              7"), "{text}");
    assert!(text.contains("in the export but not in the table list: shop.visits"), "{text}");
}

#[tokio::test]
async fn a_table_that_is_not_good_fails_the_job_and_says_why() {
    let cloud = Cloud::start().await;
    let configs = cloud.configure(&["broken", "few", "gone", "many", "orders", "skipped"]).await;
    let tables = ["broken", "few", "gone", "many", "orders", "skipped", "unmade"];
    cloud.list_tables(&tables);
    for (table, rows) in [("broken", 2), ("few", 4), ("many", 6), ("orders", 7), ("unmade", 1)] {
        cloud.export(table, rows);
    }
    let mut day = manifest(&[("broken", 2), ("few", 5), ("many", 3), ("orders", 7), ("skipped", -1), ("unmade", 1)]);
    day.warnings.push("shop.skipped: a column name holds a space".into());
    cloud.publish(&day);
    let broken = format!("{}:startManualRuns", configs[0]);
    let refuse = move |request: &local::wire::Recorded| request.path.ends_with(&broken);
    let refusal = json!({"error": {"code": 400, "status": "FAILED_PRECONDITION", "message": "no"}}).to_string();
    cloud.transfer_wire.fault(1, local::wire::Effect::Refuse(400, refusal), refuse);

    let finished = cloud.run().await;
    assert_eq!(finished.exit_code, Some(1), "{}", finished.log);
    let of = |table: &str| message(&finished, table);
    assert!(
        of("broken").starts_with(&format!("start a run of {} for 2026-11-19 15:00:00 UTC: ", configs[0])),
        "{}",
        of("broken")
    );
    assert_eq!(of("few"), "1 rows of the export are not in BigQuery");
    assert_eq!(of("many"), "BigQuery has 3 rows more than the export: were parts added to it?");
    assert_eq!(of("gone"), "not in the manifest: was it dropped or renamed?");
    assert_eq!(of("skipped"), "RDS did not export it: shop.skipped: a column name holds a space");
    assert_eq!(of("unmade"), "there is no transfer config named \"isthmus prod shop.unmade\": run terraform apply");
    let failed: Vec<String> = states(&finished).into_iter().filter(|state| state.ends_with("failed")).collect();
    assert_eq!(failed.len(), 3, "{failed:?}");
    assert_eq!(cloud.audit().await.len(), tables.len());

    // For a second start there is left what failed: the refused start, and each wrong count, which is loaded once more.
    let before = cloud.starts();
    cloud.run().await;
    assert_eq!(cloud.starts(), before + 3);
}

#[tokio::test]
async fn a_run_that_fails_is_told_in_the_services_words_and_made_anew_by_the_next_start() {
    let cloud = Cloud::start().await;
    cloud.configure(&["orders"]).await;
    cloud.export("orders", 7);
    cloud.publish(&manifest(&[("orders", 7)]));
    cloud.transfer.fail_next("Access Denied: bad key", 1);

    let finished = cloud.run().await;
    assert_eq!(finished.exit_code, Some(1), "{}", finished.log);
    assert_eq!(message(&finished, "orders"), "the transfer run ended FAILED: Access Denied: bad key");
    assert_eq!(cloud.audit().await, ["shop.orders failed 7 null"]);

    assert_eq!(cloud.run().await.exit_code, Some(0));
    assert_eq!((cloud.starts(), cloud.audit().await), (2, vec!["shop.orders loaded 7 7".to_owned()]));
}

#[tokio::test]
async fn a_drifted_table_is_loaded_or_left_as_the_policy_says() {
    let mut cloud = Cloud::start().await;
    cloud.configure(&["cart", "orders"]).await;
    cloud.bigquery.query("CREATE OR REPLACE TABLE raw_shop.cart AS SELECT 1 AS n").await.unwrap();
    cloud.export("orders", 7);
    let mut day = manifest(&[("cart", 0), ("orders", 7)]);
    day.drift = serde_json::from_value(json!([
        {"table": "shop.orders", "change": "column_added", "column": "coupon"},
        {"table": "shop.cart", "change": "column_removed", "column": "m"},
    ]))
    .unwrap();
    cloud.publish(&day);

    cloud.variables.insert("ON_DRIFT".into(), "fail".into());
    let finished = cloud.run().await;
    assert_eq!(finished.exit_code, Some(1), "{}", finished.log);
    assert_eq!(states(&finished), ["shop.cart drifted", "shop.orders drifted"]);
    assert_eq!(message(&finished, "orders"), "column shop.orders.coupon was added");
    assert_eq!((cloud.starts(), cloud.rows("cart").await), (0, 1));

    cloud.variables.insert("ON_DRIFT".into(), "warn".into());
    let finished = cloud.run().await;
    assert_eq!(finished.exit_code, Some(0), "{}", finished.log);
    assert!(finished.log.contains("column shop.orders.coupon was added since the last export"), "{}", finished.log);
    assert_eq!(cloud.rows("orders").await, 7);
}

#[tokio::test]
async fn the_manifest_is_waited_for_and_a_day_that_is_published_again_is_loaded_again() {
    let mut cloud = Cloud::start_with(Options { running: Duration::from_millis(1500), ..Options::default() }).await;
    cloud.configure(&["orders"]).await;
    cloud.variables.insert("WAIT_MINUTES".into(), "0.02".into());
    let late = cloud.run().await;
    assert_eq!(late.exit_code, Some(3), "{}", late.log);
    let error = "waited 0 minutes for s3://exports/prod-20261120/manifest.json, and it is not there: \
                 look at the export task and at publish-export";
    assert_eq!(report(&late)["error"], error);

    cloud.variables.insert("WAIT_MINUTES".into(), "1".into());
    let task = cloud.job().start(&cloud::ARGUMENTS).unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    cloud.export("orders", 7);
    cloud.publish(&manifest(&[("orders", 7)]));
    // While the run is under way, a spot export replaces the parts.
    while cloud.starts() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cloud.store().delete(BUCKET, &manifest_key());
    cloud.export("orders", 9);
    tokio::time::sleep(Duration::from_secs(3)).await;
    cloud.publish(&manifest(&[("orders", 9)]));
    let finished = task.finish().await.unwrap();
    assert_eq!(finished.exit_code, Some(0), "{}", finished.log);
    assert!(finished.log.contains("was published again while it was loaded"), "{}", finished.log);
    assert_eq!((cloud.starts(), cloud.rows("orders").await), (2, 9));
    assert_eq!(cloud.audit().await, ["shop.orders loaded 9 9"]);
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_ends_the_job_with_the_reason() {
    let mut cloud = Cloud::start().await;
    cloud.configure(&["orders"]).await;
    let object = "s3://exports/prod-20261120/manifest.json";
    let good = String::from_utf8(manifest_at(chrono::Utc::now(), &[("orders", 7)]).to_json()).unwrap();
    let invalid = [
        ("{".to_owned(), "not a manifest: EOF while parsing an object at line 1 column 1"),
        (
            good.replace("\"version\": 1", "\"version\": 2"),
            "manifest version 2 is not 1: deploy the same release of isthmus on both clouds",
        ),
        (good.replace("2026-11-20", "2026-11-19"), "the manifest is of prod-20261119, not of prod-20261120"),
        (good.replace("\"rows\": 7", "\"rows\": 0"), "table shop.orders is Exported but has 0 rows in 1 parts"),
    ];
    for (text, reason) in invalid {
        cloud.store().put(BUCKET, &manifest_key(), text);
        let finished = cloud.run().await;
        assert_eq!(finished.exit_code, Some(1), "{}", finished.log);
        let error = report(&finished)["error"].as_str().unwrap().to_owned();
        assert!(error.starts_with(&format!("read {object}: {reason}")), "{error}");
    }

    cloud.variables.insert("S3_BUCKET_NAME".into(), "nowhere".into());
    let finished = cloud.run().await;
    assert_eq!(finished.exit_code, Some(2), "{}", finished.log);
    let error = report(&finished)["error"].as_str().unwrap().to_owned();
    assert!(error.starts_with("read s3://nowhere/prod-20261120/manifest.json: check S3_BUCKET_NAME and AWS_REGION"));

    cloud.variables.insert("AWS_AUDIENCE".into(), "isthmus-stg".into());
    let finished = cloud.run().await;
    assert_eq!(finished.exit_code, Some(2), "{}", finished.log);
    let error = report(&finished)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("which says aud = \"isthmus-stg\", azp = \"117\", sub = \"117\""), "{error}");
}

#[tokio::test]
async fn a_deployment_that_is_wrong_is_told_whole_before_anything_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tables.yaml");
    std::fs::write(&file, "databases:\n  shop:\n    tabels: {}\n").unwrap();
    let variables = [("TABLES_FILE", file.to_str().unwrap()), ("ENV", "Prod")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_load-export"));
    let job = local::job::Job::new(program, dir.path(), variables);
    let finished = job.run(&["--json"]).await.unwrap();
    assert_eq!(finished.exit_code, Some(2), "{}", finished.log);
    let error = report(&finished)["error"].as_str().unwrap().to_owned();
    assert_eq!(
        error,
        format!(
            "environment: ENV: environment \"Prod\" must be 1 to 43 lower-case letters, digits and single hyphens, \
             begin with a letter and not end with a hyphen; S3_BUCKET_NAME is not set; AWS_REGION is not set; \
             AWS_ROLE_ARN is not set; AWS_AUDIENCE is not set; GOOGLE_CLOUD_PROJECT is not set; \
             BIGQUERY_LOCATION is not set; {}:3:5: unknown field `tabels`, expected one of dataset, engine, exclude, \
             proof, on_missing, tables",
            file.display()
        )
    );
    let finished = job.run(&["--export-date", "2026-11-31"]).await.unwrap();
    assert_eq!(finished.exit_code, Some(2));
    assert!(finished.log.contains("export date \"2026-11-31\" is not a calendar date of the form 2026-11-22"));
}

#[tokio::test]
async fn what_contradicts_itself_is_told_before_anything_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tables.yaml");
    std::fs::write(&file, "databases: {shop: {tables: {orders: {}}}}\n").unwrap();
    let variables = [
        ("TABLES_FILE", file.to_str().unwrap()),
        ("ENV", "prod"),
        ("S3_BUCKET_NAME", "exports"),
        ("AWS_REGION", "ap-northeast-1"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/load-export"),
        ("AWS_AUDIENCE", "isthmus-prod"),
        ("GOOGLE_CLOUD_PROJECT", "acme"),
        ("BIGQUERY_LOCATION", "asia-northeast1"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_load-export"));
    let job = local::job::Job::new(program, dir.path(), variables);
    let date = ["--export-date", cloud::DATE];
    for (job, arguments, said) in [
        (job.clone(), ["--task-id", "prod-20261121"], "--task-id: prod-20261121 is not of --export-date 2026-11-20"),
        (job.clone(), ["--task-id", "stg-20261120"], "--task-id: stg-20261120 is not of environment prod"),
        (
            job.with("EXPORT_TIMEZONE", "Europe/Berlin"),
            ["--task-id", "prod-20261120"],
            "the clocks of Europe/Berlin change during the year",
        ),
    ] {
        let finished = job.run(&[arguments, date].concat()).await.unwrap();
        assert_eq!(finished.exit_code, Some(2), "{}", finished.log);
        assert!(finished.log.contains(said), "{}", finished.log);
    }
}
