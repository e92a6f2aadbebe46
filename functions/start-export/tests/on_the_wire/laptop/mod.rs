//! A client and a configuration, as the tests of the calls need them.
#![allow(dead_code)] // each test program takes its part

use std::path::Path;

use aws_sdk_rds::Client;
use aws_sdk_rds::config::{Credentials, Region};
use local::moto::Moto;
use start_export::config::Config;

pub(crate) const BUCKET: &str = "acme-export";
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/export";
pub(crate) const KEY: &str = "arn:aws:kms:ap-northeast-1:123456789012:key/1234abcd";
pub(crate) const CLUSTER: &str = "shop";

pub(crate) fn config() -> Config {
    Config::read(startup::Vars::from_pairs(variables())).unwrap()
}

pub(crate) fn variables() -> [(String, String); 5] {
    [
        ("ENV", "prod"),
        ("DB_CLUSTER_IDENTIFIER", CLUSTER),
        ("EXPORT_ROLE_ARN", ROLE),
        ("S3_BUCKET_NAME", BUCKET),
        ("KMS_KEY_ID", KEY),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
}

pub(crate) async fn client(endpoint: &str) -> Client {
    let config = startup::aws_config()
        .endpoint_url(endpoint)
        .region(Region::new("ap-northeast-1"))
        .credentials_provider(Credentials::new("local", "secret", None, None, "test"));
    Client::new(&config.load().await)
}

/// moto with a cluster. It makes the first automated snapshot with the cluster itself, as RDS does.
pub(crate) struct MotoRds {
    pub(crate) moto: Moto,
    pub(crate) rds: Client,
    pub(crate) automated: String,
    pub(crate) manual: String,
    /// A snapshot of the cluster `hr`.
    pub(crate) foreign: String,
}

impl MotoRds {
    pub(crate) async fn start(dir: &Path) -> Self {
        let moto = Moto::start(dir).await.unwrap();
        let rds = client(&moto.endpoint()).await;
        let manual = cluster_with_snapshot(&rds, CLUSTER, "before-migration").await;
        let foreign = cluster_with_snapshot(&rds, "hr", "of-hr").await;
        let automated = rds.describe_db_cluster_snapshots().db_cluster_identifier(CLUSTER).snapshot_type("automated");
        let automated = automated.send().await.unwrap();
        let automated = automated.db_cluster_snapshots()[0].db_cluster_snapshot_arn().unwrap().to_owned();
        Self { moto, rds, automated, manual, foreign }
    }
}

/// The ARN of the snapshot.
async fn cluster_with_snapshot(rds: &Client, cluster: &str, snapshot: &str) -> String {
    let create = rds.create_db_cluster().db_cluster_identifier(cluster).engine("aurora-mysql");
    create.master_username("root").master_user_password("password").send().await.unwrap();
    let create = rds.create_db_cluster_snapshot().db_cluster_identifier(cluster);
    let created = create.db_cluster_snapshot_identifier(snapshot).send().await.unwrap();
    created.db_cluster_snapshot().unwrap().db_cluster_snapshot_arn().unwrap().to_owned()
}
