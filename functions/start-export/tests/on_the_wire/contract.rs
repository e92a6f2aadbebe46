//! The same story on every RDS that we have. moto knows nothing of us: it is the independent witness.

use crate::laptop;

use std::time::Duration;

use aws_sdk_rds::Client;
use chrono::Utc;
use laptop::{BUCKET, CLUSTER, MotoRds, client, config};
use local::export::Table;
use local::rds::{Options, Rds, Snapshot};
use local::s3::Store;
use serde_json::{Value, json};
use start_export::answer::{Answer, Export};
use start_export::config::Config;
use start_export::error::StartExportError;
use start_export::start_export;

/// An RDS with the cluster `shop`, its newest automated snapshot and one that was made by hand, and one of another cluster.
struct Witness<'a> {
    rds: &'a Client,
    automated: &'a str,
    manual: &'a str,
    foreign: &'a str,
}

/// The export of an answer, started now or found.
fn export(answer: Result<Answer, StartExportError>) -> Export {
    match answer.unwrap() {
        Answer::Started(export) | Answer::Found(export) => export,
        other => panic!("{other:?}"),
    }
}

impl Witness<'_> {
    async fn invoked(&self, config: &Config, event: Value) -> Result<Answer, StartExportError> {
        let now = Utc::now();
        start_export(self.rds, config, event, now, now).await
    }

    async fn export(&self, event: Value) -> Export {
        export(self.invoked(&config(), event).await)
    }

    async fn word(&self, event: Value) -> &'static str {
        self.invoked(&config(), event).await.unwrap_err().word()
    }

    async fn holds_the_contract(&self) {
        self.a_day_is_exported_once().await;
        self.an_id_is_never_given_away().await;
        self.a_spot_export_stands_beside_the_day().await;
        self.what_is_not_there_is_named().await;
        self.what_is_of_another_cluster_is_refused().await;
    }

    async fn a_day_is_exported_once(&self) {
        let event = json!({"kind": "scheduled", "scheduled_time": "2026-11-21T19:00:00Z"});
        let first = self.export(event.clone()).await;
        assert_eq!((first.task_id.to_string().as_str(), first.started), ("prod-20261122", true));
        assert_eq!(first.snapshot_arn, self.automated);
        let again = self.export(event).await;
        assert!(!again.started);
        let later = self.export(json!({"kind": "scheduled", "scheduled_time": "2026-11-22T03:00:00Z"})).await;
        assert!(!later.started);
        assert_eq!((&again.task_id, &again.snapshot_arn), (&first.task_id, &first.snapshot_arn));
        assert_eq!((&later.task_id, &later.snapshot_arn), (&first.task_id, &first.snapshot_arn));
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
        let spot = self.export(event).await;
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
        let error = self.invoked(&nowhere, json!({"kind": "manual", "spot": true})).await.unwrap_err();
        assert_eq!(error.word(), "SnapshotNotFound", "{error}");
    }

    async fn what_is_of_another_cluster_is_refused(&self) {
        let cluster = "arn:aws:rds:ap-northeast-1:123456789012:cluster:hr";
        for source in [self.foreign, cluster] {
            let event = json!({"kind": "manual", "spot": true, "snapshot_arn": source});
            assert_eq!(self.word(event).await, "OtherCluster", "{source}");
        }
    }
}

#[tokio::test]
async fn moto_holds_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let moto = MotoRds::start(dir.path()).await;
    let MotoRds { rds, automated, manual, foreign, .. } = &moto;
    Witness { rds, automated, manual, foreign }.holds_the_contract().await;
}

/// Our own RDS, whose tasks stay STARTING while a test looks at them.
struct OwnRds {
    rds: Rds,
    client: Client,
    automated: String,
    manual: String,
    foreign: String,
}

impl OwnRds {
    async fn start() -> Self {
        let store = Store::default();
        store.create_bucket(BUCKET);
        let options = Options { starting: Duration::from_mins(10), ..Options::default() };
        let rds = Rds::start(None, store, options).await.unwrap();
        rds.set_tables(vec![Table::numbered("shop", "orders", 10), Table::numbered("shop", "items", 10)]);
        let automated = rds.snapshot(CLUSTER, Utc::now() - chrono::Duration::hours(1)).await.unwrap();
        let manual = rds.add_snapshot(Snapshot::new("before-migration", CLUSTER, "manual", Utc::now()));
        let foreign = rds.snapshot("hr", Utc::now()).await.unwrap();
        let client = client(&rds.endpoint()).await;
        Self { rds, client, automated, manual, foreign }
    }

    fn witness(&self) -> Witness<'_> {
        let Self { client: rds, automated, manual, foreign, .. } = self;
        Witness { rds, automated, manual, foreign }
    }
}

#[tokio::test]
async fn our_own_rds_holds_the_contract() {
    OwnRds::start().await.witness().holds_the_contract().await;
}

#[tokio::test]
async fn the_newest_snapshot_is_found_behind_three_pages_of_others() {
    let own = OwnRds::start().await;
    for hours in 2..252 {
        own.rds.snapshot(CLUSTER, Utc::now() - chrono::Duration::hours(hours)).await.unwrap();
    }
    let begun = Snapshot::new("rds:shop-begun", CLUSTER, "automated", Utc::now()).with_status("creating");
    own.rds.add_snapshot(begun);
    let answer = own.witness().export(json!({"kind": "manual"})).await;
    assert_eq!(answer.snapshot_arn, own.automated);
}

#[tokio::test]
async fn a_spot_export_that_still_runs_is_found_and_not_started_again() {
    let own = OwnRds::start().await;
    let event = |tables: &[&str]| json!({"kind": "manual", "spot": true, "tables": tables});
    let spot = own.witness().export(event(&["shop.orders", "shop.items"])).await;
    assert!(spot.snapshot_arn.ends_with(":cluster:shop"), "{}", spot.snapshot_arn);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let again = own.witness().export(event(&["shop.items", "shop.orders"])).await;
    assert_eq!((spot.started, again.started, &again.task_id), (true, false, &spot.task_id));
    // Other tables are other work, and RDS exports a source once at a time.
    assert_eq!(own.witness().word(event(&["shop.items"])).await, "SnapshotNotReady");
    assert_eq!(own.rds.tasks().len(), 1);
}

#[tokio::test]
async fn the_sixth_export_at_once_is_refused_with_a_word_of_its_own() {
    let own = OwnRds::start().await;
    let mut words = Vec::new();
    for n in 1..=6 {
        let arn = own.rds.add_snapshot(Snapshot::new(&format!("by-hand-{n}"), CLUSTER, "manual", Utc::now()));
        let event = json!({"kind": "manual", "export_date": format!("2026-10-0{n}"), "snapshot_arn": arn});
        let answer = own.witness().invoked(&config(), event).await;
        words.push(
            answer.map_or_else(
                |error| error.word(),
                |answer| if export(Ok(answer)).started { "started" } else { "there" },
            ),
        );
    }
    assert_eq!(words, ["started", "started", "started", "started", "started", "TooManyExports"]);
}

#[tokio::test]
async fn tables_that_the_snapshot_has_not_are_refused() {
    let own = OwnRds::start().await;
    let event = json!({"kind": "manual", "spot": true, "tables": ["shop.order"]});
    assert_eq!(own.witness().word(event).await, "InvalidTables");
}
