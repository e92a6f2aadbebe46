//! The built binary, woken by the event that ends an export of the laptop's RDS engine.

use std::path::Path;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_rds::config::Credentials;
use handoff::{Manifest, TableState};
use local::export::Table;
use local::lambda::Lambda;
use local::rds::{Options, Rds};
use local::s3::S3;
use serde_json::{Value, json};

const TASK: &str = "prod-20261122";

async fn export(rds: &Rds) -> Value {
    let mut events = rds.events();
    let snapshot = rds.snapshot("shop", "2026-11-21T17:05:00Z".parse().unwrap()).await.unwrap();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::from_static("ap-northeast-1"))
        .credentials_provider(Credentials::new("local", "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(rds.endpoint());
    let client = aws_sdk_rds::Client::new(&config.load().await);
    let start = client.start_export_task().export_task_identifier(TASK).source_arn(&snapshot).s3_bucket_name("exports");
    let start = start.iam_role_arn("arn:aws:iam::123456789012:role/export").kms_key_id("alias/export");
    start.send().await.unwrap();
    loop {
        let event = events.recv().await.unwrap();
        if event["detail"]["EventID"] == "RDS-EVENT-0164" {
            return event;
        }
    }
}

#[tokio::test]
async fn what_the_export_engine_writes_is_published() {
    let s3 = S3::start().await.unwrap();
    s3.store().create_bucket("exports");
    let rds = Rds::start(None, s3.store().clone(), Options::default()).await.unwrap();
    let big = Table::numbered("shop", "orders", 250_000);
    let odd = Table::new("shop", "odd", &[("a,b", "int")], Vec::new());
    rds.set_tables(vec![big, Table::numbered("shop", "empty", 0), odd]);
    let event = export(&rds).await;

    let logs = std::env::temp_dir().join(format!("publish-export-engine-{}", std::process::id()));
    std::fs::create_dir_all(&logs).unwrap();
    let variables = [
        ("ENV", "prod".to_owned()),
        ("S3_BUCKET_NAME", "exports".into()),
        ("AWS_ENDPOINT_URL_S3", s3.endpoint()),
        ("AWS_ENDPOINT_URL_RDS", rds.endpoint()),
    ];
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
    let lambda = Lambda::new(Path::new(env!("CARGO_BIN_EXE_publish-export")), &logs, variables);
    let first = lambda.invoke(&event).await.unwrap();
    let expected = json!({"published": [TASK], "unchanged": [], "reported": [TASK], "started": []});
    assert_eq!(first.answer, Ok(expected), "{}", first.log);
    let again = lambda.invoke(&event).await.unwrap();
    assert_eq!(
        again.answer,
        Ok(json!({"published": [], "unchanged": [TASK], "reported": [], "started": []})),
        "{}",
        again.log
    );
    std::fs::remove_dir_all(&logs).unwrap();

    let object = s3.store().get("exports", "prod-20261122/manifest.json").unwrap();
    let manifest = Manifest::parse(&object.bytes, &"prod".parse().unwrap(), "2026-11-22".parse().unwrap()).unwrap();
    let states: Vec<_> = manifest.tables.iter().map(|t| (t.name.to_string(), t.state, t.rows)).collect();
    let expected = [
        ("shop.empty".to_owned(), TableState::Empty, 0),
        ("shop.odd".to_owned(), TableState::Skipped, 0),
        ("shop.orders".to_owned(), TableState::Exported, 250_000),
    ];
    assert_eq!(states, expected);
    let [odd, old] = manifest.warnings.try_into().unwrap();
    assert!(odd.starts_with("shop.odd: ") && old.starts_with("prod-20261122: its snapshot of 2026-11-21 17:05"));
    let orders = &manifest.tables[2];
    assert!(orders.parts > 2);
    let id = &orders.columns[0].statistics;
    assert_eq!((id.nulls, id.min.as_deref(), id.max.as_deref()), (Some(0), Some("1"), Some("250000")));
}
