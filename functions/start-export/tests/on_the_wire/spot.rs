//! A spot export: of the live cluster, of our cluster only, and of tables in the spelling of its engine.

use serde_json::json;

use crate::scripted::{CLUSTER, OTHER, Rds, SNAPSHOT, page, snapshot_of, task, tasks, told};

#[tokio::test]
async fn a_second_try_of_a_spot_export_finds_the_task_of_the_first() {
    let running = tasks(&[task("prod-20261122-s035900", OTHER, "STARTING")]);
    let rds = Rds::new().await.describes_the_other("shop").answers("DescribeExportTasks", &running);
    let answer = rds.answered(json!({"kind": "manual", "spot": true, "snapshot_arn": OTHER})).await;
    assert_eq!((&answer["task_id"], &answer["started"]), (&json!("prod-20261122-s035900"), &json!(false)));
    assert_eq!(answer["warnings"], json!([]));
    assert!(rds.sent("StartExportTask").is_empty());
    let filter = [("Filters.Filter.1.Name", "source-arn"), ("Filters.Filter.1.Values.Value.1", OTHER)];
    for (name, value) in filter {
        let sent = &rds.sent("DescribeExportTasks")[0];
        assert!(sent.contains(&(name.to_owned(), value.to_owned())), "{sent:?}");
    }
}

#[tokio::test]
async fn a_spot_export_is_of_the_live_cluster_and_one_that_runs_already_is_of_earlier_rows() {
    let rds = Rds::new().await.describes_the_cluster(CLUSTER, "aurora-mysql");
    let live = "<ExportTaskIdentifier>prod-20261122-s040005</ExportTaskIdentifier><Status>STARTING</Status>";
    let rds = rds.answers("DescribeExportTasks", "<ExportTasks/>").answers("StartExportTask", live);
    let answer = rds.answered(json!({"kind": "manual", "spot": true})).await;
    let expected = json!({
        "state": "started", "task_id": "prod-20261122-s040005", "snapshot_arn": CLUSTER, "snapshot_time": null,
        "snapshot_age_hours": null, "export_date": "2026-11-22", "started": true, "warnings": []
    });
    assert_eq!(answer, expected);
    assert!(rds.sent("StartExportTask")[0].contains(&("SourceArn".into(), CLUSTER.into())));
    assert!(rds.sent("DescribeDBClusters")[0].contains(&("DBClusterIdentifier".into(), "shop".into())));

    let running = tasks(&[task("prod-20261122-s035900", CLUSTER, "IN_PROGRESS")]);
    let rds = Rds::new().await.describes_the_cluster(CLUSTER, "aurora-mysql").answers("DescribeExportTasks", &running);
    let answer = rds.answered(json!({"kind": "manual", "spot": true})).await;
    let warning = answer["warnings"][0].as_str().unwrap();
    assert!(warning.contains("with the rows of then: for newer ones ask again when it has ended"), "{warning}");
}

#[tokio::test]
async fn a_spot_export_of_the_newest_snapshot_is_to_be_had_for_the_word() {
    let rds = Rds::new().await;
    let rds = rds.answers("DescribeDBClusterSnapshots", &page("", &[(SNAPSHOT, "2026-11-21T18:10:00Z")]));
    let rds = rds.answers("DescribeExportTasks", "<ExportTasks/>");
    let rds = rds.answers("StartExportTask", &task("prod-20261122-s040005", SNAPSHOT, "STARTING"));
    let answer = rds.answered(json!({"kind": "manual", "spot": true, "source": "newest_snapshot"})).await;
    assert_eq!((&answer["snapshot_arn"], &answer["started"]), (&json!(SNAPSHOT), &json!(true)));
}

#[tokio::test]
async fn what_is_of_another_cluster_is_refused_by_name_and_nothing_is_started() {
    let event = |arn: &str| json!({"kind": "manual", "spot": true, "snapshot_arn": arn});
    let rds = Rds::new().await.describes_the_other("hr");
    let (word, text) = told(rds.invoked(event(OTHER)).await);
    assert_eq!(word, "OtherCluster");
    let told_so = format!("{OTHER} is not of cluster shop (DB_CLUSTER_IDENTIFIER): it is a snapshot of cluster hr; ");
    assert!(text.starts_with(&told_so), "{text}");
    assert!(rds.sent("StartExportTask").is_empty());

    // The same name in another region.
    let elsewhere = OTHER.replace("ap-northeast-1", "us-east-1");
    let rds = Rds::new().await.describes_the_other("shop");
    assert_eq!(told(rds.invoked(event(&elsewhere)).await).0, "OtherCluster");

    let rds = Rds::new().await.describes_the_cluster(CLUSTER, "aurora-mysql");
    let (word, text) = told(rds.invoked(event(&CLUSTER.replace("cluster:shop", "cluster:hr"))).await);
    assert_eq!(word, "OtherCluster");
    assert!(text.contains(&format!("cluster:hr is not of cluster shop (DB_CLUSTER_IDENTIFIER): that is {CLUSTER}; ")));

    // RDS finds an automated snapshot by its name only when it is told the type.
    let of_hr = SNAPSHOT.replace("rds:shop", "rds:hr");
    let rds = Rds::new().await.answers("DescribeDBClusterSnapshots", &snapshot_of(&of_hr, "hr", "aurora-mysql"));
    assert_eq!(told(rds.invoked(event(&of_hr)).await).0, "OtherCluster");
    let sent = &rds.sent("DescribeDBClusterSnapshots")[0];
    for (name, value) in [("DBClusterSnapshotIdentifier", "rds:hr-2026-11-21-18-10"), ("SnapshotType", "automated")] {
        assert!(sent.contains(&(name.to_owned(), value.to_owned())), "{sent:?}");
    }
}

#[tokio::test]
async fn a_spot_export_names_its_tables_as_the_engine_wants_them_and_its_second_in_tokyo() {
    for (engine, tables, spelled) in [
        ("aurora-mysql", ["shop.orders", "shop.items"], ["shop.items", "shop.orders"]),
        ("aurora-postgresql", ["app.public.orders", "app.app.items"], ["app.app.items", "app.public.orders"]),
    ] {
        let rds = Rds::new().await;
        let rds = rds.answers("DescribeDBClusterSnapshots", &snapshot_of(OTHER, "shop", engine));
        let rds = rds.answers("DescribeExportTasks", "<ExportTasks/>");
        let rds = rds.answers("StartExportTask", &task("prod-20261122-s040005", OTHER, "STARTING"));
        let event = json!({"kind": "manual", "spot": true, "snapshot_arn": OTHER, "tables": tables});
        let answer = rds.answered(event).await;
        assert_eq!((&answer["task_id"], &answer["started"]), (&json!("prod-20261122-s040005"), &json!(true)));
        // A source that was named by hand has the time that RDS tells.
        assert_eq!(answer["snapshot_time"], json!("2026-11-21T18:10:00.500Z"));
        let sent = &rds.sent("StartExportTask")[0];
        for (name, value) in [("ExportOnly.member.1", spelled[0]), ("ExportOnly.member.2", spelled[1])] {
            assert!(sent.contains(&(name.to_owned(), value.to_owned())), "{sent:?}");
        }
    }
    let rds = Rds::new().await.describes_the_cluster(CLUSTER, "aurora-mysql");
    let event = json!({"kind": "manual", "spot": true, "tables": ["app.public.orders"]});
    assert_eq!(told(rds.invoked(event).await).0, "InvalidTables");
    assert!(rds.sent("StartExportTask").is_empty());
}
