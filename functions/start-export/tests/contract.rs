//! The same story on every RDS that we have. moto knows nothing of us: it is the independent witness.
#![allow(clippy::unwrap_used)]

mod laptop;

use aws_sdk_rds::Client;
use chrono::Utc;
use laptop::{BUCKET, MotoRds, config};
use serde_json::{Value, json};
use start_export::config::Config;
use start_export::error::StartExportError;
use start_export::{Started, start_export};

/// An RDS with the cluster `shop`, its newest automated snapshot and one that was made by hand.
struct Witness<'a> {
    rds: &'a Client,
    automated: &'a str,
    manual: &'a str,
}

impl Witness<'_> {
    async fn invoked(&self, config: &Config, event: Value) -> Result<Started, StartExportError> {
        let now = Utc::now();
        start_export(self.rds, config, event, now, now).await
    }

    async fn word(&self, event: Value) -> &'static str {
        self.invoked(&config(), event).await.unwrap_err().word()
    }

    async fn holds_the_contract(&self) {
        self.a_day_is_exported_once().await;
        self.an_id_is_never_given_away().await;
        self.a_spot_export_stands_beside_the_day().await;
        self.what_is_not_there_is_named().await;
    }

    async fn a_day_is_exported_once(&self) {
        let event = json!({"kind": "scheduled", "scheduled_time": "2026-11-21T19:00:00Z"});
        let first = self.invoked(&config(), event.clone()).await.unwrap();
        assert_eq!((first.task_id.to_string().as_str(), first.started), ("prod-20261122", true));
        assert_eq!(first.snapshot_arn, self.automated);
        let again = self.invoked(&config(), event).await.unwrap();
        assert!(!again.started);
        assert_eq!((again.task_id, again.snapshot_arn), (first.task_id, first.snapshot_arn));
        let tasks = self.rds.describe_export_tasks().export_task_identifier("prod-20261122").send().await.unwrap();
        let [task] = tasks.export_tasks() else { panic!("{tasks:?}") };
        assert_eq!((task.s3_bucket(), task.s3_prefix().unwrap_or_default()), (Some(BUCKET), ""));
    }

    async fn an_id_is_never_given_away(&self) {
        let event = json!({"kind": "manual", "export_date": "2026-11-22", "snapshot_arn": self.manual});
        let error = self.invoked(&config(), event).await.unwrap_err();
        assert_eq!(error.word(), "IdTaken");
        let text = error.to_string();
        assert!(text.contains(self.automated) && text.contains(self.manual), "{text}");
    }

    async fn a_spot_export_stands_beside_the_day(&self) {
        let tables = ["shop.orders"];
        let event = json!({
            "kind": "manual", "export_date": "2026-11-22", "snapshot_arn": self.manual, "spot": true, "tables": tables
        });
        let spot = self.invoked(&config(), event).await.unwrap();
        assert!(spot.started && spot.task_id.is_spot());
        assert_eq!(spot.snapshot_arn, self.manual);
        let id = spot.task_id.to_string();
        let tasks = self.rds.describe_export_tasks().export_task_identifier(&id).send().await.unwrap();
        assert_eq!(tasks.export_tasks()[0].export_only(), tables);
    }

    async fn what_is_not_there_is_named(&self) {
        let gone = "arn:aws:rds:ap-northeast-1:123456789012:cluster-snapshot:gone";
        let event = json!({"kind": "manual", "export_date": "2026-11-20", "snapshot_arn": gone});
        assert_eq!(self.word(event).await, "SnapshotNotFound");
        let nowhere = Config { cluster: "nowhere".into(), ..config() };
        let error = self.invoked(&nowhere, json!({"kind": "manual"})).await.unwrap_err();
        assert_eq!(error.word(), "NoSnapshot", "{error}");
    }
}

#[tokio::test]
async fn moto_holds_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let moto = MotoRds::start(dir.path()).await;
    Witness { rds: &moto.rds, automated: &moto.automated, manual: &moto.manual }.holds_the_contract().await;
}
